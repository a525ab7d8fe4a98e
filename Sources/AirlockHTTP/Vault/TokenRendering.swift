import AirlockCore

/// How tokens look in answers: the `auth` member of logins and creations, and lookups (VAULT-PROTOCOL 6).
extension IssuedToken {
    var response: VaultResponse { .auth(token.auth(text: text), warnings: warnings) }
}

extension Token {
    /// - Parameter text: what the client knows the token by; empty when it asked by accessor.
    func auth(text: SecretPayload, lease: Int? = nil) -> JSON {
        [
            "client_token": .string(String(decoding: text.bytes, as: UTF8.self)), "accessor": .string(accessor),
            "policies": .strings(shownPolicies), "token_policies": .strings(shownPolicies), "metadata": metadata,
            "lease_duration": .integer(lease ?? creationTTL), "renewable": .bool(renewable),
            "entity_id": .string(entityID), "token_type": "service", "orphan": .bool(parent == nil),
            "mfa_requirement": .null, "num_uses": .integer(usesLeft),
        ]
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
        if period > 0 { members.append(.init("period", .integer(period))) }
        if !boundCIDRs.isEmpty { members.append(.init("bound_cidrs", .strings(boundCIDRs.map(\.text)))) }
        return members
    }
}
