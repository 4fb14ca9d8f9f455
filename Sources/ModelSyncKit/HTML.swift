/// Markup of our own, with what is put into it escaped: literals are markup, interpolated text is text.
///
///     let row: HTML = "<td>\(path)</td>"
struct HTML: ExpressibleByStringInterpolation {
    private(set) var markup: String

    init(stringLiteral value: String) { markup = value }

    init(stringInterpolation: Interpolation) { markup = stringInterpolation.markup }

    static func += (a: inout HTML, b: HTML) { a.markup += b.markup }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var markup = ""

        init(literalCapacity: Int, interpolationCount: Int) { markup.reserveCapacity(literalCapacity) }

        mutating func appendLiteral(_ literal: String) { markup += literal }

        mutating func appendInterpolation(_ html: HTML) { markup += html.markup }

        mutating func appendInterpolation(_ html: [HTML]) {
            for html in html { markup += html.markup }
        }

        /// For people: `10,000`.
        mutating func appendInterpolation(_ number: Int64) {
            let digits = Array(String(number))
            for (index, digit) in digits.enumerated() {
                if index > 0, digits[index - 1] != "-", (digits.count - index) % 3 == 0 { markup += "," }
                markup.append(digit)
            }
        }

        /// For elements' text, and for attributes between double quotes.
        mutating func appendInterpolation(_ text: String) {
            for scalar in text.unicodeScalars {
                switch scalar {
                case "&": markup += "&amp;"
                case "<": markup += "&lt;"
                case ">": markup += "&gt;"
                case "\"": markup += "&quot;"
                case "'": markup += "&#39;"
                // No page may hold them, and a reference to them is an error as well.
                case "\0"..."\u{8}", "\u{B}"..."\u{1F}", "\u{7F}"..."\u{9F}": markup += "\u{FFFD}"
                default: markup.unicodeScalars.append(scalar)
                }
            }
        }
    }
}
