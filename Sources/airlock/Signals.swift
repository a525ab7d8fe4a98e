import CDispatch
import Foundation

/// Signals, taken one at a time by the thread that waits for them.
enum Signals {
    private static let byName: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "TERM": SIGTERM, "USR1": SIGUSR1, "USR2": SIGUSR2,
        "WINCH": SIGWINCH,
    ]

    /// Those that ask a command to end.
    static let ending: Set<Int32> = [SIGINT, SIGQUIT, SIGTERM]
    static let forwarded = Set(byName.values)

    /// - Parameter name: `HUP`, or `SIGHUP`.
    static func number(of name: some StringProtocol) -> Int32? {
        byName[name.hasPrefix("SIG") ? String(name.dropFirst(3)) : String(name)]
    }

    static func set(_ signals: some Sequence<Int32>) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }

    static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        sigaction(signal, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    struct Received {
        let number: Int32
        /// From the terminal, which sends it to the child as well.
        let isFromTerminal: Bool
    }

    /// - Returns: `nil` when none has come in time.
    static func wait(for signals: sigset_t, _ limit: Duration? = nil) -> Received? {
        var (set, info) = (signals, siginfo_t())
        let number: Int32
        if let limit {
            let (seconds, attoseconds) = limit.components
            var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            number = sigtimedwait(&set, &info, &time)
        } else {
            number = sigwaitinfo(&set, &info)
        }
        return number > 0 ? Received(number: number, isFromTerminal: info.si_code > 0) : nil
    }
}
