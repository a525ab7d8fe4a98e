import AirlockCore

/// `auth/token/`: create, roles, look up, renew, revoke (VAULT-PROTOCOL 6).
enum TokenRoutes {
    static let table: [Route] =
        TokenCreateRoutes.table + TokenRoleRoutes.table + [
            Route("lookup-self", fields: ["token"], [.read: lookupSelf, .write: lookupSelf]),
            Route("lookup", fields: ["token"], [.read: lookup, .write: lookup]),
            Route("lookup-accessor", fields: ["accessor"], [.write: lookupAccessor]),
            Route("accessors", access: .sudo, fields: [], [.list: accessors]),
            Route("renew-self", fields: ["token", "increment"], [.write: renewSelf]),
            Route("renew", fields: ["token", "increment"], [.write: renew]),
            Route("renew-accessor", fields: ["accessor", "increment"], [.write: renewAccessor]),
            Route("revoke-self", fields: [], [.write: revokeSelf]),
            Route("revoke", fields: ["token"], [.write: revoke]),
            Route("revoke-accessor", fields: ["accessor"], [.write: revokeAccessor]),
            Route("revoke-orphan", fields: ["token"], [.write: revokeOrphan]),
            Route("tidy", fields: [], [.write: tidy]),
        ]

    // MARK: Where

    /// The namespace whose table serves the call: a token's own, whatever namespace is named (VAULT-PROTOCOL 11). `nil`
    /// when it is the one that is named.
    /// - Throws: `AirlockError` for a token that is no text, whoever asks.
    static func home(_ request: VaultRequest, _ principal: Principal?, _ services: Services) throws -> Registry? {
        let namespace: Registry?
        switch request.path {
        case "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self":
            namespace = principal.flatMap { services.root.registry(of: $0.token.namespace) }
        case "auth/token/lookup", "auth/token/renew", "auth/token/revoke", "auth/token/revoke-orphan":
            let sent = request.fields["token"]
            guard sent == nil || sent?.text != nil else { throw AirlockError(.permissionDenied, "invalid token") }
            let text = sent?.text ?? request.query["token"]
            namespace = text.flatMap(Namespace.id(endingToken:)).flatMap(services.root.namespace(withID:))
        default: return nil
        }
        return namespace === services.registry ? nil : namespace
    }

    // MARK: Look up

    private static let lookupSelf: Route.Handler = { call in
        let id = call.request.token.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        return .data(try call.requirePrincipal().token.lookup(id: id, now: call.services.now()))
    }

    private static let lookup: Route.Handler = { call in
        let id = try call.fields.string("token") ?? call.request.query["token"]
        guard let id, !id.isEmpty else { return try await lookupSelf(call) }
        guard
            let found = try call.services.tokens.lookup(text: id)
                ?? asker(call, { _ in call.request.token.map { $0.bytes == Array(id.utf8) } ?? false })
        else {
            throw AirlockError(.permissionDenied, "bad token")
        }
        return .data(found.token.lookup(id: id, now: call.services.now()))
    }

    private static let lookupAccessor: Route.Handler = { call in
        .data(try byAccessor(call).token.lookup(id: "", now: call.services.now()))
    }

    /// The asker's own token, which its last use has just made unknown to everybody else.
    private static func asker(_ call: Call, _ isMeant: (Tokens.Found) -> Bool) -> Tokens.Found? {
        call.principal.map(\.found).flatMap { isMeant($0) ? $0 : nil }
    }

    private static func byAccessor(_ call: Call) throws -> Tokens.Found {
        let accessor = try accessor(call)
        guard
            let found = try call.services.tokens.lookup(accessor: accessor)
                ?? asker(call, { $0.token.accessor == accessor })
        else {
            throw AirlockError.badRequest(AirlockError.multi("invalid accessor"))
        }
        return found
    }

