import AirlockCore

/// The Kubernetes login below its auth mount (VAULT-PROTOCOL 16).
enum KubernetesRoutes {
    static let table: [Route] = [
        Route("login", access: .open, fields: ["role", "jwt"], [.write: login]),
        Route("config", [.read: readConfig, .write: writeConfig]),
        Route("role", fields: ListPage.fields, [.list: list]),
        Route("role/{name}", exists: exists, [.read: read, .write: write, .delete: delete]),
    ]

    private static func logins(_ call: Call) throws -> KubernetesLogins {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return KubernetesLogins(
            storage: call.services.storage, mount: mount, servers: call.services.identity, now: call.services.now)
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
        return .data(KubernetesFields.members(role))
    }

    private static let write: Route.Handler = { call in
        let (fields, logins) = (call.fields, try logins(call))
        let mount = logins.records.mount
        let isTruncated = try await logins.records.writeRole(call["name"]) { before in
            var role = before ?? KubernetesRole()
            try KubernetesFields.apply(fields, to: &role, isNew: before == nil)
            try role.check(mount)
            return (role, role.token.maxTTL > mount.effectiveMaxTTL)
        }
        guard isTruncated else { return .noContent }
        return .warning(
            "max_ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated"
        )
    }

    private static let delete: Route.Handler = { call in
        try await logins(call).records.deleteRole(call["name"])
        return .noContent
    }

    // MARK: Configuration

    private static let readConfig: Route.Handler = { call in
        guard let config = try logins(call).records.config() else { throw AirlockError.absent }
        return .data(KubernetesFields.members(config))
    }

    private static let writeConfig: Route.Handler = { call in
        let config = try KubernetesFields.config(call.fields)
        let keys = call.services.identity.keys
        guard config.authority.isEmpty || keys.reader.isAuthority(pem: config.authority) else {
            throw AirlockError.badRequest("kubernetes_ca_cert must be one or more certificates as PEM")
        }
        do throws(JWTFault) {
            if let source = config.keys { try await keys.check(source) }
        } catch {
            throw AirlockError.badRequest(error.reason)
        }
        try await logins(call).records.writeConfig { _ in config }
        return .noContent
    }
}
