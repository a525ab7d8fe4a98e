import AirlockCore

/// How tokens look in answers: the `auth` member of logins and creations, and lookups (VAULT-PROTOCOL 6).
extension IssuedToken {
    var response: VaultResponse {
        .auth(token.auth(text: text), warnings: warnings, displayName: token.displayName)
    }
}

extension Token {
    /// - Parameter text: what the client knows the token by; empty when it asked by accessor.
    func auth(text: SecretPayload, lease: Int? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("client_token", .string(String(decoding: text.bytes, as: UTF8.self))),
            .init("accessor", .string(accessor)), .init("policies", .strings(shownPolicies)),
        ]
        if !shownPolicies.isEmpty { members.append(.init("token_policies", .strings(shownPolicies))) }
        return .object(
            members + [
                .init("metadata", metadata), .init("lease_duration", .integer(lease ?? creationTTL)),
                .init("renewable", .bool(renewable)), .init("entity_id", .string(entityID)),
                .init("token_type", "service"), .init("orphan", .bool(parent == nil && lostParent != true)),
                .init("mfa_requirement", .null), .init("num_uses", .integer(usesGranted ?? usesLeft)),
            ])
    }

    /// Where an upstream decides, its names say more than Airlock's own `default`.
    private var shownPolicies: [String] { upstream?.policies ?? policies }

    private var metadata: JSON {
        guard let meta else { return .null }
        return .object(meta.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    func lookup(id: String, now: Timestamp) -> [JSON.Member] {
        var members: [JSON.Member] = [
            .init("accessor", .string(accessor)), .init("creation_time", .integer(issued.seconds)),
            .init("creation_ttl", .integer(creationTTL)), .init("display_name", .string(displayName)),
            .init("entity_id", .string(entityID)),
            .init("expire_time", expires.map { .string($0.rfc3339) } ?? .null),
            .init("explicit_max_ttl", .integer(explicitMaxTTL)), .init("id", .string(id)),
            .init("issue_time", .string(issued.rfc3339)),
            .init("meta", metadata), .init("num_uses", .integer(usesLeft)), .init("orphan", .bool(parent == nil)),
            .init("path", .string(path)), .init("policies", .strings(shownPolicies)),
            .init("renewable", .bool(renewable)),
            .init("ttl", .integer(secondsLeft(at: now))), .init("type", "service"),
        ]
        if let lastRenewal {
            members.append(.init("last_renewal", .string(lastRenewal.rfc3339)))
            members.append(.init("last_renewal_time", .integer(lastRenewal.seconds)))
        }
        if let tokenRole { members.append(.init("role", .string(tokenRole))) }
        if !namespace.isRoot { members.append(.init("namespace_path", .string(namespace.path))) }
        if period > 0 { members.append(.init("period", .integer(period))) }
        if !boundCIDRs.isEmpty { members.append(.init("bound_cidrs", .strings(boundCIDRs.map(\.text)))) }
        return members
    }
}
