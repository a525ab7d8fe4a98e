/// Fetching what is in use before it expires, so that nobody waits for it.
extension ReadThrough {
    func refreshIfDue(_ entry: CacheEntry, _ key: CacheKey, as credential: Credential) {
        guard case .fresh(let age) = entry.freshness(at: now(), rule), entry.secret != nil else { return }
        let seed = UInt64(bitPattern: Int64(key.hashValue) ^ entry.fetched.nanoseconds)
        guard age >= Freshness.refreshAge(ttl: rule.ttl, seed: seed) else { return }
        // A failure is met again, and dealt with, by the first read after the ttl.
        _ = join(key, credential, generations.current(key.path), entry.fetched)
    }
}
