import AirlockCore
import HTTPTypes

/// KV version 2 below its mount (VAULT-PROTOCOL 2).
enum KVVersionedRoutes {
    static let table: [Route] =
        [
            Route("config", fields: KVSettings.mountFields, [.read: readConfig, .write: writeConfig]),
            Route(
                "data/{path*}", exists: exists, fields: ["data", "options", "version"],
                [.read: read, .write: write, .patch: patch, .delete: delete]),
            Route(
                "metadata/{path*}", exists: exists, fields: KVSettings.keyFields.union(ListPage.fields),
                [
                    .list: list, .scan: scan, .read: readMetadata, .write: writeMetadata, .patch: patchMetadata,
                    .delete: deleteMetadata,
                ]),
            Route("detailed-metadata/{path*}", fields: ListPage.fields, [.list: listDetails, .scan: scanDetails]),
            Route("delete/{path*}", [.write: deleteVersions]),
            Route("undelete/{path*}", [.write: undeleteVersions]),
            Route("destroy/{path*}", [.write: destroyVersions]),
            Route("subkeys/{path*}", fields: ["version", "depth"], [.read: readSubkeys]),
        ] + roots

    /// The same paths without a key: some can be listed there, and what else is asked meets one of two refusals.
    private static let roots = [
        root("data", refusal: rootRefusal), root("delete", refusal: rootRefusal),
        root("undelete", refusal: rootRefusal), root("destroy", refusal: rootRefusal),
        root(
            "metadata", refusal: rootRefusal, fields: KVSettings.keyFields.union(ListPage.fields),
            [.list: list, .scan: scan]),
        root("subkeys", refusal: unroutedHandler),
        root(
            "detailed-metadata", refusal: unroutedHandler, fields: ListPage.fields,
            [.list: listDetails, .scan: scanDetails]),
    ]

    private static func root(
        _ path: String, refusal: @escaping Route.Handler, fields: Set<String>? = nil,
        _ lists: [VaultRequest.Operation: Route.Handler] = [:]
    ) -> Route {
        var operations = lists.isEmpty ? [.list: noList, .scan: noList] : lists
        for operation in [VaultRequest.Operation.read, .write, .patch, .delete] { operations[operation] = refusal }
        for operation in [VaultRequest.Operation.list, .scan] where lists[operation] == nil {
            operations[operation] = { _ in throw AirlockError.unsupportedOperation }
        }
        return Route(path, fields: fields, operations)
    }

    /// A client that takes the mount for version 1 ends here.
    static func unrouted(_ call: Call) -> VaultResponse {
        let commands: [VaultRequest.Operation: String] = [
            .list: "list", .scan: "scan", .write: "put", .patch: "patch", .delete: "delete",
        ]
        let command = commands[call.request.operation] ?? "get"
        return .warning(
            """
            Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. \
            If using the OpenBao CLI, use 'bao kv \(command)' for this operation.
            """, status: .notFound)
    }

    private static let noList: Route.Handler = { _ in throw AirlockError.unsupportedOperation }

    private static let unroutedHandler: Route.Handler = { call in unrouted(call) }

    private static let rootRefusal: Route.Handler = { _ in
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
        if stored.data != nil { call.noteRead(of: path) }
        return VaultResponse.data(
            [.init("data", stored.data?.json ?? .null), .init("metadata", .object(stored.members))],
            status: stored.data == nil ? .notFound : .ok
        ).kept(as: try call.reading(of: path, fetched: nil, until: stored.state.deletion))
    }

