import AirlockCore
import Foundation
import Synchronization
import Testing

@testable import AirlockStore

/// A vault of a few lines: it knows one AppRole, gives tokens, and says what each may read.
private final class SmallVault: UpstreamServer {
    struct Memory {
        var isDown = false
        var lease = 3600
        var uses = 0
        var secretID = "right"
        var dead: Set<String> = []
        var readable: Set<String> = ["kv/data/pg"]
        var logins = 0
        var questions = 0
        var lookups = 0
        var revoked: [String] = []
    }

    let memory = Mutex(Memory())
    let origin = "http://127.0.0.1:8200"
    let identity = "vault http://127.0.0.1:8200 "

    func send(_ request: ForwardedRequest, token: SecretText?) async throws -> ForwardedAnswer {
        try memory.withLock { memory in
            if memory.isDown { throw UpstreamError(.refused, "connection refused") }
            let body = (try? JSON(parsing: request.body.bytes)) ?? .object([])
            if request.path.contains("/login") { return SmallVault.logIn(&memory, body) }
            let text = token?.revealed ?? ""
            guard text.hasPrefix("theirs-"), !memory.dead.contains(text) else {
                return SmallVault.answer(403, ["errors": ["permission denied"]])
            }
            switch request.path {
            case "auth/token/lookup-self":
                memory.lookups += 1
                return SmallVault.answer(
                    200, ["data": ["ttl": .integer(memory.lease), "policies": ["p"], "num_uses": 0]])
            case "auth/token/revoke-self":
                memory.revoked.append(text)
                memory.dead.insert(text)
                return ForwardedAnswer(status: 204, body: SecretPayload([]))
            default:
                memory.questions += 1
                let path = body["paths"]?.elements?.first?.text ?? ""
                let words: JSON = memory.readable.contains(path) ? ["read"] : ["deny"]
                return SmallVault.answer(200, .object([.init(path, words), .init("capabilities", words)]))
            }
        }
    }

    private static func logIn(_ memory: inout Memory, _ body: JSON) -> ForwardedAnswer {
        memory.logins += 1
        guard body["secret_id"]?.text == memory.secretID || body["jwt"] != nil || body["password"] != nil else {
            return answer(400, ["errors": ["invalid role or secret ID"]])
        }
        return answer(
            200,
            [
                "auth": [
                    "client_token": .string("theirs-\(memory.logins)"), "lease_duration": .integer(memory.lease),
                    "policies": ["default", "p"], "num_uses": .integer(memory.uses), "metadata": ["role": "r"],
                ]
            ])
    }

    private static func answer(_ status: Int, _ json: JSON) -> ForwardedAnswer {
        ForwardedAnswer(status: status, body: SecretPayload(json.bytes))
    }
}

/// `authorize: upstream`, by a clock that is moved: how long what the vault said once is good.
final class UpstreamClientsTests: Sendable {
    private let temporary = TemporaryStore()
    private let vault = SmallVault()

    private struct Clients {
        let logins: UpstreamLogins
        let rights: UpstreamRights
        let tokens: Tokens
    }

    private func clients() throws -> Clients {
        let storage = try temporary.open().storage
        let now: Now = { [temporary] in temporary.now }
        let logins = UpstreamLogins(
            server: vault, storage: storage, recheck: Timestamp.nanoseconds(in: 3600), metrics: Metrics(), now: now)
        let rights = UpstreamRights(
            server: vault, logins: logins, storage: storage, recheck: Timestamp.nanoseconds(in: 300),
            maxStale: Timestamp.nanoseconds(in: 86_400), now: now)
        return Clients(logins: logins, rights: rights, tokens: Tokens(storage: storage, namespace: .root, now: now))
    }

    private func logIn(
        _ clients: Clients, path: String = "auth/approle/login", source: String = "10.0.0.1",
        _ body: JSON = ["role_id": "r", "secret_id": "right"]
    ) async throws -> Token? {
        let request = ForwardedRequest(
            method: "POST", path: path, query: "", contentType: nil, body: SecretPayload(body.bytes))
        guard case .issued(let issued) = try await clients.logins.login(request, body: body, source: source) else {
            return nil
        }
        return issued.token
    }

    private var loginsUpstream: Int { vault.memory.withLock { $0.logins } }

    private func mayRead(_ clients: Clients, _ grant: UpstreamGrant?, _ path: String = "kv/data/pg") async throws {
        let grant = try #require(grant)
        try await clients.rights.authorizeRead(grant, path: path) {
            Issue.record("a vault that tells capabilities is not asked by a read")
        }
    }

