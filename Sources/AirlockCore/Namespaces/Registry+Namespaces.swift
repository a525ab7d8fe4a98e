import Synchronization

/// The namespaces below a registry's own, each with a registry of its own.
extension Registry {
    struct Child {
        let registry: Registry
        let record: NamespaceRecord
    }

    // MARK: Finding

    /// The deepest namespace that the path leads into, and the rest of the path. No mount lies where a namespace does.
    package func descend(_ path: String) -> (registry: Registry, path: String) {
        var (registry, rest) = (self, path)
        while let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")), let child = registry.child(rest[..<slash]) {
            registry = child.registry
            rest = String(rest[rest.utf8.index(after: slash)...])
        }
        return (registry, rest)
    }

    private func child(_ name: Substring) -> Child? {
        children.withLock { $0.isEmpty ? nil : $0[ExactText(name)] }
    }

    /// - Parameter path: from here, without slashes at its ends.
    package func namespace(at path: String) -> Registry? {
        var registry = self
        for name in Namespace.names(path) {
            guard let child = registry.child(name) else { return nil }
            registry = child.registry
        }
        return registry
    }

    /// `nil` when it is gone, even if there is another one of its path.
    package func registry(of namespace: Namespace) -> Registry? {
        if namespace.isRoot { return self }
        guard let found = self.namespace(at: namespace.path), found.namespace.uuid == namespace.uuid else { return nil }
        return found
    }

    package func namespace(withID id: String) -> Registry? {
        for child in children.withLock({ Array($0.values) }) {
            if child.registry.namespace.id == id { return child.registry }
            if let found = child.registry.namespace(withID: id) { return found }
        }
        return nil
    }

    /// Directly below, sorted by path.
    package var namespaces: [NamespaceRecord] {
        children.withLock { $0.values.map(\.record) }
            .sorted { $0.namespace.path.utf8.lexicographicallyPrecedes($1.namespace.path.utf8) }
    }

    /// All below, each after the one it lies in.
    package var allNamespaces: [NamespaceRecord] {
        namespaces.flatMap { [$0] + (registry(below: $0)?.allNamespaces ?? []) }
    }

    private func registry(below record: NamespaceRecord) -> Registry? {
        record.namespace.path(from: namespace).flatMap(namespace(at:))
    }

    package func namespace(named name: String) -> NamespaceRecord? {
        children.withLock { $0[ExactText(name)]?.record }
    }

    // MARK: Changing

    private func key(_ name: String) -> RecordKey { RecordKey(.namespace, scope: namespace.uuid, name) }

    /// Makes the namespace; one that is there gets the metadata.
    package func putNamespace(_ name: String, customMetadata: [String: String]) async throws -> NamespaceRecord {
        let fresh = try Namespace(name: name, in: namespace)
        let (key, own, bound) = (key(name), namespace, bound)
        let record = try await storage.write { transaction in
            guard try own.exists(transaction) else { throw Registry.noNamespace }
            var record = try transaction.value(NamespaceRecord.self, key)
            if record == nil {
                let mounts = try transaction.names(.mount, scope: own.uuid) + bound.all.map(\.mount.path)
                let wanted = (name + "/").utf8
                if let taken = mounts.first(where: { $0.utf8.starts(with: wanted) || wanted.starts(with: $0.utf8) }) {
                    throw AirlockError.badRequest(
                        "new namespace conflicts with existing mount: \(own.path)\(taken)")
                }
                try transaction.put(
                    RecordKey(.policy, scope: fresh.uuid, Policy.fallback),
                    value: Policy(name: Policy.fallback, text: Policy.defaultText))
            }
            let changed = NamespaceRecord(namespace: record?.namespace ?? fresh, customMetadata: customMetadata)
            record = changed
            try transaction.put(key, value: changed)
            return changed
        }
        try reloadNamespaces()
        return record
    }

    /// - Returns: `nil` when there is no such namespace.
    package func changeNamespace(
        _ name: String, _ change: @escaping @Sendable (inout [String: String]) throws -> Void
    ) async throws -> NamespaceRecord? {
        let key = key(name)
        let record = try await storage.write { transaction -> NamespaceRecord? in
            guard var record = try transaction.value(NamespaceRecord.self, key) else { return nil }
            try change(&record.customMetadata)
            try transaction.put(key, value: record)
            return record
        }
        try reloadNamespaces()
        return record
    }

    /// Drops the namespace and everything in it, in one step.
    /// - Returns: whether there was one.
    /// - Throws: `AirlockError` when it has namespaces of its own.
    package func deleteNamespace(_ name: String) async throws -> Bool {
        let key = key(name)
        let isGone = try await storage.write { transaction in
            guard let doomed = try transaction.value(NamespaceRecord.self, key)?.namespace else { return false }
            guard try transaction.names(.namespace, scope: doomed.uuid).isEmpty else {
                throw AirlockError.badRequest("unable to delete namespace containing child namespaces")
            }
            for (_, mount) in try transaction.values(Mount.self, .mount, scope: doomed.uuid) {
                try Registry.drop(transaction, mount.placed(in: doomed))
            }
            for (_, mount) in try transaction.values(Mount.self, .authMount, scope: doomed.uuid) {
                try Registry.dropAuth(transaction, mount.placed(in: doomed))
            }
            try TokenRecords.delete(transaction) { $0.namespace.uuid == doomed.uuid }
            try transaction.deleteAll(.policy, scope: doomed.uuid)
            try transaction.deleteAll(.tokenRole, scope: doomed.uuid)
            try transaction.delete(key)
            return true
        }
        try reloadNamespaces()
        return isGone
    }

    package static let noNamespace = AirlockError(.notFound, "namespace not found")

    /// Reads anew, under the lock, what is directly below. What stays keeps its registry.
    func reloadNamespaces() throws {
        try children.withLock { children in
            var fresh: [ExactText: Child] = [:]
            let records = try storage.read { reader in
                try reader.values(NamespaceRecord.self, .namespace, scope: namespace.uuid)
            }
            for (name, record) in records {
                let known = children[ExactText(name)]?.registry
                let registry =
                    try known?.namespace.uuid == record.namespace.uuid
                    ? known : Registry(storage: storage, namespace: record.namespace)
                fresh[ExactText(name)] = registry.map { Child(registry: $0, record: record) }
            }
            children = fresh
        }
        storage.front.configured()
    }

    /// - Throws: `AirlockError` for a path that lies in a namespace below, which has mounts of its own.
    func refuseNamespace(_ path: String, _ reader: any StorageReader) throws {
        guard try namespace.exists(reader) else { throw Registry.noNamespace }
        guard let name = Namespace.names(path).first.map(String.init), try reader.record(key(name)) != nil
        else { return }
        throw AirlockError.badRequest("existing mount at \(namespace.path)\(name)/")
    }
}
