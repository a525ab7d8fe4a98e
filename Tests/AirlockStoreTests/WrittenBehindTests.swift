import AirlockCore
import GRDB
import Testing

@testable import AirlockStore

/// Logins that do not wait for the disk: what they promise all the same, and what a crash may take.
struct WrittenBehindTests {
    /// A store whose tokens of logins stay unwritten until something must see them.
    private final class Logins: Sendable {
        let store: TemporaryStore
        let opened: TemporaryStore.Opened
        let registry: Registry
        let tokens: Tokens
        let failures: LoginFailures

        init(_ store: TemporaryStore = TemporaryStore(), gathering: Duration = .seconds(3600)) throws {
            self.store = store
            opened = try store.open(gathering: gathering)
            registry = try Registry(storage: opened.storage)
            tokens = Tokens(storage: opened.storage, namespace: .root, now: { store.now })
            failures = LoginFailures(now: { store.now })
        }

        /// With a role `airflow`, whose role id is its name, and the secret id `secret`, both in memory.
        static func ready(
            secretUses: Int = 0, secretTTL: Int = 0, gathering: Duration = .seconds(3600),
            _ change: @escaping @Sendable (inout AppRole) -> Void = { _ in }
        ) async throws -> Logins {
            let logins = try Logins(gathering: gathering)
            try await logins.registry.enableAuth(
                Mount(path: "approle/", engine: .approle, description: "", options: nil))
            try await logins.roles.update("airflow") { role in
                role.roleID = "airflow"
                role.token.policies = ["airflow"]
                change(&role)
            }
            try await logins.make("secret", uses: secretUses, ttl: secretTTL)
            _ = try logins.opened.storage.read { reader in
                let (mount, roles) = (try #require(logins.registry.authMount(named: "approle/")), logins.opened.storage)
                _ = try reader.value(Mount.self, RecordKey(.authMount, "approle/"))
                _ = try reader.record(RecordKey(.roleID, scope: mount.uuid, roles.digest("airflow")))
                _ = try reader.value(AppRole.self, RecordKey(.role, scope: mount.uuid, "airflow"))
                let scope = "\(mount.uuid)/airflow"
                _ = try reader.value(SecretID.self, RecordKey(.secretID, scope: scope, roles.digest("secret")))
            }
            return logins
        }

        var roles: AppRoles {
            get throws {
                let mount = try #require(registry.authMount(named: "approle/"))
                return AppRoles(
                    storage: opened.storage, mount: mount, failures: failures, now: { [store] in store.now })
            }
        }

        func make(_ secret: String, uses: Int = 0, ttl: Int = 0) async throws {
            var request = AppRoles.SecretIDRequest()
            request.chosenText = secret
            request.uses = uses
            request.ttl = ttl
            _ = try await roles.makeSecretID("airflow", request)
        }

        func known(secret: String = "secret", source: String? = nil) throws -> IssuedToken? {
            try roles.knownLogin(roleID: "airflow", secretID: secret, source: source)
        }

        /// One that is not written yet.
        func unwritten() throws -> IssuedToken {
            let issued = try #require(try known())
            #expect(try !isWritten(issued))
            return issued
        }

        func isWritten(_ issued: IssuedToken) throws -> Bool {
            try store.outside { database in
                try Int.fetchOne(
                    database, sql: "SELECT count(*) FROM record WHERE kind = 'token' AND name = ?",
                    arguments: [issued.digest]) == 1
            }
        }

        func isAlive(_ issued: IssuedToken) throws -> Bool {
            do {
                _ = try tokens.recognise(String(decoding: issued.text.bytes, as: UTF8.self), source: nil)
                return true
            } catch let error as AirlockError where error.code == .invalidToken {
                return false
            }
        }

        func found(_ issued: IssuedToken) throws -> Tokens.Found {
            try #require(try tokens.lookup(accessor: issued.token.accessor))
        }

        func survivesCrash(_ issued: IssuedToken) throws -> Bool { try Logins(store.crashed()).isAlive(issued) }
    }

    @Test func `A login's token works at once, for every way to name it, and after a clean stop`() async throws {
        let logins = try await Logins.ready()
        let issued = try logins.unwritten()
        #expect(try logins.isAlive(issued))
        #expect(try logins.found(issued).token == issued.token)
        #expect(try logins.tokens.accessors().contains(issued.token.accessor))
        let leases = Leases(storage: logins.opened.storage, now: { logins.store.now })
        #expect(try leases.children(below: "auth/approle/login/") == ["h" + issued.digest])
        #expect(try !logins.isWritten(issued))
        try logins.opened.storage.close()
        #expect(try logins.isWritten(issued))
        #expect(try logins.survivesCrash(issued))
    }

    @Test func `A crash may take a login's token, and the client logs in again`() async throws {
        let logins = try await Logins.ready()
        let issued = try logins.unwritten()
        let left = try Logins(logins.store.crashed())
        #expect(try !left.isAlive(issued))
        let again = try await left.roles.login(roleID: "airflow", secretID: "secret", source: nil)
        #expect(try left.isAlive(again))
    }

