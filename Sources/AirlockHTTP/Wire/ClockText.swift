import AirlockCore
import Foundation
import Synchronization

/// The time as the `Date` header has it (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7), made once a second.
final class ClockText: Sendable {
    static let length = 29

    private let last = Mutex((seconds: Int.min, text: [UInt8]()))

    /// - Parameter text: of `length` bytes.
    func write(_ now: Timestamp, into text: UnsafeMutableRawBufferPointer) {
        last.withLock { last in
            if last.seconds != now.seconds { last = (now.seconds, Array(ClockText.made(now).utf8)) }
            text.copyBytes(from: last.text)
        }
    }

    func text(_ now: Timestamp) -> String {
        String(unsafeUninitializedCapacity: ClockText.length) { text in
            write(now, into: UnsafeMutableRawBufferPointer(text))
            return ClockText.length
        }
    }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func made(_ now: Timestamp) -> String {
        var time = time_t(now.seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (day, month) = (days[Int(parts.tm_wday)], months[Int(parts.tm_mon)])
        return "\(day), \(two(parts.tm_mday)) \(month) \(parts.tm_year + 1900) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
