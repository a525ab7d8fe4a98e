import AirlockCore

/// `sys/leases`: those of tokens (VAULT-PROTOCOL 13).
enum LeaseRoutes {
    static let table: [Route] = [
        Route("leases/lookup", [.write: lookup, .list: list]),
        Route("leases/lookup/{prefix*}", access: .sudo, [.list: list]),
        Route("leases/renew", [.write: renew]),
        Route("leases/renew/{id+}", [.write: renew]),
        Route("leases/revoke", [.write: revoke]),
        Route("leases/revoke/{id+}", [.write: revoke]),
        Route("leases/revoke-prefix/{prefix*}", access: .sudo, [.write: revokePrefix]),
        // No lease here has anything behind it that could refuse to be revoked.
        Route("leases/revoke-force/{prefix*}", access: .sudo, [.write: revokePrefix]),
    ]

    private static func leases(_ call: Call) -> Leases {
        Leases(storage: call.services.storage, now: call.services.now)
    }

    private static func id(_ call: Call) throws -> String {
        let id = try call.captures["id"] ?? call.fields.string("lease_id") ?? ""
        guard !id.isEmpty else { throw AirlockError.badRequest("lease_id must be specified") }
        return id
    }

    /// What the path names, as a folder.
    private static func prefix(_ call: Call) -> String {
        let prefix = call["prefix"]
        return prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
    }

    private static let lookup: Route.Handler = { call in
        let id = try id(call)
        guard let token = try leases(call).token(id)?.token else { throw AirlockError.badRequest("invalid lease") }
        return .data([
            .init("expire_time", .orNull(token.expires?.rfc3339)), .init("id", .string(id)),
            .init("issue_time", .string(token.issued.rfc3339)),
            .init("last_renewal", .orNull(token.lastRenewal?.rfc3339)), .init("path", .string(token.path)),
            .init("renewable", .bool(token.renewable)),
            .init("ttl", .integer(token.secondsLeft(at: call.services.now()))),
        ])
    }

    private static let list: Route.Handler = { call in
        // The path without a prefix is looked up by anybody, but listed as the folders below it are.
        guard try call.requirePrincipal().access.allows([.list, .sudo], on: call.request.path) else {
            throw AirlockError.permissionDenied
        }
        return try .keys(try leases(call).children(below: prefix(call)))
    }

    private static let renew: Route.Handler = { call in
        guard let token = try leases(call).token(try id(call))?.token else {
            throw AirlockError.badRequest("lease not found")
        }
        throw AirlockError.badRequest(
            token.renewable ? "tokens cannot be renewed through this endpoint" : "lease is not renewable")
    }

    private static let revoke: Route.Handler = { call in
        if let found = try leases(call).token(try id(call)) { try await call.services.tokens.revoke(found) }
        return .noContent
    }

    private static let revokePrefix: Route.Handler = { call in
        try await leases(call).revoke(below: prefix(call))
        return .noContent
    }
}
