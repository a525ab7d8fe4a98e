import AirlockCore
import HTTPTypes

/// KV version 2 below its mount (VAULT-PROTOCOL 2).
enum KVVersionedRoutes {
    static let table: [Route] = [
        Route("config", [.read: readConfig, .write: writeConfig]),
        Route(
            "data/{path*}", exists: exists, fields: ["data", "options", "version"],
            [.read: read, .write: write, .patch: patch, .delete: delete]),
        Route("data", [.read: rootRead]),
        Route("metadata", [.list: list, .read: rootRead]),
        Route(
            "metadata/{path*}", exists: exists, fields: KVSettings.names,
            [
                .list: list, .read: readMetadata, .write: writeMetadata, .patch: patchMetadata, .delete: deleteMetadata,
            ]),
        Route("delete/{path*}", [.write: deleteVersions]),
        Route("undelete/{path*}", [.write: undeleteVersions]),
        Route("destroy/{path*}", [.write: destroyVersions]),
        Route("subkeys/{path*}", [.read: readSubkeys]),
    ]

    /// A client that takes the mount for version 1 ends here.
    static func unrouted(_ call: Call) -> VaultResponse {
        let command = call.request.operation == .list ? "list" : "get"
        return .warning(
            """
            Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. \
            If using the OpenBao CLI, use 'bao kv \(command)' for this operation.
            """, status: .notFound)
    }

    private static let rootRead: Route.Handler = { _ in
        .warning("Non-listing operations on the root of a K/V v2 mount are not supported.", status: .notFound)
    }

    private static func engine(_ call: Call) throws -> KVVersioned {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return KVVersioned(storage: call.services.storage, mount: mount, now: call.services.now)
    }

    private static func exists(_ call: Call) throws -> Bool {
        guard let path = try? SecretPath(call["path"]) else { return false }
        return try engine(call).metadata(path) != nil
    }

    // MARK: Data

    private static let read: Route.Handler = { call in
        let version = try call.version
        guard let path = try? SecretPath(call["path"]), let stored = try engine(call).read(path, version: version)
        else {
            throw AirlockError.absent
        }
        return .data(
            [.init("data", stored.data?.json ?? .null), .init("metadata", .object(stored.members))],
            status: stored.data == nil ? .notFound : .ok)
    }

