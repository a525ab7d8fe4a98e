import AirlockCore

/// `auth/token/`: create, look up, renew, revoke (VAULT-PROTOCOL 6).
enum TokenRoutes {
    static let table: [Route] = [
        Route("create", [.write: create(orphan: false)]),
        Route("create-orphan", [.write: create(orphan: true)]),
        Route("create/{role}", [.write: createWithRole]),
        Route("lookup-self", [.read: lookupSelf, .write: lookupSelf]),
        Route("lookup", [.read: lookup, .write: lookup]),
        Route("lookup-accessor", [.write: lookupAccessor]),
        Route("accessors", access: .sudo, [.list: accessors]),
        Route("renew-self", [.write: renewSelf]),
        Route("renew", [.write: renew]),
        Route("renew-accessor", [.write: renewAccessor]),
        Route("revoke-self", [.write: revokeSelf]),
        Route("revoke", [.write: revoke]),
        Route("revoke-accessor", [.write: revokeAccessor]),
        Route("revoke-orphan", [.write: revokeOrphan]),
    ]

    // MARK: Create

    private static func create(orphan: Bool) -> Route.Handler {
        { call in
            let principal = try call.requirePrincipal()
            guard principal.token.usesLeft == 0 else {
                throw AirlockError.badRequest("restricted use token cannot generate child tokens")
            }
            let isSudo = principal.access.allows(.sudo, on: call.request.path)
            let (request, warnings) = try request(call, principal, orphan: orphan, isSudo: isSudo)
            var made = try await call.services.tokens.issue(request)
            made.warnings = warnings + made.warnings
            return made.response
        }
    }

    private static let createWithRole: Route.Handler = { call in
        throw AirlockError.badRequest("unknown role \(call["role"])")
    }

    private static func request(
        _ call: Call, _ principal: Principal, orphan: Bool, isSudo: Bool
    ) throws -> (TokenRequest, warnings: [String]) {
        let fields = call.fields
        var request = TokenRequest()
        request.path = call.request.path
        request.parent = Token.Parent(digest: principal.found.digest, accessor: principal.token.accessor)
        let wantsOrphan = try fields.flag("no_parent") ?? false
        if wantsOrphan && !isSudo {
            throw AirlockError.badRequest("root or sudo privileges required to create orphan token")
        }
        if orphan || wantsOrphan { request.parent = nil }
        let type = try fields.string("type") ?? ""
        guard ["", "service", "default-service"].contains(type) else {
            throw AirlockError.badRequest(
                type == "batch" ? "batch tokens are not supported: use a service token" : "invalid 'token_type' value")
        }
        if let id = try fields.string("id"), !id.isEmpty {
            guard isSudo else { throw AirlockError.badRequest("root or sudo privileges required to specify token id") }
            guard !id.hasPrefix("s."), !id.hasPrefix("hvs."), !id.contains(where: \.isWhitespace) else {
                throw AirlockError.badRequest("custom token ID cannot have the 's.' prefix or blanks")
            }
            request.chosenText = id
        }
        request.meta = try fields.map("meta")
        if let name = try fields.string("display_name"), !name.isEmpty { request.displayName = "token-" + name }
        request.uses = try fields.integer("num_uses") ?? 0
        guard request.uses >= 0 else { throw AirlockError.badRequest("number of uses cannot be negative") }
        request.renewable = try fields.flag("renewable") ?? true
        try lifetimes(&request, fields, isSudo: isSudo)
        let warnings = try policies(&request, call, principal, isSudo: isSudo)
        return (request, warnings)
    }

    private static func lifetimes(_ request: inout TokenRequest, _ fields: Fields, isSudo: Bool) throws {
        func seconds(_ name: String) throws -> Int {
            guard let value = fields[name] else { return 0 }
            let text = try fields.string(name) ?? ""
            guard value.members == nil, let nanoseconds = GoDuration.parse(text) else {
                throw AirlockError.badRequest("time: invalid duration for field \"\(name)\"")
            }
            guard nanoseconds >= 0 else { throw AirlockError.badRequest("\(name) must be positive") }
            return Int(nanoseconds / 1_000_000_000)
        }
        request.ttl = try max(seconds("ttl"), seconds("lease"))
        request.explicitMaxTTL = try seconds("explicit_max_ttl")
        request.period = try seconds("period")
        if request.period > 0 && !isSudo {
            throw AirlockError.badRequest("root or sudo privileges required to create periodic token")
        }
    }