    @Test func `Tokens of logins are written without anybody waiting`() async throws {
        let logins = try await Logins.ready(gathering: .zero)
        let issued = try #require(try logins.known())
        while try !logins.isWritten(issued) { await Task.yield() }
        #expect(try logins.isAlive(issued))
        #expect(try logins.survivesCrash(issued))
    }

    enum End: CaseIterable {
        case revocation, orphaningRevocation, accessor, lease, mount, tree, role
    }

    @Test(arguments: End.allCases)
    func `An unwritten token that is revoked is dead at once and stays so`(end: End) async throws {
        let logins = try await Logins.ready()
        let (issued, other) = (try logins.unwritten(), try logins.unwritten())
        switch end {
        case .revocation: try await logins.tokens.revoke(try logins.found(issued))
        case .orphaningRevocation: try await logins.tokens.revoke(try logins.found(issued), orphansChildren: true)
        case .accessor: try await logins.tokens.revoke(try logins.found(issued))
        case .lease:
            try await Leases(storage: logins.opened.storage, now: { logins.store.now })
                .revoke(below: "auth/approle/login/")
        case .mount: try await logins.registry.disableAuth("approle/")
        case .tree:
            var request = TokenRequest()
            request.parent = Token.Parent(digest: issued.digest, accessor: issued.token.accessor)
            let child = try await logins.tokens.issue(request)
            #expect(try logins.survivesCrash(child), "what is durable is so with all that it hangs on")
            try await logins.tokens.revoke(try logins.found(issued))
            #expect(try !logins.isAlive(child))
        case .role:
            try await logins.opened.storage.write { try TokenRecords.delete($0) { $0.loginRole == "airflow" } }
        }
        #expect(try !logins.isAlive(issued))
        #expect(try !logins.survivesCrash(issued))
        #expect(try logins.isAlive(other) == ![.lease, .mount, .role].contains(end))
        try logins.opened.storage.close()
        #expect(try !logins.isWritten(issued))
        #expect(try logins.isWritten(other) == ![.lease, .mount, .role].contains(end))
    }

    @Test func `A renewal of an unwritten token is durable, and its end comes by itself`() async throws {
        let logins = try await Logins.ready { $0.token.ttl = 100 }
        let issued = try logins.unwritten()
        logins.store.advance(seconds: 60)
        _ = try await logins.tokens.renew(try logins.found(issued), increment: 0) { _, _ in
            RenewalLimits(ttl: 100, maxTTL: 1000, period: 0, explicitMaxTTL: 0)
        }
        let second = try logins.unwritten()
        logins.store.advance(seconds: 60)
        #expect(try logins.isAlive(issued) && logins.survivesCrash(issued))
        logins.store.advance(seconds: 40)
        #expect(try !logins.isAlive(issued))
        #expect(try !logins.isAlive(second))
        try await logins.tokens.tidy()
        #expect(try logins.tokens.accessors().isEmpty)
    }

    @Test func `A write that fails after it has seen an unwritten token leaves it as it was`() async throws {
        struct Refusal: Error {}
        let logins = try await Logins.ready()
        let issued = try logins.unwritten()
        await #expect(throws: Refusal.self) {
            try await logins.opened.storage.write { transaction in
                try TokenRecords.delete(transaction) { _ in true }
                throw Refusal()
            }
        }
        #expect(try logins.isAlive(issued))
        #expect(try !logins.isWritten(issued))
        let second = try logins.unwritten()
        try logins.opened.storage.close()
        #expect(try logins.isWritten(issued) && logins.isWritten(second))
    }

    enum Change: CaseIterable {
        case secretID, role, mount, lockout, expiry, remount
    }