    private static let write: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let data = try data(call)
        return .data(try await engine(call).write(path, data: data, cas: try cas(call)).members)
    }

    private static let patch: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let merge = try JSON(parsing: try data(call).bytes)
        guard let stored = try await engine(call).patch(path, merge: merge, cas: try cas(call)) else {
            return .empty(.notFound)
        }
        return .data(stored.members, status: stored.data == nil ? .notFound : .ok)
    }

    private static let delete: Route.Handler = { call in
        try await engine(call).delete(try SecretPath(call["path"]), versions: nil)
        return .noContent
    }

    /// The `data` member exactly as it was sent.
    private static func data(_ call: Call) throws -> SecretPayload {
        guard let bytes = call.request.verbatim("data"), let value = call.request.fields["data"] else {
            throw AirlockError.badRequest("no data provided")
        }
        guard value.isNull || value.members != nil else {
            throw AirlockError.badRequest(
                "error converting input for field \"data\": '' expected type 'map[string]interface {}', got unconvertible type '\(value.goType)'"
            )
        }
        return SecretPayload(bytes)
    }

    private static func cas(_ call: Call) throws -> Int? {
        guard let options = call.fields["options"] else { return nil }
        guard options.members != nil else {
            throw AirlockError.badRequest(
                "error converting input for field \"options\": '' expected type 'map[string]interface {}', got unconvertible type '\(options.goType)'"
            )
        }
        do {
            return try Fields(options).integer("cas")
        } catch is AirlockError {
            throw AirlockError.badRequest("error parsing check-and-set parameter")
        }
    }

    // MARK: Versions

    private static func versions(_ call: Call, verb: String) throws -> [Int] {
        let numbers = try call.fields.list("versions") ?? []
        guard !numbers.isEmpty else { throw AirlockError.badRequest("\(verb) version number provided") }
        return try numbers.map { text in
            guard let number = Int(text) else {
                throw AirlockError.badRequest("error converting input for field \"versions\": not a number")
            }
            return number
        }
    }

    private static let deleteVersions: Route.Handler = { call in
        let numbers = try versions(call, verb: "No")
        try await engine(call).delete(try SecretPath(call["path"]), versions: numbers)
        return .noContent
    }

    private static let undeleteVersions: Route.Handler = { call in
        let numbers = try versions(call, verb: "No")
        try await engine(call).undelete(try SecretPath(call["path"]), versions: numbers)
        return .noContent
    }

    private static let destroyVersions: Route.Handler = { call in
        let numbers = try versions(call, verb: "no")
        try await engine(call).destroy(try SecretPath(call["path"]), versions: numbers)
        return .noContent
    }

    // MARK: Lists and subkeys

    private static let list: Route.Handler = { call in
        try .keys(try engine(call).list(folder: try SecretPath.folder(call["path"])))
    }

    private static let readSubkeys: Route.Handler = { call in
        let query = Fields(.object(call.request.query.map { .init($0.key, .string($0.value)) }))
        let (version, depth) = (try query.integer("version"), max(0, try query.integer("depth") ?? 0))
        guard let path = try? SecretPath(call["path"]), let stored = try engine(call).read(path, version: version)
        else {
            throw AirlockError.absent
        }
        let names = try stored.data.map { subkeys(of: try JSON(parsing: $0.bytes), depth: depth) } ?? JSON.null
        return .data(
            [.init("metadata", .object(stored.members)), .init("subkeys", names)],
            status: stored.data == nil ? .notFound : .ok)
    }

    /// The names without the values; arrays, scalars and empty objects are null. Depth 0 is unlimited.
    private static func subkeys(of json: JSON, depth: Int) -> JSON {
        guard case .object(let members) = json, !members.isEmpty else { return .null }
        return .object(
            members.map {
                .init($0.name, depth == 1 ? .null : subkeys(of: $0.value, depth: depth == 0 ? 0 : depth - 1))
            }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }

    // MARK: Metadata and config

    private static let readMetadata: Route.Handler = { call in
        guard let path = try? SecretPath(call["path"]), let found = try engine(call).metadata(path) else {
            throw AirlockError.absent
        }
        let versions = found.versions.sorted { $0.key < $1.key }.map { number, state in
            JSON.Member(
                String(number),
                [
                    "created_time": .string(state.created.rfc3339),
                    "deletion_time": .string(state.deletion?.rfc3339 ?? ""), "destroyed": .bool(state.destroyed),
                ])
        }
        return .data([
            .init("cas_required", .bool(found.casRequired)), .init("created_time", .string(found.created.rfc3339)),
            .init("current_metadata_version", .integer(found.metadataVersion)),
            .init("current_version", .integer(found.currentVersion)),
            .init("custom_metadata", found.customMetadataJSON),
            .init("delete_version_after", .string(GoDuration.format(found.deleteVersionAfter))),
            .init("max_versions", .integer(found.maxVersions)),
            .init("metadata_cas_required", .bool(found.metadataCasRequired)),
            .init("oldest_version", .integer(found.oldestVersion)),
            .init("updated_time", .string(found.updated.rfc3339)), .init("versions", .object(versions)),
        ])
    }

    private static let writeMetadata: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let settings = try KVSettings(call.fields, resetsNulls: false)
        guard !settings.isEmpty else { return .noContent }
        _ = try await engine(call).updateMetadata(path, creates: true) { try settings.apply(to: &$0, merges: false) }
        return .noContent
    }

    private static let patchMetadata: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let settings = try KVSettings(call.fields, resetsNulls: true)
        let found = try await engine(call).updateMetadata(path, creates: false) {
            try settings.apply(to: &$0, merges: true)
        }
        return found ? .noContent : .empty(.notFound)
    }

    private static let deleteMetadata: Route.Handler = { call in
        try await engine(call).deleteMetadata(try SecretPath(call["path"]))
        return .noContent
    }

    private static let readConfig: Route.Handler = { call in
        let config = try engine(call).config()
        return .data([
            .init("cas_required", .bool(config.casRequired)),
            .init("delete_version_after", .string(GoDuration.format(max(0, config.deleteVersionAfter)))),
            .init("max_versions", .integer(config.maxVersions)),
            .init("metadata_cas_required", .bool(config.metadataCasRequired)),
        ])
    }

    private static let writeConfig: Route.Handler = { call in
        let settings = try KVSettings(call.fields, resetsNulls: false, allowsNegative: true)
        try await engine(call).updateConfig { settings.apply(to: &$0) }
        return .noContent
    }
}
