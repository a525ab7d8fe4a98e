import AirlockCore

/// One field of a role: its name in bodies, and how it is read and set.
struct RoleField<Role>: Sendable {
    let name: String
    let read: @Sendable (Role) -> JSON
    let write: @Sendable (Fields, inout Role) throws -> Void

    typealias Key<Value> = any WritableKeyPath<Role, Value> & Sendable

    static func seconds(_ name: String, _ key: Key<Int>) -> RoleField {
        RoleField(
            name: name, read: { .integer($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.seconds(name) ?? 0 })
    }

    static func count(_ name: String, _ key: Key<Int>) -> RoleField {
        RoleField(
            name: name, read: { .integer($0[keyPath: key]) },
            write: { fields, role in
                let count = try fields.integer(name) ?? 0
                guard count >= 0 else {
                    let shown = name.hasPrefix("token_") ? "'\(name)'" : name
                    throw AirlockError.badRequest("\(shown) cannot be negative")
                }
                role[keyPath: key] = count
            })
    }

    static func blocks(_ name: String, _ key: Key<[CIDR]>) -> RoleField {
        RoleField(
            name: name, read: { .strings($0[keyPath: key].map(\.text)) },
            write: { fields, role in role[keyPath: key] = try fields.cidrs(name) ?? [] })
    }

    static func flag(_ name: String, _ key: Key<Bool>, fallback: Bool = false) -> RoleField {
        RoleField(
            name: name, read: { .bool($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.flag(name) ?? fallback })
    }

    /// Policies as they were given; a token made of them gets them sanitized.
    static func policies(_ name: String, _ key: Key<[String]>) -> RoleField {
        RoleField(
            name: name, read: { .strings($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.list(name) ?? [] })
    }

    static func text(_ name: String, _ key: Key<String>) -> RoleField {
        RoleField(
            name: name, read: { .string($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = try fields.string(name) ?? "" })
    }

    /// A list that reads as null until it is set.
    static func texts(_ name: String, _ key: Key<[String]?>) -> RoleField {
        RoleField(
            name: name, read: { $0[keyPath: key].map { .strings($0) } ?? .null },
            write: { fields, role in role[keyPath: key] = try fields.list(name) ?? [] })
    }

    /// The same field, `null` while it is an empty list.
    var emptyIsNull: RoleField {
        let read = self.read
        return RoleField(
            name: name,
            read: { role in
                let value = read(role)
                return value.elements?.isEmpty ?? false ? .null : value
            }, write: write)
    }

    /// The same field of something that a larger role holds.
    func lifted<Whole>(_ key: any WritableKeyPath<Whole, Role> & Sendable) -> RoleField<Whole> {
        RoleField<Whole>(
            name: name, read: { read($0[keyPath: key]) },
            write: { fields, whole in try write(fields, &whole[keyPath: key]) })
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
        .flag("token_strictly_bind_ip", \.strictlyBindsAddress),
        RoleField(
            name: "token_type", read: { .string($0.type) },
            write: { fields, settings in settings.type = try type(fields) }),
    ]

    /// `token_policies` where it has a path of its own: there, names are sanitized.
    static let sanitizedPolicies = RoleField<TokenSettings>(
        name: policies.name, read: policies.read,
        write: { fields, settings in
            guard let list = try fields.list("token_policies") ?? fields.list("policies") else { return }
            settings.policies = PolicyNames.sanitized(list)
            mark(["policies"], fields, &settings)
        })

    /// Old names that every way to log in but AppRole and userpass has, and what they are called now.
    private static let currentNames = [
        "policies": "token_policies", "ttl": "token_ttl", "max_ttl": "token_max_ttl", "period": "token_period",
        "num_uses": "token_num_uses", "bound_cidrs": "token_bound_cidrs",
    ]

    static let legacy = Set(currentNames.keys)

    /// Changes what the body names.
    /// - Parameter legacy: the old names that count; a new name beside one wins.
    static func apply(
        _ fields: Fields, to settings: inout TokenSettings, legacy: Set<String> = legacy
    ) throws {
        func old(_ name: String) -> Bool { legacy.contains(name) && fields[name] != nil }
        if old("policies") { settings.policies = PolicyNames.sanitized(try fields.list("policies") ?? []) }
        if old("period") { settings.period = try fields.seconds("period") ?? 0 }
        if old("ttl") { settings.ttl = try fields.seconds("ttl") ?? 0 }
        if old("max_ttl") { settings.maxTTL = try fields.seconds("max_ttl") ?? 0 }
        if old("num_uses") { settings.uses = max(0, try fields.integer("num_uses") ?? 0) }
        if old("bound_cidrs") { settings.boundCIDRs = try fields.cidrs("bound_cidrs") ?? [] }
        for field in all where fields[field.name] != nil { try field.write(fields, &settings) }
        mark(legacy, fields, &settings)
    }

    /// Remembers which of the names set their fields last; an old name is shown even when a new one beside it won.
    static func mark(_ legacy: Set<String>, _ fields: Fields, _ settings: inout TokenSettings) {
        for name in legacy {
            if fields[name] != nil {
                settings.legacyNames.insert(name)
            } else if let current = currentNames[name], fields[current] != nil {
                settings.legacyNames.remove(name)
            }
        }
    }

    static func members(_ settings: TokenSettings) -> [JSON.Member] {
        let members: [JSON.Member] = all.map { .init($0.name, $0.read(settings)) }
        return members + legacyMembers(members, settings)
    }

    /// The members under their old names, where those set them to something.
    static func legacyMembers(_ members: [JSON.Member], _ settings: TokenSettings) -> [JSON.Member] {
        settings.legacyNames.sorted().compactMap { name in
            guard let value = members.first(where: { $0.name == currentNames[name] })?.value else { return nil }
            let isNothing = value.elements?.isEmpty ?? (value == .integer(0))
            return isNothing ? nil : .init(name, value)
        }
    }

    private static func type(_ fields: Fields) throws -> String {
        let type = try fields.string("token_type") ?? ""
        switch type {
        case "", "default": return "default"
        case "service": return type
        case "batch": throw AirlockError.noBatchTokens
        default: throw AirlockError.badRequest("invalid 'token_type' value \"\(type)\"")
        }
    }
}
