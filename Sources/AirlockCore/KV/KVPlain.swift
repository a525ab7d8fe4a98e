/// KV version 1 on one embedded mount: a path holds one object, a write replaces it whole (VAULT-PROTOCOL 3).
package struct KVPlain: Sendable {
    private let storage: any Storage
    private let scope: String

    package init(storage: any Storage, mount: Mount) {
        self.storage = storage
        scope = mount.uuid
    }

    package func read(_ path: SecretPath) throws -> SecretPayload? {
        try storage.read { try $0.record(RecordKey(.kvSecret, scope: scope, path.text)) }.map(SecretPayload.init)
    }

    package func list(folder: String) throws -> [String] {
        try storage.read { try $0.children(.kvSecret, scope: scope, folder: folder) }
    }

    package func write(_ path: SecretPath, data: SecretPayload) async throws {
        let key = RecordKey(.kvSecret, scope: scope, path.text)
        try await storage.write { try $0.put(key, data.bytes, expires: nil) }
    }

    /// Changes what is there in one step, so that no other write falls between.
    /// - Parameter change: from what is there, `nil` when nothing is, to what shall be; throws to leave it as it is.
    package func update(
        _ path: SecretPath, _ change: @escaping @Sendable (SecretPayload?) throws -> SecretPayload
    ) async throws {
        let key = RecordKey(.kvSecret, scope: scope, path.text)
        try await storage.write { transaction in
            let data = try change(try transaction.record(key).map(SecretPayload.init))
            try transaction.put(key, data.bytes, expires: nil)
        }
    }

    package func delete(_ path: SecretPath) async throws {
        let key = RecordKey(.kvSecret, scope: scope, path.text)
        try await storage.write { try $0.delete(key) }
    }
}
