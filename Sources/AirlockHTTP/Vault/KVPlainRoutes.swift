import AirlockCore

/// KV version 1 below its mount (VAULT-PROTOCOL 3). The whole body is the secret.
enum KVPlainRoutes {
    static let table: [Route] = [
        Route("{path*}", exists: exists, [.read: read, .list: list, .write: write, .delete: delete])
    ]

    private static func engine(_ call: Call) throws -> KVPlain {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return KVPlain(storage: call.services.storage, mount: mount)
    }

    private static func exists(_ call: Call) throws -> Bool {
        guard let path = try? SecretPath(call["path"]) else { return false }
        return try engine(call).read(path) != nil
    }

    private static let read: Route.Handler = { call in
        guard let path = try? SecretPath(call["path"]), let data = try engine(call).read(path) else {
            throw AirlockError.absent
        }
        return .json(data.json, leaseDuration: try lease(data, call))
    }

    /// The secret's own `ttl`, else its `lease`, else the mount's default.
    private static func lease(_ data: SecretPayload, _ call: Call) throws -> Int {
        let fields = Fields(try JSON(parsing: data.bytes))
        for name in ["ttl", "lease"] where fields[name] != nil {
            if let nanoseconds = try? fields.duration(name), nanoseconds > 0 { return Int(nanoseconds / 1_000_000_000) }
            break
        }
        return call.mount?.effectiveDefaultTTL ?? Mount.systemLeaseTTL
    }

    private static let list: Route.Handler = { call in
        try .keys(try engine(call).list(folder: try SecretPath.folder(call["path"])))
    }

    private static let write: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        guard !call.fields.names.isEmpty else { throw AirlockError.badRequest("missing data fields") }
        try await engine(call).write(path, data: SecretPayload(call.request.body))
        return .noContent
    }

    private static let delete: Route.Handler = { call in
        // What cannot be there is gone already.
        if let path = try? SecretPath(call["path"]) { try await engine(call).delete(path) }
        return .noContent
    }
}