    private static func accessor(_ call: Call) throws -> String {
        guard let accessor = try call.fields.string("accessor"), !accessor.isEmpty else {
            throw AirlockError.badRequest(AirlockError.multi("missing accessor"))
        }
        return accessor
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
        let increment = try increment(call)
        return try await renewed(
            call, try call.requirePrincipal().found, increment, text: call.request.token ?? SecretPayload([]))
    }

    private static let renew: Route.Handler = { call in
        let increment = try increment(call)
        let (text, found) = try byToken(call)
        guard let found else { throw AirlockError.badRequest("token not found") }
        return try await renewed(call, found, increment, text: SecretPayload(Array(text.utf8)))
    }

    private static let renewAccessor: Route.Handler = { call in
        let increment = try increment(call)
        let found = try byAccessor(call)
        do {
            return try await renewed(call, found, increment, text: SecretPayload([]))
        } catch let error as AirlockError where error.code == .badRequest {
            // Whoever knows only the accessor is not told why.
            throw AirlockError.badRequest(AirlockError.multi("invalid request"))
        } catch let error as AirlockError where error == found.token.loginRole.map(Login.roleIsGone) {
            // The one renewal that OpenBao, too, refuses where a user or a cert role is gone, in its own words.
            let engine = loginMount(call.services.registry, found.token)?.engine
            guard engine == .userpass || engine == .cert else { throw error }
            throw AirlockError(.vaultServerError, AirlockError.multi("failed to lookup the token"))
        }
    }

    private static func increment(_ call: Call) throws -> Int { try call.fields.seconds("increment") ?? 0 }

    private static func renewed(
        _ call: Call, _ found: Tokens.Found, _ increment: Int, text: SecretPayload
    ) async throws -> VaultResponse {
        let registry = call.services.registry
        if let mount = loginMount(registry, found.token), mount.engine == .cert {
            try await CertRoutes.checkRenewal(call, found.token, mount: mount)
        }
        let (token, warnings) = try await call.services.tokens.renew(found, increment: increment) { reader, token in
            try limits(reader, token, registry)
        }
        let lease = token.secondsLeft(at: token.lastRenewal ?? call.services.now())
        return .auth(token.auth(text: text, lease: lease), warnings: warnings)
    }

    /// What the login's or the token's role allows now, or else the token itself.
    private static func limits(
        _ reader: any StorageReader, _ token: Token, _ registry: Registry
    ) throws -> RenewalLimits {
        if let role = token.loginRole, let mount = loginMount(registry, token) {
            return try Login.renewalLimits(reader, mount: mount, role: role, token: token)
        }
        let maxTTL = registry.tokenMount.effectiveMaxTTL
        guard let name = token.tokenRole else {
            return RenewalLimits(maxTTL: maxTTL, period: token.period, explicitMaxTTL: token.explicitMaxTTL)
        }
        guard let role = try TokenRoles.role(reader, name, in: registry.namespace) else {
            throw AirlockError(
                .vaultServerError,
                AirlockError.multi(
                    "failed to renew entry: original token role \"\(name)\" could not be found, not renewing"))
        }
        return role.renewalLimits(token, maxTTL: maxTTL)
    }

    private static func loginMount(_ registry: Registry, _ token: Token) -> Mount? {
        registry.authMounts.first { $0.uuid == token.issuedThrough }
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
        guard let found = try call.services.tokens.lookup(accessor: try accessor(call)) else {
            return .warning("No token found with this accessor")
        }
        try await call.services.tokens.revoke(found)
        return .noContent
    }

    private static let revokeOrphan: Route.Handler = { call in
        let found = try byToken(call).found
        guard try call.requirePrincipal().access.allows(.sudo, on: call.request.path) else {
            throw AirlockError.badRequest("root or sudo privileges required to revoke and orphan")
        }
        guard let found else { throw AirlockError.badRequest("token to revoke not found") }
        try await call.services.tokens.revoke(found, orphansChildren: true)
        return .noContent
    }

    private static let tidy: Route.Handler = { call in
        try await call.services.tokens.tidy()
        return .tidied
    }
}
