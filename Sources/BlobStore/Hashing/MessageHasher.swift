internal import SyncDomain

/// Hashes small messages that are in memory, side by side. One thread at a time.
struct MessageHasher {
    private struct Seat {
        let message: Int
        let lane: Int
        var byteCount = 0
        /// In the lane's buffer; the last ones hold the padding.
        var blocks = 0
        var isPadded = false
    }

    private let schedule: HashSchedule
    private let bank: LaneBank

    init(_ schedule: HashSchedule = .measured) {
        self.schedule = schedule
        bank = LaneBank(lanes: schedule.width)
    }

    /// The digest of each, in order.
    func digests(of messages: [[UInt8]]) -> [SHA256Digest] {
        var digests: [Int: SHA256Digest] = [:]
        var seats: [Seat] = []
        var freeLanes = Array(0..<schedule.width)
        var next = 0
        while digests.count < messages.count {
            while next < messages.count, let lane = freeLanes.popLast() {
                bank.setHash(HashState().hash, of: lane)
                seats.append(Seat(message: next, lane: lane))
                next += 1
            }
            for index in seats.indices where seats[index].blocks == 0 { fill(&seats[index], messages) }
            let blocks = seats.map(\.blocks).min() ?? 0
            bank.advance(seats.map(\.lane), blocks: blocks, by: schedule)
            for index in seats.indices { seats[index].blocks -= blocks }
            seats.removeAll { seat in
                guard seat.blocks == 0, seat.isPadded else { return false }
                digests[seat.message] = SHA256Digest(words: bank.hash(of: seat.lane))
                freeLanes.append(seat.lane)
                return true
            }
        }
        return messages.indices.compactMap { digests[$0] }
    }

    private func fill(_ seat: inout Seat, _ messages: [[UInt8]]) {
        let message = messages[seat.message]
        let part = message.dropFirst(seat.byteCount).prefix(LaneBank.bufferBytes(lanes: schedule.width))
        bank.fill(seat.lane, with: part)
        seat.byteCount += part.count
        seat.blocks = part.count / HashState.blockBytes
        if seat.byteCount == message.count {
            seat.blocks = bank.pad(seat.lane, after: part.count, messageBytes: Int64(message.count))
            seat.isPadded = true
        }
    }
}
