import AirlockCore

/// `auth/token/create`, with a role or without (VAULT-PROTOCOL 6.1, 6.5).
enum TokenCreateRoutes {
    static let table: [Route] = [
        Route("create", fields: fields, [.write: create(orphan: false)]),
        Route("create-orphan", fields: fields, [.write: create(orphan: true)]),
        Route("create/{role}", fields: fields, [.write: createWithRole]),
    ]

    private static let fields: Set = [
        "id", "policies", "meta", "no_parent", "no_default_policy", "lease", "ttl", "explicit_max_ttl", "type",
        "display_name", "num_uses", "period", "renewable", "entity_alias",
    ]

    private static func create(orphan: Bool) -> Route.Handler {
        { call in
            try checkTypes(call.fields)
            return try await created(Creation(call, orphan: orphan))
        }
    }

    private static let createWithRole: Route.Handler = { call in
        try checkTypes(call.fields)
        guard let role = try TokenRoleRoutes.roles(call).role(call["role"]) else {
            throw AirlockError.badRequest("unknown role \(call["role"])")
        }
        return try await created(Creation(call, role: role))
    }

    /// Told before anything else is looked at.
    private static func checkTypes(_ fields: Fields) throws {
        _ = try fields.map("meta")
        _ = try fields.list("policies")
        _ = try fields.integer("num_uses")
        for name in ["no_parent", "no_default_policy", "renewable"] { _ = try fields.flag(name) }
        for name in ["id", "ttl", "lease", "explicit_max_ttl", "period", "type", "display_name", "entity_alias"] {
            _ = try fields.string(name)
        }
    }

    private static func created(_ creation: Creation) async throws -> VaultResponse {
        var creation = creation
        let (request, warnings) = try creation.request()
        var made = try await creation.call.services.tokens.issue(request)
        made.warnings = warnings + made.warnings + creation.unknownPolicies(made.token)
        return made.response
    }
}

/// One call that asks for a token: its fields become the token's request.
private struct Creation {
    let call: Call
    let principal: Principal
    let isSudo: Bool
    let role: TokenRole?
    /// Whether the token is asked for in a namespace below the asker's own, where the names of its policies mean others.
    private let isBelow: Bool
    private let fields: Fields
    private var made = TokenRequest()

    init(_ call: Call, orphan: Bool = false, role: TokenRole? = nil) throws {
        self.call = call
        self.role = role
        principal = try call.requirePrincipal()
        guard principal.token.usesLeft != Token.usedUp else {
            throw AirlockError.badRequest("parent token lookup failed: no parent found")
        }
        guard principal.token.usesLeft == 0 else {
            throw AirlockError.badRequest("restricted use token cannot generate child tokens")
        }
        isSudo = principal.access.allows(.sudo, on: call.request.path)
        isBelow = principal.token.namespace != call.services.registry.namespace
        guard isSudo || !isBelow else {
            throw AirlockError.badRequest(
                "root or sudo privileges required to directly generate a token in a child namespace")
        }
        fields = call.fields
        if !orphan { made.parent = Token.Parent(digest: principal.found.digest, accessor: principal.token.accessor) }
    }

    mutating func request() throws -> (TokenRequest, warnings: [String]) {
        let mount = call.services.registry.tokenMount
        made.path = call.request.path
        made.tokenRole = role.map { _ in call["role"] }
        (made.defaultTTL, made.maxTTL) = (mount.effectiveDefaultTTL, mount.effectiveMaxTTL)
        try kind()
        try identity()
        made.uses = try fields.integer("num_uses") ?? 0
        guard made.uses >= 0 else { throw AirlockError.badRequest("number of uses cannot be negative") }
        made.renewable = try fields.flag("renewable") ?? true
        try policies()
        try orphanage()
        try lifetimes()
        let warnings = role?.limit(&made) ?? []
        if made.policies.contains(Policy.root) {
            made.neverExpires =
                [made.ttl, made.period, made.explicitMaxTTL, made.rolePeriod, made.roleExplicitMaxTTL].allSatisfy {
                    $0 == 0
                }
            if made.ttl == 0, made.period == 0, made.rolePeriod == 0 {
                made.ttl = TokenLifetime.lesser(made.explicitMaxTTL, made.roleExplicitMaxTTL)
                // Not cut to the mount's: without a limit of its own it would never end.
                made.maxTTL = max(made.maxTTL, made.ttl)
            }
            guard !made.neverExpires || principal.token.expires == nil else {
                throw AirlockError.badRequest("expiring root tokens cannot create non-expiring root tokens")
            }
        }
        return (made, warnings)
    }

    private mutating func orphanage() throws {
        guard try fields.flag("no_parent") ?? false, role == nil else { return }
        guard isSudo else {
            throw AirlockError.badRequest("root or sudo privileges required to create orphan token")
        }
        made.parent = nil
    }

