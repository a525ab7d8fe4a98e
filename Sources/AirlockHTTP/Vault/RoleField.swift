import AirlockCore

/// One field of a role: its name in bodies, and how it is read, set and reset.
struct RoleField<Role>: Sendable {
    let name: String
    let read: @Sendable (Role) -> JSON
    let write: @Sendable (Fields, inout Role) throws -> Void
    let reset: @Sendable (inout Role) -> Void

    typealias Key<Value> = any WritableKeyPath<Role, Value> & Sendable

    static func seconds(_ name: String, _ key: Key<Int>) -> RoleField {
        RoleField(
            name: name, read: { .integer($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.seconds(name) ?? 0 },
            reset: { $0[keyPath: key] = 0 })
    }

    static func count(_ name: String, _ key: Key<Int>) -> RoleField {
        RoleField(
            name: name, read: { .integer($0[keyPath: key]) },
            write: { fields, role in
                let count = try fields.integer(name) ?? 0
                guard count >= 0 else { throw AirlockError.badRequest("\(name) cannot be negative") }
                role[keyPath: key] = count
            },
            reset: { $0[keyPath: key] = 0 })
    }

    static func blocks(_ name: String, _ key: Key<[CIDR]>, emptyIsNull: Bool = false) -> RoleField {
        RoleField(
            name: name,
            read: { role in
                let blocks = role[keyPath: key]
                return blocks.isEmpty && emptyIsNull ? .null : .strings(blocks.map(\.text))
            },
            write: { fields, role in role[keyPath: key] = try fields.cidrs(name) ?? [] },
            reset: { $0[keyPath: key] = [] })
    }

    static func flag(_ name: String, _ key: Key<Bool>, fallback: Bool = false) -> RoleField {
        RoleField(
            name: name, read: { .bool($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.flag(name) ?? fallback },
            reset: { $0[keyPath: key] = fallback })
    }

    static func policies(_ name: String, _ key: Key<[String]>) -> RoleField {
        RoleField(
            name: name, read: { .strings($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = PolicyNames.asGiven(try fields.list(name) ?? []) },
            reset: { $0[keyPath: key] = [] })
    }

    /// The same field of something that a larger role holds.
    func lifted<Whole>(_ key: any WritableKeyPath<Whole, Role> & Sendable) -> RoleField<Whole> {
        RoleField<Whole>(
            name: name, read: { read($0[keyPath: key]) },
            write: { fields, whole in try write(fields, &whole[keyPath: key]) },
            reset: { reset(&$0[keyPath: key]) })
    }
}

/// The `token_*` fields, which the roles of every way to log in have (VAULT-PROTOCOL 7, 8.1).
enum TokenFields {
    static let policies = RoleField<TokenSettings>.policies("token_policies", \.policies)
    static let ttl = RoleField<TokenSettings>.seconds("token_ttl", \.ttl)
    static let maxTTL = RoleField<TokenSettings>.seconds("token_max_ttl", \.maxTTL)
    static let uses = RoleField<TokenSettings>.count("token_num_uses", \.uses)
    static let period = RoleField<TokenSettings>.seconds("token_period", \.period)
    static let boundCIDRs = RoleField<TokenSettings>.blocks("token_bound_cidrs", \.boundCIDRs)

    private static let all = [
        policies, ttl, maxTTL, uses, period, boundCIDRs,
        .seconds("token_explicit_max_ttl", \.explicitMaxTTL), .flag("token_no_default_policy", \.noDefaultPolicy),
        RoleField(name: "token_type", read: { .string($0.type) }, write: writeType, reset: { $0.type = "default" }),
        RoleField(
            name: "token_strictly_bind_ip", read: { _ in false },
            write: { fields, _ in
                guard !(try fields.flag("token_strictly_bind_ip") ?? false) else {
                    throw AirlockError.badRequest("token_strictly_bind_ip is not supported: use token_bound_cidrs")
                }
            }, reset: { _ in }),
    ]

    /// Old names that every way to log in but AppRole has.
    static let legacy: Set = ["policies", "ttl", "max_ttl", "period", "num_uses", "bound_cidrs"]

    static let names = Set(all.map(\.name)).union(legacy)

    /// Changes what the body names.
    /// - Parameter legacy: the old names that count; a new name beside one wins.
    static func apply(_ fields: Fields, to settings: inout TokenSettings, legacy: Set<String> = legacy) throws {
        func old(_ name: String) -> Bool { legacy.contains(name) && fields[name] != nil }
        if old("policies") {
            settings.policies = PolicyNames.asGiven(try fields.list("policies") ?? [])
            settings.policiesAreLegacy = true
        }
        if fields["token_policies"] != nil { settings.policiesAreLegacy = false }
        if old("period") { settings.period = try fields.seconds("period") ?? 0 }
        if old("ttl") { settings.ttl = try fields.seconds("ttl") ?? 0 }
        if old("max_ttl") { settings.maxTTL = try fields.seconds("max_ttl") ?? 0 }
        if old("num_uses") { settings.uses = max(0, try fields.integer("num_uses") ?? 0) }
        if old("bound_cidrs") { settings.boundCIDRs = try fields.cidrs("bound_cidrs") ?? [] }
        for field in all where fields[field.name] != nil { try field.write(fields, &settings) }
    }

    static func members(_ settings: TokenSettings) -> [JSON.Member] {
        var members: [JSON.Member] = all.map { .init($0.name, $0.read(settings)) }
        if settings.policiesAreLegacy { members.append(.init("policies", .strings(settings.policies))) }
        return members
    }

    private static let writeType: @Sendable (Fields, inout TokenSettings) throws -> Void = { fields, settings in
        let type = try fields.string("token_type") ?? ""
        switch type {
        case "", "default": settings.type = "default"
        case "service", "default-service": settings.type = "service"
        case "batch", "default-batch":
            throw AirlockError.badRequest("batch tokens are not supported: leave token_type out or use service")
        default: throw AirlockError.badRequest("invalid 'token_type' value \"\(type)\"")
        }
    }
}
