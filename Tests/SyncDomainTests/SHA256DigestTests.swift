import SyncDomain
import Testing

@Suite struct SHA256DigestTests {
    private let sample = "0123456789abcdef0123456789ABCDEFfedcba9876543210FEDCBA9876543210"

    @Test func hexOfEitherCaseIsReadAndWrittenInLowerCase() throws {
        #expect(try SHA256Digest(hex: sample).hex == sample.lowercased())
        #expect(try SHA256Digest(hex: sample) == SHA256Digest(hex: sample.lowercased()))
        #expect(try SHA256Digest(hex: Array(sample.utf8)) == SHA256Digest(hex: sample))
        #expect(try SHA256Digest(hex: Array(sample.utf8).span) == SHA256Digest(hex: sample))
    }

    @Test func bytesAreTheSameDigestAsTheirHex() throws {
        let bytes = (0..<32).map { UInt8($0 * 7) }
        let digits = Array("0123456789abcdef")
        let hex = String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        #expect(try SHA256Digest(bytes: bytes).hex == hex)
        #expect(try SHA256Digest(bytes: bytes) == SHA256Digest(hex: hex))
        #expect(try String(decoding: SHA256Digest(bytes: bytes).hexBytes, as: UTF8.self) == hex)
    }

    @Test func wordsAreTheSameDigestAsTheirHex() throws {
        let words: SIMD8<UInt32> = [1, 0x2345_6789, 0xABCD_EF01, 0, 0xFFFF_FFFF, 0x8000_0000, 7, 0x1234_5678]
        #expect(
            SHA256Digest(words: words).hex == "0000000123456789abcdef0100000000ffffffff800000000000000712345678")
    }

    @Test(arguments: [0, 31, 33, 64])
    func otherCountsOfBytesAreRefused(_ count: Int) {
        let error = #expect(throws: InvalidValue.self) { try SHA256Digest(bytes: repeatElement(1, count: count)) }
        #expect(error?.reason == "a SHA-256 digest has 32 bytes, got \(count)")
    }

    @Test(arguments: [0, 1, 63, 65, 128])
    func otherCountsOfDigitsAreRefused(_ count: Int) {
        let error = #expect(throws: InvalidValue.self) { try SHA256Digest(hex: String(repeating: "a", count: count)) }
        #expect(error?.reason == "a SHA-256 checksum is 64 hex digits; this has \(count)")
    }

    @Test(arguments: ["g", "/", ":", "@", "`", "G", " ", "-", "\0", "\n", "é", "１", "\u{FF}"])
    func otherCharactersAreRefusedAtAnyPlace(_ character: String) {
        let digits = String(repeating: "0", count: 64 - character.utf8.count)
        for text in [character + digits, digits + character, digits.prefix(30) + character + digits.dropFirst(30)] {
            let error = #expect(throws: InvalidValue.self) { try SHA256Digest(hex: text) }
            #expect(error?.reason == "a SHA-256 checksum is 64 hex digits; this has other characters")
        }
    }

    @Test func everyByteIsADigitOrRefusedWhateverItsPlace() {
        for byte in UInt8.min...UInt8.max {
            let value = byte < 0x80 ? Character(Unicode.Scalar(byte)).hexDigitValue : nil
            for place in 0..<64 {
                var hex = [UInt8](repeating: UInt8(ascii: "5"), count: 64)
                hex[place] = byte
                let digest = try? SHA256Digest(hex: hex)
                #expect((digest != nil) == (value != nil), "byte \(byte) at \(place)")
                guard let digest, let value else { continue }
                #expect(digest.hexBytes[place] == Array(String(value, radix: 16).utf8)[0])
            }
        }
    }

    @Test func orderIsThatOfTheHex() throws {
        let texts = [
            sample, String(repeating: "f", count: 64), String(repeating: "0", count: 64), "f" + sample.dropFirst(),
        ]
        let digests = try texts.map { try SHA256Digest(hex: $0) }
        #expect(digests.sorted().map(\.hex) == texts.map { $0.lowercased() }.sorted())
    }

    @Test func theLeadingWordIsTheFirstEightDigits() throws {
        #expect(try SHA256Digest(hex: sample).leadingWord == 0x0123_4567)
    }
}
