/// Durations as Vault's API takes and gives them: whole seconds, or Go's notation (`1h30m`, `1.5h`, `10ms`) and days (`2d`)
/// (VAULT-PROTOCOL 1.4; https://pkg.go.dev/time#ParseDuration).
package enum GoDuration {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ("d", 86400e9),
    ]

    /// Nanoseconds, or `nil` when the text is no duration. A plain integer counts seconds; the empty text is zero.
    package static func parse(_ text: String) -> Int64? {
        if text.isEmpty { return 0 }
        if let seconds = Int64(text) {
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            return overflow ? nil : product
        }
        var rest = text[...]
        let negative = rest.first == "-"
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest[number.endIndex...]
            let name = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest[name.endIndex...]
            guard let amount = Double(number), number != ".", let unit = units.first(where: { $0.name == name }) else {
                return nil
            }
            total += amount * unit.nanoseconds
        }
        guard total < 9.2e18 else { return nil }
        return Int64(negative ? -total : total)
    }

    /// Go's `Duration.String()`: `0s`, `1h30m0s`, `1.5s`, `10ms`.
    package static func format(_ nanoseconds: Int64) -> String {
        guard nanoseconds != 0 else { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let magnitude = nanoseconds.magnitude
        if magnitude < 1_000 { return "\(sign)\(magnitude)ns" }
        if magnitude < 1_000_000 { return sign + decimal(magnitude, per: 1_000) + "µs" }
        if magnitude < 1_000_000_000 { return sign + decimal(magnitude, per: 1_000_000) + "ms" }
        let hours = magnitude / 3_600_000_000_000
        let minutes = magnitude / 60_000_000_000 % 60
        let seconds = decimal(magnitude % 60_000_000_000, per: 1_000_000_000) + "s"
        if hours > 0 { return "\(sign)\(hours)h\(minutes)m\(seconds)" }
        if minutes > 0 { return "\(sign)\(minutes)m\(seconds)" }
        return sign + seconds
    }

    package static func format(seconds: Int) -> String { format(Timestamp.nanoseconds(in: seconds)) }

    private static func decimal(_ value: UInt64, per unit: UInt64) -> String {
        let whole = String(value / unit)
        var fraction = String(value % unit)
        guard fraction != "0" else { return whole }
        fraction = String(repeating: "0", count: String(unit).count - 1 - fraction.count) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        return "\(whole).\(fraction)"
    }
}
