import Synchronization

/// Secrets and tokens in memory, before the embedded store and the sealed cache alike, for plain reads (`Hit`). It holds only
/// what the ordinary way has just answered, and forgets what changes before whoever changes it is told that it is done:
///
/// - A change is announced before it is committed (`changing`) and once more after it (`changed`). Between the two, what it
///   touches is neither answered nor kept.
/// - A reading names the moment it began (`moment`). What it depends on must not have changed since, or it is not kept.
///
/// So nothing here can be older than what the ordinary way would answer. What only time changes (the end of a token, of a
/// version, of freshness) is kept beside the value and compared at each hit.
package final class Front: Sendable {
    /// A count of changes.
    package typealias Moment = UInt64

    /// What can change. A scope is a mount's uuid for what lies in the embedded store, else `scope(ofCached:)`.
    package enum Thing: Sendable, Hashable {
        case token(digest: String)
        case secret(scope: String, path: String)
        case scope(String)
        case record(RecordKey)
        case records(RecordKind, scope: String)
    }

    /// How often something changed, for all things that share a slot: sharing costs a reading, never a right answer.
    fileprivate struct Slot {
        var changed: Moment = 0
        var underWay = 0
    }

    /// A mount, and the ways to name its secrets in a target.
    struct Named {
        let place: Place
        var ways: [Way] = []
    }

    struct State {
        /// Later than `Place.never`.
        fileprivate var clock: Moment = 1
        fileprivate(set) var configured: Moment = 1
        fileprivate var slots = [Slot](repeating: Slot(), count: Front.slotCount)
        /// By scope.
        fileprivate(set) var places: [String: Named] = [:]
        /// By the target's hash, in parts, so that none is ever copied or dropped in one long step. Where two hashes are the
        /// same, the later answer takes the place.
        var shards = [KeptTable](repeating: KeptTable(), count: Front.shardCount)
        fileprivate(set) var cost = 0
        fileprivate var nextShard = 0
        /// By the text's hash.
        fileprivate(set) var tokens: [Int: KnownToken] = [:]
        /// Which of them die with a record: a token's own and its ancestors'.
        fileprivate var dependents: [String: Set<Int>] = [:]
        /// Decoded (`KnownRecords.swift`).
        var records: [RecordKey: any Sendable] = [:]
    }

    fileprivate static let slotCount = 4096
    static let shardCount = 64
    /// Bytes that an answer takes beside its own, measured.
    static let overhead = 240
    /// A larger one is read rarely and would push out hundreds.
    private static let valueLimit = 64 * 1024
    /// Over it the memory of tokens starts anew.
    fileprivate static let tokenLimit = 10_000

    private let limit: Int
    let state = Mutex(State())

    package static let defaultLimit = 128 << 20

    /// - Parameter limit: bytes of all answers together; 0 keeps nothing.
    package init(limit: Int = Front.defaultLimit) { self.limit = limit }

    package static func scope(ofCached mount: String) -> String { "cached " + mount }

    // MARK: Changes

    /// Before a reading begins.
    package var moment: Moment { state.withLock { $0.clock } }

    /// Before the change is committed. Each needs its `changed`, also when nothing comes of it.
    package func changing(_ things: [Thing]) {
        guard !things.isEmpty else { return }
        let places = state.withLock { state in
            things.compactMap { thing in
                state.slots[Front.slot(thing)].underWay += 1
                return state.forget(thing)
            }
        }
        drop(places)
    }

    /// Drops the answers of places that are answered from no more, part by part: hits wait for one part at most.
    private func drop(_ places: [Place]) {
        guard !places.isEmpty else { return }
        for shard in 0..<Front.shardCount {
            let dropped = state.withLock { state in
                state.change(shard) { table in table.removeAll { kept in places.contains { $0 === kept.place } } }
            }
            _ = consume dropped
        }
    }

    /// After the change is committed or given up, before anybody is told.
    package func changed(_ things: [Thing]) {
        guard !things.isEmpty else { return }
        state.withLock { state in
            state.clock += 1
            for thing in things {
                state.slots[Front.slot(thing)].underWay -= 1
                state.slots[Front.slot(thing)].changed = state.clock
            }
        }
    }

    /// Mounts, policies or namespaces are other ones now: which secret a path means and who may read it is asked anew.
    package func configured() {
        state.withLock { state in
            state.clock += 1
            state.configured = state.clock
            state.forgetTokens()
        }
    }

    // MARK: Keeping

    /// Keeps what has been read, unless something that it came from has changed since.
    package func keep(_ reading: Reading, since begun: Moment) {
        guard limit > 0, reading.isKept, reading.answer.data.bytes.count <= Front.valueLimit else { return }
        // What is given up is freed outside the lock.
        let dropped = state.withLock { state -> (part: KeptTable, place: Place?) in
            guard state.configured <= begun else { return (KeptTable(), nil) }
            state.keepToken(KnownToken(reading), since: begun)
            let replaced = state.keepAnswer(reading, since: begun)
            return (state.cost > limit ? state.dropShard() : KeptTable(), replaced)
        }
        if let place = dropped.place { drop([place]) }
    }

    /// Keeps a token that a login has just given, so that its first read is a hit.
    /// - Parameter access: what its policies allowed since `begun`, in the root namespace.
    package func keep(_ issued: IssuedToken, access: AccessControl, since begun: Moment) {
        guard limit > 0, let token = KnownToken(issued, access: access) else { return }
        state.withLock { state in
            if state.configured <= begun { state.keepToken(token, since: begun) }
        }
    }

    /// When an entry of the cache was last answered from here.
    package func lastHit(_ path: String, ofCached mount: String) -> Timestamp? {
        state.withLock { state in
            let hits = state.hashes(Front.scope(ofCached: mount), path).compactMap { hash in
                state.shards[Front.shard(hash)][hash]?.lastHit
            }
            return hits.max()
        }
    }

    fileprivate static func slot(_ thing: Thing) -> Int {
        Int(UInt(bitPattern: thing.hashValue) % UInt(slotCount))
    }

    static func shard(_ hash: Int) -> Int { Int(UInt(bitPattern: hash) % UInt(shardCount)) }

    /// With a seed of this process.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return hasher.finalize()
    }
}

