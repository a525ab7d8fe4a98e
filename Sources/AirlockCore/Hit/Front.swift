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
    }

    struct Place {
        let mount: Mount
        let isStored: Bool
        let scope: String
        /// Of a request's target.
        let prefix: [UInt8]
    }

    struct Key: Hashable {
        let place: Int
        let path: [UInt8]
    }

    struct Value {
        let path: SecretPath
        let answer: Answer
        /// The last hit on what the cache holds, which the cache asks about before it drops it.
        var used = Timestamp.distantPast
        var cost: Int { answer.data.bytes.count + 2 * path.text.utf8.count + Front.overhead }
    }

    struct KnownToken {
        let token: Token
        let access: AccessControl
        let line: TokenLine
    }

    /// How often something changed, for all things that share a slot: sharing costs a reading, never a right answer.
    fileprivate struct Slot {
        var changed: Moment = 0
        var underWay = 0
    }

    struct State {
        fileprivate var clock: Moment = 0
        fileprivate var configured: Moment = 0
        fileprivate var slots = [Slot](repeating: Slot(), count: Front.slotCount)
        /// What leads to a place, while the configuration stays as it is.
        fileprivate(set) var prefixes: [(bytes: [UInt8], place: Int)] = []
        fileprivate(set) var places: [Int: Place] = [:]
        fileprivate var nextPlace = 0
        /// In parts, so that none is ever copied or dropped in one long step.
        var shards = [[Key: Value]](repeating: [:], count: Front.shardCount)
        fileprivate var cost = 0
        fileprivate var nextShard = 0
        fileprivate(set) var tokens: [PresentedToken: KnownToken] = [:]
        /// Which of them die with a record: a token's own and its ancestors'.
        fileprivate var dependents: [String: Set<PresentedToken>] = [:]
    }

    fileprivate static let slotCount = 4096
    static let shardCount = 64
    /// Bytes that a secret takes beside its data and its path, measured.
    private static let overhead = 300
    /// A larger one is read rarely and would push out hundreds.
    private static let valueLimit = 64 * 1024
    /// Over it the memory of tokens starts anew.
    fileprivate static let tokenLimit = 10_000
    /// Looked through at each hit.
    fileprivate static let placeLimit = 64

    private let limit: Int
    let state = Mutex(State())

    /// - Parameter limit: bytes of all secrets together.
    package init(limit: Int = 96 << 20) { self.limit = limit }

    package static func scope(ofCached mount: String) -> String { "cached " + mount }

    // MARK: Changes

    /// Before a reading begins.
    package var moment: Moment { state.withLock { $0.clock } }

    /// Before the change is committed. Each needs its `changed`, also when nothing comes of it.
    package func changing(_ things: [Thing]) {
        guard !things.isEmpty else { return }
        state.withLock { state in
            for thing in things {
                state.slots[Front.slot(thing)].underWay += 1
                state.forget(thing)
            }
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
            state.prefixes = []
            state.forgetTokens()
        }
    }

    // MARK: Keeping

    /// Keeps what has been read, unless something that it came from has changed since.
    package func keep(_ reading: Reading, since begun: Moment) {
        guard reading.isKept, reading.answer.data.bytes.count <= Front.valueLimit else { return }
        // What is given up is freed outside the lock.
        let dropped = state.withLock { state -> [Key: Value] in
            guard state.configured <= begun else { return [:] }
            state.keepToken(reading, since: begun)
            state.keepValue(reading, since: begun)
            return state.cost > limit ? state.dropShard() : [:]
        }
        _ = consume dropped
    }

    /// When an entry of the cache was last answered from here.
    package func lastHit(_ path: String, ofCached mount: String) -> Timestamp? {
        state.withLock { state in
            let scope = Front.scope(ofCached: mount)
            guard let place = state.places.first(where: { $0.value.scope == scope })?.key else { return nil }
            let key = Key(place: place, path: Array(path.utf8))
            return state.shards[Front.shard(key)][key]?.used
        }
    }

    fileprivate static func slot(_ thing: Thing) -> Int {
        Int(UInt(bitPattern: thing.hashValue) % UInt(slotCount))
    }

    static func shard(_ key: Key) -> Int { Int(UInt(bitPattern: key.hashValue) % UInt(shardCount)) }
}

