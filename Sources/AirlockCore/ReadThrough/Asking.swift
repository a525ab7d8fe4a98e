/// Asking the backend, once for all who want the same, and remembering what it says.
extension ReadThrough {
    /// The backend's answer, asked for once however many want it, and remembered.
    /// - Parameters:
    ///   - alone: do not join a fetch that was begun earlier.
    ///   - after: when what the caller found in the cache was asked. What has come in since is as good as an answer of its
    ///     own; `nil`: ask in any case.
    package func fetch(
        _ key: CacheKey, as credential: Credential, alone: Bool = false, after: Timestamp? = nil
    ) async throws -> CacheEntry {
        // Changed meanwhile: what was asked before may be what was there before. A path that is changed all the time is
        // not asked for without end.
        for _ in 0..<ReadThrough.repeats {
            let generation = generations.current(key.path)
            do {
                let entry = try await fetchOnce(key, as: credential, generation, alone, after)
                if generation == generations.current(key.path) { return entry }
            } catch let error as UpstreamError
                where error.kind == .outdated && generation != generations.current(key.path)
            {}
        }
        return try await fetchOnce(key, as: credential, generations.current(key.path), alone, after)
    }

    private static let repeats = 2

    private func fetchOnce(
        _ key: CacheKey, as credential: Credential, _ generation: UInt64, _ alone: Bool, _ after: Timestamp?
    ) async throws -> CacheEntry {
        if alone { return try await ask(key, credential, generation) }
        let flight = join(key, credential, generation, after)
        if !flight.isFirst { metrics.add(.coalesced, mount) }
        return try await flight.task.value
    }

    /// The question under way, or a new one.
    func join(
        _ key: CacheKey, _ credential: Credential, _ generation: UInt64, _ after: Timestamp?
    ) -> (task: Task<CacheEntry, any Error>, isFirst: Bool) {
        flights.join(FlightKey(entry: key, generation: generation, credential: credential)) {
            // The one under way may have ended between the caller's look at the cache and now.
            if let after, let known = cache.entry(key), known.fetched > after,
                case .fresh = known.freshness(at: now(), rule)
            {
                return known
            }
            return try await ask(key, credential, generation)
        }
    }

    private func ask(_ key: CacheKey, _ credential: Credential, _ generation: UInt64) async throws -> CacheEntry {
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
}
