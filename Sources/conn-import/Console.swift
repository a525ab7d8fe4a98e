import Foundation

/// The two output streams. Notes and errors go to stderr, so that stdout can be piped.
enum Console {
    static func say(_ text: String) { write(Array((text + "\n").utf8), to: .standardOutput) }
    static func complain(_ text: String) { write(Array((text + "\n").utf8), to: .standardError) }
    static func say(bytes: [UInt8]) { write(bytes, to: .standardOutput) }

    private static func write(_ bytes: [UInt8], to stream: FileHandle) {
        // A reader that has gone away is no reason to stop in the middle of an import.
        try? stream.write(contentsOf: Data(bytes))
    }

    static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// As many of one kind as anybody reads.
    private static let repeats = 20

    /// What is wrong in many places, without drowning what else is.
    static func complain(each messages: [(place: String, reason: String)]) {
        var counts: [String: Int] = [:]
        for (place, reason) in messages {
            counts[reason, default: 0] += 1
            if counts[reason, default: 0] <= repeats { complain("\(place): \(reason)") }
        }
        for (reason, count) in counts.sorted(by: { $0.key < $1.key }) where count > repeats {
            complain("and \(count - repeats) more: \(reason)")
        }
    }

    static func table(_ rows: [[String]]) -> [String] {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in rows.reduce(0) { max($0, $1[column].count) } }
        return rows.map { row in
            var line = ""
            for (index, cell) in row.enumerated() where !cell.isEmpty {
                line += index == 0 ? cell : "  " + cell
                if row[(index + 1)...].contains(where: { !$0.isEmpty }) {
                    line += String(repeating: " ", count: widths[index] - cell.count)
                }
            }
            return line
        }
    }
}

/// One line on a terminal that fills as the work goes on, with its rate and the time that is left; nothing at all in a pipe or
/// a log file.
struct ProgressBar {
    private let total: Int
    private var done = 0
    private var shown: ContinuousClock.Instant?
    private let begun = ContinuousClock.now
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private static let width = 30

    init(total: Int) { self.total = total }

    mutating func advance(by count: Int) {
        done += count
        guard isTerminal, total > 0 else { return }
        let now = ContinuousClock.now
        if let shown, done < total, now - shown < .milliseconds(100) { return }
        shown = now
        let filled = ProgressBar.width * done / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: ProgressBar.width - filled)
        write("\r[\(bar)] \(done)/\(total)\(ProgressBar.pace(done: done, of: total, in: now - begun))\u{1B}[K")
    }

    /// `  1200/s  0:07 left`
    private static func pace(done: Int, of total: Int, in elapsed: Duration) -> String {
        let seconds = elapsed / .seconds(1)
        guard seconds > 0.2 else { return "" }
        let rate = Double(done) / seconds
        let left = Int((Double(total - done) / rate).rounded(.up))
        return "  \(Int(rate))/s  \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
    }

    /// Leaves an empty line to write on.
    func clear() {
        guard isTerminal, shown != nil else { return }
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
