import AirlockCore

/// `auth/token/roles` (VAULT-PROTOCOL 6.5).
enum TokenRoleRoutes {
    static let table: [Route] = [
        Route("roles", fields: [], [.list: { call in try .keys(try roles(call).names()) }]),
        Route("roles/{name:}", exists: exists, fields: names, [.read: read, .write: write, .delete: delete]),
    ]

    static func roles(_ call: Call) -> TokenRoles {
        TokenRoles(storage: call.services.storage, namespace: call.services.registry.namespace)
    }

    private static func exists(_ call: Call) throws -> Bool { try roles(call).role(call["name"]) != nil }

    private static let read: Route.Handler = { call in
        guard let role = try roles(call).role(call["name"]) else { throw AirlockError.absent }
        return .data(members(role) + [.init("name", .string(call["name"]))])
    }

    private static let write: Route.Handler = { call in
        let fields = call.fields
        var warnings = clashes.filter { fields[$0.old] != nil && fields[$0.new] != nil }.map {
            "Both '\($0.new)' and deprecated '\($0.old)' value supplied, ignoring the deprecated value"
        }
        let mount = call.services.registry.tokenMount
        let explicit = try fields.seconds("token_explicit_max_ttl") ?? fields.seconds("explicit_max_ttl") ?? 0
        if explicit > mount.effectiveMaxTTL {
            warnings.append(
                "Given explicit max TTL of \(explicit) is greater than system/mount allowed value of \(mount.effectiveMaxTTL) seconds; it is cut to that when tokens without the root policy are made"
            )
        }
        try await roles(call).update(call["name"]) { try apply(fields, to: &$0) }
        return .noContent(warnings: warnings)
    }

    private static let delete: Route.Handler = { call in
        try await roles(call).delete(call["name"])
        return .noContent
    }

    // MARK: Fields

    private static let lists: [RoleField<TokenRole>] = [
        list("allowed_policies", \.allowed), list("allowed_policies_glob", \.allowedGlobs),
        list("disallowed_policies", \.disallowed), list("disallowed_policies_glob", \.disallowedGlobs),
        list("allowed_entity_aliases", \.entityAliases).emptyIsNull,
    ]

    private static func list(_ name: String, _ key: RoleField<TokenRole>.Key<[String]>) -> RoleField<TokenRole> {
        RoleField(
            name: name, read: { .strings($0[keyPath: key]) },
            write: { fields, role in
                let names = try fields.list(name) ?? []
                role[keyPath: key] = Set(names.map { $0.lowercased() }).subtracting([""]).sorted()
            })
    }

    private static let period = RoleField<TokenRole>.seconds("token_period", \.period)
    private static let explicitMaxTTL = RoleField<TokenRole>.seconds("token_explicit_max_ttl", \.explicitMaxTTL)
    private static let boundCIDRs = RoleField<TokenRole>.blocks("token_bound_cidrs", \.boundCIDRs)
    private static let uses = RoleField<TokenRole>.count("token_num_uses", \.uses)

    private static let others: [RoleField<TokenRole>] = [
        .flag("orphan", \.isOrphan), .flag("renewable", \.isRenewable, fallback: true),
        .flag("token_no_default_policy", \.noDefaultPolicy), period, explicitMaxTTL,
        RoleField(name: "path_suffix", read: { .string($0.pathSuffix) }, write: writeSuffix),
        RoleField(name: "token_type", read: { .string($0.type) }, write: writeType),
    ]

    /// Fields with an old name. Of the two, the new name counts.
    private static let clashes: [(old: String, new: String)] = [
        ("period", period.name), ("explicit_max_ttl", explicitMaxTTL.name), ("bound_cidrs", boundCIDRs.name),
    ]

    private static let names = Set((lists + others + [boundCIDRs, uses]).map(\.name)).union(clashes.map(\.old))
        .union(["role_name", "token_strictly_bind_ip"])

    private static func apply(_ fields: Fields, to role: inout TokenRole) throws {
        guard !(try fields.flag("token_strictly_bind_ip") ?? false) else {
            throw AirlockError.badRequest(
                "token_strictly_bind_ip has no effect on a token role: use token_bound_cidrs")
        }
        if let seconds = try fields.seconds("period") { role.period = seconds }
        if let seconds = try fields.seconds("explicit_max_ttl") { role.explicitMaxTTL = seconds }
        if let blocks = try fields.cidrs("bound_cidrs") { role.boundCIDRs = blocks }
        // A list that is null is an empty one; anything else that is null is left.
        let named = Set(fields.names)
        for field in lists where named.contains(field.name) { try field.write(fields, &role) }
        for field in others + [boundCIDRs, uses] where fields[field.name] != nil { try field.write(fields, &role) }
        for (old, new) in clashes {
            if fields[new] != nil {
                role.legacyNames.remove(old)
            } else if fields[old] != nil {
                role.legacyNames.insert(old)
            }
        }
    }

    /// The times are always shown under their old names too; addresses and uses only where they are set.
    private static func members(_ role: TokenRole) -> [JSON.Member] {
        func old(_ name: String, _ value: Int) -> JSON.Member {
            .init(name, .integer(role.legacyNames.contains(name) ? value : 0))
        }
        var members: [JSON.Member] = (lists + others).map { .init($0.name, $0.read(role)) }
        members += [old("period", role.period), old("explicit_max_ttl", role.explicitMaxTTL)]
        if !role.boundCIDRs.isEmpty {
            members.append(.init(boundCIDRs.name, boundCIDRs.read(role)))
            if role.legacyNames.contains("bound_cidrs") { members.append(.init("bound_cidrs", boundCIDRs.read(role))) }
        }
        if role.uses > 0 { members.append(.init(uses.name, uses.read(role))) }
        return members
    }

    private static let writeSuffix: @Sendable (Fields, inout TokenRole) throws -> Void = { fields, role in
        let suffix = try fields.string("path_suffix") ?? ""
        guard suffix.isEmpty || (suffix.utf8.count >= 3 && PathTemplate.isName(suffix)) else {
            throw AirlockError.badRequest(
                "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w")
        }
        role.pathSuffix = suffix
    }

    private static let writeType: @Sendable (Fields, inout TokenRole) throws -> Void = { fields, role in
        let type = try fields.string("token_type") ?? ""
        switch type {
        case "", "default-service": role.type = "default-service"
        case "service": role.type = "service"
        case "batch", "default-batch": throw AirlockError.noBatchTokens
        default: throw AirlockError.badRequest("invalid 'token_type' value \"\(type)\"")
        }
    }
}
