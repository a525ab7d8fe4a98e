import AirlockCore

/// What an AppRole's body names; most fields have a path of their own below the role.
enum AppRoleFields {
    /// One field with a path of its own.
    struct Path: Sendable {
        let path: String
        let field: RoleField<AppRole>
        /// What `DELETE` does.
        let reset: @Sendable (inout AppRole) -> Void
        /// The field's old name; a new name beside it wins.
        var legacy: String?
        /// Whether a body without the field changes nothing, instead of being refused.
        var isOptional = false
        /// What is said when the change puts `token_ttl` above `token_max_ttl`.
        var disorder = ""
    }

    static let paths: [Path] = [
        Path(
            path: "policies", field: TokenFields.sanitizedPolicies.lifted(\.token),
            reset: { role in
                role.token.policies = []
                role.token.legacyNames.remove("policies")
            }, legacy: "policies"),
        Path(
            path: "token-ttl", field: TokenFields.ttl.lifted(\.token), reset: { $0.token.ttl = 0 },
            disorder: "token_ttl should not be greater than token_max_ttl"),
        Path(
            path: "token-max-ttl", field: TokenFields.maxTTL.lifted(\.token), reset: { $0.token.maxTTL = 0 },
            disorder: "token_max_ttl should be greater than or equal to token_ttl"),
        Path(path: "token-num-uses", field: TokenFields.uses.lifted(\.token), reset: { $0.token.uses = 0 }),
        Path(
            path: "period", field: period.lifted(\.token),
            reset: { role in
                role.token.period = 0
                role.token.legacyNames.remove("period")
            }, legacy: "period"),
        Path(
            path: "token-bound-cidrs", field: TokenFields.boundCIDRs.emptyIsNull.lifted(\.token),
            reset: { $0.token.boundCIDRs = [] }, isOptional: true),
        Path(path: "secret-id-ttl", field: secretIDTTL, reset: { $0.secretIDTTL = 0 }),
        Path(path: "secret-id-num-uses", field: secretIDUses, reset: { $0.secretIDUses = 0 }),
        Path(
            path: "secret-id-bound-cidrs", field: someSecretIDBlocks, reset: { $0.secretIDBoundCIDRs = [] },
            isOptional: true),
    ]

    private static let period = RoleField<TokenSettings>(
        name: TokenFields.period.name, read: TokenFields.period.read,
        write: { fields, settings in
            settings.period = try fields.seconds("token_period") ?? fields.seconds("period") ?? 0
            TokenFields.mark(["period"], fields, &settings)
        })

    private static let secretIDTTL = RoleField<AppRole>.seconds("secret_id_ttl", \.secretIDTTL)
    private static let secretIDUses = RoleField<AppRole>.count("secret_id_num_uses", \.secretIDUses)
    private static let secretIDBlocks = RoleField<AppRole>(
        name: "secret_id_bound_cidrs", read: { .strings($0.secretIDBoundCIDRs.map(\.given)) },
        write: { fields, role in role.secretIDBoundCIDRs = try fields.cidrs("secret_id_bound_cidrs") ?? [] }
    ).emptyIsNull
    /// The same where it has a path of its own: there, `DELETE` empties it.
    private static let someSecretIDBlocks = RoleField<AppRole>(
        name: secretIDBlocks.name, read: secretIDBlocks.read,
        write: { fields, role in
            try secretIDBlocks.write(fields, &role)
            guard !role.secretIDBoundCIDRs.isEmpty else { throw AirlockError.badRequest("missing bound_cidr_list") }
        })

    private static let own = [
        secretIDTTL, secretIDUses, secretIDBlocks, .flag("bind_secret_id", \.bindSecretID, fallback: true),
    ]

    /// `policies`, `period` and `bound_cidr_list` are the old names of three fields; a new name beside one wins.
    /// - Returns: warnings.
    static func apply(_ fields: Fields, to role: inout AppRole, mount: Mount) throws -> [String] {
        var (fields, warnings) = (fields, [String]())
        for type in ["service", "batch"] where try fields.string("token_type") == "default-\(type)" {
            fields = fields.replacing("token_type", with: .string(type))
            warnings.append("default-\(type) has no useful meaning; adjusting to \(type)")
        }
        if let blocks = try fields.cidrs("bound_cidr_list") { role.secretIDBoundCIDRs = blocks }
        try TokenFields.apply(fields, to: &role.token, legacy: ["policies", "period"])
        for field in own where fields[field.name] != nil { try field.write(fields, &role) }
        guard role.token.maxTTL > mount.effectiveMaxTTL else { return warnings }
        return warnings + [
            "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated"
        ]
    }

    static func members(_ role: AppRole) -> [JSON.Member] {
        own.map { .init($0.name, $0.read(role)) } + [.init("local_secret_ids", .bool(role.localSecretIDs))]
            + TokenFields.members(role.token)
    }
}
