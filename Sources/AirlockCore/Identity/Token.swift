/// A client token's record. The token itself is nowhere in it: the store knows it by its keyed digest only.
package struct Token: Sendable, Codable, Equatable {
    package let accessor: String
    /// Sorted names.
    package var policies: [String]
    /// The path that issued it, such as `auth/approle/login`.
    package let path: String
    package let displayName: String
    package let meta: [String: String]?
    package let issued: Timestamp
    /// Seconds; 0 means it never expires.
    package let creationTTL: Int
    package var expires: Timestamp?
    /// Seconds granted by the last renewal, or at the start: what a renewal without an increment grants again.
    package var lastTTL: Int
    package let explicitMaxTTL: Int
    package let period: Int
    /// Requests left; 0 means any number, -1 that the last one has been used.
    package var usesLeft: Int
    /// Requests it was made for, which is what a renewal tells; `nil` for any number.
    package var usesGranted: Int?
    package let renewable: Bool
    /// `nil` for an orphan.
    package var parent: Parent?
    /// Whether it had one that was revoked without it: a renewal tells what the token was made as (VAULT-PROTOCOL 6.3).
    package var lostParent: Bool?
    package var hasChildren = false
    /// Stable for a login identity; empty for tokens made by tokens.
    package let entityID: String
    /// The auth mount's uuid, when a login issued it.
    package let issuedThrough: String?
    /// The role it logged in with, whose limits count again at each renewal.
    package let loginRole: String?
    /// The token role it was made with, whose limits count again at each renewal.
    package let tokenRole: String?
    package let boundCIDRs: [CIDR]
    /// Of the certificate it was issued for, where the login was by one.
    package let certificateDigest: String?
    package var lastRenewal: Timestamp?
    /// The upstream's token behind this one, where an upstream decides.
    package var upstream: UpstreamGrant?
    /// `nil`: the root.
    var home: Namespace?

    package static let usedUp = -1

    /// Whose policies its own name, and below which it may do what they say.
    package var namespace: Namespace { home ?? .root }

    /// A parent, told apart from a later token of the same text by its accessor, which is random.
    package struct Parent: Sendable, Codable, Equatable {
        package let digest: String
        package let accessor: String

        package init(digest: String, accessor: String) {
            self.digest = digest
            self.accessor = accessor
        }
    }

    package func isExpired(at now: Timestamp) -> Bool { expires.map { $0 <= now } ?? false }

    package func secondsLeft(at now: Timestamp) -> Int { expires?.seconds(after: now) ?? 0 }

    package var isRoot: Bool { policies.contains(Policy.root) }

    /// One that a crash may take: its client logs in again and has what it had (the design's rule of logins).
    package var mayBeLost: Bool {
        issuedThrough != nil && usesLeft == 0 && parent == nil && upstream == nil && isSmall
    }

    /// Memory holds thousands of tokens, so none with very much text of somebody's choice.
    var isSmall: Bool {
        let meta = (meta ?? [:]).reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + Token.entrySize }
        let policies = policies.reduce(0) { $0 + $1.utf8.count + Token.entrySize }
        return displayName.utf8.count + meta + policies <= Front.recordSizeLimit
    }

    /// Bytes that an entry of a list or a map takes beside its text.
    private static let entrySize = 32
}

/// A token just made: the only moment its text is known.
package struct IssuedToken: Sendable {
    package let text: SecretPayload
    package let token: Token
    /// What the store knows it by (`TokenName`), once it is there.
    package let digest: String
    package var warnings: [String] = []
}

/// What a token is to be like. Times in seconds, 0 meaning not set.
package struct TokenRequest: Sendable {
    package var policies: [String] = []
    package var path = "auth/token/create"
    package var displayName = "token"
    package var meta: [String: String]?
    package var ttl = 0
    /// Where no ttl is asked for.
    package var defaultTTL = Mount.systemLeaseTTL
    package var explicitMaxTTL = 0
    package var period = 0
    package var uses = 0
    package var renewable = true
    /// Text chosen by the caller instead of a random one.
    package var chosenText: String?
    package var parent: Token.Parent?
    package var entityID = ""
    package var issuedThrough: String?
    package var loginRole: String?
    package var tokenRole: String?
    /// The role's own limits: they count, but the token does not hold them.
    package var rolePeriod = 0
    package var roleExplicitMaxTTL = 0
    package var certificateDigest: String?
    package var boundCIDRs: [CIDR] = []
    /// The longest the token may live, renewals included.
    package var maxTTL = Mount.systemLeaseTTL
    package var upstream: UpstreamGrant?
    /// Root tokens alone may live for ever.
    package var neverExpires = false

    package init() {}
}

/// What a renewal may give, in seconds.
package struct RenewalLimits: Sendable {
    /// Without an increment; `nil` gives what was granted last.
    package var ttl: Int?
    package var maxTTL: Int
    package var period: Int
    package var explicitMaxTTL: Int

    package init(ttl: Int? = nil, maxTTL: Int, period: Int, explicitMaxTTL: Int) {
        self.ttl = ttl
        self.maxTTL = maxTTL
        self.period = period
        self.explicitMaxTTL = explicitMaxTTL
    }
}

/// The rules of lifetimes, in seconds (VAULT-PROTOCOL 6.1, 6.3).
package enum TokenLifetime {
    /// Of two limits, of which 0 is none.
    package static func lesser(_ one: Int, _ other: Int) -> Int {
        one > 0 && other > 0 ? min(one, other) : max(one, other)
    }

    /// - Parameters:
    ///   - wanted: the ttl asked for; 0 takes `fallback`.
    ///   - elapsed: since the token was issued; the limits count from there. A periodic token has no limit but its explicit one.
    /// - Returns: seconds from now, and what limits cut short.
    /// - Throws: Vault's own 500 when nothing is left.
    package static func granted(
        wanted: Int, fallback: Int, period: Int, maxTTL: Int, explicitMaxTTL: Int, elapsed: Int
    ) throws -> (ttl: Int, warnings: [String]) {
        let limit = explicitMaxTTL > 0 ? min(maxTTL, explicitMaxTTL) : maxTTL
        var ttl = wanted > 0 ? wanted : fallback
        var warnings: [String] = []
        var end: Int? = limit
        if period > 0 {
            if period > limit { warnings.append(cut("period", of: period, to: limit)) }
            ttl = min(period, limit)
            end = explicitMaxTTL > 0 ? explicitMaxTTL : nil
        }
        guard let end else { return (ttl, warnings) }
        let left = end - elapsed
        guard left > 0 else {
            throw AirlockError(.vaultServerError, AirlockError.multi("past the max TTL, cannot renew"))
        }
        guard ttl > left else { return (ttl, warnings) }
        return (left, warnings + [cut("TTL", of: ttl, to: left)])
    }

    private static func cut(_ name: String, of seconds: Int, to limit: Int) -> String {
        let (wanted, allowed) = (GoDuration.short(seconds: seconds), GoDuration.short(seconds: limit))
        return "\(name) of \"\(wanted)\" exceeded the effective max_ttl of \"\(allowed)\"; "
            + "\(name) value is capped accordingly"
    }
}

extension GoDuration {
    /// `768h`, `1h30m`, `5s`: Go's notation without the zero units at its end.
    package static func short(seconds: Int) -> String {
        var text = format(Timestamp.nanoseconds(in: seconds))
        if text.hasSuffix("m0s") { text.removeLast(2) }
        if text.hasSuffix("h0m") { text.removeLast(2) }
        return text
    }
}
