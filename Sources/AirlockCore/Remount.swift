/// A mount's move to another path, done at once. Kept for a day, for those who ask how it went (VAULT-PROTOCOL 4).
package struct Remount: Sendable, Codable {
    /// With `auth/` before the path of a way to log in.
    package let source: String
    package let target: String

    private static let keptFor = 86_400
    private static let authPrefix = "auth/"
    /// Paths that no secrets engine is moved from or to.
    private static let reserved = ["sys/", "cubbyhole/", "identity/"]

    /// - Throws: `AirlockError` with Vault's message for a move that can never be.
    package init(from source: String, to target: String) throws {
        self.source = source
        self.target = target
        let token = "auth/token/"
        guard !Remount.reserved.contains(where: source.hasPrefix), !source.hasPrefix(token) else {
            throw AirlockError.badRequest("cannot remount \"\(source)\"")
        }
        if isAuth {
            guard target.hasPrefix(Remount.authPrefix) else {
                throw AirlockError.badRequest("cannot remount auth mount to non-auth mount \"\(target)\"")
            }
            guard !target.hasPrefix(token), target != Remount.authPrefix else {
                throw AirlockError.badRequest("cannot remount to destination \"\(target)\"")
            }
        } else if (Remount.reserved + [Remount.authPrefix]).contains(where: target.hasPrefix) {
            throw AirlockError.badRequest("cannot remount to destination \(target)")
        }
        _ = try SecretPath(String(target.dropLast()))
    }

    package var isAuth: Bool { source.hasPrefix(Remount.authPrefix) }

    private var kind: RecordKind { isAuth ? .authMount : .mount }

    /// The path as the mount's record has it.
    private func named(_ path: String) -> String {
        isAuth ? String(path.dropFirst(Remount.authPrefix.count)) : path
    }

    private static func key(_ id: String) -> RecordKey { RecordKey(.remount, id) }

    package static func done(_ id: String, in storage: any Storage) throws -> Remount? {
        try storage.read { try $0.value(Remount.self, key(id)) }
    }

    /// What the mount holds belongs to its uuid and stays where it is. Who had logged in there logs in again, as with Vault.
    func perform(in transaction: any StorageTransaction, id: String, now: Timestamp) throws {
        let key = RecordKey(kind, named(source))
        guard var mount = try transaction.value(Mount.self, key) else {
            throw AirlockError.badRequest("no matching mount at \"\(source)\"")
        }
        let path = named(target)
        if let taken = try transaction.names(kind, scope: "").first(where: { $0.hasPrefix(path) || path.hasPrefix($0) })
        {
            throw AirlockError.badRequest("path already in use at \"\(isAuth ? Remount.authPrefix : "")\(taken)\"")
        }
        mount.path = path
        try transaction.delete(key)
        try transaction.put(RecordKey(kind, path), value: mount)
        try TokenRecords.delete(transaction, below: source, in: .root)
        try transaction.put(Remount.key(id), value: self, expires: now.adding(seconds: Remount.keptFor))
    }
}
