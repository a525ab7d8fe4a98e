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
        let found = cache.entry(key)
        if let entry = found, directives.accepts(entry.freshness(at: now(), rule), ttl: ttl(of: entry)) {
            refreshIfDue(entry, key, as: reader.credential)
            return counted(served(entry, kept: kept(entry, key)))
        }
        guard !directives.onlyIfCached else {
            throw AirlockError(.notCached, "not cached, and only-if-cached was sent")
        }
        let begun = now()
        do {
            var entry = try await fetch(
                key, as: reader.credential, alone: directives.noCache, after: found?.fetched ?? .distantPast)
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

    private func served(_ entry: CacheEntry, isConfirmed: Bool = true, kept: Served.Kept? = nil) -> Served {
        var outcome = entry.secret == nil ? Served.Outcome.negative : .hit
        if case .fresh = entry.freshness(at: now(), rule), isConfirmed {} else { outcome = .stale }
        return Served(secret: entry.secret, outcome: outcome, age: seconds(since: entry.fetched), kept: kept)
    }

    private func counted(_ served: Served) -> Served {
        metrics.add(.reads, mount, served.outcome.rawValue)
        return served
    }

    private func ttl(of entry: CacheEntry) -> Int64 { entry.secret == nil ? rule.negativeTTL : rule.ttl }

    private func seconds(since moment: Timestamp) -> Int { now().seconds(after: moment) }
}
