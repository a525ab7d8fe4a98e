import AirlockCore
import AirlockStore
import Logging

/// What a data directory must hold before the server listens: the default policy, the mounts, and a root token.
struct FirstStart {
    let storage: SQLiteStorage
    let registry: Registry
    let directory: DataDirectory
    let now: Now

    private static let tokenFile = "root-token"

    func prepare(_ settings: ServeSettings, logger: Logger) async throws {
        let isFirst = try !RootToken.exists(in: storage)
        if registry.policy(Policy.fallback) == nil {
            try await registry.write(Policy(name: Policy.fallback, text: Policy.defaultText))
        }
        // `secret/` is what VaultBackend and `vault server -dev` default to. Later it is the operator's to disable.
        let isTaken = settings.mounts.contains { $0.path.map { $0.hasPrefix("secret/") } ?? true }
        if isFirst, !isTaken {
            try await enable("secret", version: 2, description: "key/value secret storage", logger: logger)
        }
        for mount in settings.mounts where mount.hasEmbedded {
            if let path = mount.path {
                try await enable(path, version: mount.kvVersion, description: "", logger: logger)
            }
        }
        try await setRootToken(settings.rootToken, isFirst: isFirst, logger: logger)
    }

    private func enable(_ name: String, version: Int, description: String, logger: Logger) async throws {
        let path = name.split(separator: "/").joined(separator: "/") + "/"
        if let mount = registry.mount(named: path) {
            if mount.kvVersion != version {
                logger.warning("\(path) has KV version \(mount.kvVersion); kv_engine_version \(version) is not applied")
            }
            return
        }
        _ = try SecretPath(String(path.dropLast()))
        try await registry.enable(
            Mount(path: path, engine: .kv, description: description, options: ["version": String(version)]))
        logger.info("enabled the embedded mount \(path)", metadata: ["kv_version": "\(version)"])
    }

    /// A token from the environment replaces any earlier one, and a file with the earlier one goes too.
    private func setRootToken(_ given: SecretText?, isFirst: Bool, logger: Logger) async throws {
        if let given {
            try await RootToken.set(SecretPayload(Array(given.revealed.utf8)), in: storage, now: now)
            directory.removeFile(FirstStart.tokenFile)
        } else if isFirst {
            let token = "s." + RandomText.alphanumeric(24)
            // The file first: a token that nobody knows would lock everybody out if the start were cut short here.
            try directory.createFile(FirstStart.tokenFile, contents: Array((token + "\n").utf8))
            try await RootToken.set(SecretPayload(Array(token.utf8)), in: storage, now: now)
            logger.notice(
                "the root token is in \(directory.path(FirstStart.tokenFile)); keep it safe and delete the file")
        }
    }
}