    /// No policies asked for means the parent's. A token without `sudo` gives away no more than it has.
    private static func policies(
        _ request: inout TokenRequest, _ call: Call, _ principal: Principal, isSudo: Bool
    ) throws -> [String] {
        let value = call.fields["policies"]
        // A plain string is one policy's name here, commas and all.
        let asked = try value?.text.map { [$0] } ?? call.fields.list("policies") ?? []
        let own = Set(principal.token.policies.map { ExactText($0) })
        let mayHaveDefault = isSudo || own.contains(ExactText(Policy.fallback))
        let withDefault = try mayHaveDefault && !(call.fields.flag("no_default_policy") ?? false)
        guard mayHaveDefault || !asked.contains(Policy.fallback) else {
            throw AirlockError.badRequest("child policies must be subset of parent")
        }
        if asked.isEmpty {
            request.policies =
                principal.token.isRoot
                ? [Policy.root] : PolicyNames.normalised(principal.token.policies, withDefault: withDefault)
        } else {
            request.policies = PolicyNames.normalised(asked, withDefault: withDefault)
        }
        if request.policies.contains(Policy.root) {
            guard principal.token.isRoot else {
                throw AirlockError.badRequest("root tokens may not be created without parent token being root")
            }
            request.neverExpires = request.ttl == 0 && request.period == 0 && request.explicitMaxTTL == 0
        } else if !isSudo {
            guard own.isSuperset(of: request.policies.map { ExactText($0) }) else {
                throw AirlockError.badRequest("child policies must be subset of parent")
            }
        }
        let known = Set(call.services.registry.policyNames)
        return request.policies.filter { !known.contains($0) }.map { "Policy \"\($0)\" does not exist" }
    }

    // MARK: Look up

    private static let lookupSelf: Route.Handler = { call in
        let id = call.request.token.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        return .data(try call.requirePrincipal().token.lookup(id: id, now: call.services.now()))
    }

    private static let lookup: Route.Handler = { call in
        let id = try call.fields.string("token") ?? call.request.query["token"]
        guard let id, !id.isEmpty else { return try await lookupSelf(call) }
        guard let found = try call.services.tokens.lookup(text: id) else {
            throw AirlockError(.permissionDenied, "bad token")
        }
        return .data(found.token.lookup(id: id, now: call.services.now()))
    }

    private static let lookupAccessor: Route.Handler = { call in
        .data(try byAccessor(call).token.lookup(id: "", now: call.services.now()))
    }

    private static func byAccessor(_ call: Call) throws -> Tokens.Found {
        guard let found = try call.services.tokens.lookup(accessor: try call.fields.string("accessor") ?? "") else {
            throw AirlockError.badRequest(AirlockError.multi("invalid accessor"))
        }
        return found
    }

    private static func byToken(_ call: Call) throws -> (text: String, found: Tokens.Found?) {
        guard let text = try call.fields.string("token"), !text.isEmpty else {
            throw AirlockError.badRequest("missing token ID")
        }
        return (text, try call.services.tokens.lookup(text: text))
    }

    private static let accessors: Route.Handler = { call in try .keys(try call.services.tokens.accessors()) }

    // MARK: Renew

    private static let renewSelf: Route.Handler = { call in
        try await renewed(call, try call.requirePrincipal().found, text: call.request.token ?? SecretPayload([]))
    }

    private static let renew: Route.Handler = { call in
        let (text, found) = try byToken(call)
        guard let found else { throw AirlockError.badRequest("token not found") }
        return try await renewed(call, found, text: SecretPayload(Array(text.utf8)))
    }

    private static let renewAccessor: Route.Handler = { call in
        try await renewed(call, try byAccessor(call), text: SecretPayload([]))
    }

    private static func renewed(_ call: Call, _ found: Tokens.Found, text: SecretPayload) async throws -> VaultResponse
    {
        let increment = try call.fields.seconds("increment") ?? 0
        let (token, warnings) = try await call.services.tokens.renew(
            found, increment: increment, limits: try limits(call, found.token))
        let lease = token.secondsLeft(at: token.lastRenewal ?? call.services.now())
        return .auth(token.auth(text: text, lease: lease), warnings: warnings)
    }

    /// What the role of a login allows now; `nil` for tokens that no login made.
    private static func limits(_ call: Call, _ token: Token) throws -> (ttl: Int, maxTTL: Int)? {
        guard let role = token.loginRole,
            let mount = call.services.registry.authMounts.first(where: { $0.uuid == token.issuedThrough })
        else { return nil }
        return try call.services.storage.read { try Login.renewalLimits($0, mount: mount, role: role) }
    }

    // MARK: Revoke

    private static let revokeSelf: Route.Handler = { call in
        let found = try call.requirePrincipal().found
        if let grant = found.token.upstream, grant.isBrought { try await call.services.upstream?.rights.revoke(grant) }
        try await call.services.tokens.revoke(found)
        return .noContent
    }

    private static let revoke: Route.Handler = { call in
        if let found = try byToken(call).found { try await call.services.tokens.revoke(found) }
        return .noContent
    }

    private static let revokeAccessor: Route.Handler = { call in
        guard let found = try call.services.tokens.lookup(accessor: try call.fields.string("accessor") ?? "") else {
            return .warning("No token found with this accessor")
        }
        try await call.services.tokens.revoke(found)
        return .noContent
    }

    private static let revokeOrphan: Route.Handler = { call in
        guard try call.requirePrincipal().access.allows(.sudo, on: call.request.path) else {
            throw AirlockError.badRequest("root or sudo privileges required to revoke and orphan")
        }
        if let found = try byToken(call).found {
            try await call.services.tokens.revoke(found, orphansChildren: true)
        }
        return .noContent
    }
}
