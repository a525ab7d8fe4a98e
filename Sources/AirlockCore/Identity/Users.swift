/// A user of the userpass login (VAULT-PROTOCOL 7).
package struct User: Sendable, Codable, Equatable {
    package var token = TokenSettings()
    fileprivate(set) package var password: PasswordHash
}

/// The userpass login of one auth mount: users, their passwords, and the login itself.
package struct Users: Sendable {
    private let storage: any Storage
    private let tokens: Tokens
    private let hasher: any PasswordHasher
    private let failures: LoginFailures
    private let mount: Mount

    package init(
        storage: any Storage, mount: Mount, hasher: any PasswordHasher, failures: LoginFailures, now: @escaping Now
    ) {
        self.storage = storage
        self.mount = mount
        self.hasher = hasher
        self.failures = failures
        tokens = Tokens(storage: storage, namespace: mount.namespace, now: now)
    }

    private func key(_ name: String) -> RecordKey { RecordKey(.role, scope: mount.uuid, name.lowercased()) }

    package func names() throws -> [String] { try storage.read { try $0.names(.role, scope: mount.uuid) } }

    package func user(_ name: String) throws -> User? { try storage.read { try $0.value(User.self, key(name)) } }

    /// Makes the user when there is none, then changes it.
    /// - Parameter password: `nil` keeps the one there is.
    package func update(
        _ name: String, password: SecretText?, creates: Bool = true,
        _ change: @escaping @Sendable (inout TokenSettings) throws -> Void = { _ in }
    ) async throws {
        let key = key(name)
        let hash: PasswordHash? = if let password { try await hasher.hash(password) } else { nil }
        try await storage.write { transaction in
            try mount.checkMounted(transaction)
            let found = try transaction.value(User.self, key)
            guard creates || found != nil else {
                throw Users.unknown
            }
            var token = found?.token ?? TokenSettings()
            try change(&token)
            guard let kept = hash ?? found?.password else {
                throw AirlockError.badRequest("must provide either password or password_hash")
            }
            try token.check()
            var user = User(password: kept)
            user.token = token
            try transaction.put(key, value: user)
        }
    }

    package func delete(_ name: String) async throws {
        let key = key(name)
        try await storage.write { try $0.delete(key) }
    }

    /// - Parameters:
    ///   - password: `nil` or empty is Vault's own 500, but a locked account is refused before that.
    ///   - source: the client's address.
    /// - Throws: `AirlockError`; an unknown user and a wrong password are told alike, and after the same work.
    package func login(_ name: String, password: SecretText?, source: String?) async throws -> IssuedToken {
        let path = "login/\(name)"
        let name = name.lowercased()
        let attempt = LoginFailures.Attempt(mount: mount, alias: name, source: source)
        try failures.check(attempt, mount.lockout)
        guard let password, !password.revealed.isEmpty else {
            throw AirlockError(.vaultServerError, "missing password")
        }
        let user = try user(name)
        let isRight = try await hasher.verify(password, user?.password)
        guard let user, isRight else {
            if user != nil { failures.failed(attempt, mount.lockout) }
            throw Users.refused
        }
        // Guesses that were sent all at once do not get round the lock either.
        try failures.check(attempt, mount.lockout)
        failures.succeeded(attempt)
        // The user, the password or the mount may have changed meanwhile: then this login issues no token.
        return try await storage.write { transaction in
            guard try mount.isMounted(transaction),
                let now = try transaction.value(User.self, key(name)), now.password == user.password
            else { throw Users.refused }
            var login = Login(mount: mount, role: name, settings: now.token, identity: name)
            login.path = path
            login.displayName = name
            login.metadata = ["username": name]
            login.source = source
            try now.token.checkSource(source)
            return try tokens.issue(try login.tokenRequest(transaction), in: transaction)
        }
    }

    package static let unknown = AirlockError(.vaultServerError, AirlockError.multi("username does not exist"))
    private static let refused = AirlockError.badRequest("invalid username or password")
}
