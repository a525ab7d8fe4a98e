/// One path that a lookup tries, and what every part of Airlock says about it. What a backend or the cache holds is looked at
/// and never shown.
package struct Attempt: Sendable {
    package enum Rights: Sendable, Equatable {
        case allowed
        /// Airlock's policies do not grant the capability on the path.
        case denied(capability: String, path: String)
        /// The vault decides, and says no or does not know the token.
        case deniedUpstream(reason: String)
        /// It cannot be told now.
        case unknown(reason: String)
    }

    package enum Answer: Sendable, Equatable {
        /// A `Secret` without data is one whose version is deleted.
        case found(Secret)
        case absent
        /// The backend refuses Airlock's own login.
        case denied(reason: String)
        case unreachable(reason: String)
        case notAsked(reason: String)
    }

    package struct Cached: Sendable, Equatable {
        package let entry: CacheEntry
        package let freshness: Freshness

        package init(_ entry: CacheEntry, at now: Timestamp, _ rule: FreshnessRule) {
            self.entry = entry
            freshness = entry.freshness(at: now, rule)
        }
    }

    /// What a client gets from Airlock here.
    package enum Outcome: Sendable, Equatable {
        case value(SecretPayload, isStale: Bool)
        case absent, deleted
        case forbidden
        case denied(reason: String)
        case unreachable(reason: String)
        case unknown(reason: String)

        /// Only "there is nothing" leads to the next path.
        package var isLast: Bool { self != .absent && self != .deleted }
    }

    /// On Airlock: with its mount, and with `data/` on KV version 2.
    package let path: String
    package let rights: Rights
    /// `nil`: nothing is cached, or the mount has no cache.
    package let cached: Cached?
    package let answer: Answer

    package init(path: String, rights: Rights, cached: Cached?, answer: Answer) {
        self.path = path
        self.rights = rights
        self.cached = cached
        self.answer = answer
    }

    /// As `ReadThrough` decides it.
    package var outcome: Outcome {
        switch rights {
        case .allowed: break
        case .denied, .deniedUpstream: return .forbidden
        case .unknown(let reason): return .unknown(reason: reason)
        }
        if let cached, case .fresh = cached.freshness { return Attempt.outcome(cached.entry.secret, isStale: false) }
        switch answer {
        case .found(let secret): return Attempt.outcome(secret, isStale: false)
        case .absent: return .absent
        case .denied(let reason): return .denied(reason: reason)
        case .unreachable(let reason): return kept ?? .unreachable(reason: reason)
        case .notAsked(let reason): return .unknown(reason: reason)
        }
    }

    private var kept: Outcome? {
        guard let cached, cached.freshness != .absent else { return nil }
        return Attempt.outcome(cached.entry.secret, isStale: true)
    }

    private static func outcome(_ secret: Secret?, isStale: Bool) -> Outcome {
        guard let secret else { return .absent }
        return secret.data.map { .value($0, isStale: isStale) } ?? .deleted
    }
}

// MARK: - JSON

extension Attempt {
    package var json: JSON {
        ["path": .string(path), "policy": rights.json, "cache": cacheJSON, "backend": answer.json]
    }

    private var cacheJSON: JSON {
        guard let cached else {
            return ["state": "none", "age": .null, "expired": false, "negative": false]
        }
        let isNegative = cached.entry.secret == nil
        var (state, age) = ("none", Int64?.none)
        switch cached.freshness {
        case .fresh(let nanoseconds): (state, age) = (isNegative ? "negative" : "fresh", nanoseconds)
        case .stale(let nanoseconds): (state, age) = ("stale", nanoseconds)
        case .absent: break
        }
        return [
            "state": .string(state), "age": age.map { .integer($0 / 1_000_000_000) } ?? .null,
            "expired": .bool(cached.entry.expired), "negative": .bool(isNegative),
        ]
    }
}

extension Attempt.Rights {
    fileprivate var json: JSON {
        var (verdict, capability, path, reason) = ("allowed", JSON.null, JSON.null, JSON.null)
        switch self {
        case .allowed: break
        case .denied(let missing, let place):
            (verdict, capability, path) = ("denied", .string(missing), .string(place))
        case .deniedUpstream(let why): (verdict, reason) = ("denied", .string(why))
        case .unknown(let why): (verdict, reason) = ("unknown", .string(why))
        }
        return ["verdict": .string(verdict), "capability": capability, "path": path, "reason": reason]
    }
}

extension Attempt.Answer {
    fileprivate var json: JSON {
        var (answer, version, reason) = ("absent", Int?.none, String?.none)
        switch self {
        case .found(let secret): (answer, version) = (secret.data == nil ? "deleted" : "found", secret.version)
        case .absent: break
        case .denied(let why): (answer, reason) = ("denied", why)
        case .unreachable(let why): (answer, reason) = ("unreachable", why)
        case .notAsked(let why): (answer, reason) = ("not asked", why)
        }
        return [
            "answer": .string(answer), "version": version.map { .integer($0) } ?? .null, "reason": .orNull(reason),
        ]
    }
}
