import AirlockCore
import AirlockStore
import Testing

/// API keys and access tokens of Conjur's clients, and what loads of policies change.
struct ConjurAccountTests {
    private let temporary = TemporaryStore()
    private let storage: SQLiteStorage
    private let registry: Registry
    private let account: ConjurAccount
    private let tokens: Tokens
    private static let key = SecretText("the-key-of-admin")

    init() async throws {
        let temporary = temporary
        storage = try temporary.open().storage
        registry = try Registry(storage: storage)
        try await registry.enable(Mount(path: "kv/", engine: .kv, description: "", options: ["version": "2"]))
        let now: Now = { temporary.now }
        account = ConjurAccount(
            storage: storage, registry: registry, mountPath: "kv/", failures: LoginFailures(now: now), now: now)
        tokens = Tokens(storage: storage, namespace: .root, now: now)
        try await account.makeRootPolicy()
        try await account.setAdmin(key: ConjurAccountTests.key)
    }

    private func load(
        _ text: String, into branch: String = "root", _ mode: ConjurLoad.Mode = .add
    ) async throws -> [ExactText: SecretText] {
        let load = ConjurLoad(try ConjurPolicy(parsing: text, branch: branch), mode: mode)
        let loaded = try await account.load(load, emptied: try account.plan(load).removedVariables)
        return Dictionary(uniqueKeysWithValues: loaded.keys.map { ($0.id.name, $0.key) })
    }

    private func token(_ login: String, _ key: SecretText) async throws -> String {
        let issued = try await account.authenticate(login: login, key: key, source: "127.0.0.1")
        return String(decoding: issued.text.bytes, as: UTF8.self)
    }

    private func isGood(_ token: String) -> Bool { (try? tokens.recognise(token, source: nil)) != nil }

    @Test func `An access token is good for eight minutes, and cannot be renewed`() async throws {
        let token = try await token("admin", ConjurAccountTests.key)
        temporary.advance(seconds: 479)
        #expect(isGood(token))
        #expect(try !tokens.recognise(token, source: nil).token.renewable)
        temporary.advance(seconds: 1)
        #expect(!isGood(token))
    }

    /// Who has an API key that somebody takes away meanwhile does not get the next one for it.
    @Test func `A key that was changed meanwhile changes no key`() async throws {
        let key = ConjurAccountTests.key
        let role = try account.verify(key, login: "admin", source: "127.0.0.1")
        let next = try await account.rotateKey(of: role)
        await #expect(throws: AirlockError.self) { try await account.rotateKey(of: role, from: key) }
        #expect(try account.verify(next, login: "admin", source: "127.0.0.1") == role)
        _ = try await account.rotateKey(of: role, from: next)
    }

    @Test func `A new key ends the tokens of its role and of no other, be their names ever so alike`() async throws {
        let names = ["caf\u{E9}", "cafe\u{301}"]
        let keys = try await load(names.map { "- !host \"\($0)\"\n" }.joined())
        var given: [ExactText: String] = [:]
        for name in names {
            let key = try #require(keys[ExactText(name)])
            given[ExactText(name)] = try await token("host/\(name)", key)
        }
        _ = try await account.rotateKey(of: ConjurID(.host, names[0]))
        #expect(!isGood(try #require(given[ExactText(names[0])])))
        #expect(isGood(try #require(given[ExactText(names[1])])))
    }

    @Test func `What one policy was loaded with is not removed with another's, be their names ever so alike`()
        async throws
    {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        _ = try await load("- !policy \"\(composed)\"\n- !policy \"\(decomposed)\"")
        let text =
            "- !host web\n- !variable key\n- !permit\n  role: !host web\n  privilege: read\n  resource: !variable key"
        for branch in [composed, decomposed] { _ = try await load(text, into: branch) }
        _ = try await load("- !variable other", into: decomposed, .replace)
        #expect(try account.record(ConjurID(.host, "\(decomposed)/web")) == nil)
        #expect(try account.record(ConjurID(.host, "\(composed)/web"))?.rights.count == 1)
        #expect(try account.record(ConjurID(.variable, "\(composed)/key")) != nil)
    }

    @Test func `A right to a variable is none to one whose name is alike`() async throws {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        _ = try await load("- !variable \"\(composed)\"\n- !variable \"\(decomposed)\"\n- !host web")
        for (name, privilege) in [(composed, "execute"), (decomposed, "update")] {
            _ = try await load(
                "- !permit\n  role: !host web\n  privilege: \(privilege)\n  resource: !variable \"\(name)\"")
        }
        let access = registry.accessControl([ConjurRules.policyName(ConjurID(.host, "web"))])
        #expect(access.allows(.read, on: "kv/data/\(composed)") && access.allows(.update, on: "kv/data/\(decomposed)"))
        #expect(!access.allows(.update, on: "kv/data/\(composed)"))
        #expect(!access.allows(.read, on: "kv/data/\(decomposed)"))
    }

    @Test func `Permits of one document add up, for each host and resource`() async throws {
        _ = try await load("- !variable a\n- !variable b\n- !host h\n- !host i")
        func permit(_ privilege: String) -> String {
            "- !permit\n  roles: [!host h, !host i]\n  privilege: \(privilege)\n  resources: [!variable a, !variable b]\n"
        }
        _ = try await load(permit("read") + permit("execute"))
        _ = try await load(permit("update"))
        for name in ["h", "i"] {
            let rights = try #require(try account.record(ConjurID(.host, name))).rights
            #expect(rights.map(\.resource.name.text).sorted() == ["a", "b"])
            #expect(rights.allSatisfy { $0.privileges == [.read, .execute, .update] })
        }
    }

    @Test func `A policy with something in it stays, one without goes`() async throws {
        _ = try await load("- !policy a\n- !policy ab\n- !policy\n  id: a/b\n  body:\n  - !variable c")
        func delete(_ id: String) async throws { _ = try await load("- !delete\n  record: !\(id)", .change) }
        for id in ["policy a", "policy a/b"] {
            await #expect(throws: ConjurLoad.Refusal.self, "\(id)") { try await delete(id) }
        }
        try await delete("policy ab")
        _ = try await load("- !delete\n  records: [!variable a/b/c, !policy a/b, !policy a]", .change)
        #expect(try account.records(.policy).map(\.id.name.text) == ["root"])
    }
}
