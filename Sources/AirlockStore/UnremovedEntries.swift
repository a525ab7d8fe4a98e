import AirlockCore
import Synchronization

/// What should have gone from the cache and could not, on a full disk for one: it must not be answered, and goes with the
/// next write that succeeds.
final class UnremovedEntries: Sendable {
    typealias Batch = [Int: CacheScope]

    private struct State {
        var scopes: Batch = [:]
        var next = 0

        mutating func add(_ scope: CacheScope) {
            scopes[next] = scope
            next += 1
        }
    }

    /// Beyond this, whole mounts are given up: looking through more would cost every read.
    private static let limit = 100

    private let state = Mutex(State())

    func add(_ scope: CacheScope) {
        state.withLock { state in
            if state.scopes.count >= UnremovedEntries.limit {
                let mounts = Set(state.scopes.values.map(\.mountPath))
                state.scopes = [:]
                for mount in mounts { state.add(.mount(mount)) }
            }
            state.add(scope)
        }
    }

    func contain(_ key: CacheKey) -> Bool {
        state.withLock { state in !state.scopes.isEmpty && state.scopes.values.contains { $0.covers(key) } }
    }

    var all: Batch { state.withLock { $0.scopes } }

    /// Numbered, so that one that was added again meanwhile stays.
    func settle(_ batch: Batch) {
        guard !batch.isEmpty else { return }
        state.withLock { state in for number in batch.keys { state.scopes[number] = nil } }
    }
}
