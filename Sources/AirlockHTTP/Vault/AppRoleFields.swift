import AirlockCore

/// What an AppRole's body names; some fields have a path of their own below the role.
enum AppRoleFields {
    /// Paths below the role.
    static let paths: [(path: String, field: RoleField<AppRole>)] =
        [
            ("policies", TokenFields.policies.lifted(\.token)),
            ("token-ttl", TokenFields.ttl.lifted(\.token)),
            ("token-max-ttl", TokenFields.maxTTL.lifted(\.token)),
            ("token-num-uses", TokenFields.uses.lifted(\.token)),
            ("period", TokenFields.period.lifted(\.token)),
            ("token-bound-cidrs", TokenFields.boundCIDRs.lifted(\.token)),
        ] + own

    private static let own: [(path: String, field: RoleField<AppRole>)] = [
        ("secret-id-ttl", .seconds("secret_id_ttl", \.secretIDTTL)),
        ("secret-id-num-uses", .count("secret_id_num_uses", \.secretIDUses)),
        // The one list that OpenBao shows as null while it is empty.
        ("secret-id-bound-cidrs", .blocks("secret_id_bound_cidrs", \.secretIDBoundCIDRs, emptyIsNull: true)),
        ("bind-secret-id", .flag("bind_secret_id", \.bindSecretID, fallback: true)),
    ]

    /// `policies`, `period` and `bound_cidr_list` are the old names of three fields; a new name beside one wins.
    static func apply(_ fields: Fields, to role: inout AppRole) throws {
        if let blocks = try fields.cidrs("bound_cidr_list") { role.secretIDBoundCIDRs = blocks }
        try TokenFields.apply(fields, to: &role.token, legacy: ["policies", "period"])
        for (_, field) in own where fields[field.name] != nil { try field.write(fields, &role) }
    }

    static func members(_ role: AppRole) -> [JSON.Member] {
        own.map { .init($0.field.name, $0.field.read(role)) } + [.init("local_secret_ids", false)]
            + TokenFields.members(role.token)
    }
}
