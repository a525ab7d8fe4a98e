import AirlockCore

/// KV version 1 below its mount (VAULT-PROTOCOL 3). The whole body is the secret.
enum KVPlainRoutes {
    static let table: [Route] = [
        Route(
            "{path*}", exists: exists, fields: [],
            [.read: read, .list: list, .scan: scan, .write: write, .delete: delete])
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
        call.noteRead(of: path)
        return VaultResponse.json(data.json, leaseDuration: try lease(data, call))
            .kept(as: try call.reading(of: path, fetched: nil, until: nil))
    }

    /// The secret's own `ttl`, else its `lease`, else the mount's default. What is no duration is the default too, but null
    /// and an empty text are 0, and there is no lower limit.
    private static func lease(_ data: SecretPayload, _ call: Call) throws -> Int {
        let json = try JSON(parsing: data.bytes)
        let fallback = call.mount?.effectiveDefaultTTL ?? Mount.systemLeaseTTL
        guard let name = ["ttl", "lease"].first(where: { json[$0] != nil }) else { return fallback }
        if json[name]?.isNull ?? true || json[name] == .string("") { return 0 }
        guard let nanoseconds = try? Fields(json).duration(name) else { return fallback }
        return Int(nanoseconds / 1_000_000_000)
    }

    private static let list: Route.Handler = { call in
        try .keys(try engine(call).list(folder: try SecretPath.folder(call["path"])))
    }

    private static let scan: Route.Handler = { call in
        .scanned(try engine(call).scan(folder: try SecretPath.folder(call["path"])))
    }

    private static let write: Route.Handler = { call in
        guard !call["path"].isEmpty else { throw AirlockError.badRequest("missing path") }
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
