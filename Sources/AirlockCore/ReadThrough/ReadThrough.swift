/// The decision, once for every read of a mount that has a cache: may the reader, is it here, else ask once for all who want
/// it, remember, and fall back on what is remembered when there is no answer (docs/caching.md).
package struct ReadThrough: Sendable {
    /// Airlock's own mount path, which ends in `/`.
    package let mount: String
    package let backend: any Backend
    package let rule: FreshnessRule
    package let cache: any SecretCache
    let metrics: Metrics
    let now: Now
    let flights = SingleFlight<FlightKey, CacheEntry>()
    let generations = Generations()
    let floors = VersionFloors()

    package init(
        mount: String, backend: any Backend, rule: FreshnessRule, cache: any SecretCache, metrics: Metrics,
        now: @escaping Now
    ) {
        self.mount = mount
        self.backend = backend
        self.rule = rule
        self.cache = cache
        self.metrics = metrics
        self.now = now
    }

    package func key(_ path: SecretPath, version: Int? = nil) -> CacheKey {
        CacheKey(mount: mount, identity: backend.identity, path: path, version: version)
    }

    /// - Parameter version: `nil` is the latest.
    /// - Throws: `AirlockError`: `permissionDenied`, `unavailable`, `notCached`.
    package func read(
        _ path: SecretPath, version: Int? = nil, directives: CacheDirectives = CacheDirectives(),
        for reader: some SecretReader
    ) async throws -> Served {
        try await reader.authorizeRead(of: path)
        let key = key(path, version: version)
        if let entry = cache.entry(key), directives.accepts(entry.freshness(at: now(), rule), ttl: ttl(of: entry)) {
            refreshIfDue(entry, key, as: reader.credential)
            return counted(served(entry))
        }
        guard !directives.onlyIfCached else {
            throw AirlockError(.notCached, "not cached, and only-if-cached was sent")
        }
        let begun = now()
        do {
            var entry = try await fetch(key, as: reader.credential, alone: directives.noCache)
            // What another reader asked may have been on its way for longer than this one accepts.
            if let limit = directives.maxAge, entry.fetched < begun, seconds(since: entry.fetched) > limit {
                entry = try await fetch(key, as: reader.credential, alone: true)
            }
            let outcome = directives.noCache ? Served.Outcome.bypass : .miss
            return counted(Served(secret: entry.secret, outcome: outcome, age: seconds(since: entry.fetched)))
        } catch let error as UpstreamError {
            return counted(try await fallBack(on: error, since: begun, key, directives, as: reader.credential))
        }
    }

    // MARK: Asking

    /// The backend's answer, asked for once however many want it, and remembered.
    /// - Parameter alone: do not join a fetch that was begun earlier.
    package func fetch(_ key: CacheKey, as credential: Credential, alone: Bool = false) async throws -> CacheEntry {
        // Changed meanwhile: what was asked before may be what was there before. A path that is changed all the time is
        // not asked for without end.
        for _ in 0..<ReadThrough.repeats {
            let generation = generations.current(key.path)
            do {
                let entry = try await fetchOnce(key, as: credential, generation, alone)
                if generation == generations.current(key.path) { return entry }
            } catch let error as UpstreamError
                where error.kind == .outdated && generation != generations.current(key.path)
            {}
        }
        return try await fetchOnce(key, as: credential, generations.current(key.path), alone)
    }

    private static let repeats = 2

    private func fetchOnce(
        _ key: CacheKey, as credential: Credential, _ generation: UInt64, _ alone: Bool
    ) async throws -> CacheEntry {
        if alone { return try await ask(key, credential, generation) }
        let flight = flights.join(FlightKey(entry: key, generation: generation, credential: credential)) {
            try await ask(key, credential, generation)
        }
        if !flight.isFirst { metrics.add(.coalesced, mount) }
        return try await flight.task.value
    }

    func ask(_ key: CacheKey, _ credential: Credential, _ generation: UInt64) async throws -> CacheEntry {
        let begun = now()
        // What is written from here on says nothing about an answer that may be from before it.
        let floor = key.version == nil ? floors.floor(of: key.path) : nil
        let secret = try await backend.read(key.path, version: key.version, as: credential)
        if let secret, let floor, secret.isOlder(than: floor) { throw UpstreamError.outdated }
        let entry = CacheEntry(secret: secret, fetched: begun)
        await cache.store(entry, for: key) { [generations, now] known in
            guard generation == generations.current(key.path) else { return false }
            return known.map { !entry.isOutdated(by: $0, at: now()) } ?? true
        }
        // Looked up only now: a newer one may have come in while this one was on its way.
        if let secret, let newer = cache.entry(key)?.secret, secret.isOlder(than: newer) {
            throw UpstreamError.outdated
        }
        return entry
    }

    // MARK: Answering

    /// What to do without an answer: what is remembered, if it is not too old; for a denial nothing.
    private func fallBack(
        on error: UpstreamError, since begun: Timestamp, _ key: CacheKey, _ directives: CacheDirectives,
        as credential: Credential
    ) async throws -> Served {
        if error.kind == .denied {
            // A client's own token being refused says nothing about the others' rights.
            if credential == .own { await cache.remove(.path(mount: mount, key.path)) }
            throw AirlockError.permissionDenied
        }
        // Looked up again: a write may have come in between.
        if !directives.noCache || error.kind == .outdated, let entry = cache.entry(key),
            entry.freshness(at: now(), rule) != .absent,
            directives.maxAge.map({ seconds(since: entry.fetched) <= $0 }) ?? true
        {
            // What overtook an older answer on its way has just been said by the upstream itself.
            return served(entry, isConfirmed: error.kind == .outdated && entry.fetched > begun)
        }
        metrics.add(.unanswered, mount)
        throw AirlockError(
            .unavailable, "the backend of \(mount) cannot be asked, and nothing usable is cached", hint: error.message)
    }

    private func served(_ entry: CacheEntry, isConfirmed: Bool = true) -> Served {
        var outcome = entry.secret == nil ? Served.Outcome.negative : .hit
        if case .fresh = entry.freshness(at: now(), rule), isConfirmed {} else { outcome = .stale }
        return Served(secret: entry.secret, outcome: outcome, age: seconds(since: entry.fetched))
    }

    private func counted(_ served: Served) -> Served {
        metrics.add(.reads, mount, served.outcome.rawValue)
        return served
    }

    private func ttl(of entry: CacheEntry) -> Int64 { entry.secret == nil ? rule.negativeTTL : rule.ttl }

    private func seconds(since moment: Timestamp) -> Int { now().seconds(after: moment) }
}
