/// Formats for people, in decimal units as network tools give them.
public enum HumanFormat {
    /// `84.1 MB`, `1.50 GB`, `21 B`: decimal units, three digits.
    public static func bytes(_ count: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var value = Double(count)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return unit == 0 ? "\(count) B" : "\(decimal(value, digits: digits)) \(units[unit])"
    }

    /// `3.20 s`, `31.5 s`, `4 min 10 s`, `2 h 5 min`, `9 d 3 h`.
    public static func duration(_ seconds: Double) -> String {
        guard seconds >= 59.95 else { return "\(decimal(seconds, digits: seconds < 9.95 ? 2 : 1)) s" }
        let whole = Int(min(seconds, 3.6e9).rounded())
        if whole >= 2 * 86400 { return "\(whole / 86400) d \(whole / 3600 % 24) h" }
        return whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole / 60 % 60) min"
    }

    /// A number with that many decimals, rounded.
    public static func decimal(_ value: Double, digits: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((value * Double(scale)).rounded())
        guard digits > 0 else { return String(scaled) }
        let fraction = String(scaled.magnitude % scale.magnitude)
        let padding = String(repeating: "0", count: digits - fraction.utf8.count)
        return "\(scaled < 0 ? "-" : "")\(scaled.magnitude / scale.magnitude).\(padding)\(fraction)"
    }
}
