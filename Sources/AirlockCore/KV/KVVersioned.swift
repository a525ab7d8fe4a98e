/// KV version 2 on one embedded mount: what each call does to the records. Rules of versions are `KVMetadata`'s.
package struct KVVersioned: Sendable {
    package struct Stored: Sendable {
        package let metadata: KVMetadata
        package let version: Int
        /// `nil` when the version is deleted or destroyed.
        package let data: SecretPayload?

        package var state: KVVersion { metadata.versions[version] ?? KVVersion(created: metadata.created) }

        /// What the API says of a version beside its data (VAULT-PROTOCOL 2.3).
        package var members: [JSON.Member] {
            [
                .init("created_time", .string(state.created.rfc3339)),
                .init("custom_metadata", metadata.customMetadataJSON),
                .init("deletion_time", .string(state.deletion?.rfc3339 ?? "")),
                .init("destroyed", .bool(state.destroyed)),
                .init("version", .integer(version)),
            ]
        }
    }

    private let storage: any Storage
    private let mount: Mount
    /// What the records belong to, so that a remount moves them and a disable drops them.
    private var scope: String { mount.uuid }
    private let now: Now

    package init(storage: any Storage, mount: Mount, now: @escaping Now) {
        self.storage = storage
        self.mount = mount
        self.now = now
    }

    // MARK: Reading

    package func metadata(_ path: SecretPath) throws -> KVMetadata? {
        try storage.read { try KVVersioned.metadata($0, scope, path) }
    }

    package func config() throws -> KVConfig {
        try storage.read { try KVVersioned.config($0, scope) }
    }

    /// - Parameter version: `nil`, zero and negative numbers mean the latest.
    /// - Returns: `nil` when there is no such key or version, also when it was trimmed.
    package func read(_ path: SecretPath, version: Int?) throws -> Stored? {
        let now = now()
        return try storage.read { reader in
            guard let metadata = try KVVersioned.metadata(reader, scope, path) else { return nil }
            let wanted = version.flatMap { $0 > 0 ? $0 : nil } ?? metadata.currentVersion
            return try KVVersioned.stored(reader, scope, path, metadata, wanted, now)
        }
    }

    /// Sorted bytewise; empty when there is no such folder.
    package func list(folder: String) throws -> [String] {
        try storage.read { try $0.children(.kvMetadata, scope: scope, folder: folder) }
    }

    /// All keys at any depth below the folder.
    package func scan(folder: String) throws -> [String] {
        try storage.read { try $0.descendants(.kvMetadata, scope: scope, folder: folder) }
    }

    /// What there is about each of these keys; a subfolder's name stands for the key of that name, when there is one.
    package func metadata(of names: [String], folder: String) throws -> [(name: String, metadata: KVMetadata?)] {
        try storage.read { reader in
            try names.map { name in
                let key = name.utf8.last == UInt8(ascii: "/") ? String(name.dropLast()) : name
                return (name, try KVVersioned.metadata(reader, scope, try SecretPath(folder + key)))
            }
        }
    }

    // MARK: Writing

    package func write(_ path: SecretPath, data: SecretPayload, cas: Int?) async throws -> Stored {
        let (scope, now) = (scope, now())
        return try await transact { transaction in
            let config = try KVVersioned.config(transaction, scope)
            let metadata = try KVVersioned.metadata(transaction, scope, path) ?? KVMetadata(now: now)
            try metadata.check(cas: cas, config: config)
            return try KVVersioned.append(transaction, scope, path, metadata, data, config, now)
        }
    }

    /// RFC 7396 merge into the latest version; members the patch does not name keep their bytes.
    /// - Returns: what was written; `nil` when there is no such key; the deleted version when the latest is gone.
    package func patch(_ path: SecretPath, merge: JSON, cas: Int?) async throws -> Stored? {
        let (scope, now) = (scope, now())
        return try await transact { transaction in
            let config = try KVVersioned.config(transaction, scope)
            guard let metadata = try KVVersioned.metadata(transaction, scope, path) else { return nil }
            try metadata.check(cas: cas, config: config)
            let latest = try KVVersioned.stored(transaction, scope, path, metadata, metadata.currentVersion, now)
            guard let latest, let data = latest.data else { return latest }
            let merged = SecretPayload(try JSONMerge.apply(merge, to: data.bytes))
            return try KVVersioned.append(transaction, scope, path, metadata, merged, config, now)
        }
    }

    /// Soft-deletes versions, the latest when none are named. Absent keys and versions are no error.
    package func delete(_ path: SecretPath, versions: [Int]?) async throws {
        let now = now()
        try await change(path) { metadata, _, _ in
            metadata.delete(versions ?? [metadata.currentVersion], now: now)
        }
    }

    package func undelete(_ path: SecretPath, versions: [Int]) async throws {
        let now = now()
        try await change(path) { metadata, config, _ in metadata.undelete(versions, config: config, now: now) }
    }

    package func destroy(_ path: SecretPath, versions: [Int]) async throws {
        let scope = scope
        try await change(path) { metadata, _, transaction in
            for version in metadata.destroy(versions) {
                try transaction.delete(RecordKey(.kvVersion, scope: scope, path.text, version: version))
            }
        }
    }

    /// Removes every version and the key itself.
    package func deleteMetadata(_ path: SecretPath) async throws {
        let scope = scope
        try await transact { transaction in
            guard let metadata = try KVVersioned.metadata(transaction, scope, path) else { return }
            for version in metadata.versions.keys {
                try transaction.delete(RecordKey(.kvVersion, scope: scope, path.text, version: version))
            }
            try transaction.delete(RecordKey(.kvMetadata, scope: scope, path.text))
            try LastReads.forget(path, scope: scope, transaction)
        }
    }

    /// Changes the key's own settings.
    /// - Parameter creates: make the key when it is not there; otherwise `nil` is returned.
    /// - Returns: the mount's settings, which may overrule the key's.
    package func updateMetadata(
        _ path: SecretPath, cas: Int?, creates: Bool, _ change: @escaping @Sendable (inout KVMetadata) throws -> Void
    ) async throws -> KVConfig? {
        let (scope, now) = (scope, now())
        return try await transact { transaction in
            let found = try KVVersioned.metadata(transaction, scope, path)
            guard creates || found != nil else { return nil }
            if found == nil, let cas, cas != 0 {
                throw AirlockError.badRequest("metadata_cas must be 0 when creating new metadata")
            }
            let config = try KVVersioned.config(transaction, scope)
            var metadata = found ?? KVMetadata(now: now)
            try metadata.check(metadataCAS: cas, config: config)
            try change(&metadata)
            metadata.metadataVersion += 1
            metadata.updated = now
            try transaction.put(RecordKey(.kvMetadata, scope: scope, path.text), value: metadata)
            return config
        }
    }

    package func updateConfig(_ change: @escaping @Sendable (inout KVConfig) -> Void) async throws {
        let scope = scope
        try await transact { transaction in
            var config = try KVVersioned.config(transaction, scope)
            change(&config)
            try transaction.put(KVVersioned.configKey(scope), value: config)
        }
    }

    // MARK: The steps

    private func transact<Result: Sendable>(
        _ body: @escaping @Sendable (any StorageTransaction) throws -> Result
    ) async throws -> Result {
        try await storage.write { transaction in
            try mount.checkMounted(transaction)
            return try body(transaction)
        }
    }

    private func change(
        _ path: SecretPath,
        _ body: @escaping @Sendable (inout KVMetadata, KVConfig, any StorageTransaction) throws -> Void
    ) async throws {
        let scope = scope
        try await transact { transaction in
            guard var metadata = try KVVersioned.metadata(transaction, scope, path) else { return }
            try body(&metadata, try KVVersioned.config(transaction, scope), transaction)
            try transaction.put(RecordKey(.kvMetadata, scope: scope, path.text), value: metadata)
        }
    }

    private static func metadata(_ reader: any StorageReader, _ scope: String, _ path: SecretPath) throws -> KVMetadata?
    {
        try reader.value(KVMetadata.self, RecordKey(.kvMetadata, scope: scope, path.text))
    }

    static func configKey(_ scope: String) -> RecordKey { RecordKey(.kvConfig, scope: scope, "config") }

    private static func config(_ reader: any StorageReader, _ scope: String) throws -> KVConfig {
        try reader.value(KVConfig.self, configKey(scope)) ?? KVConfig()
    }

    private static func stored(
        _ reader: any StorageReader, _ scope: String, _ path: SecretPath, _ metadata: KVMetadata, _ version: Int,
        _ now: Timestamp
    ) throws -> Stored? {
        guard let state = metadata.versions[version] else { return nil }
        guard !state.isDeleted(at: now) else { return Stored(metadata: metadata, version: version, data: nil) }
        let key = RecordKey(.kvVersion, scope: scope, path.text, version: version)
        guard let bytes = try reader.record(key) else {
            throw AirlockError(
                .broken, "the data of this version is missing",
                hint: "the database lost a row it should hold: restore the data directory from a backup")
        }
        return Stored(metadata: metadata, version: version, data: SecretPayload(bytes))
    }

    private static func append(
        _ transaction: any StorageTransaction, _ scope: String, _ path: SecretPath, _ metadata: KVMetadata,
        _ data: SecretPayload, _ config: KVConfig, _ now: Timestamp
    ) throws -> Stored {
        var metadata = metadata
        let (version, trimmed) = metadata.addVersion(config: config, now: now)
        for old in trimmed {
            try transaction.delete(RecordKey(.kvVersion, scope: scope, path.text, version: old))
        }
        try transaction.put(
            RecordKey(.kvVersion, scope: scope, path.text, version: version), data.bytes, expires: nil)
        try transaction.put(RecordKey(.kvMetadata, scope: scope, path.text), value: metadata)
        return Stored(metadata: metadata, version: version, data: data)
    }
}