    private mutating func kind() throws {
        // A role of type `service` does not ask what the call would like.
        let type = role?.type == "service" ? "" : try fields.string("type") ?? ""
        guard ["", "service"].contains(type) else {
            throw type == "batch" ? AirlockError.noBatchTokens : AirlockError.badRequest("invalid 'token_type' value")
        }
    }

    private mutating func identity() throws {
        if let id = try fields.string("id"), !id.isEmpty {
            guard isSudo else { throw AirlockError.badRequest("root or sudo privileges required to specify token id") }
            for prefix in ["s.", "hvs."] where id.hasPrefix(prefix) {
                throw AirlockError.badRequest("custom token ID cannot have the '\(prefix)' prefix")
            }
            guard !id.contains(".") else {
                throw AirlockError.badRequest("custom token ID cannot have a '.' in the value")
            }
            guard !id.contains(where: \.isWhitespace) else {
                throw AirlockError.badRequest("custom token ID cannot have blanks")
            }
            guard call.services.registry.namespace.isRoot else {
                throw AirlockError.badRequest("token IDs can only be manually specified in the root namespace")
            }
            made.chosenText = id
        }
        made.meta = try fields.map("meta")
        if let name = try fields.string("display_name"), !name.isEmpty {
            made.displayName = Creation.displayName("token-" + name)
        }
        if let alias = try fields.string("entity_alias"), !alias.isEmpty {
            guard let role else {
                throw AirlockError.badRequest("'entity_alias' is only allowed in combination with token role")
            }
            guard role.allowsEntity(alias) else { throw AirlockError.badRequest("invalid 'entity_alias' value") }
            made.entityID = RandomText.uuid(
                fromDigest: call.services.storage.digest("entity\ntoken\n\(alias.lowercased())"))
        }
    }

    /// Letters and digits; anything else is a dash, and one at the end is dropped.
    private static func displayName(_ text: String) -> String {
        let name = String(
            text.unicodeScalars.map { scalar in
                let isKept = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                return isKept ? Character(scalar) : "-"
            })
        return name.last == "-" ? String(name.dropLast()) : name
    }

    private mutating func lifetimes() throws {
        func seconds(_ name: String) throws -> Int {
            guard let value = fields[name] else { return 0 }
            let text = try fields.string(name) ?? ""
            guard value.members == nil, let nanoseconds = GoDuration.parse(text) else {
                throw AirlockError.badRequest("time: invalid duration for field \"\(name)\"")
            }
            guard nanoseconds >= 0 else { throw AirlockError.badRequest("\(name) must be positive") }
            return Int(nanoseconds / 1_000_000_000)
        }
        let ttl = try seconds("ttl")
        made.ttl = ttl > 0 ? ttl : try seconds("lease")
        made.explicitMaxTTL = try seconds("explicit_max_ttl")
        made.period = try seconds("period")
        if made.period > 0 && !isSudo {
            throw AirlockError.badRequest("root or sudo privileges required to create periodic token")
        }
    }

    /// Without a role that decides: no policies asked for means the parent's, and a token without `sudo` gives away no more
    /// than it has.
    private mutating func policies() throws {
        let value = fields["policies"]
        // A plain string is one policy's name here, commas and all.
        let asked = try value?.text.map { [$0] } ?? fields.list("policies") ?? []
        let noDefault = try fields.flag("no_default_policy") ?? false
        let parent = principal.token
        if let role, role.decidesPolicies {
            made.policies = try role.policies(asked: asked, parent: parent.policies, noDefault: noDefault)
        } else {
            let own = Set(parent.policies.map { ExactText($0) })
            let mayHaveDefault = isSudo || own.contains(ExactText(Policy.fallback))
            guard mayHaveDefault || !asked.contains(Policy.fallback) else {
                throw AirlockError.badRequest("child policies must be subset of parent")
            }
            made.policies = PolicyNames.normalised(
                asked.isEmpty && !isBelow ? parent.policies : asked, withDefault: mayHaveDefault && !noDefault)
            guard isSudo || parent.isRoot || own.isSuperset(of: made.policies.map { ExactText($0) }) else {
                throw AirlockError.badRequest("child policies must be subset of parent")
            }
        }
        guard !made.policies.contains(Policy.root) || parent.isRoot else {
            throw AirlockError.badRequest("root tokens may not be created without parent token being root")
        }
        guard !made.policies.contains(Policy.root) || !isBelow else {
            throw AirlockError.badRequest("root tokens may not be created from a parent namespace")
        }
    }

    func unknownPolicies(_ token: Token) -> [String] {
        let known = Set(call.services.registry.policyNames)
        return token.policies.filter { !known.contains($0) }.map { "Policy \"\($0)\" does not exist" }
    }
}
