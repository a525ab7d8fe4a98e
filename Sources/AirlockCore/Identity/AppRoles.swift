/// The AppRole login of one auth mount: roles, their secret ids, and the login itself.
package struct AppRoles: Sendable {
    private let storage: any Storage
    private let tokens: Tokens
    private let failures: LoginFailures
    private let mount: Mount
    private let now: Now

    package init(storage: any Storage, mount: Mount, failures: LoginFailures, now: @escaping Now) {
        self.storage = storage
        self.failures = failures
        self.mount = mount
        self.now = now
        tokens = Tokens(storage: storage, namespace: mount.namespace, now: now)
    }

    private func roleKey(_ name: String) -> RecordKey { RecordKey(.role, scope: mount.uuid, name.lowercased()) }
    private func roleIDKey(_ id: String) -> RecordKey { RecordKey(.roleID, scope: mount.uuid, storage.digest(id)) }
    private func secretScope(_ role: String) -> String { "\(mount.uuid)/\(role.lowercased())" }

    // MARK: Roles

    package func names() throws -> [String] { try storage.read { try $0.names(.role, scope: mount.uuid) } }

    package func role(_ name: String) throws -> AppRole? {
        try storage.read { try $0.value(AppRole.self, roleKey(name)) }
    }

    /// Makes the role when it is not there, then changes it. Role ids are unique in the mount.
    /// - Parameter localSecretIDs: `nil` leaves it.
    /// - Returns: what `change` does.
    @discardableResult
    package func update<Outcome: Sendable>(
        _ name: String, creates: Bool = true, localSecretIDs: Bool? = nil,
        _ change: @escaping @Sendable (inout AppRole) throws -> Outcome
    ) async throws -> Outcome {
        let key = roleKey(name)
        let roles = self
        return try await storage.write { transaction in
            try mount.checkMounted(transaction)
            let found = try transaction.value(AppRole.self, key)
            guard creates || found != nil else { throw AirlockError.unsupportedPath }
            var role = found ?? AppRole(roleID: RandomText.uuid())
            if let localSecretIDs {
                guard found == nil else {
                    throw AirlockError.badRequest("local_secret_ids can only be modified during role creation")
                }
                role.localSecretIDs = localSecretIDs
            }
            let outcome = try change(&role)
            try role.check()
            let idKey = roles.roleIDKey(role.roleID)
            if let owner = try transaction.record(idKey), owner != Array(key.name.utf8) {
                throw AirlockError(.vaultServerError, AirlockError.multi("role_id already in use"))
            }
            if let found, found.roleID != role.roleID { try transaction.delete(roles.roleIDKey(found.roleID)) }
            try transaction.put(idKey, Array(key.name.utf8), expires: nil)
            try transaction.put(key, value: role)
            return outcome
        }
    }

    package func delete(_ name: String) async throws {
        let (key, scope) = (roleKey(name), secretScope(name))
        let roles = self
        try await storage.write { transaction in
            guard let role = try transaction.value(AppRole.self, key) else { return }
            try transaction.deleteAll(.secretID, scope: scope)
            try transaction.deleteAll(.secretIDAccessor, scope: scope)
            try transaction.delete(roles.roleIDKey(role.roleID))
            try transaction.delete(key)
        }
    }

    // MARK: Secret ids

    package struct SecretIDRequest: Sendable {
        /// Text chosen by the caller instead of a random one.
        package var chosenText: String?
        package var metadata: [String: String] = [:]
        package var cidrs: [CIDR] = []
        package var tokenCIDRs: [CIDR] = []
        /// `nil` takes the role's.
        package var ttl: Int?
        package var uses: Int?

        package init() {}

        /// A secret id may narrow what its role allows, not widen it.
        package func check(against role: AppRole) throws {
            try Self.check(cidrs, areIn: role.secretIDBoundCIDRs)
            try Self.check(tokenCIDRs, areIn: role.token.boundCIDRs)
            let (ttl, uses) = (ttl ?? role.secretIDTTL, uses ?? role.secretIDUses)
            guard uses >= 0 else { throw AirlockError.badRequest("num_uses cannot be negative") }
            guard role.secretIDUses == 0 || (uses > 0 && uses <= role.secretIDUses) else {
                throw AirlockError.badRequest("num_uses cannot be higher than the role's secret_id_num_uses")
            }
            guard role.secretIDTTL == 0 || (ttl > 0 && ttl <= role.secretIDTTL) else {
                throw AirlockError.badRequest("ttl cannot be longer than the role's secret_id_ttl")
            }
        }

        private static func check(_ blocks: [CIDR], areIn allowed: [CIDR]) throws {
            guard allowed.isEmpty || blocks.allSatisfy({ block in allowed.contains { $0.contains(block) } }) else {
                throw AirlockError(
                    .vaultServerError,
                    AirlockError.multi(
                        "failed to verify subset relationship between CIDR blocks on the role and CIDR blocks on the secret ID"
                    ))
            }
        }
    }

    /// - Throws: `AirlockError` where there is no such role, or it has no secret ids.
    package func roleWithSecretIDs(_ name: String) throws -> AppRole {
        guard let role = try role(name) else {
            throw AirlockError(.notFound, "role \"\(name.lowercased())\" does not exist")
        }
        guard role.bindSecretID else { throw AirlockError.badRequest("bind_secret_id is not set on the role") }
        return role
    }

    package func makeSecretID(_ roleName: String, _ request: SecretIDRequest) async throws -> (SecretPayload, SecretID)
    {
        let role = try roleWithSecretIDs(roleName)
        try request.check(against: role)
        let ttl = min(request.ttl ?? role.secretIDTTL, mount.effectiveMaxTTL)
        let uses = request.uses ?? role.secretIDUses
        let (scope, now) = (secretScope(roleName), now())
        let text = request.chosenText ?? RandomText.uuid()
        let made = SecretID(
            accessor: RandomText.uuid(), created: now, updated: now,
            expires: ttl > 0 ? now.adding(seconds: ttl) : nil, ttl: ttl, usesLeft: uses, metadata: request.metadata,
            cidrs: request.cidrs, tokenCIDRs: request.tokenCIDRs)
        let digest = storage.digest(text)
        let roleKey = roleKey(roleName)
        try await storage.write { transaction in
            // A role that is another by now has not been asked whether it allows this.
            guard try transaction.value(AppRole.self, roleKey) == role else {
                throw AirlockError(.notFound, "role \"\(roleName)\" does not exist")
            }
            guard try transaction.record(RecordKey(.secretID, scope: scope, digest)) == nil else {
                throw AirlockError(
                    .vaultServerError, AirlockError.multi("failed to store secret_id: SecretID is already registered"))
            }
            try transaction.put(RecordKey(.secretID, scope: scope, digest), value: made, expires: made.expires)
            try transaction.put(
                RecordKey(.secretIDAccessor, scope: scope, made.accessor), Array(digest.utf8), expires: made.expires)
        }
        return (SecretPayload(Array(text.utf8)), made)
    }

    /// Drops the secret ids whose time is up.
    package func tidy() async throws {
        let now = now()
        try await storage.write { transaction in
            for role in try transaction.names(.role, scope: mount.uuid) {
                let scope = secretScope(role)
                for (digest, secret) in try transaction.values(SecretID.self, .secretID, scope: scope)
                where secret.isExpired(at: now) {
                    try transaction.delete(RecordKey(.secretID, scope: scope, digest))
                    try transaction.delete(RecordKey(.secretIDAccessor, scope: scope, secret.accessor))
                }
            }
        }
    }

    /// Accessors of the secret ids still good.
    package func secretIDAccessors(_ roleName: String) throws -> [String] {
        let (scope, now) = (secretScope(roleName), now())
        return try storage.read { reader in
            try reader.values(SecretID.self, .secretID, scope: scope)
                .filter { !$0.value.isExpired(at: now) }.map(\.value.accessor).sorted()
        }
    }

    package func secretID(_ roleName: String, text: String) throws -> SecretID? {
        let (key, now) = (RecordKey(.secretID, scope: secretScope(roleName), storage.digest(text)), now())
        return try storage.read { try $0.value(SecretID.self, key) }.flatMap { $0.isExpired(at: now) ? nil : $0 }
    }

    package func secretID(_ roleName: String, accessor: String) throws -> SecretID? {
        let (scope, now) = (secretScope(roleName), now())
        return try storage.read { reader -> SecretID? in
            let key = RecordKey(.secretIDAccessor, scope: scope, accessor)
            guard let digest = try reader.record(key) else { return nil }
            return try reader.value(
                SecretID.self, RecordKey(.secretID, scope: scope, String(decoding: digest, as: UTF8.self)))
        }.flatMap { $0.isExpired(at: now) ? nil : $0 }
    }

    /// - Returns: whether there was one.
    package func destroySecretID(_ roleName: String, text: String) async throws -> Bool {
        try await destroySecretID(scope: secretScope(roleName), digest: storage.digest(text))
    }

    package func destroySecretID(_ roleName: String, accessor: String) async throws -> Bool {
        let scope = secretScope(roleName)
        let digest = try storage.read { try $0.record(RecordKey(.secretIDAccessor, scope: scope, accessor)) }
        guard let digest else { return false }
        return try await destroySecretID(scope: scope, digest: String(decoding: digest, as: UTF8.self))
    }

    private func destroySecretID(scope: String, digest: String) async throws -> Bool {
        try await storage.write { transaction in
            let key = RecordKey(.secretID, scope: scope, digest)
            guard let secret = try transaction.value(SecretID.self, key) else { return false }
            try transaction.delete(key)
            try transaction.delete(RecordKey(.secretIDAccessor, scope: scope, secret.accessor))
            return true
        }
    }

    // MARK: Logging in

    /// - Parameters:
    ///   - source: the client's address, for roles and secret ids bound to address blocks.
    ///   - isDurable: the token must not be lost in a crash.
    /// - Throws: `AirlockError`; an unknown role id and a wrong secret id are told alike.
    package func login(
        roleID: String, secretID: String?, source: String?, isDurable: Bool = false
    ) async throws -> IssuedToken {
        if !isDurable, let issued = knownLogin(roleID: roleID, secretID: secretID, source: source) { return issued }
        let attempt = LoginFailures.Attempt(mount: mount, alias: roleID, source: source)
        try failures.check(attempt, mount.lockout)
        // Looked at first without the writer, so that wrong credentials do not hold up those who write.
        do {
            _ = try storage.read { try credentials($0, roleID: roleID, secretID: secretID, source: source) }
        } catch is WrongSecretID {
            failures.failed(attempt, mount.lockout)
            throw AppRoles.refused
        }
        failures.succeeded(attempt)
        // Then once more and in one step: a role, a secret id or a mount that goes away meanwhile issues no token.
        return try await storage.write { transaction in
            do {
                return try issue(roleID: roleID, secretID: secretID, source: source, in: transaction)
            } catch is WrongSecretID { throw AppRoles.refused }
        }
    }

    /// At once and without the disk, when memory holds the role and the secret id and they are right.
    /// - Returns: `nil`, which says nothing: `login` knows.
    package func knownLogin(roleID: String, secretID: String?, source: String?) -> IssuedToken? {
        let attempt = LoginFailures.Attempt(mount: mount, alias: roleID, source: source)
        guard (try? failures.check(attempt, mount.lockout)) != nil,
            let issued = storage.writeBehind({ transaction in
                try issue(roleID: roleID, secretID: secretID, source: source, in: transaction)
            })
        else { return nil }
        failures.succeeded(attempt)
        return issued
    }

    /// Checks the credentials, counts their use and makes the token, in one step.
    private func issue(
        roleID: String, secretID: String?, source: String?, in transaction: any StorageTransaction
    ) throws -> IssuedToken {
        let found = try credentials(transaction, roleID: roleID, secretID: secretID, source: source)
        var metadata: [String: String] = [:]
        var blocks = found.role.token.boundCIDRs
        if let used = found.secret {
            try spend(used, of: found.name, in: transaction)
            metadata = used.secret.metadata
            if !used.secret.tokenCIDRs.isEmpty { blocks = used.secret.tokenCIDRs }
        }
        metadata["role_name"] = found.name
        var login = Login(
            mount: mount, role: found.name, settings: found.role.token, identity: found.role.roleID)
        login.metadata = metadata
        login.boundCIDRs = blocks
        login.source = source
        return try tokens.issue(try login.tokenRequest(transaction), in: transaction)
    }

    private struct Credentials {
        let name: String
        let role: AppRole
        /// `nil` for a role without secret ids.
        let secret: (digest: String, secret: SecretID)?
    }

    /// The role exists: what is told is what everybody is told, but it counts.
    private struct WrongSecretID: Error {}

    private static let refused = AirlockError.badRequest("invalid role or secret ID")

    /// The role and the secret id, checked.
    private func credentials(
        _ reader: any StorageReader, roleID: String, secretID: String?, source: String?
    ) throws -> Credentials {
        guard try mount.isMounted(reader),
            let name = try reader.record(roleIDKey(roleID)).map({ String(decoding: $0, as: UTF8.self) }),
            let role = try reader.value(AppRole.self, RecordKey(.role, scope: mount.uuid, name))
        else { throw AppRoles.refused }
        guard role.bindSecretID else {
            try AppRoles.check(role.secretIDBoundCIDRs, source: source, "by CIDR restrictions on the role")
            return Credentials(name: name, role: role, secret: nil)
        }
        guard let secretID, !secretID.isEmpty else { throw AirlockError.badRequest("missing secret_id") }
        let digest = reader.digest(secretID)
        let secret = try reader.value(SecretID.self, RecordKey(.secretID, scope: secretScope(name), digest))
        guard let secret, !secret.isExpired(at: now()) else { throw WrongSecretID() }
        try AppRoles.check(secret.cidrs, source: source, "through CIDR restrictions on the secret ID")
        try AppRoles.check(role.secretIDBoundCIDRs, source: source, "by CIDR restrictions on the role")
        return Credentials(name: name, role: role, secret: (digest, secret))
    }

    /// Counts one use of a secret id; the last use deletes it.
    private func spend(
        _ used: (digest: String, secret: SecretID), of role: String, in transaction: any StorageTransaction
    ) throws {
        guard used.secret.usesLeft > 0 else { return }
        let key = RecordKey(.secretID, scope: secretScope(role), used.digest)
        guard used.secret.usesLeft > 1 else {
            try transaction.delete(key)
            return try transaction.delete(
                RecordKey(.secretIDAccessor, scope: secretScope(role), used.secret.accessor))
        }
        var secret = used.secret
        secret.usesLeft -= 1
        secret.updated = now()
        try transaction.put(key, value: secret, expires: secret.expires)
    }

    private static func check(_ blocks: [CIDR], source: String?, _ reason: String) throws {
        guard !blocks.isEmpty else { return }
        guard let source, blocks.contains(where: { $0.contains(source) }) else {
            throw AirlockError.badRequest("source address \"\(source ?? "unknown")\" unauthorized \(reason)")
        }
    }
}
