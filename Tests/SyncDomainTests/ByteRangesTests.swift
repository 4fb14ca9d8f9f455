import SyncDomain
import Testing

@Suite struct ByteRangesTests {
    @Test(arguments: 0..<200)
    func itHoldsWhatASetOfBytesHolds(_ seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: UInt64) -> Int64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64((state >> 33) % bound)
        }
        var ranges = ByteRanges()
        var bytes: Set<Int64> = []
        for _ in 0..<20 {
            let start = next(60)
            let range = start..<start + next(12)
            ranges.insert(range)
            bytes.formUnion(range)
            #expect(ranges.count == Int64(bytes.count))
            #expect(ranges.frontier == (0...80).first { !bytes.contains($0) })
            #expect(Set(ranges.missing(of: 50).joined()) == Set(0..<50).subtracting(bytes))
            // In order, and apart.
            for (a, b) in zip(ranges.ranges, ranges.ranges.dropFirst()) { #expect(a.upperBound < b.lowerBound) }
        }
    }

    @Test func nothingIsMissingOfNothing() {
        #expect(ByteRanges().missing(of: 0) == [])
        #expect(ByteRanges(0..<10).missing(of: 10) == [])
        #expect(ByteRanges(0..<10).missing(of: 5) == [])
        #expect(ByteRanges(3..<3).ranges == [])
    }
}
