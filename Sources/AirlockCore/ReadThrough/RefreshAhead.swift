/// Fetching what is in use before it expires, so that nobody waits for it.
extension ReadThrough {
    func refreshIfDue(_ entry: CacheEntry, _ key: CacheKey, as credential: Credential) {
        guard case .fresh(let age) = entry.freshness(at: now(), rule), entry.secret != nil else { return }
        guard age >= refreshAge(entry, key) else { return }
        // A failure is met again, and dealt with, by the first read after the ttl.
        _ = join(key, credential, generations.current(key.path), entry.fetched)
    }

    private func refreshAge(_ entry: CacheEntry, _ key: CacheKey) -> Int64 {
        let seed = UInt64(bitPattern: Int64(key.hashValue) ^ entry.fetched.nanoseconds)
        return Freshness.refreshAge(ttl: rule.ttl, seed: seed)
    }

    /// How long the front may answer a fresh value: until it is due to be fetched anew, and no longer than a minute, so that
    /// the cache learns what is in use before it drops what is not.
    func kept(_ entry: CacheEntry, _ key: CacheKey) -> Served.Kept? {
        let moment = now()
        guard case .fresh = entry.freshness(at: moment, rule), entry.secret != nil else { return nil }
        let due = entry.fetched.adding(nanoseconds: refreshAge(entry, key))
        return Served.Kept(fetched: entry.fetched, until: min(due, moment.adding(seconds: 60)))
    }
}