extension Front.State {
    func isUnchanged(_ thing: Front.Thing, since begun: Front.Moment) -> Bool {
        let slot = slots[Front.slot(thing)]
        return slot.underWay == 0 && slot.changed <= begun
    }

    // MARK: Tokens

    fileprivate mutating func keepToken(_ token: Front.KnownToken, since begun: Front.Moment) {
        guard token.line.digests.allSatisfy({ isUnchanged(.token(digest: $0), since: begun) }) else { return }
        if tokens.count >= Front.tokenLimit { forgetTokens() }
        let hash = token.hash
        forgetToken(hash)
        tokens[hash] = token
        for digest in token.line.digests { dependents[digest, default: []].insert(hash) }
    }

    private mutating func forgetToken(_ hash: Int) {
        for digest in tokens.removeValue(forKey: hash)?.line.digests ?? [] {
            dependents[digest]?.remove(hash)
            if dependents[digest]?.isEmpty ?? false { dependents[digest] = nil }
        }
    }

    fileprivate mutating func forgetTokens() { (tokens, dependents) = ([:], [:]) }

    // MARK: Answers

    /// - Returns: the place that the mount was until now, if it is another one since.
    fileprivate mutating func keepAnswer(_ reading: Front.Reading, since begun: Front.Moment) -> Front.Place? {
        let scope = reading.scope
        guard isUnchanged(.scope(scope), since: begun),
            isUnchanged(.secret(scope: scope, path: reading.path.text), since: begun)
        else { return nil }
        let known = places[scope]?.place
        let replaced = known?.mount == reading.mount ? nil : forgetPlace(scope)
        let kept = Front.Kept(reading, place: place(of: reading))
        let hash = reading.target.withUnsafeBytes(Front.hash)
        change(Front.shard(hash)) { $0.put(kept, hash) }
        return replaced
    }

    private mutating func place(of reading: Front.Reading) -> Front.Place {
        var named = places[reading.scope] ?? Front.Named(place: Front.Place(reading))
        named.place.confirmed.store(clock, ordering: .relaxed)
        if !named.ways.contains(reading.way) { named.ways.append(reading.way) }
        places[reading.scope] = named
        return named.place
    }

    /// From now on nothing is answered from it.
    private mutating func forgetPlace(_ scope: String) -> Front.Place? {
        let place = places.removeValue(forKey: scope)?.place
        place?.confirmed.store(Front.Place.never, ordering: .relaxed)
        return place
    }

    fileprivate mutating func change<Result>(
        _ shard: Int, _ change: (inout Front.KeptTable) -> Result
    ) -> Result {
        cost -= shards[shard].cost
        defer { cost += shards[shard].cost }
        return change(&shards[shard])
    }

    /// Of each way to name a secret.
    fileprivate func hashes(_ scope: String, _ path: String) -> [Int] {
        (places[scope]?.ways ?? []).compactMap { $0.target(path)?.withUnsafeBytes(Front.hash) }
    }

    fileprivate mutating func dropShard() -> Front.KeptTable {
        nextShard = (nextShard + 1) % Front.shardCount
        return change(nextShard) { table in
            defer { table = Front.KeptTable() }
            return table
        }
    }

    /// - Returns: a place whose answers are left to be dropped.
    fileprivate mutating func forget(_ thing: Front.Thing) -> Front.Place? {
        switch thing {
        case .token(let digest):
            for hash in dependents[digest] ?? [] { forgetToken(hash) }
        case .secret(let scope, let path):
            for hash in hashes(scope, path) { change(Front.shard(hash)) { $0.remove(hash) } }
        case .scope(let scope): return forgetPlace(scope)
        case .record(let key): records[key] = nil
        case .records(let kind, let scope): records = records.filter { $0.key.kind != kind || $0.key.scope != scope }
        }
        return nil
    }
}
