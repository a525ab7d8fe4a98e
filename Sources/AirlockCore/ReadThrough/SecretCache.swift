/// What one answer is kept under.
package struct CacheKey: Sendable, Hashable {
    /// Airlock's own mount path, which ends in `/`.
    package let mount: String
    /// `Backend.identity`: an entry fetched from elsewhere does not open.
    package let identity: String
    package let path: SecretPath
    /// `nil` is whatever version is the latest; a numbered one is kept apart from it.
    package let version: Int?

    package init(mount: String, identity: String, path: SecretPath, version: Int?) {
        self.mount = mount
        self.identity = identity
        self.path = path
        self.version = version
    }
}

/// What a backend answered, and when.
package struct CacheEntry: Sendable, Equatable {
    /// `nil`: the backend said that there is nothing.
    package let secret: Secret?
    package let fetched: Timestamp
    /// Marked by an invalidation: no longer fresh, still good for an outage.
    package var expired = false

    package init(secret: Secret?, fetched: Timestamp, expired: Bool = false) {
        self.secret = secret
        self.fetched = fetched
        self.expired = expired
    }

    package func freshness(at now: Timestamp, _ rule: FreshnessRule) -> Freshness {
        Freshness(fetched: fetched, isNegative: secret == nil, expired: expired, now: now, rule: rule)
    }

    /// Whether `known` says more about the present: a later version, or else the answer to a later question. One from the
    /// future, kept before the clock was set back, does not.
    func isOutdated(by known: CacheEntry, at now: Timestamp) -> Bool {
        if let secret, let other = known.secret {
            if secret.isOlder(than: other) { return true }
            if other.isOlder(than: secret) { return false }
        }
        return fetched < known.fetched && known.fetched <= now
    }
}

/// Which entries a purge or an invalidation is about; every version of a path goes together.
package enum CacheScope: Sendable, Equatable {
    case path(mount: String, SecretPath)
    /// A folder: `connections/`.
    case prefix(mount: String, String)
    case mount(String)

    package var mountPath: String {
        switch self {
        case .path(let mount, _), .prefix(let mount, _), .mount(let mount): mount
        }
    }
}

/// The entries of one mount, in numbers.
package struct CacheStatus: Sendable, Equatable {
    package var entries = 0
    /// Of what is sealed, bookkeeping not counted.
    package var bytes = 0
    package var negatives = 0
    /// When the entry that has waited longest was fetched.
    package var oldest: Timestamp?
    /// The same of those not marked expired, values and negatives apart, and of those that are.
    package var oldestValue: Timestamp?
    package var oldestNegative: Timestamp?
    package var oldestExpired: Timestamp?

    package init() {}

    /// When the oldest entry that is no longer fresh was fetched. `nil` when all are fresh.
    package func oldestStale(at now: Timestamp, _ rule: FreshnessRule) -> Timestamp? {
        func isStale(_ fetched: Timestamp, ttl: Int64) -> Bool {
            fetched > now || now.nanoseconds - fetched.nanoseconds >= ttl
        }
        let value = oldestValue.flatMap { isStale($0, ttl: rule.ttl) ? $0 : nil }
        let negative = oldestNegative.flatMap { isStale($0, ttl: rule.negativeTTL) ? $0 : nil }
        return [value, negative, oldestExpired].compactMap(\.self).min()
    }
}

/// What one mount may take.
package struct CacheLimits: Sendable, Equatable {
    package var entries = 100_000
    package var bytes = 256 << 20

    package init() {}
}

/// Answers, remembered sealed. Nothing in it is the only copy of anything: an entry that does not open is an entry that is
/// not there, counted, and no failure of the cache is ever the reason that a read fails.
package protocol SecretCache: Sendable {
    func entry(_ key: CacheKey) -> CacheEntry?
    /// Keeps an entry, unless `isWanted` says no when its turn has come. It is asked after every earlier `store`, `remove`
    /// and `expire` has taken effect, with what is there then.
    func store(
        _ entry: CacheEntry, for key: CacheKey, if isWanted: @escaping @Sendable (CacheEntry?) -> Bool
    ) async
    /// - Returns: how many entries went.
    @discardableResult func remove(_ scope: CacheScope) async -> Int
    /// - Returns: how many entries are marked.
    @discardableResult func expire(_ scope: CacheScope) async -> Int
    func status(mount: String) -> CacheStatus
}
