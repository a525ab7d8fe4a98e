/// What a login's token is like: the `token_*` fields that the roles of every way to log in share. Times in seconds, 0 meaning
/// not set.
package struct TokenSettings: Sendable, Codable, Equatable {
    package var policies: [String] = []
    /// Old names of fields that set what they name: those are shown too.
    package var legacyNames: Set<String> = []
    package var ttl = 0
    package var maxTTL = 0
    package var explicitMaxTTL = 0
    package var period = 0
    package var uses = 0
    package var noDefaultPolicy = false
    package var boundCIDRs: [CIDR] = []
    /// The token serves the address that logged in, and no other.
    package var strictlyBindsAddress = false
    package var type = "default"

    package init() {}

    /// - Throws: `AirlockError` with Vault's message when the settings contradict each other.
    package func check() throws {
        guard maxTTL == 0 || ttl <= maxTTL else {
            throw AirlockError.badRequest("'token_ttl' cannot be greater than 'token_max_ttl'")
        }
    }

    /// What a login's token gets; `default` also where it is only named.
    package var grantedPolicies: [String] {
        PolicyNames.sanitized(policies + (noDefaultPolicy ? [] : [Policy.fallback]))
    }

    /// Whether a token that was given `granted` would be given the same now, but for `default`, which comes and goes by a
    /// setting of its own.
    func stillGrants(_ granted: [String]) -> Bool {
        let own = PolicyNames.sanitized(policies)
        guard !own.isEmpty else { return granted == [Policy.fallback] }
        return own.filter { $0 != Policy.fallback } == granted.filter { $0 != Policy.fallback }
    }

    /// Seconds that a login or a renewal gets without asking, and may get at most, through `mount`.
    package func limits(_ mount: Mount) -> (ttl: Int, maxTTL: Int) {
        let longest = maxTTL == 0 ? mount.effectiveMaxTTL : min(maxTTL, mount.effectiveMaxTTL)
        return (ttl == 0 ? mount.effectiveDefaultTTL : ttl, longest)
    }

    /// - Throws: `AirlockError.invalidToken`, as OpenBao refuses a login from an address that its token could not be used from.
    func checkSource(_ source: String?) throws {
        guard boundCIDRs.isEmpty || source.map({ source in boundCIDRs.contains { $0.contains(source) } }) ?? false
        else { throw AirlockError.invalidToken }
    }
}
