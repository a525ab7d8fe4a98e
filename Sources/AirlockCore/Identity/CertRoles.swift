/// The cert login of one auth mount: its roles, its configuration, and the token for a certificate that has been verified.
package struct CertRoles: Sendable {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Lets a token be renewed without the certificate that it was issued for.
        package var disableBinding = false

        package init() {}
    }

    private let storage: any Storage
    private let tokens: Tokens
    private let mount: Mount

    package init(storage: any Storage, mount: Mount, now: @escaping Now) {
        self.storage = storage
        self.mount = mount
        tokens = Tokens(storage: storage, namespace: mount.namespace, now: now)
    }

    private func key(_ name: String) -> RecordKey { RecordKey(.role, scope: mount.uuid, name.lowercased()) }
    private var configurationKey: RecordKey { RecordKey(.loginConfig, scope: mount.uuid, "config") }

    // MARK: Roles

    package func names() throws -> [String] { try storage.read { try $0.names(.role, scope: mount.uuid) } }

    package func role(_ name: String) throws -> CertRole? {
        try storage.read { try $0.value(CertRole.self, key(name)) }
    }

    /// - Parameter name: one role; empty for all of them.
    package func roles(named name: String) throws -> [(name: String, role: CertRole)] {
        guard name.isEmpty else { return try role(name).map { [(name.lowercased(), $0)] } ?? [] }
        return try storage.read { try $0.values(CertRole.self, .role, scope: mount.uuid) }.map { ($0.name, $0.value) }
    }

    /// Makes the role when it is not there, then changes it.
    package func update(_ name: String, _ change: @escaping @Sendable (inout CertRole) throws -> Void) async throws {
        let key = key(name)
        try await storage.write { transaction in
            try mount.checkMounted(transaction)
            var role = try transaction.value(CertRole.self, key) ?? CertRole()
            try change(&role)
            try role.check()
            try transaction.put(key, value: role)
        }
    }

    package func delete(_ name: String) async throws {
        let key = key(name)
        try await storage.write { try $0.delete(key) }
    }

    // MARK: Configuration

    package func configuration() throws -> Configuration {
        try storage.read { try $0.value(Configuration.self, configurationKey) } ?? Configuration()
    }

    package func configure(_ change: @escaping @Sendable (inout Configuration) throws -> Void) async throws {
        let key = configurationKey
        try await storage.write { transaction in
            try mount.checkMounted(transaction)
            var configuration = try transaction.value(Configuration.self, key) ?? Configuration()
            try change(&configuration)
            try transaction.put(key, value: configuration)
        }
    }

    // MARK: Logging in

    /// - Parameters:
    ///   - role: as it was when the certificate was verified against it; one changed since gives no token.
    ///   - source: the client's address, for roles bound to address blocks.
    package func login(_ name: String, _ role: CertRole, _ client: ClientIdentity, source: String?) async throws
        -> IssuedToken
    {
        try role.token.checkSource(source)
        guard !client.commonName.isEmpty else { throw AirlockError(.vaultServerError, "missing name in alias") }
        var login = Login(mount: mount, role: name, settings: role.token, identity: client.commonName)
        login.displayName = role.displayName.isEmpty ? name : role.displayName
        login.metadata = [
            "authority_key_id": client.authorityKeyID, "cert_name": name, "common_name": client.commonName,
            "serial_number": client.serialNumber, "subject_key_id": client.subjectKeyID,
        ]
        for identifier in role.metadataExtensions ?? [] {
            login.metadata[identifier.replacing(".", with: "-")] = client.extensions[identifier]
        }
        login.certificateDigest = digest(client)
        login.source = source
        return try await storage.write { [login] transaction in
            guard try mount.isMounted(transaction),
                try transaction.value(CertRole.self, key(name)) == role
            else { throw AirlockError.badRequest("invalid certificate or no client certificate supplied") }
            return try tokens.issue(try login.tokenRequest(transaction), in: transaction)
        }
    }

    private func digest(_ client: ClientIdentity) -> String {
        storage.digest("certificate\n" + client.certificate.map { String($0, radix: 16) }.joined(separator: ":"))
    }

    /// - Parameter client: who asks, verified against the role; not looked at where the configuration says so.
    /// - Throws: Vault's own 500 for another certificate than at the login, and for other policies than then.
    package func checkRenewal(of token: Token, role: CertRole, client: ClientIdentity?) throws {
        func refused(_ reason: String) -> AirlockError {
            AirlockError(.vaultServerError, AirlockError.multi("failed to renew entry: \(reason)"))
        }
        if let client, token.certificateDigest != digest(client) {
            throw refused("client identity during renewal not matching client identity used during login")
        }
        let policies = PolicyNames.normalised(role.token.policies, withDefault: false)
        guard policies == token.policies.filter({ $0 != Policy.fallback }) else {
            throw refused("policies have changed, not renewing")
        }
    }
}
