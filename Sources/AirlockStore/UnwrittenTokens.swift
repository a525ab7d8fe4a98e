import AirlockCore
import Synchronization

/// Tokens of logins that are not in the database yet. Every reader finds them here; a transaction that would see one, or all
/// tokens, has them written into it first; and the writer writes them all soon. What is lost in a crash before that was
/// nowhere else: its client logs in again.
final class UnwrittenTokens: Sendable {
    struct Entry: Sendable {
        /// Counted up, in the order they came.
        let number: Int
        let digest: String
        let token: Token
    }

    /// The tokens as they were at one moment.
    struct View: Sendable {
        fileprivate(set) var entries: [String: Entry] = [:]

        /// Whose record it is.
        func entry(_ key: RecordKey) -> Entry? { key.kind == .token ? entries[key.name] : nil }
    }

    private struct State {
        var view = View()
        /// The same, oldest first; the first one's number is `first`.
        var queue: [Entry] = []
        var first = 0
        /// What is numbered below lies in the transaction that is open.
        var written = 0
        /// A transaction has seen all tokens: until it ends there are no others.
        var isClosed = false
        /// The last attempt to write them failed, so that logins wait for the disk and hear what is wrong.
        var isFailing = false
        var isScheduled = false
    }

    /// Over it logins wait for the disk.
    static let limit = 16_384

    private let state = Mutex(State())

    var view: View { state.withLock { $0.view } }

    /// Whose record it is.
    func entry(_ key: RecordKey) -> Entry? { state.withLock { $0.view.entry(key) } }

    // MARK: Logging in

    enum Added {
        case no, yes
        /// The first since the last were written: somebody must see to it that they are written.
        case first
    }

    /// - Parameter isRight: asked once nothing can come between: whether what the token was issued on is still so.
    func add(_ token: Token, digest: String, if isRight: () -> Bool) -> Added {
        state.withLock { state in
            guard !state.isClosed, !state.isFailing, state.queue.count < UnwrittenTokens.limit, isRight() else {
                return .no
            }
            let entry = Entry(number: state.first + state.queue.count, digest: digest, token: token)
            state.queue.append(entry)
            state.view.entries[digest] = entry
            defer { state.isScheduled = true }
            return state.isScheduled ? .yes : .first
        }
    }

    // MARK: In a transaction

    /// Whether the record is one of theirs, and the open transaction does not have it yet.
    func isMissing(_ key: RecordKey) -> Bool {
        state.withLock { state in state.view.entry(key).map { $0.number >= state.written } ?? false }
    }

    /// What the open transaction does not have yet, to be written into it now.
    /// - Parameter closing: no other comes before its end.
    func take(closing: Bool) -> [Entry] {
        state.withLock { state in
            if closing { state.isClosed = true }
            defer { state.written = state.first + state.queue.count }
            return Array(state.queue[(state.written - state.first)...])
        }
    }

    /// How far they are written; what is written after it can be taken back.
    var mark: Int { state.withLock { $0.written } }

    func takeBack(to mark: Int) { state.withLock { $0.written = mark } }

    /// The transaction has ended. What it has written is the database's from now on.
    func ended(isCommitted: Bool) {
        state.withLock { state in
            state.isClosed = false
            guard isCommitted else {
                state.written = state.first
                return
            }
            for entry in state.queue[..<(state.written - state.first)] { state.view.entries[entry.digest] = nil }
            state.queue.removeFirst(state.written - state.first)
            state.first = state.written
        }
    }

    /// The writer has been at it.
    /// - Returns: whether there are others by now, to be written next.
    func attempted(isFailing: Bool) -> Bool {
        state.withLock { state in
            state.isFailing = isFailing
            state.isScheduled = !state.queue.isEmpty
            return state.isScheduled
        }
    }
}