    private static let write: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let data = try data(call)
        return .data(try await engine(call).write(path, data: data, cas: try cas(try options(call))).members)
    }

    private static let patch: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let (merge, options) = (try JSON(parsing: try data(call).bytes), try options(call))
        guard try engine(call).metadata(path) != nil else { return .empty(.notFound) }
        let cas = try cas(options)
        guard let stored = try await engine(call).patch(path, merge: merge, cas: cas) else {
            return .empty(.notFound)
        }
        return .data(stored.members, status: stored.data == nil ? .notFound : .ok)
    }

    private static let delete: Route.Handler = { call in
        _ = try call.version
        // What cannot be there is gone already.
        if let path = try? SecretPath(call["path"]) { try await engine(call).delete(path, versions: nil) }
        return .noContent
    }

    /// The `data` member exactly as it was sent.
    private static func data(_ call: Call) throws -> SecretPayload {
        guard let bytes = call.request.verbatim("data"), let value = call.request.fields["data"] else {
            throw AirlockError.badRequest("no data provided")
        }
        if !value.isNull { _ = try object("data", call) }
        return SecretPayload(bytes)
    }

    private static func options(_ call: Call) throws -> JSON? {
        try object("options", call).map { .object($0) }
    }

    /// A `cas` that is null counts as 0.
    private static func cas(_ options: JSON?) throws -> Int? {
        guard let options else { return nil }
        do {
            return try Fields(options).integer("cas") ?? (options["cas"] == nil ? nil : 0)
        } catch is AirlockError {
            throw AirlockError.badRequest("error parsing check-and-set parameter")
        }
    }

    private static func object(_ name: String, _ call: Call) throws -> [JSON.Member]? {
        guard call.request.operation == .patch else { return try call.fields.object(name) }
        // OpenBao checks the fields of a PATCH one step earlier, and says so.
        return try Fields.validated { try call.fields.object(name) }
    }

    // MARK: Versions

    /// Numbers, texts that say numbers, or one text of them between commas.
    private static func versions(_ call: Call, verb: String) throws -> [Int] {
        var elements: [JSON]
        switch call.fields["versions"] {
        case nil: elements = []
        case .array(let sent)?: elements = sent
        case .string(let text)?: elements = text.split(separator: ",").map { .string(String($0)) }
        case .object(let members)? where members.isEmpty: elements = []
        case let other?: elements = [other]
        }
        guard !elements.isEmpty else { throw AirlockError.badRequest("\(verb) version number provided") }
        return try elements.enumerated().map { index, element in
            switch element {
            case .number(let text), .string(let text):
                if let number = text.isEmpty ? 0 : Int(text) { return number }
                throw badVersion(index, "cannot parse value as 'int': strconv.ParseInt: invalid syntax")
            case .null: return 0
            case .bool(let flag): return flag ? 1 : 0
            default:
                throw badVersion(index, "expected type 'int', got unconvertible type '\(element.goType)'")
            }
        }
    }

    private static func badVersion(_ index: Int, _ reason: String) -> AirlockError {
        .badRequest(
            "Field validation failed: error converting input for field \"versions\": decoding failed due to the following error(s):\n\n'[\(index)]' \(reason)"
        )
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
        let page = try ListPage(call)
        return try .keys(page.cut(try engine(call).list(folder: try SecretPath.folder(call["path"]))))
    }

    /// The page that is asked for is checked, and then all keys come.
    private static let scan: Route.Handler = { call in
        _ = try ListPage(call)
        return .scanned(try engine(call).scan(folder: try SecretPath.folder(call["path"])))
    }

    private static let listDetails: Route.Handler = { call in
        let folder = try SecretPath.folder(call["path"])
        let names = try ListPage(call).cut(try engine(call).list(folder: folder))
        guard !names.isEmpty else { throw AirlockError.absent }
        return try details(call, names, folder)
    }

    private static let scanDetails: Route.Handler = { call in
        _ = try ListPage(call)
        let folder = try SecretPath.folder(call["path"])
        let names = try engine(call).scan(folder: folder)
        return names.isEmpty ? .scanned([]) : try details(call, names, folder)
    }

    private static func details(_ call: Call, _ names: [String], _ folder: String) throws -> VaultResponse {
        let found = try engine(call).metadata(of: names, folder: folder)
        return .data([
            .init("keys", .strings(names)),
            .init("key_info", .object(found.map { .init($0.name, .object($0.metadata.map(members) ?? [])) })),
        ])
    }

    private static let readSubkeys: Route.Handler = { call in
        let (version, depth) = (try call.version, try call.queryInteger("depth") ?? 0)
        guard let path = try? SecretPath(call["path"]), let stored = try engine(call).read(path, version: version)
        else {
            throw AirlockError.absent
        }
        let data = try stored.data.map { try JSON(parsing: $0.bytes) }
        let names = data?.members?.isEmpty ?? false ? [:] : data.map { subkeys(of: $0, depth: depth) } ?? .null
        return .data(
            [.init("metadata", .object(stored.members)), .init("subkeys", names)],
            status: stored.data == nil ? .notFound : .ok)
    }

    /// The names without the values; arrays, scalars and empty objects are null. Depth 0 is unlimited, a negative one is 1.
    private static func subkeys(of json: JSON, depth: Int) -> JSON {
        guard case .object(let members) = json, !members.isEmpty else { return .null }
        return .object(
            members.map {
                .init($0.name, depth == 1 || depth < 0 ? .null : subkeys(of: $0.value, depth: max(0, depth - 1)))
            }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }

    // MARK: Metadata and config

    private static let readMetadata: Route.Handler = { call in
        _ = try ListPage(call)
        guard let path = try? SecretPath(call["path"]), let found = try engine(call).metadata(path) else {
            throw AirlockError.absent
        }
        return .data(members(found))
    }

    private static func members(_ metadata: KVMetadata) -> [JSON.Member] {
        let versions = metadata.versions.sorted { $0.key < $1.key }.map { number, state in
            JSON.Member(
                String(number),
                [
                    "created_time": .string(state.created.rfc3339),
                    "deletion_time": .string(state.deletion?.rfc3339 ?? ""), "destroyed": .bool(state.destroyed),
                ])
        }
        return [
            .init("cas_required", .bool(metadata.casRequired)),
            .init("created_time", .string(metadata.created.rfc3339)),
            .init("current_metadata_version", .integer(metadata.metadataVersion)),
            .init("current_version", .integer(metadata.currentVersion)),
            .init("custom_metadata", metadata.customMetadataJSON),
            .init("delete_version_after", .string(GoDuration.format(metadata.deleteVersionAfter))),
            .init("max_versions", .integer(metadata.maxVersions)),
            .init("metadata_cas_required", .bool(metadata.metadataCasRequired)),
            .init("oldest_version", .integer(metadata.oldestVersion)),
            .init("updated_time", .string(metadata.updated.rfc3339)), .init("versions", .object(versions)),
        ]
    }

    private static let writeMetadata: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let (cas, settings) = (try metadataCAS(call), try KVSettings(call.fields))
        return try await change(call, path, settings, cas, merges: false)
    }

    private static let patchMetadata: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let (cas, settings) = try Fields.validated { (try metadataCAS(call), try KVSettings(call.fields)) }
        return try await change(call, path, settings, cas, merges: true)
    }

    /// - Parameter merges: as PATCH does, which also makes no key.
    private static func change(_ call: Call, _ path: SecretPath, _ settings: KVSettings, _ cas: Int?, merges: Bool)
        async throws -> VaultResponse
    {
        guard !settings.isEmpty else { return .noContent }
        try settings.check(merges: merges)
        let config = try await engine(call).updateMetadata(path, cas: cas, creates: !merges) {
            try settings.apply(to: &$0, merges: merges)
        }
        guard let config else { return .empty(.notFound) }
        let warnings = settings.overruled(by: config)
        return warnings.isEmpty ? .noContent : .warnings(warnings)
    }

    /// One that is null counts as 0.
    private static func metadataCAS(_ call: Call) throws -> Int? {
        try call.fields.integer("metadata_cas") ?? (call.request.fields["metadata_cas"] == nil ? nil : 0)
    }

    private static let deleteMetadata: Route.Handler = { call in
        // What cannot be there is gone already.
        if let path = try? SecretPath(call["path"]) { try await engine(call).deleteMetadata(path) }
        return .noContent
    }

    private static let readConfig: Route.Handler = { call in
        let config = try engine(call).config()
        return .data([
            .init("cas_required", .bool(config.casRequired)),
            .init("delete_version_after", .string(GoDuration.format(config.deleteVersionAfter))),
            .init("max_versions", .integer(config.maxVersions)),
            .init("metadata_cas_required", .bool(config.metadataCasRequired)),
        ])
    }

    private static let writeConfig: Route.Handler = { call in
        let settings = try Fields.validated { try KVSettings(call.fields, allowsNegative: true) }
        try settings.check(merges: false)
        try await engine(call).updateConfig { settings.apply(to: &$0) }
        return .noContent
    }
}