    private func expect(_ code: AirlockError.Code, _ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("nothing was thrown")
        } catch {
            #expect((error as? AirlockError)?.code == code)
        }
    }

    // MARK: Logins

    @Test func `The same credentials from the same address are verified once in a recheck, however they are written`()
        async throws
    {
        let clients = try clients()
        for _ in 0..<3 { _ = try await logIn(clients) }
        _ = try await logIn(clients, ["secret_id": "right", "role_id": "r"])
        #expect(loginsUpstream == 1)
        _ = try await logIn(clients, source: "10.0.0.2")
        _ = try await logIn(clients, path: "auth/other/login")
        _ = try await logIn(clients, ["secret_id": "right", "role_id": "other"])
        #expect(loginsUpstream == 4)
        // The lease would last longer, so that the recheck is what counts.
        vault.memory.withLock { $0.lease = 36_000 }
        temporary.advance(seconds: 3601)
        _ = try await logIn(clients)
        temporary.advance(seconds: 3599)
        _ = try await logIn(clients)
        #expect(loginsUpstream == 5)
        temporary.advance(seconds: 2)
        _ = try await logIn(clients)
        #expect(loginsUpstream == 6)
    }

    @Test func `A token lives as long as the vault's own, and one about to end is not given to a newcomer`()
        async throws
    {
        let clients = try clients()
        vault.memory.withLock { $0.lease = 1000 }
        #expect(try await logIn(clients)?.creationTTL == 1000)
        temporary.advance(seconds: 800)
        let late = try #require(try await logIn(clients))
        #expect(late.creationTTL == 200)
        #expect(!late.renewable)
        #expect(loginsUpstream == 1)
        temporary.advance(seconds: 150)
        #expect(try await logIn(clients)?.creationTTL == 1000)
        #expect(loginsUpstream == 2)
        #expect(late.isExpired(at: temporary.now.adding(seconds: 50)))
    }

    @Test func `A JWT is not taken for longer than it says itself`() async throws {
        let clients = try clients()
        let claims = Data("{\"exp\":\(temporary.now.seconds + 60)}".utf8).base64EncodedString()
            .replacing("=", with: "").replacing("+", with: "-").replacing("/", with: "_")
        let body: JSON = ["role": "r", "jwt": .string("e30.\(claims).c2ln")]
        _ = try await logIn(clients, path: "auth/jwt/login", body)
        temporary.advance(seconds: 59)
        _ = try await logIn(clients, path: "auth/jwt/login", body)
        #expect(loginsUpstream == 1)
        temporary.advance(seconds: 2)
        vault.memory.withLock { $0.isDown = true }
        await expect(.unavailable) { _ = try await self.logIn(clients, path: "auth/jwt/login", body) }
    }

    @Test(arguments: [
        ("auth/userpass/login/ada", JSON.object([.init("password", "p")])),
        ("auth/cert/login", JSON.object([.init("password", "p")])),
    ])
    func `Passwords and certificates are verified each time`(path: String, body: JSON) async throws {
        let clients = try clients()
        for _ in 0..<3 { #expect(try await logIn(clients, path: path, body) != nil) }
        #expect(loginsUpstream == 3)
    }

    @Test func `A login whose token has a use count is shared with nobody`() async throws {
        let clients = try clients()
        vault.memory.withLock { $0.uses = 5 }
        let first = try await logIn(clients)
        let second = try await logIn(clients)
        #expect(first?.upstream?.token != second?.upstream?.token)
        #expect(first?.upstream?.isCounted == true)
    }

    @Test func `A refusal is the vault's, is not remembered, and ends what was remembered before`() async throws {
        let clients = try clients()
        #expect(try await logIn(clients) != nil)
        vault.memory.withLock { $0.secretID = "rotated" }
        temporary.advance(seconds: 3600)
        #expect(try await logIn(clients) == nil)
        vault.memory.withLock { $0.isDown = true }
        await expect(.unavailable) { _ = try await self.logIn(clients) }
    }

    @Test func `In an outage a login is good while what it gave lives, and a new one is unavailable, not refused`()
        async throws
    {
        let clients = try clients()
        vault.memory.withLock { $0.lease = 7200 }
        _ = try await logIn(clients)
        vault.memory.withLock { $0.isDown = true }
        temporary.advance(seconds: 7100)
        #expect(try await logIn(clients)?.creationTTL == 100)
        await expect(.unavailable) { _ = try await self.logIn(clients, ["role_id": "r", "secret_id": "new"]) }
        temporary.advance(seconds: 100)
        await expect(.unavailable) { _ = try await self.logIn(clients) }
    }

    @Test func `A hundred at once are one login`() async throws {
        let clients = try clients()
        let tokens = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<100 { group.addTask { try await self.logIn(clients)?.accessor } }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(tokens.count == 100)
        #expect(loginsUpstream == 1)
    }

    @Test func `What the vault calls its policies gives no right of Airlock's own`() async throws {
        vault.memory.withLock { $0.lease = 60 }
        let token = try #require(try await logIn(try clients()))
        #expect(token.policies == [Policy.fallback])
        #expect(token.upstream?.policies == ["default", "p"])
    }

    // MARK: Rights

    @Test func `A right is asked for once in a recheck, by all who share the vault's token`() async throws {
        let clients = try clients()
        let first = try await logIn(clients)?.upstream
        for _ in 0..<3 { try await mayRead(clients, first) }
        try await mayRead(clients, try await logIn(clients)?.upstream)
        #expect(vault.memory.withLock { $0.questions } == 1)
        temporary.advance(seconds: 300)
        try await mayRead(clients, first)
        #expect(vault.memory.withLock { $0.questions } == 2)
    }

    @Test func `A right that is gone is denied at the next recheck and not proven any more`() async throws {
        let clients = try clients()
        let grant = try await logIn(clients)?.upstream
        try await mayRead(clients, grant)
        vault.memory.withLock { $0.readable = [] }
        try await mayRead(clients, grant)
        temporary.advance(seconds: 300)
        await expect(.permissionDenied) { try await self.mayRead(clients, grant) }
        vault.memory.withLock { $0.isDown = true }
        await expect(.unavailable) { try await self.mayRead(clients, grant) }
    }

    @Test func `In an outage a proven right lasts until max_stale, and none is made`() async throws {
        let clients = try clients()
        let grant = try await logIn(clients)?.upstream
        try await mayRead(clients, grant)
        vault.memory.withLock { $0.isDown = true }
        temporary.advance(seconds: 86_399)
        try await mayRead(clients, grant)
        await expect(.unavailable) { try await self.mayRead(clients, grant, "kv/data/other") }
        temporary.advance(seconds: 1)
        await expect(.unavailable) { try await self.mayRead(clients, grant) }
    }

    @Test func `A dead token is unknown here too, and the next login does not give it again`() async throws {
        let clients = try clients()
        let grant = try #require(try await logIn(clients)?.upstream)
        _ = vault.memory.withLock { $0.dead.insert(grant.token.revealed) }
        await expect(.invalidToken) {
            try await clients.rights.authorizeRead(grant, path: "kv/data/pg") {
                throw UpstreamError(.denied, "permission denied")
            }
        }
        #expect(try await logIn(clients)?.upstream?.token != grant.token)
    }

    // MARK: Tokens that clients bring

    @Test func `A brought token is looked up once, and a wrong one not again for a while`() async throws {
        let clients = try clients()
        #expect(try await clients.rights.adopt("theirs-brought"))
        let found = try clients.tokens.recognise("theirs-brought", source: nil)
        #expect(found.token.upstream?.isBrought == true)
        #expect(vault.memory.withLock { $0.lookups } == 1)
        #expect(try await !clients.rights.adopt("nobody's"))
        // Remembered as wrong: not even an outage is noticed.
        vault.memory.withLock { $0.isDown = true }
        #expect(try await !clients.rights.adopt("nobody's"))
        await expect(.unavailable) { _ = try await clients.rights.adopt("theirs-another") }
        temporary.advance(seconds: 15)
        await expect(.unavailable) { _ = try await clients.rights.adopt("nobody's") }
    }

    @Test func `Revoking a brought token is the vault's to do, or it is not done`() async throws {
        let clients = try clients()
        _ = try await clients.rights.adopt("theirs-brought")
        let grant = try #require(try clients.tokens.recognise("theirs-brought", source: nil).token.upstream)
        vault.memory.withLock { $0.isDown = true }
        await expect(.unavailable) { try await clients.rights.revoke(grant) }
        vault.memory.withLock { $0.isDown = false }
        try await clients.rights.revoke(grant)
        #expect(vault.memory.withLock { $0.revoked } == ["theirs-brought"])
    }
}
