/// The roles and the configuration of one way to log in, as records in its mount's scope.
package struct LoginRecords<Role: Codable & Sendable, Config: Codable & Sendable>: Sendable {
    package let storage: any Storage
    package let mount: Mount

    package init(storage: any Storage, mount: Mount) {
        self.storage = storage
        self.mount = mount
    }

    private func roleKey(_ name: String) -> RecordKey { RecordKey(.role, scope: mount.uuid, name.lowercased()) }
    private var configKey: RecordKey { RecordKey(.loginConfig, scope: mount.uuid, "config") }

    package func config() throws -> Config? { try storage.read { try $0.value(Config.self, configKey) } }

    /// - Parameter change: gets the configuration so far and returns the new one.
    package func writeConfig(_ change: @escaping @Sendable (Config?) throws -> Config) async throws {
        let key = configKey
        try await storage.write { transaction in
            try mount.checkMounted(transaction)
            try transaction.put(key, value: change(try transaction.value(Config.self, key)))
        }
    }

    package func roleNames() throws -> [String] { try storage.read { try $0.names(.role, scope: mount.uuid) } }

    package func roles() throws -> [(name: String, role: Role)] {
        try storage.read { try $0.values(Role.self, .role, scope: mount.uuid) }.map { ($0.name, $0.value) }
    }

    package func role(_ name: String) throws -> Role? { try storage.read { try role(name, $0) } }

    private func role(_ name: String, _ reader: any StorageReader) throws -> Role? {
        try reader.value(Role.self, roleKey(name))
    }

    package func writeRole<Outcome: Sendable>(
        _ name: String, _ change: @escaping @Sendable (Role?) throws -> (role: Role, outcome: Outcome)
    ) async throws -> Outcome {
        let key = roleKey(name)
        return try await storage.write { transaction in
            try mount.checkMounted(transaction)
            let (role, outcome) = try change(try transaction.value(Role.self, key))
            try transaction.put(key, value: role)
            return outcome
        }
    }

    package func deleteRole(_ name: String) async throws {
        let key = roleKey(name)
        try await storage.write { try $0.delete(key) }
    }

    /// The token of a login that was proved with this role.
    /// - Parameter config: what it was proved with, where that decides.
    /// - Throws: `gone` when the role or the mount has changed meanwhile: what was proved may not be enough any more.
    package func issue(
        _ login: Login, provedWith role: Role, config: Config? = nil, tokens: Tokens, else gone: AirlockError
    ) async throws -> IssuedToken where Role: Equatable, Config: Equatable {
        let (roleKey, configKey, mount) = (roleKey(login.role), configKey, mount)
        return try await storage.write { transaction in
            guard try mount.isMounted(transaction),
                try transaction.value(Role.self, roleKey) == role,
                try config == nil || transaction.value(Config.self, configKey) == config
            else { throw gone }
            return try tokens.issue(try login.tokenRequest(transaction), in: transaction)
        }
    }
}
