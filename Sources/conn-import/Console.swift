import Foundation

/// The two output streams. Notes and errors go to stderr, so that stdout can be piped.
enum Console {
    static func say(_ text: String) { write(text, to: .standardOutput) }
    static func complain(_ text: String) { write(text, to: .standardError) }

    private static func write(_ text: String, to stream: FileHandle) {
        // A reader that has gone away is no reason to stop in the middle of an import.
        try? stream.write(contentsOf: Data((text + "\n").utf8))
    }

    static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}

/// One line on a terminal that fills as the import goes on; nothing at all in a pipe or a log file.
struct ProgressBar {
    private let total: Int
    private var done = 0
    private var shown = -1
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private static let width = 30

    init(total: Int) { self.total = total }

    mutating func advance() {
        done += 1
        let percent = done * 100 / max(total, 1)
        guard isTerminal, percent != shown else { return }
        shown = percent
        let filled = ProgressBar.width * done / max(total, 1)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: ProgressBar.width - filled)
        try? FileHandle.standardError.write(contentsOf: Data("\r[\(bar)] \(done)/\(total)".utf8))
    }

    /// Leaves an empty line to write on.
    func clear() {
        guard isTerminal, shown >= 0 else { return }
        try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[K".utf8))
    }
}
