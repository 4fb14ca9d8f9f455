/// A moment of civil time, in milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Negative before 1970. Leap seconds are not counted, as in POSIX.
    public var milliseconds: Int64

    /// The moment that many milliseconds after the epoch.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Earlier is less.
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// RFC 3339, UTC, with milliseconds: `2026-11-20T18:45:00.123Z`.
    public var description: String {
        var bytes: [UInt8] = []
        appendDescription(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `20261120T184500Z`: sorts by time and fits in a file's name.
    public var compact: String {
        var bytes: [UInt8] = []
        _ = appendSeconds(to: &bytes, dateMark: nil, timeMark: nil)
        return String(decoding: bytes, as: UTF8.self) + "Z"
    }

    func appendDescription(to bytes: inout [UInt8]) {
        let fraction = appendSeconds(to: &bytes, dateMark: UInt8(ascii: "-"), timeMark: UInt8(ascii: ":"))
        bytes.append(UInt8(ascii: "."))
        bytes.append(digits: fraction, 3)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// - Returns: the milliseconds.
    private func appendSeconds(to bytes: inout [UInt8], dateMark: UInt8?, timeMark: UInt8?) -> Int {
        let seconds = milliseconds.floorDivided(by: 1000)
        let days = seconds.floorDivided(by: 86400)
        let second = Int(seconds - days * 86400)
        let (year, month, day) = Self.civil(fromDays: Int(days))
        bytes.append(digits: year, 4)
        for part in [month, day] {
            if let dateMark { bytes.append(dateMark) }
            bytes.append(digits: part, 2)
        }
        bytes.append(UInt8(ascii: "T"))
        bytes.append(digits: second / 3600, 2)
        for part in [second / 60 % 60, second % 60] {
            if let timeMark { bytes.append(timeMark) }
            bytes.append(digits: part, 2)
        }
        return Int(milliseconds - seconds * 1000)
    }

    /// The proleptic Gregorian calendar, counted in eras of 400 years that begin in March, so that the leap day is
    /// the last of its year.
    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = Int(Int64(shifted).floorDivided(by: 146_097))
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}

extension [UInt8] {
    /// In decimal, its digits with zeros before them up to that width. No string is made of them: a large report has hundreds
    /// of thousands of numbers.
    mutating func append(digits value: some BinaryInteger, _ width: Int = 1) {
        if value < 0 { append(UInt8(ascii: "-")) }
        let magnitude = UInt64(value.magnitude)
        var unit: UInt64 = 1
        for _ in 1..<Swift.max(width, 1) { unit *= 10 }
        while magnitude / unit >= 10 { unit *= 10 }
        while unit > 0 {
            append(UInt8(ascii: "0") + UInt8(magnitude / unit % 10))
            unit /= 10
        }
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : (self - divisor + 1) / divisor
    }
}

extension Duration {
    /// The duration as seconds with their fraction.
    public var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
