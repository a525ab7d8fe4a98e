import Foundation

/// A moment in nanoseconds since 1970-01-01 UTC, written in JSON as Vault writes it.
package struct Timestamp: Sendable, Hashable, Comparable, Codable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let distantPast = Timestamp(nanoseconds: .min)

    package init(from decoder: any Decoder) throws {
        nanoseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(nanoseconds)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Whole seconds since 1970.
    package var seconds: Int { Int(nanoseconds / 1_000_000_000) }

    /// This moment and `seconds` more; saturates instead of overflowing, so that an absurd duration means "never".
    package func adding(seconds: Int) -> Timestamp { adding(nanoseconds: Timestamp.nanoseconds(in: seconds)) }

    package func adding(nanoseconds more: Int64) -> Timestamp {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(more)
        return Timestamp(nanoseconds: overflow ? .max : sum)
    }

    /// Seconds from `now` until this moment, rounded down, never negative.
    package func seconds(after now: Timestamp) -> Int {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(now.nanoseconds)
        return max(0, Int((overflow ? (self > now ? .max : 0) : difference) / 1_000_000_000))
    }

    package static func nanoseconds(in seconds: Int) -> Int64 {
        let (product, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product
    }

    /// RFC 3339 in UTC with up to nine decimals, trailing zeros cut (VAULT-PROTOCOL 1.2).
    package var rfc3339: String {
        var time = time_t(nanoseconds / 1_000_000_000)
        var fraction = nanoseconds % 1_000_000_000
        if fraction < 0 {
            fraction += 1_000_000_000
            time -= 1
        }
        var parts = tm()
        gmtime_r(&time, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let year = String(Int(parts.tm_year) + 1900)
        let padded = String(repeating: "0", count: max(0, 4 - year.count)) + year
        let date = "\(padded)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return "\(date)T\(clock)\(Timestamp.decimals(fraction))Z"
    }

    /// The moment an RFC 3339 text names, at any offset, with up to nine decimals; more are cut off. `nil` for any other text.
    package init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            return bytes[range].reduce(into: Int64?(0)) { sum, byte in
                sum = (48...57).contains(byte) ? sum.map { $0 * 10 + Int64(byte - 48) } : nil
            }
        }
        let separators: [(Int, String)] = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")]
        guard bytes.count > 19, separators.allSatisfy({ $1.utf8.contains(bytes[$0]) }),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month),
            (1...Timestamp.days(inMonth: month, of: year)).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var end = 19
        var fraction: Int64 = 0
        if bytes[end] == UInt8(ascii: ".") {
            let digits = bytes[(end + 1)...].prefix { (48...57).contains($0) }
            guard !digits.isEmpty else { return nil }
            let padded = digits.prefix(9) + [UInt8](repeating: 48, count: max(0, 9 - digits.count))
            fraction = padded.reduce(0) { $0 * 10 + Int64($1 - 48) }
            end = digits.endIndex
        }
        guard let offset = Timestamp.offset(bytes[end...]) else { return nil }
        let days = Timestamp.daysSince1970(year: year, month: month, day: day)
        let seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        let (scaled, tooFar) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = scaled.addingReportingOverflow(fraction)
        guard !tooFar, !overflow else { return nil }
        self.init(nanoseconds: sum)
    }

    /// Seconds east of UTC, from `Z` or `+HH:MM`.
    private static func offset(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let text = String(decoding: bytes, as: UTF8.self)
        if text == "Z" || text == "z" { return 0 }
        let parts = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard text.hasPrefix("+") || text.hasPrefix("-"), parts.count == 2,
            parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let hours = Int64(parts[0]), let minutes = Int64(parts[1]), hours < 24, minutes < 60
        else { return nil }
        return (text.hasPrefix("-") ? -1 : 1) * (hours * 3600 + minutes * 60)
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        let next = month == 12 ? (year + 1, 1) : (year, month + 1)
        return daysSince1970(year: next.0, month: next.1, day: 1) - daysSince1970(year: year, month: month, day: 1)
    }

    /// https://howardhinnant.github.io/date_algorithms.html#days_from_civil
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func decimals(_ fraction: Int64) -> String {
        guard fraction > 0 else { return "" }
        var digits = String(fraction)
        digits = String(repeating: "0", count: 9 - digits.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "." + digits
    }
}

/// Where the time comes from, so that a test can set it.
package typealias Now = @Sendable () -> Timestamp