    @Test(arguments: Change.allCases)
    func `A login is refused as soon as what it stands on is gone`(change: Change) async throws {
        let logins = try await Logins.ready(secretTTL: 100)
        _ = try logins.unwritten()
        let roles = try logins.roles
        switch change {
        case .secretID: #expect(try await roles.destroySecretID("airflow", text: "secret"))
        case .role: try await roles.delete("airflow")
        case .mount: try await logins.registry.disableAuth("approle/")
        case .expiry: logins.store.advance(seconds: 100)
        case .remount:
            let remount = try Remount(from: "auth/approle/", to: "auth/other/")
            try await logins.registry.move(remount, id: "1", now: logins.store.now)
        case .lockout:
            for _ in 0..<5 {
                await #expect(throws: AirlockError.self) {
                    try await roles.login(roleID: "airflow", secretID: "wrong", source: nil)
                }
            }
        }
        #expect(roles.knownLogin(roleID: "airflow", secretID: "secret", source: nil) == nil)
        await #expect(throws: AirlockError.self) {
            try await roles.login(roleID: "airflow", secretID: "secret", source: nil)
        }
    }

    @Test func `Another secret id, role id or address gets nothing from memory`() async throws {
        let logins = try await Logins.ready { $0.secretIDBoundCIDRs = [CIDR("10.0.0.0/8")!] }
        #expect(try logins.known(source: "10.1.1.1") != nil)
        #expect(try logins.known(source: "11.1.1.1") == nil)
        #expect(try logins.known() == nil)
        #expect(try logins.known(secret: "other", source: "10.1.1.1") == nil)
        #expect(try logins.roles.knownLogin(roleID: "other", secretID: "secret", source: "10.1.1.1") == nil)
        #expect(try logins.roles.knownLogin(roleID: "airflow", secretID: nil, source: "10.1.1.1") == nil)
    }

    @Test func `The next login has what its role says by then`() async throws {
        let logins = try await Logins.ready()
        #expect(try logins.unwritten().token.policies == ["airflow", "default"])
        try await logins.roles.update("airflow") { $0.token.policies = ["other"] }
        let issued = try await logins.roles.login(roleID: "airflow", secretID: "secret", source: nil)
        #expect(issued.token.policies == ["default", "other"])
        #expect(try logins.unwritten().token.policies == ["default", "other"])
    }

    @Test func `A secret id with a number of uses is counted on the disk, and its tokens are there`() async throws {
        let logins = try await Logins.ready(secretUses: 2)
        #expect(try logins.known() == nil)
        for _ in 0..<2 {
            let issued = try await logins.roles.login(roleID: "airflow", secretID: "secret", source: nil)
            #expect(try logins.survivesCrash(issued))
        }
        await #expect(throws: AirlockError.self) {
            try await logins.roles.login(roleID: "airflow", secretID: "secret", source: nil)
        }
        let left = try Logins(logins.store.crashed())
        await #expect(throws: AirlockError.self) {
            try await left.roles.login(roleID: "airflow", secretID: "secret", source: nil)
        }
    }

    @Test func `A token with a number of uses, and one that must not be lost, are on the disk before their answer`()
        async throws
    {
        let counted = try await Logins.ready { $0.token.uses = 3 }
        #expect(try counted.known() == nil)
        let issued = try await counted.roles.login(roleID: "airflow", secretID: "secret", source: nil)
        #expect(try counted.survivesCrash(issued))
        let logins = try await Logins.ready()
        let durable = try await logins.roles.login(
            roleID: "airflow", secretID: "secret", source: nil, isDurable: true)
        #expect(try logins.survivesCrash(durable))
    }

    @Test func `A login whose token has very much metadata is not held in memory`() async throws {
        let logins = try await Logins.ready()
        var request = AppRoles.SecretIDRequest()
        request.chosenText = "large"
        request.metadata = ["x": String(repeating: "x", count: 20_000)]
        _ = try await logins.roles.makeSecretID("airflow", request)
        for _ in 0..<2 {
            let issued = try await logins.roles.login(roleID: "airflow", secretID: "large", source: nil)
            #expect(try logins.isWritten(issued) && logins.isAlive(issued))
            let isInMemory = logins.opened.storage.front.record(RecordKey(.token, issued.digest)) != nil
            #expect(!isInMemory)
        }
    }

    @Test func `No token outlives the mount that many log in at while it is disabled`() async throws {
        for _ in 0..<20 {
            let logins = try await Logins.ready()
            let roles = try logins.roles
            let issued = await withTaskGroup(of: [IssuedToken].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var issued: [IssuedToken] = []
                        while let token = try? await roles.login(roleID: "airflow", secretID: "secret", source: nil) {
                            issued.append(token)
                        }
                        return issued
                    }
                }
                try? await logins.registry.disableAuth("approle/")
                return await group.reduce(into: []) { $0 += $1 }
            }
            #expect(try issued.allSatisfy { try !logins.isAlive($0) })
            #expect(try logins.tokens.accessors().isEmpty)
            try logins.opened.storage.close()
            #expect(try Logins(logins.store.crashed()).tokens.accessors().isEmpty)
        }
    }

    @Test func `Unwritten tokens are bounded, and none is taken while the disk fails or all are being looked at`()
        throws
    {
        let issued = try Tokens(storage: Logins().opened.storage, namespace: .root, now: Timestamp.now)
            .issued(TokenRequest()).token
        let tokens = UnwrittenTokens()
        func add(_ number: Int, _ isRight: Bool = true) -> UnwrittenTokens.Added {
            tokens.add(issued, digest: "t\(number)") { isRight }
        }
        #expect(add(0, false) == .no)
        #expect(add(0) == .first)
        #expect(add(1) == .yes)
        #expect(tokens.take(closing: true).map(\.number) == [0, 1])
        #expect(add(2) == .no)
        tokens.ended(isCommitted: false)
        #expect(tokens.attempted(isFailing: true))
        #expect(add(2) == .no)
        #expect(tokens.take(closing: false).count == 2)
        tokens.ended(isCommitted: true)
        #expect(!tokens.attempted(isFailing: false))
        #expect(add(0) == .first)
        for number in 1..<UnwrittenTokens.limit { #expect(add(number) == .yes) }
        #expect(add(UnwrittenTokens.limit) == .no)
    }
}
