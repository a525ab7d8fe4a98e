import AirlockCore
import HTTPTypes

/// `sys/namespaces`: the namespaces directly below the one that is asked (VAULT-PROTOCOL 11).
enum NamespaceRoutes {
    static let table: [Route] = [
        Route("namespaces", [.list: list, .scan: scan]),
        Route(
            "namespaces/{name*}", fields: ["custom_metadata"],
            [.read: read, .write: write, .patch: patch, .delete: delete]),
    ]

    private static func name(_ call: Call) throws -> String {
        let name = call["name"].utf8.last == UInt8(ascii: "/") ? String(call["name"].dropLast()) : call["name"]
        guard !name.utf8.contains(UInt8(ascii: "/")) else {
            throw AirlockError.badRequest("namespace name cannot contain /")
        }
        return name
    }

    private static func members(_ record: NamespaceRecord) -> [JSON.Member] {
        let metadata = record.customMetadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return [
            .init("custom_metadata", .object(metadata.map { .init($0.key, .string($0.value)) })),
            .init("id", .string(record.namespace.id)), .init("locked", false),
            .init("path", .string(record.namespace.path)), .init("tainted", false),
            .init("uuid", .string(record.namespace.uuid)),
        ]
    }

    // MARK: Listing

    private static func listed(_ records: [NamespaceRecord], from namespace: Namespace) -> VaultResponse {
        let keys = records.map { $0.namespace.path(from: namespace) ?? $0.namespace.path }
        return .data([
            .init("key_info", .object(zip(keys, records).map { .init($0, .object(members($1))) })),
            .init("keys", .strings(keys)),
        ])
    }

    private static let list: Route.Handler = { call in
        let registry = call.services.registry
        guard !registry.namespaces.isEmpty else { throw AirlockError.absent }
        return listed(registry.namespaces, from: registry.namespace)
    }

    private static let scan: Route.Handler = { call in
        let registry = call.services.registry
        // As of every scan, nothing found is no error.
        guard !registry.allNamespaces.isEmpty else { return .data([]) }
        return listed(registry.allNamespaces, from: registry.namespace)
    }

    // MARK: One namespace

    private static let read: Route.Handler = { call in
        guard let record = call.services.registry.namespace(named: try name(call)) else { throw AirlockError.absent }
        return .data(members(record))
    }

    private static let write: Route.Handler = { call in
        var metadata: [String: String] = [:]
        for (name, value) in try customMetadata(call) {
            guard let text = value.text else {
                throw AirlockError.badRequest("custom_metadata values must be strings")
            }
            metadata[name] = text
        }
        let name = try name(call)
        guard !call.services.isOfVault(call.services.registry.namespace.path + name) else {
            throw AirlockError.badRequest(
                "\"\(name)\" is a vault's namespace in Airlock's configuration, and its clients name it: choose another name"
            )
        }
        return .data(members(try await call.services.registry.putNamespace(name, customMetadata: metadata)))
    }

    private static let patch: Route.Handler = { call in
        let isCleared = call.request.fields["custom_metadata"]?.isNull ?? false
        let changes = try customMetadata(call)
        for (_, value) in changes where value.text == nil && !value.isNull {
            throw AirlockError.badRequest(
                "metadata patch can only have string or null values, got \(value.goType)")
        }
        let changed = try await call.services.registry.changeNamespace(try name(call)) { metadata in
            if isCleared { metadata = [:] }
            for (name, value) in changes { metadata[name] = value.text }
        }
        guard let changed else { throw AirlockError.badRequest("namespace not found") }
        return .data(members(changed))
    }

    private static func customMetadata(_ call: Call) throws -> [(name: String, value: JSON)] {
        let members = try Fields.validated { try call.fields.object("custom_metadata") } ?? []
        return members.map { ($0.name, $0.value) }
    }

    /// OpenBao's word, which works on for a while: here all of it is gone when the answer is given.
    private static let delete: Route.Handler = { call in
        guard try await call.services.registry.deleteNamespace(try name(call)) else {
            return .warning("requested namespace does not exist")
        }
        return .data([.init("status", "in-progress")])
    }
}

extension Services {
    /// Whether clients of the configuration's mounts name it.
    func isOfVault(_ namespace: String) -> Bool { !namespace.isEmpty && namespaces.contains(namespace) }

    /// Those of the namespace that the header and then the path lead to; the path loses what led there.
    /// - Throws: `AirlockError` for a header that names no namespace.
    func located(_ request: inout VaultRequest) throws -> Services {
        // What lies below a vault's namespace is the vault's.
        if isOfVault(request.namespace) { return self }
        var registry = root
        if !request.namespace.isEmpty, !SystemRoutes.isEverywhere(request.path) {
            guard !SystemRoutes.isOnlyWithoutNamespace(request.path) else { throw SystemRoutes.unavailable }
            registry = try named(request.namespace)
        }
        (registry, request.path) = registry.descend(request.path)
        return registry === root ? self : within(registry)
    }

    private func named(_ path: String) throws -> Registry {
        guard let registry = root.namespace(at: path) else { throw Registry.noNamespace }
        return registry
    }

    /// Those of the namespace that a header names.
    func located(_ headers: HTTPFields) throws -> Services {
        let namespace = VaultRequest.namespace(headers)
        return namespace.isEmpty || isOfVault(namespace) ? self : within(try named(namespace))
    }
}
