import Synchronization

/// What one fetch is shared by.
struct FlightKey: Hashable, Sendable {
    let entry: CacheKey
    /// A fetch begun before a write is not joined by a read begun after it.
    let generation: UInt64
    /// A fetch with one client's token proves nothing to another.
    let credential: Credential
}

/// Work under way: whoever wants the same thing meanwhile waits for the same answer.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let running = Mutex<[Key: Task<Value, any Error>]>([:])

    /// Joins the work for `key`, or starts it. It goes on when the client that started it goes away: others wait for it.
    /// - Returns: `isFirst` when it was started here.
    func join(
        _ key: Key, _ work: @escaping @Sendable () async throws -> Value
    ) -> (task: Task<Value, any Error>, isFirst: Bool) {
        running.withLock { running in
            if let task = running[key] { return (task, false) }
            let task = Task {
                defer { end(key) }
                return try await work()
            }
            running[key] = task
            return (task, true)
        }
    }

    private func end(_ key: Key) { running.withLock { $0[key] = nil } }
}

/// Counts the changes of each path, so that what was asked before a change is not kept after it. Paths share counters: a
/// change of another path costs a fetch at worst, and the memory stays bounded.
final class Generations: Sendable {
    private let counters = Mutex([UInt64](repeating: 0, count: 4096))

    func current(_ path: SecretPath) -> UInt64 { counters.withLock { $0[Generations.place(path)] } }

    func bump(_ scope: CacheScope) {
        counters.withLock { counters in
            switch scope {
            case .path(_, let path): counters[Generations.place(path)] += 1
            case .prefix, .mount: for place in counters.indices { counters[place] += 1 }
            }
        }
    }

    private static func place(_ path: SecretPath) -> Int { Int(UInt(bitPattern: path.hashValue) % 4096) }
}
