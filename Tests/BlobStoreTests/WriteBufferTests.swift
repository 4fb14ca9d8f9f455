import Foundation
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

@Suite struct WriteBufferTests {
    private static let unit = Int(WriteBuffer.unit)

    private func with(_ body: (OpenFile, String) throws -> Void) throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            try body(folder.file("file", .readWriteCreate), temporary.appending("file"))
        }
    }

    private func append(
        _ bytes: some Collection<UInt8>, isLast: Bool = false, to file: OpenFile, _ buffer: inout WriteBuffer
    ) throws {
        let piece = Array(bytes)
        try buffer.append(piece.span.bytes, isLast: isLast, to: file)
    }

    @Test(arguments: [1, 1000, 16 << 10, 100_000, unit, unit + 1, 3 * unit - 1, 2_000_000])
    func piecesOfAnySizeMakeTheFile(_ piece: Int) throws {
        let bytes = Payload.bytes(piece == 1 ? 3000 : 2_000_000, seed: UInt64(piece))
        try with { file, path in
            var buffer = WriteBuffer(written: 0)
            var done = 0
            while done < bytes.count {
                let end = min(done + piece, bytes.count)
                try append(bytes[done..<end], isLast: end == bytes.count, to: file, &buffer)
                done = end
                #expect(buffer.byteCount == Int64(done))
                #expect(buffer.written == Int64(done == bytes.count ? done : done / Self.unit * Self.unit))
            }
            #expect(buffer.isEmpty)
            #expect(contents(path) == bytes)
        }
    }

    @Test func itGoesOnFromWhereTheFileEndsAndComesBackToWholeUnits() throws {
        let bytes = Payload.bytes(Self.unit + 70_000, seed: 1)
        try with { file, path in
            try file.write(bytes.span.bytes.extracting(first: 50_000), at: 0)
            var buffer = WriteBuffer(written: 50_000)
            try append(bytes[50_000..<Self.unit], to: file, &buffer)
            #expect(buffer.written == Int64(Self.unit))
            try append(bytes[Self.unit...], to: file, &buffer)
            #expect(buffer.written == Int64(Self.unit))
            try buffer.flush(to: file)
            #expect(buffer.written == Int64(bytes.count))
            #expect(contents(path) == bytes)
        }
    }

    @Test func whatCouldNotBeWrittenIsHeldAndWrittenLater() throws {
        let bytes = Payload.bytes(Self.unit + 10, seed: 2)
        try with { file, path in
            let readOnly = try OpenFile.read(path)
            var buffer = WriteBuffer(written: 0)
            try append(bytes[..<100], to: file, &buffer)
            #expect(throws: SystemFailure.self) { try append(bytes[100...], to: readOnly, &buffer) }
            #expect(buffer.written == 0 && buffer.byteCount == Int64(bytes.count))
            #expect(throws: SystemFailure.self) { try buffer.flush(to: readOnly) }
            try buffer.flush(to: file)
            #expect(contents(path) == bytes)
        }
    }

    @Test func aPieceThatIsWrittenAsItIsAndFailsIsNotHeld() throws {
        try with { _, path in
            let readOnly = try OpenFile.read(path)
            var buffer = WriteBuffer(written: 0)
            #expect(throws: SystemFailure.self) {
                try append(Payload.bytes(Self.unit, seed: 3), to: readOnly, &buffer)
            }
            #expect(buffer.byteCount == 0)
        }
    }
}
