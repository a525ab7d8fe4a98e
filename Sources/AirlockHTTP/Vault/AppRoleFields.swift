import AirlockCore

/// A role's fields, one line each: its name in the body, its own path below the role, how it is read, set and reset.
enum AppRoleFields {
    struct Field: Sendable {
        let name: String
        let path: String
        let read: @Sendable (AppRole) -> JSON
        let write: @Sendable (Fields, inout AppRole) throws -> Void
        let reset: @Sendable (inout AppRole) -> Void
    }

    static let all: [Field] = [
        policies(name: "token_policies", path: "policies"),
        seconds("token_ttl", "token-ttl", \.token.ttl),
        seconds("token_max_ttl", "token-max-ttl", \.token.maxTTL),
        count("token_num_uses", "token-num-uses", \.token.uses),
        seconds("token_period", "period", \.token.period),
        seconds("secret_id_ttl", "secret-id-ttl", \.secretIDTTL),
        count("secret_id_num_uses", "secret-id-num-uses", \.secretIDUses),
        blocks("secret_id_bound_cidrs", "secret-id-bound-cidrs", \.secretIDBoundCIDRs),
        blocks("token_bound_cidrs", "token-bound-cidrs", \.token.boundCIDRs),
        flag("bind_secret_id", "bind-secret-id", \.bindSecretID, fallback: true),
    ]

    static func apply(_ fields: Fields, to role: inout AppRole) throws {
        try applyLegacy(fields, to: &role)
        for field in all where fields[field.name] != nil { try field.write(fields, &role) }
        if let seconds = try fields.seconds("token_explicit_max_ttl") { role.token.explicitMaxTTL = seconds }
        if let flag = try fields.flag("token_no_default_policy") { role.token.noDefaultPolicy = flag }
        if let type = try fields.string("token_type") {
            switch type {
            case "", "default": role.token.type = "default"
            case "service", "default-service": role.token.type = "service"
            case "batch", "default-batch":
                throw AirlockError.badRequest("batch tokens are not supported: leave token_type out or use service")
            default: throw AirlockError.badRequest("invalid 'token_type' value \"\(type)\"")
            }
        }
    }

    /// `policies`, `period` and `bound_cidr_list` are the old names of three fields; a new name beside it wins.
    private static func applyLegacy(_ fields: Fields, to role: inout AppRole) throws {
        if let policies = try fields.list("policies") {
            role.token.policies = PolicyNames.asGiven(policies)
            role.token.policiesAreLegacy = true
        }
        if fields["token_policies"] != nil { role.token.policiesAreLegacy = false }
        if let seconds = try fields.seconds("period") { role.token.period = seconds }
        if let blocks = try fields.cidrs("bound_cidr_list") { role.secretIDBoundCIDRs = blocks }
    }

    static func members(_ role: AppRole) -> [JSON.Member] {
        let token = role.token
        var members: [JSON.Member] = all.map { .init($0.name, $0.read(role)) }
        members += [
            .init("local_secret_ids", false), .init("token_explicit_max_ttl", .integer(token.explicitMaxTTL)),
            .init("token_no_default_policy", .bool(token.noDefaultPolicy)), .init("token_strictly_bind_ip", false),
            .init("token_type", .string(token.type)),
        ]
        if token.policiesAreLegacy { members.append(.init("policies", .strings(token.policies))) }
        return members
    }

    private static func policies(name: String, path: String) -> Field {
        Field(
            name: name, path: path, read: { .strings($0.token.policies) },
            write: { fields, role in
                role.token.policies = PolicyNames.asGiven(try fields.list(name) ?? [])
            },
            reset: { $0.token.policies = [] })
    }

    private static func seconds(_ name: String, _ path: String, _ key: any WritableKeyPath<AppRole, Int> & Sendable)
        -> Field
    {
        Field(
            name: name, path: path, read: { .integer($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.seconds(name) ?? 0 },
            reset: { $0[keyPath: key] = 0 })
    }

    private static func count(_ name: String, _ path: String, _ key: any WritableKeyPath<AppRole, Int> & Sendable)
        -> Field
    {
        Field(
            name: name, path: path, read: { .integer($0[keyPath: key]) },
            write: { fields, role in
                let count = try fields.integer(name) ?? 0
                guard count >= 0 else { throw AirlockError.badRequest("\(name) cannot be negative") }
                role[keyPath: key] = count
            },
            reset: { $0[keyPath: key] = 0 })
    }

    private static func blocks(_ name: String, _ path: String, _ key: any WritableKeyPath<AppRole, [CIDR]> & Sendable)
        -> Field
    {
        Field(
            name: name, path: path,
            read: { role in
                // The one list that OpenBao shows as null while it is empty.
                role[keyPath: key].isEmpty && name == "secret_id_bound_cidrs"
                    ? .null : .strings(role[keyPath: key].map(\.text))
            },
            write: { fields, role in role[keyPath: key] = try fields.cidrs(name) ?? [] },
            reset: { $0[keyPath: key] = [] })
    }

    private static func flag(
        _ name: String, _ path: String, _ key: any WritableKeyPath<AppRole, Bool> & Sendable, fallback: Bool
    ) -> Field {
        Field(
            name: name, path: path, read: { .bool($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.flag(name) ?? fallback },
            reset: { $0[keyPath: key] = fallback })
    }
}
