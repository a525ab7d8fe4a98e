/// A token's own place for secrets, which no other token sees and which goes when the token does (VAULT-PROTOCOL 13).
package struct Cubbyhole: Sendable {
    private let storage: any Storage
    private let owner: Tokens.Found
    private let scope: String

    package init(storage: any Storage, owner: Tokens.Found) {
        self.storage = storage
        self.owner = owner
        scope = storage.digest(owner.token.accessor)
    }

    package func read(_ path: SecretPath) throws -> SecretPayload? {
        try storage.read { try $0.record(RecordKey(.cubbyhole, scope: scope, path.text)) }.map(SecretPayload.init)
    }

    /// Sorted bytewise; empty when there is no such folder.
    package func list(folder: String) throws -> [String] {
        try storage.read { try $0.children(.cubbyhole, scope: scope, folder: folder) }
    }

    package func write(_ path: SecretPath, data: SecretPayload) async throws {
        let (owner, key) = (owner, RecordKey(.cubbyhole, scope: scope, path.text))
        try await storage.write { transaction in
            // Revoked since it was recognised: what were written now would never go.
            guard let token = try TokenRecords.token(transaction, owner.digest),
                token.accessor == owner.token.accessor
            else { throw AirlockError.invalidToken }
            let names = try transaction.names(.cubbyhole, scope: key.scope)
            guard names.count < Cubbyhole.limit || names.contains(key.name) else {
                throw AirlockError.badRequest("a cubbyhole holds at most \(Cubbyhole.limit) secrets")
            }
            try transaction.put(key, data.bytes, expires: token.expires)
        }
    }

    /// Each renewal of the token writes them anew.
    private static let limit = 1000

    package func delete(_ path: SecretPath) async throws {
        let key = RecordKey(.cubbyhole, scope: scope, path.text)
        try await storage.write { try $0.delete(key) }
    }

    // MARK: With the token

    /// By the accessor: unlike a text that somebody chose, it is never given twice.
    private static func scope(_ reader: any StorageReader, _ token: Token) -> String { reader.digest(token.accessor) }

    static func deleteAll(_ transaction: any StorageTransaction, of token: Token) throws {
        try transaction.deleteAll(.cubbyhole, scope: scope(transaction, token))
    }

    /// After a renewal: the sweeper must not take it before the token.
    static func extend(_ transaction: any StorageTransaction, of token: Token) throws {
        let scope = scope(transaction, token)
        for name in try transaction.names(.cubbyhole, scope: scope) {
            let key = RecordKey(.cubbyhole, scope: scope, name)
            guard let data = try transaction.record(key) else { continue }
            try transaction.put(key, data, expires: token.expires)
        }
    }
}
