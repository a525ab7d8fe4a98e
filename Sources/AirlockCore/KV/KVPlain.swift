/// KV version 1 on one embedded mount: a path holds one object, a write replaces it whole (VAULT-PROTOCOL 3).
package struct KVPlain: Sendable {
    private let storage: any Storage
    private let mount: Mount
    private var scope: String { mount.uuid }

    package init(storage: any Storage, mount: Mount) {
        self.storage = storage
        self.mount = mount
    }

    package func read(_ path: SecretPath) throws -> SecretPayload? {
        let key = RecordKey(.kvSecret, scope: scope, path.text)
        return try read { try $0.record(key) }.map(SecretPayload.init)
    }

    /// Sorted bytewise; empty when there is no such folder.
    package func list(folder: String) throws -> [String] {
        try read { try $0.children(.kvSecret, scope: scope, folder: folder) }
    }

    /// All secrets at any depth below the folder.
    package func scan(folder: String) throws -> [String] {
        try read { try $0.descendants(.kvSecret, scope: scope, folder: folder) }
    }

    private func read<T>(_ body: (any StorageReader) throws -> T) throws -> T {
        try storage.read { reader in
            try KVUpgrade.check(reader, scope: scope)
            return try body(reader)
        }
    }

    private func write(_ body: @escaping @Sendable (any StorageTransaction) throws -> Void) async throws {
        try await storage.write { transaction in
            try mount.checkMounted(transaction)
            try KVUpgrade.check(transaction, scope: scope)
            try body(transaction)
        }
    }

    package func write(_ path: SecretPath, data: SecretPayload) async throws {
        let key = RecordKey(.kvSecret, scope: scope, path.text)
        try await write { try $0.put(key, data.bytes, expires: nil) }
    }

    /// Changes what is there in one step, so that no other write falls between.
    /// - Parameter change: from what is there, `nil` when nothing is, to what shall be; throws to leave it as it is.
    package func update(
        _ path: SecretPath, _ change: @escaping @Sendable (SecretPayload?) throws -> SecretPayload
    ) async throws {
        let key = RecordKey(.kvSecret, scope: scope, path.text)
        try await write { transaction in
            let data = try change(try transaction.record(key).map(SecretPayload.init))
            try transaction.put(key, data.bytes, expires: nil)
        }
    }

    package func delete(_ path: SecretPath) async throws {
        let scope = scope
        try await write { transaction in
            try transaction.delete(RecordKey(.kvSecret, scope: scope, path.text))
            try LastReads.forget(path, scope: scope, transaction)
        }
    }
}
