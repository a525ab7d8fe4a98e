import Foundation

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
    /// Of the client's certificate, without which the token is not renewed.
    package var certificateDigest: String?
    /// Instead of the settings' own.
    package var boundCIDRs: [CIDR]?
    /// The client's address, for tokens that only it may use.
    package var source: String?

    package init(mount: Mount, role: String, settings: TokenSettings, identity: String) {
        self.mount = mount
        self.role = role
        self.settings = settings
        self.identity = identity
    }

    /// - Throws: `AirlockError` for the `root` policy, which no login gives.
    package func tokenRequest(_ reader: any StorageReader) throws -> TokenRequest {
        var request = TokenRequest()
        request.policies = settings.grantedPolicies
        guard !request.policies.contains(Policy.root) else {
            throw AirlockError.badRequest("auth methods cannot create root tokens")
        }
        let namespace = mount.namespace
        let (slash, hyphen) = (UInt8(ascii: "/"), UInt8(ascii: "-"))
        let mountPath = namespace.isRoot ? mount.path : namespace.path + "auth/" + mount.path
        let mountName = String(decoding: mountPath.utf8.dropLast().map { $0 == slash ? hyphen : $0 }, as: UTF8.self)
        request.path = "auth/\(mount.path)\(path)"
        request.displayName = displayName.map { "\(mountName)-\($0)" } ?? mountName
        request.meta = metadata
        (request.ttl, request.maxTTL) = settings.limits(mount)
        request.explicitMaxTTL = settings.explicitMaxTTL
        request.period = settings.period
        request.uses = settings.uses
        request.issuedThrough = mount.uuid
        request.loginRole = role
        request.certificateDigest = certificateDigest
        request.boundCIDRs = try strictBlocks() ?? boundCIDRs ?? settings.boundCIDRs
        request.entityID =
            RandomText.uuid(fromDigest: reader.digest("entity\n\(mount.uuid)\n\(identity)")) + namespace.suffix
        return request
    }

    /// - Throws: `AirlockError.invalidToken` where the token is to be bound to an address that is not known.
    private func strictBlocks() throws -> [CIDR]? {
        guard settings.strictlyBindsAddress else { return nil }
        guard let source, let block = CIDR(source) else { throw AirlockError.invalidToken }
        return [block]
    }

    /// The part of a role's record that every way to log in has.
    private struct Role: Decodable {
        let token: TokenSettings
    }

    /// What the role allows a renewal of `token` now.
    /// - Throws: Vault's own 500 when the role is gone, or a user's policies are others by now.
    package static func renewalLimits(_ reader: any StorageReader, mount: Mount, role: String, token: Token) throws
        -> RenewalLimits
    {
        guard let settings = try reader.value(Role.self, RecordKey(.role, scope: mount.uuid, role))?.token else {
            throw roleIsGone(role)
        }
        if mount.engine == .userpass {
            guard settings.stillGrants(token.policies) else {
                throw refusedRenewal("policies have changed, not renewing")
            }
        }
        let (ttl, maxTTL) = settings.limits(mount)
        return RenewalLimits(
            ttl: ttl, maxTTL: maxTTL, period: settings.period, explicitMaxTTL: token.explicitMaxTTL)
    }

    package static func roleIsGone(_ role: String) -> AirlockError {
        refusedRenewal("role \"\(role)\" does not exist during renewal")
    }

    private static func refusedRenewal(_ reason: String) -> AirlockError {
        AirlockError(.vaultServerError, AirlockError.multi("failed to renew entry: \(reason)"))
    }
}

/// Lists of policy names.
package enum PolicyNames {
    /// Trimmed, lower-cased, each once, sorted; `root` stands alone.
    package static func sanitized(_ names: [String]) -> [String] {
        let names = Set(
            names.map { ExactText(isClean($0) ? $0 : $0.trimmingCharacters(in: .whitespacesAndNewlines).lowercased()) }
                .filter { !$0.utf8.isEmpty })
        if names.contains(ExactText(Policy.root)) { return [Policy.root] }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map(\.text)
    }

    /// Most names are, and what makes others so costs each login.
    private static func isClean(_ name: String) -> Bool {
        name.utf8.allSatisfy { 0x21...0x7E ~= $0 && !(UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0) }
    }

    /// As tokens hold them: with `default` or without, whatever was asked for.
    package static func normalised(_ names: [String], withDefault: Bool) -> [String] {
        let names = sanitized(names)
        if names == [Policy.root] { return names }
        return sanitized(names.filter { $0 != Policy.fallback } + (withDefault ? [Policy.fallback] : []))
    }
}
