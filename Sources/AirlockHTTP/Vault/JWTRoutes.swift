import AirlockCore

/// The JWT login below its auth mount (VAULT-PROTOCOL 15).
enum JWTRoutes {
    static let table: [Route] = [
        Route("login", access: .open, fields: ["role", "jwt"], [.write: login]),
        Route("config", [.read: readConfig, .write: writeConfig]),
        Route("role", fields: ListPage.fields, [.list: list]),
        Route("role/{name}", exists: exists, [.read: read, .write: write, .delete: delete]),
    ]

    private static func logins(_ call: Call) throws -> JWTLogins {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return JWTLogins(
            storage: call.services.storage, mount: mount, keys: call.services.identity.keys, now: call.services.now)
    }

    private static let login: Route.Handler = { call in
        let role = try call.fields.string("role") ?? ""
        let jwt = SecretText(try call.fields.string("jwt") ?? "")
        return try await call.countingLogin(at: call.mount?.path ?? "") {
            try await logins(call).login(role: role, jwt: jwt, source: call.request.source).response
        }
    }

    // MARK: Roles

    private static let list: Route.Handler = { call in
        try .keys(try ListPage(call).cut(try logins(call).records.roleNames()))
    }

    private static func exists(_ call: Call) throws -> Bool { try logins(call).records.role(call["name"]) != nil }

    private static let read: Route.Handler = { call in
        guard let role = try logins(call).records.role(call["name"]) else { throw AirlockError.absent }
        return .data(JWTFields.members(role))
    }

    private static let write: Route.Handler = { call in
        let (fields, logins) = (call.fields, try logins(call))
        let mount = logins.records.mount
        let isTruncated = try await logins.records.writeRole(call["name"]) { before in
            var role = before ?? JWTRole()
            try JWTFields.apply(fields, to: &role)
            try role.check(mount)
            try JWTFields.checkType(fields, role)
            try role.checkBounds()
            return (role, role.token.maxTTL > mount.effectiveMaxTTL)
        }
        guard isTruncated else { return .noContent }
        return .warning(
            "token max ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated"
        )
    }

    private static let delete: Route.Handler = { call in
        try await logins(call).records.deleteRole(call["name"])
        return .noContent
    }

    // MARK: Configuration

    private static let readConfig: Route.Handler = { call in
        guard let config = try logins(call).records.config() else { throw AirlockError.absent }
        let failure = await call.services.identity.keys.failure(of: config.source)
        return .data(
            JWTFields.members(config, isValid: failure == nil),
            warnings: failure.map { ["the keys could not be fetched the last time: \($0)"] } ?? [])
    }

    private static let writeConfig: Route.Handler = { call in
        let (fields, logins) = (call.fields, try logins(call))
        let config = try JWTFields.config(fields, before: try logins.records.config())
        let warning = try await check(config.source, call)
        try config.check()
        try await logins.records.writeConfig { before in try JWTFields.config(fields, before: before) }
        return warning.map { .warning($0) } ?? .noContent
    }

    /// - Returns: what is wrong with the keys, when the administrator wants to go on nevertheless.
    private static func check(_ source: KeySource, _ call: Call) async throws -> String? {
        let keys = call.services.identity.keys
        var (name, isRemote) = ("", true)
        switch source {
        case .pem: (name, isRemote) = ("error parsing public key", false)
        case .file: (name, isRemote) = ("error checking jwks_file", false)
        case .url(_, let authority):
            guard authority.isEmpty || keys.reader.isAuthority(pem: authority) else {
                throw AirlockError.badRequest("error checking jwks_ca_pem")
            }
            name = "error checking jwks URL"
        case .discovery(_, let authority):
            guard authority.isEmpty || keys.reader.isAuthority(pem: authority) else {
                throw AirlockError.badRequest("error checking oidc_discovery_ca_pem")
            }
            name = "error checking oidc discovery URL"
        }
        do throws(JWTFault) {
            try await keys.check(source)
        } catch {
            let message = "\(name): \(error.reason)"
            guard isRemote, try call.fields.flag("skip_jwks_validation") ?? false else {
                throw AirlockError.badRequest(message)
            }
            return message
        }
        return nil
    }
}
