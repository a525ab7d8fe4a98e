import Foundation

/// A moment in nanoseconds since 1970-01-01 UTC, written in JSON as Vault writes it.
package struct Timestamp: Sendable, Hashable, Comparable, Codable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

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
    package func seconds(after now: Timestamp) -> Int { max(0, Int((nanoseconds - now.nanoseconds) / 1_000_000_000)) }

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
