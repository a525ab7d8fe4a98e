import AirlockCore
import AirlockStore
import Logging

/// What the Conjur surface needs before the server listens: its mount, an API key for `admin`, and the rules of its roles.
struct ConjurStart {
    let storage: SQLiteStorage
    let registry: Registry
    let directory: DataDirectory
    let now: Now

    private static let keyFile = "conjur-admin-api-key"

    /// - Parameter path: of the mount.
    func prepare(_ path: String, logger: Logger) async throws {
        guard let mount = registry.mount(named: path), mount.engine == .kv else {
            throw AirlockError.badRequest(
                "conjur_mount: there is no KV mount \(path): name it under mounts, or enable it first")
        }
        guard registry.bound[path]?.authorization != .upstream else {
            throw AirlockError.badRequest(
                "conjur_mount: \(path) has authorize upstream, and a vault does not know the logins of Conjur's clients"
            )
        }
        let account = ConjurAccount(
            storage: storage, registry: registry, mountPath: path, failures: LoginFailures(now: now), now: now)
        try await account.makeRootPolicy()
        try await account.writeRules()
        guard try !account.hasAdmin() else { return }
        let key = ConjurAccount.newKey()
        // The file first: a key that nobody knows would be of no use if the start were cut short here.
        try directory.createFile(ConjurStart.keyFile, contents: Array((key.revealed + "\n").utf8))
        try await account.setAdmin(key: key)
        logger.notice(
            "the API key of Conjur's admin is in \(directory.path(ConjurStart.keyFile)); keep it safe and delete the file"
        )
    }
}
