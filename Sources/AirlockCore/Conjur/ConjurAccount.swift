/// The one account of the Conjur surface: who logs in with an API key, and what policies have declared and permitted. Values
/// are secrets of one mount.
package struct ConjurAccount: Sendable {
    package static let name = "default"
    package static let admin = ConjurID(.user, "admin")
    /// By which `sys/locked-users` unlocks a login.
    package static let accessor = "auth_conjur"
    /// Seconds that an access token lives, as Conjur's.
    package static let tokenTTL = 480

    /// Where the access tokens come from; the login follows.
    private static let tokenPath = "authn/\(name)/"
    private static let keyLength = 52

    private let storage: any Storage
    private let registry: Registry
    private let failures: LoginFailures
    private let tokens: Tokens
    private let now: Now
    /// Ends in `/`.
    private let mountPath: String

    package init(
        storage: any Storage, registry: Registry, mountPath: String, failures: LoginFailures, now: @escaping Now
    ) {
        self.storage = storage
        self.registry = registry
        self.mountPath = mountPath
        self.failures = failures
        self.now = now
        tokens = Tokens(storage: storage, namespace: .root, now: now)
    }

    /// - Throws: `AirlockError.absent` when the mount has been disabled or moved.
    package func mount() throws -> Mount {
        guard let mount = registry.mount(named: mountPath), mount.engine == .kv else { throw AirlockError.absent }
        return mount
    }

    // MARK: Starting

    package func hasAdmin() throws -> Bool { try record(ConjurAccount.admin)?.keyDigest != nil }

    package static func newKey() -> SecretText { SecretText(RandomText.alphanumeric(keyLength)) }

    /// The user `admin`, with that API key from now on.
    package func setAdmin(key: SecretText) async throws {
        let digest = digest(key, of: ConjurAccount.admin)
        let now = now()
        try await storage.write { transaction in
            var record =
                try transaction.conjurRecord(ConjurAccount.admin)
                ?? ConjurRecord(policy: ConjurPolicy.rootBranch, created: now, annotations: [:])
            record.keyDigest = digest
            try transaction.put(ConjurRecord.key(ConjurAccount.admin), value: record)
        }
    }

    /// The root policy is there before anything has been loaded into it.
    package func makeRootPolicy() async throws {
        let root = ConjurID(.policy, ConjurPolicy.rootBranch)
        let record = ConjurRecord(policy: ConjurPolicy.rootBranch, created: now(), annotations: [:])
        try await storage.write { transaction in
            guard try transaction.conjurRecord(root) == nil else { return }
            try transaction.put(ConjurRecord.key(root), value: record)
        }
    }

    /// Writes every role's rules anew for the mount as it is: another may be served than before, or by another KV version.
    package func writeRules() async throws {
        let mount = try mount()
        try await registry.change { transaction, put in
            try put(ConjurRules.admin(ConjurAccount.admin, on: mount))
            for (id, host) in try transaction.conjurRecords(.host) {
                try put(ConjurRules.policy(id, host.rights, on: mount))
            }
        }
    }

    // MARK: Reading

    package func record(_ id: ConjurID) throws -> ConjurRecord? { try storage.read { try $0.conjurRecord(id) } }

    /// Sorted by id.
    package func records(_ kind: ConjurKind) throws -> [(id: ConjurID, record: ConjurRecord)] {
        try storage.read { try $0.conjurRecords(kind) }
    }

    // MARK: Logging in

    /// `admin`, or `host/` and a host's id.
    package static func role(login: String) -> ConjurID? {
        if login.utf8.elementsEqual(admin.name.utf8) { return admin }
        guard login.utf8.starts(with: "host/".utf8) else { return nil }
        let name = String(Substring(login.utf8.dropFirst("host/".utf8.count)))
        return (try? SecretPath(name)) == nil ? nil : ConjurID(.host, name)
    }

    package static func login(_ role: ConjurID) -> String {
        role.kind == .user ? role.name.text : "\(role.kind.rawValue)/\(role.name.text)"
    }

    /// Who an access token was given to; `nil` for a token that came otherwise.
    package static func login(of token: Token) -> String? {
        guard token.namespace.isRoot, token.path.utf8.starts(with: tokenPath.utf8) else { return nil }
        return String(Substring(token.path.utf8.dropFirst(tokenPath.utf8.count)))
    }

    /// Whether it is an access token of that role's.
    package static func isGiven(_ token: Token, to role: ConjurID) -> Bool {
        login(of: token)?.utf8.elementsEqual(login(role).utf8) ?? false
    }

    private func digest(_ key: SecretText, of role: ConjurID) -> String {
        storage.digest("conjur api key\n\(role.full)\n\(key.revealed)")
    }

    /// Whether it is the role's API key.
    /// - Throws: `AirlockError.invalidToken`, whatever is wrong: the role, the key, or too many wrong ones before.
    package func verify(_ key: SecretText, login: String, source: String?) throws -> ConjurID {
        let attempt = LoginFailures.Attempt(accessor: ConjurAccount.accessor, alias: login, source: source)
        try failures.check(attempt, nil)
        guard let role = ConjurAccount.role(login: login) else { throw AirlockError.invalidToken }
        // Before it is known whether there is such a role: how long it takes does not tell.
        let digest = digest(key, of: role)
        guard let known = try record(role)?.keyDigest else { throw AirlockError.invalidToken }
        // Both are keyed digests: how long it takes to compare them says nothing of the key.
        guard digest == known else {
            failures.failed(attempt, nil)
            throw AirlockError.invalidToken
        }
        failures.succeeded(attempt)
        return role
    }

    /// An access token for who has the API key.
    package func authenticate(login: String, key: SecretText, source: String?) async throws -> IssuedToken {
        let role = try verify(key, login: login, source: source)
        let digest = digest(key, of: role)
        var request = TokenRequest()
        request.policies = [ConjurRules.policyName(role)]
        request.path = ConjurAccount.tokenPath + login
        request.displayName = "conjur-\(login)"
        (request.ttl, request.maxTTL) = (ConjurAccount.tokenTTL, ConjurAccount.tokenTTL)
        request.renewable = false
        let made = request
        return try await storage.write { [tokens] transaction in
            // It may have been deleted, or its key changed, meanwhile.
            guard try transaction.conjurRecord(role)?.keyDigest == digest else { throw AirlockError.invalidToken }
            return try tokens.issue(made, in: transaction)
        }
    }

    /// A new API key; the old one and what it got are good for nothing from now on.
    /// - Parameter old: who has this one changes it; it may have been changed meanwhile, and then it is good for nothing.
    /// - Throws: `AirlockError.absent` when there is no such role.
    package func rotateKey(of role: ConjurID, from old: SecretText? = nil) async throws -> SecretText {
        let key = ConjurAccount.newKey()
        let digest = digest(key, of: role)
        let oldDigest = old.map { self.digest($0, of: role) }
        try await storage.write { transaction in
            guard var record = try transaction.conjurRecord(role), let known = record.keyDigest else {
                throw AirlockError.absent
            }
            guard oldDigest == nil || oldDigest == known else { throw AirlockError.invalidToken }
            record.keyDigest = digest
            try transaction.put(ConjurRecord.key(role), value: record)
            try ConjurAccount.revoke(transaction, role)
        }
        return key
    }

    private static func revoke(_ transaction: any StorageTransaction, _ role: ConjurID) throws {
        try TokenRecords.delete(transaction) { isGiven($0, to: role) }
    }

    // MARK: Loading policies

    package struct Loaded: Sendable {
        /// Hosts that were made, with their API keys: the only moment those are known.
        package let keys: [(id: ConjurID, key: SecretText)]
        package let version: Int
    }

    /// What a load would do now.
    /// - Throws: `ConjurLoad.Refusal`
    package func plan(_ load: ConjurLoad) throws -> ConjurLoad.Plan {
        let now = now()
        return try storage.read { try load.plan($0, now: now) }
    }

    /// - Parameter emptied: variables whose values are gone; a load that would remove others is given up.
    /// - Throws: `ConjurLoad.Refusal`
    package func load(_ load: ConjurLoad, emptied: Set<ConjurID>) async throws -> Loaded {
        let (mount, now) = (try mount(), now())
        return try await registry.change { [self] transaction, put in
            var plan = try load.plan(transaction, now: now)
            guard plan.removedVariables.isSubset(of: emptied) else { throw ConjurLoad.Refusal.conflict }
            var keys: [(id: ConjurID, key: SecretText)] = []
            for id in plan.madeHosts {
                let key = ConjurAccount.newKey()
                plan.written[id]?.keyDigest = digest(key, of: id)
                keys.append((id, key))
            }
            for (id, record) in plan.written {
                try transaction.put(ConjurRecord.key(id), value: record)
                if id.kind == .host { try put(ConjurRules.policy(id, record.rights, on: mount)) }
            }
            for id in plan.removed {
                try transaction.delete(ConjurRecord.key(id))
                guard id.kind == .host else { continue }
                try transaction.delete(RecordKey(.policy, ConjurRules.policyName(id)))
                try ConjurAccount.revoke(transaction, id)
            }
            return Loaded(keys: keys, version: plan.version)
        }
    }
}
