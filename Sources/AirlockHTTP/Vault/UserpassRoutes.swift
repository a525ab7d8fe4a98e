import AirlockCore

/// The userpass login below its auth mount (VAULT-PROTOCOL 7).
enum UserpassRoutes {
    static let table: [Route] = [
        Route("login/{name:}", access: .open, fields: ["password"], [.write: login]),
        Route("users", fields: ListPage.fields, [.list: list]),
        Route("users/{name:}", exists: exists, [.read: read, .write: write, .delete: delete]),
        Route("users/{name:}/password", [.write: writePassword]),
        Route("users/{name:}/policies", [.write: writePolicies]),
    ]

    private static func users(_ call: Call) throws -> Users {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return Users(
            storage: call.services.storage, mount: mount, hasher: call.services.hasher,
            failures: call.services.failures, now: call.services.now)
    }

    private static let login: Route.Handler = { call in
        let password = try call.fields.string("password").map { SecretText($0) }
        return try await call.countingLogin(at: call.mount?.path ?? "") {
            try await users(call).login(call["name"], password: password, source: call.request.source).response
        }
    }

    // MARK: Users

    private static func exists(_ call: Call) throws -> Bool { try users(call).user(call["name"]) != nil }

    private static let list: Route.Handler = { call in
        try .keys(try ListPage(call).cut(try users(call).names()))
    }

    private static let read: Route.Handler = { call in
        guard let user = try users(call).user(call["name"]) else { throw AirlockError.absent }
        return .data(TokenFields.members(user.token))
    }

    private static let write: Route.Handler = { call in
        let fields = call.fields
        try await users(call).update(call["name"], password: try password(fields)) {
            try TokenFields.apply(fields, to: &$0, legacy: legacy)
        }
        return .noContent
    }

    private static let legacy: Set = ["policies", "ttl", "max_ttl", "bound_cidrs"]

    /// `nil` where there is none, or an empty one.
    private static func password(_ fields: Fields) throws -> SecretText? {
        guard try fields.string("password_hash") ?? "" == "" else {
            throw AirlockError.badRequest(
                "password_hash is not supported: bcrypt is not served, send the password itself")
        }
        guard let password = try fields.string("password"), !password.isEmpty else { return nil }
        return SecretText(password)
    }

    private static let delete: Route.Handler = { call in
        try await users(call).delete(call["name"])
        return .noContent
    }

    private static let writePassword: Route.Handler = { call in
        guard try exists(call) else { throw Users.unknown }
        guard let password = try password(call.fields) else {
            throw AirlockError.badRequest("must provide either password or password_hash")
        }
        try await users(call).update(call["name"], password: password, creates: false)
        return .noContent
    }

    private static let writePolicies: Route.Handler = { call in
        let fields = call.fields
        try await users(call).update(call["name"], password: nil, creates: false) { settings in
            try TokenFields.sanitizedPolicies.write(fields, &settings)
        }
        return .noContent
    }
}
