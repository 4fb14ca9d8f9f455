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
        let (date, time) = fields
        let fraction = Self.padded(Int(milliseconds - milliseconds.floorDivided(by: 1000) * 1000), 3)
        return "\(date.joined(separator: "-"))T\(time.joined(separator: ":")).\(fraction)Z"
    }

    /// `20261120T184500Z`: sorts by time and fits in a file's name.
    public var compact: String {
        let (date, time) = fields
        return date.joined() + "T" + time.joined() + "Z"
    }

    private var fields: (date: [String], time: [String]) {
        let seconds = milliseconds.floorDivided(by: 1000)
        let days = seconds.floorDivided(by: 86400)
        let second = Int(seconds - days * 86400)
        let (year, month, day) = Self.civil(fromDays: Int(days))
        return (
            [Self.padded(year, 4), Self.padded(month, 2), Self.padded(day, 2)],
            [Self.padded(second / 3600, 2), Self.padded(second / 60 % 60, 2), Self.padded(second % 60, 2)]
        )
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

    private static func padded(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
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
