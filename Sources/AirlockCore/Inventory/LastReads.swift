import Synchronization

/// Who read which secret last. A read costs one entry in memory; what is gathered there is written down sealed, in batches, by
/// `flush`. It decides no answer: what a crash loses of it, or the limit, only makes a secret look unused for longer.
package final class LastReads: Sendable {
    /// A secret of one mount.
    private struct Place: Hashable {
        let scope: String
        let path: SecretPath
    }

    private struct Noted {
        let read: LastRead
        /// What must be there for the read to be worth keeping; `nil` for what lies in a vault.
        let secret: RecordKind?
    }

    private struct State {
        var waiting: [Place: Noted] = [:]
        /// The second from which on those were noted.
        var begun = Int.min
        /// On its way into the store.
        var writing: [Place: Noted] = [:]
        /// The flush that was begun last.
        var turn: Task<Void, any Error>?
        /// So many wait that a flush was begun, or failed, for their sake.
        var isDue = false
        /// No flush is begun for their sake before.
        var rest = Timestamp.distantPast
    }

    /// Who reads very many secrets keeps the store busy with this for one part in twenty of the time at most.
    private static let rests: Int64 = 19

    /// So many in one transaction, so that other writers get their turn.
    private static let chunk = 500

    /// Reads from before are not known: this is when the store's first one could have been recorded.
    package let since: Timestamp
    private let storage: any Storage
    private let batch: Int
    private let limit: Int
    private let now: Now
    private let state = Mutex(State())

    /// - Parameters:
    ///   - batch: so many are written down before their time.
    ///   - limit: so many may wait; of more secrets the reads are not recorded until a flush succeeds.
    package init(
        storage: any Storage, batch: Int = 10_000, limit: Int = 20_000, now: @escaping Now
    ) async throws {
        self.storage = storage
        self.batch = batch
        self.limit = limit
        self.now = now
        let (key, moment) = (RecordKey(.lastRead, "since"), now())
        since = try await storage.write { transaction in
            if let known = try transaction.value(Timestamp.self, key) { return known }
            try transaction.put(key, value: moment)
            return moment
        }
    }

    // MARK: Recording

    /// For who would have to make ready what `note` takes, at each of very many hits.
    /// - Parameter second: in which a read of the secret was noted last: where so many wait already, one that is among them is
    ///   still brought up to date.
    package func hasRoom(forOneNotedIn second: Int) -> Bool {
        state.withLock { $0.waiting.count < limit || second >= $0.begun }
    }

    /// Cheap and without a wait: also for a read that is answered on an event loop.
    /// - Parameter isStored: the secret lies in the embedded store, and the mount has no other backend.
    package func note(_ path: SecretPath, on mount: Mount, isStored: Bool, by token: Token) {
        let read = LastRead(by: token, at: now())
        let secret: RecordKind? = isStored ? (mount.kvVersion == 2 ? .kvMetadata : .kvSecret) : nil
        let place = Place(scope: mount.uuid, path: path)
        let isDue = state.withLock { state in
            guard state.waiting.count < limit || state.waiting[place] != nil else { return false }
            state.waiting[place] = Noted(read: read, secret: secret)
            guard !state.isDue, state.waiting.count >= batch, read.moment >= state.rest else { return false }
            state.isDue = true
            return true
        }
        // A failure is met again by the next flush, which somebody waits for.
        if isDue { Task { try? await flush() } }
    }

    /// Writes down what has been noted, after every flush begun before.
    package func flush() async throws {
        let turn = state.withLock { state in
            let earlier = state.turn
            let turn = Task { [self] in
                _ = await earlier?.result
                try await writeDown()
            }
            state.turn = turn
            return turn
        }
        try await turn.value
    }

    private func writeDown() async throws {
        let begun = now()
        let (writing, gathering) = state.withLock { state in
            (state.writing, state.waiting) = (state.waiting, [:])
            defer { state.begun = begun.seconds }
            return (state.writing, state.begun)
        }
        // In the order in which they lie in the store.
        let noted = writing.sorted { ($0.key.scope, $0.key.path) < ($1.key.scope, $1.key.path) }
        do {
            for start in stride(from: 0, to: noted.count, by: LastReads.chunk) {
                let chunk = noted[start..<min(start + LastReads.chunk, noted.count)]
                try await storage.write { transaction in
                    for (place, noted) in chunk { try LastReads.write(noted, place, transaction) }
                }
            }
            let took = max(0, now().nanoseconds - begun.nanoseconds)
            state.withLock { state in
                state.writing = [:]
                state.isDue = false
                state.rest = now().adding(nanoseconds: LastReads.rests * took)
            }
        } catch {
            state.withLock { state in
                state.begun = gathering
                for (place, noted) in state.writing where state.waiting.count < limit {
                    state.waiting[place] = state.waiting[place] ?? noted
                }
                state.writing = [:]
            }
            throw error
        }
    }

    private static func write(_ noted: Noted, _ place: Place, _ transaction: any StorageTransaction) throws {
        // Deleted since: nothing is to be left of it.
        if let secret = noted.secret,
            try transaction.record(RecordKey(secret, scope: place.scope, place.path.text)) == nil
        {
            return
        }
        try transaction.put(key(place.scope, place.path), value: noted.read, expires: noted.read.expires)
    }

    // MARK: Looking up

    package func reads(of paths: [SecretPath], on mount: Mount) throws -> [SecretPath: LastRead] {
        var found = state.withLock { state in
            paths.reduce(into: [SecretPath: LastRead]()) { found, path in
                let place = Place(scope: mount.uuid, path: path)
                found[path] = (state.waiting[place] ?? state.writing[place])?.read
            }
        }
        try storage.read { reader in
            for path in paths where found[path] == nil {
                do {
                    found[path] = try reader.value(LastRead.self, LastReads.key(mount.uuid, path))
                } catch let error as AirlockError where error.code == .broken {
                    // Who can damage the row can remove it, too. The next read writes it anew.
                    continue
                }
            }
        }
        return found
    }

    private static func key(_ scope: String, _ path: SecretPath) -> RecordKey {
        RecordKey(.lastRead, scope: scope, path.text)
    }

    /// Forgets the reads of a secret that is deleted whole.
    static func forget(_ path: SecretPath, scope: String, _ transaction: any StorageTransaction) throws {
        try transaction.delete(key(scope, path))
    }
}