extension Front.State {
    fileprivate func isUnchanged(_ thing: Front.Thing, since begun: Front.Moment) -> Bool {
        let slot = slots[Front.slot(thing)]
        return slot.underWay == 0 && slot.changed <= begun
    }

    fileprivate mutating func keepToken(_ reading: Front.Reading, since begun: Front.Moment) {
        guard reading.line.digests.allSatisfy({ isUnchanged(.token(digest: $0), since: begun) }) else { return }
        if tokens.count >= Front.tokenLimit { forgetTokens() }
        tokens[reading.presented] = Front.KnownToken(
            token: reading.token, access: reading.access, line: reading.line)
        for digest in reading.line.digests { dependents[digest, default: []].insert(reading.presented) }
    }

    fileprivate mutating func keepValue(_ reading: Front.Reading, since begun: Front.Moment) {
        let scope = reading.isStored ? reading.mount.uuid : Front.scope(ofCached: reading.mount.path)
        guard isUnchanged(.scope(scope), since: begun),
            isUnchanged(.secret(scope: scope, path: reading.path.text), since: begun),
            let place = place(of: reading, scope)
        else { return }
        let key = Front.Key(place: place, path: Array(reading.path.text.utf8))
        let value = Front.Value(path: reading.path, answer: reading.answer)
        cost += value.cost - (shards[Front.shard(key)].updateValue(value, forKey: key)?.cost ?? 0)
    }

    /// The mount's place; what was kept of the mount when it was tuned otherwise goes.
    private mutating func place(of reading: Front.Reading, _ scope: String) -> Int? {
        var found = places.first { $0.value.scope == scope }?.key
        if let known = found, places[known]?.mount != reading.mount {
            forgetPlace(known)
            found = nil
        }
        if found == nil {
            if places.count >= Front.placeLimit, let unused = places.keys.first(where: { !isActive($0) }) {
                forgetPlace(unused)
            }
            guard places.count < Front.placeLimit else { return nil }
            nextPlace += 1
            places[nextPlace] = Front.Place(
                mount: reading.mount, isStored: reading.isStored, scope: scope, prefix: reading.prefix)
            found = nextPlace
        }
        if let found, !isActive(found) { prefixes.append((reading.prefix, found)) }
        return found
    }

    private func isActive(_ place: Int) -> Bool { prefixes.contains { $0.place == place } }

    private mutating func forgetPlace(_ place: Int) {
        forgetValues(of: place)
        places[place] = nil
        prefixes.removeAll { $0.place == place }
    }

    private mutating func forgetValues(of place: Int) {
        for index in shards.indices {
            for (key, value) in shards[index] where key.place == place {
                cost -= value.cost
                shards[index][key] = nil
            }
        }
    }

    fileprivate mutating func dropShard() -> [Front.Key: Front.Value] {
        nextShard = (nextShard + 1) % Front.shardCount
        let dropped = shards[nextShard]
        shards[nextShard] = [:]
        cost -= dropped.values.reduce(0) { $0 + $1.cost }
        return dropped
    }

    fileprivate mutating func forget(_ thing: Front.Thing) {
        switch thing {
        case .token(let digest):
            for presented in dependents[digest] ?? [] { forgetToken(presented) }
        case .secret(let scope, let path):
            guard let place = places.first(where: { $0.value.scope == scope })?.key else { return }
            let key = Front.Key(place: place, path: Array(path.utf8))
            if let value = shards[Front.shard(key)].removeValue(forKey: key) { cost -= value.cost }
        case .scope(let scope):
            if let place = places.first(where: { $0.value.scope == scope })?.key { forgetValues(of: place) }
        }
    }

    private mutating func forgetToken(_ presented: PresentedToken) {
        for digest in tokens.removeValue(forKey: presented)?.line.digests ?? [] {
            dependents[digest]?.remove(presented)
            if dependents[digest]?.isEmpty ?? false { dependents[digest] = nil }
        }
    }

    fileprivate mutating func forgetTokens() { (tokens, dependents) = ([:], [:]) }
}
