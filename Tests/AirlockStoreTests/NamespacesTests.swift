import AirlockCore
import AirlockStore
import GRDB
import Testing

/// Namespaces as they are kept: durable, and gone as a whole.
struct NamespacesTests {
    private let temporary = TemporaryStore()

    private var now: Now { { [temporary] in temporary.now } }

    /// The namespace with a mount, a secret, a login and a token.
    private func fill(_ name: String, of parent: Registry, _ storage: SQLiteStorage) async throws -> Registry {
        _ = try await parent.putNamespace(name, customMetadata: ["owner": name])
        let registry = try #require(parent.namespace(at: name))
        try await registry.enable(Mount(path: "kv/", engine: .kv, description: "", options: [:]))
        try await registry.enableAuth(Mount(path: "approle/", engine: .approle, description: "", options: nil))
        try await registry.write(Policy(name: "reader", text: "path \"kv/*\" { capabilities = [\"read\"] }"))
        let mount = try #require(registry.mount(named: "kv/"))
        try await KVPlain(storage: storage, mount: mount).write(
            try SecretPath("a"), data: SecretPayload(Array("{}".utf8)))
        let roles = AppRoles(
            storage: storage, mount: try #require(registry.authMount(named: "approle/")),
            failures: LoginFailures(now: now), now: now)
        try await roles.update("r") { $0.roleID = "rid" }
        _ = try await roles.makeSecretID("r", AppRoles.SecretIDRequest())
        return registry
    }

    private func login(_ registry: Registry, _ storage: SQLiteStorage) async throws -> IssuedToken {
        let mount = try #require(registry.authMount(named: "approle/"))
        let roles = AppRoles(storage: storage, mount: mount, failures: LoginFailures(now: now), now: now)
        let secret = try await roles.makeSecretID("r", AppRoles.SecretIDRequest()).0
        return try await roles.login(
            roleID: "rid", secretID: String(decoding: secret.bytes, as: UTF8.self), source: nil)
    }

    private func rows() throws -> [String] {
        try temporary.outside { database in
            try Row.fetchAll(database, sql: "SELECT kind, scope, name FROM record").map { row in
                "\(row["kind"] as String) \(row["scope"] as String) \(row["name"] as String)"
            }
        }
    }

    @Test func `Namespaces, nested ones too, are there again after a restart`() async throws {
        let ids = try await {
            let opened = try temporary.open()
            let root = try Registry(storage: opened.storage)
            let team = try await fill("team", of: root, opened.storage)
            let sub = try await fill("sub", of: team, opened.storage)
            try opened.storage.close()
            return [team.namespace, sub.namespace]
        }()
        let opened = try temporary.open()
        let root = try Registry(storage: opened.storage)
        #expect(root.allNamespaces.map(\.namespace) == ids)
        #expect(root.namespaces.map(\.customMetadata) == [["owner": "team"]])
        let (registry, rest) = root.descend("team/sub/kv/a")
        #expect(registry.namespace == ids[1])
        #expect(rest == "kv/a")
        #expect(registry.mount(for: rest)?.namespace == ids[1])
        #expect(registry.policyNames == ["default", "reader"])
    }

