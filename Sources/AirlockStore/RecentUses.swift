import AirlockCore
import Synchronization

/// When entries were last used, gathered in memory, so that a hit costs no write. What a crash loses of it only makes
/// another entry the next to be evicted.
final class RecentUses: Sendable {
    private struct State {
        var moments: [Int64: Timestamp] = [:]
        var taken: Timestamp
        /// Somebody was told that it is time.
        var isDue = false
    }

    /// So many, or so long, that it is time to write them down.
    private static let limit = 1_000
    private static let interval = Timestamp.nanoseconds(in: 5)
    /// An entry that is used all the time is written down no oftener.
    private static let resolution = Timestamp.nanoseconds(in: 1)

    private let state: Mutex<State>
    private let now: Now

    init(now: @escaping Now) {
        state = Mutex(State(taken: now()))
        self.now = now
    }

    /// - Parameter last: the use that is written down already.
    /// - Returns: whether it is time to write, once until somebody takes them.
    func note(_ id: Int64, last: Timestamp) -> Bool {
        let moment = now()
        guard RecentUses.has(RecentUses.resolution, passedSince: last, at: moment) else { return false }
        return state.withLock { state in
            state.moments[id] = moment
            guard !state.isDue else { return false }
            state.isDue =
                state.moments.count >= RecentUses.limit
                || RecentUses.has(RecentUses.interval, passedSince: state.taken, at: moment)
            return state.isDue
        }
    }

    func take() -> [Int64: Timestamp] {
        let moment = now()
        return state.withLock { state in
            defer { state = State(taken: moment) }
            return state.moments
        }
    }

    /// A clock that was set back is no reason to wait for it.
    private static func has(_ span: Int64, passedSince last: Timestamp, at now: Timestamp) -> Bool {
        now < last || now >= last.adding(nanoseconds: span)
    }
}
