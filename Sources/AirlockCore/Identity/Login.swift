/// Who has proved to be somebody, at whichever way to log in: what the token for it is made from.
package struct Login: Sendable {
    package let mount: Mount
    /// The role or user. Its record (`.role`, in the mount's scope) holds the settings as `token`.
    package let role: String
    package let settings: TokenSettings
    /// What stays the same for one identity; only its digest is kept.
    package let identity: String
    /// Below the mount.
    package var path = "login"
    /// Follows the mount's name in the token's display name.
    package var displayName: String?
    package var metadata: [String: String] = [:]
    /// Instead of the settings' own.
    package var boundCIDRs: [CIDR]?

    package init(mount: Mount, role: String, settings: TokenSettings, identity: String) {
        self.mount = mount
        self.role = role
        self.settings = settings
        self.identity = identity
    }

    /// - Throws: `AirlockError` for the `root` policy, which no login gives.
    package func tokenRequest(_ reader: any StorageReader) throws -> TokenRequest {
        var request = TokenRequest()
        request.policies = PolicyNames.normalised(settings.policies, withDefault: !settings.noDefaultPolicy)
        guard !request.policies.contains(Policy.root) else {
            throw AirlockError.badRequest("auth methods cannot create root tokens")
        }
        let mountName = String(mount.path.dropLast()).replacing("/", with: "-")
        request.path = "auth/\(mount.path)\(path)"
        request.displayName = displayName.map { "\(mountName)-\($0)" } ?? mountName
        request.meta = metadata
        (request.ttl, request.maxTTL) = settings.limits(mount)
        request.explicitMaxTTL = settings.explicitMaxTTL
        request.period = settings.period
        request.uses = settings.uses
        request.issuedThrough = mount.uuid
        request.loginRole = role
        request.boundCIDRs = boundCIDRs ?? settings.boundCIDRs
        request.entityID = RandomText.uuid(fromDigest: reader.digest("entity\n\(mount.uuid)\n\(identity)"))
        return request
    }

    /// The part of a role's record that every way to log in has.
    private struct Role: Decodable {
        let token: TokenSettings
    }

    /// What the role allows a renewal now.
    /// - Throws: Vault's own 500 when the role is gone.
    package static func renewalLimits(_ reader: any StorageReader, mount: Mount, role: String) throws -> (
        ttl: Int, maxTTL: Int
    ) {
        guard let found = try reader.value(Role.self, RecordKey(.role, scope: mount.uuid, role)) else {
            throw AirlockError(
                .vaultServerError, "failed to renew entry: role \"\(role)\" does not exist during renewal")
        }
        return found.token.limits(mount)
    }
}

/// Lists of policy names: trimmed, lower-cased, each once.
package enum PolicyNames {
    /// In the order given, as a role shows them.
    package static func asGiven(_ names: [String]) -> [String] {
        var seen: Set<ExactText> = []
        return names.map(cleaned).filter { !$0.isEmpty && seen.insert(ExactText($0)).inserted }
    }

    private static func cleaned(_ name: String) -> String { name.filter { !$0.isWhitespace }.lowercased() }

    /// Sorted, as tokens hold them.
    package static func normalised(_ names: [String], withDefault: Bool) -> [String] {
        let names = asGiven(names)
        if names.contains(Policy.root) { return [Policy.root] }
        var kept = names.filter { $0 != Policy.fallback }
        if withDefault { kept.append(Policy.fallback) }
        return kept.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