    @Test func `A deleted namespace leaves nothing, and its neighbours lose nothing`() async throws {
        let opened = try temporary.open()
        let (storage, root) = (opened.storage, try Registry(storage: opened.storage))
        let kept = try await fill("kept", of: root, storage)
        _ = try await login(kept, storage)
        let before = try rows().sorted()
        let doomed = try await fill("doomed", of: root, storage)
        let token = try await login(doomed, storage)
        let tokens = Tokens(storage: storage, namespace: doomed.namespace, now: now)
        var request = TokenRequest()
        request.parent = try tokens.lookup(accessor: token.token.accessor).map {
            Token.Parent(digest: $0.digest, accessor: $0.token.accessor)
        }
        _ = try await tokens.issue(request)
        #expect(try rows().count > before.count + 10)

        #expect(try await root.deleteNamespace("doomed"))
        #expect(try rows().sorted() == before)
        #expect(root.namespace(at: "doomed") == nil)
        #expect(root.registry(of: kept.namespace) === kept)
        #expect(try await !root.deleteNamespace("doomed"))
        #expect(throws: AirlockError.self) {
            _ = try tokens.recognise(String(decoding: token.text.bytes, as: UTF8.self), source: nil)
        }
    }

    @Test func `A namespace with others in it is not deleted`() async throws {
        let opened = try temporary.open()
        let root = try Registry(storage: opened.storage)
        let team = try await fill("team", of: root, opened.storage)
        _ = try await fill("sub", of: team, opened.storage)
        let before = try rows().sorted()
        await #expect(throws: AirlockError.badRequest("unable to delete namespace containing child namespaces")) {
            _ = try await root.deleteNamespace("team")
        }
        #expect(try rows().sorted() == before)
        #expect(try await team.deleteNamespace("sub"))
        #expect(try await root.deleteNamespace("team"))
    }

    @Test func `What still holds a deleted namespace can add nothing to it, nor to a new one of its name`() async throws
    {
        let opened = try temporary.open()
        let (storage, root) = (opened.storage, try Registry(storage: opened.storage))
        let old = try await fill("team", of: root, storage)
        let roles = AppRoles(
            storage: storage, mount: try #require(old.authMount(named: "approle/")),
            failures: LoginFailures(now: now), now: now)
        let secret = String(
            decoding: try await roles.makeSecretID("r", AppRoles.SecretIDRequest()).0.bytes, as: UTF8.self)
        _ = try await roles.login(roleID: "rid", secretID: secret, source: nil)
        let tokens = Tokens(storage: storage, namespace: old.namespace, now: now)
        _ = try await tokens.issue(TokenRequest())
        _ = try await root.deleteNamespace("team")
        _ = try await root.putNamespace("team", customMetadata: [:])
        let before = try rows().sorted()
        let noNamespace = AirlockError(.notFound, "namespace not found")
        await #expect(throws: noNamespace) {
            try await old.enable(Mount(path: "kv/", engine: .kv, description: "", options: nil))
        }
        await #expect(throws: noNamespace) {
            try await old.enableAuth(Mount(path: "approle/", engine: .approle, description: "", options: nil))
        }
        await #expect(throws: noNamespace) { try await old.write(Policy(name: "p", text: Policy.defaultText)) }
        await #expect(throws: noNamespace) { _ = try await old.putNamespace("below", customMetadata: [:]) }
        await #expect(throws: AirlockError.invalidToken) { _ = try await tokens.issue(TokenRequest()) }
        await #expect(throws: AirlockError.badRequest("invalid role or secret ID")) {
            _ = try await roles.login(roleID: "rid", secretID: secret, source: nil)
        }
        #expect(try rows().sorted() == before)
        #expect(root.registry(of: old.namespace) == nil)
        #expect(try #require(root.namespace(at: "team")).mounts.isEmpty)
    }

    @Test func `Records from before there were namespaces are the root's`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        let mount = """
            {"path":"kv/","engine":"kv","uuid":"u","accessor":"kv_u","description":"","options":{"version":"2"},\
            "defaultLeaseTTL":0,"maxLeaseTTL":0,"tokenType":"default-service"}
            """
        try await storage.put(RecordKey(.mount, "kv/"), mount)
        let token = """
            {"accessor":"acc","policies":["default"],"path":"auth/token/create","displayName":"token",\
            "issued":0,"creationTTL":0,"lastTTL":0,"explicitMaxTTL":0,"period":0,"usesLeft":0,\
            "renewable":false,"hasChildren":false,"entityID":"","boundCIDRs":[]}
            """
        try await storage.put(RecordKey(.token, storage.digest("old")), token)
        let root = try Registry(storage: storage)
        #expect(root.mount(named: "kv/")?.namespace == .root)
        let found = try Tokens(storage: storage, namespace: .root, now: now).recognise("old", source: nil)
        #expect(found.token.namespace == .root)
        #expect(root.registry(of: found.token.namespace) === root)
    }

    @Test func `Mounts and namespaces keep out of each other's way`() async throws {
        let opened = try temporary.open()
        let root = try Registry(storage: opened.storage)
        _ = try await fill("team", of: root, opened.storage)
        func mount(_ path: String) -> Mount { Mount(path: path, engine: .kv, description: "", options: nil) }
        for path in ["team/", "team/x/", "team/kv/"] {
            await #expect(throws: AirlockError.badRequest("existing mount at team/")) {
                try await root.enable(mount(path))
            }
            await #expect(throws: AirlockError.badRequest("existing mount at team/")) { try await root.disable(path) }
        }
        try await root.enable(mount("tea/"))
        try await root.enable(mount("teams/a/"))
        for (name, taken) in [("tea", "tea/"), ("teams", "teams/a/")] {
            await #expect(
                throws: AirlockError.badRequest("new namespace conflicts with existing mount: \(taken)")
            ) { _ = try await root.putNamespace(name, customMetadata: [:]) }
        }
        #expect(root.descend("teams/a/x").registry === root)
        #expect(root.descend("team").registry === root)
    }
}
