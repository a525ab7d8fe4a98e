import AirlockCore

/// `cubbyhole/`: the token's own secrets, in the manner of KV version 1 (VAULT-PROTOCOL 13). The whole body is the secret.
enum CubbyholeRoutes {
    static let table: [Route] = [
        Route("{path*}", exists: exists, fields: [], [.read: read, .list: list, .write: write, .delete: delete])
    ]

    static let mount = Mount(
        path: "cubbyhole/", engine: .cubbyhole, description: "per-token private secret storage", options: nil)

    private static func engine(_ call: Call) throws -> Cubbyhole {
        Cubbyhole(storage: call.services.storage, owner: try call.requirePrincipal().found)
    }

    private static func exists(_ call: Call) throws -> Bool {
        guard let path = try? SecretPath(call["path"]) else { return false }
        return try engine(call).read(path) != nil
    }

    private static let missingPath = AirlockError(.vaultServerError, AirlockError.multi("missing path"))

    private static let read: Route.Handler = { call in
        guard !call["path"].isEmpty else { throw missingPath }
        guard let path = try? SecretPath(call["path"]), let data = try engine(call).read(path) else {
            throw AirlockError.absent
        }
        return .json(data.json)
    }

    private static let list: Route.Handler = { call in
        try .keys(try engine(call).list(folder: try SecretPath.folder(call["path"])))
    }

    private static let write: Route.Handler = { call in
        guard !call["path"].isEmpty else { throw missingPath }
        let path = try SecretPath(call["path"])
        guard !call.fields.names.isEmpty else {
            throw AirlockError(.vaultServerError, AirlockError.multi("missing data fields"))
        }
        try await engine(call).write(path, data: SecretPayload(call.request.body))
        return .noContent
    }

    private static let delete: Route.Handler = { call in
        // What cannot be there is gone already.
        if let path = try? SecretPath(call["path"]) { try await engine(call).delete(path) }
        return .noContent
    }
}
