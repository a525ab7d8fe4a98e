import AirlockCore
import Foundation
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import AirlockHTTP

/// Which requests are answered on the event loop, and that no answer overtakes another.
struct HitHandlerTests {
    private static let token = "X-Vault-Token: root\r\n"

    /// A server whose memory holds `secret/a`, and a connection to it.
    private func connection() async throws -> (TestServer, EmbeddedChannel) {
        let server = try await TestServer()
        let token: HTTPFields = [HTTPField.Name("X-Vault-Token")!: "root"]
        _ = try await server.answer("POST", "/v1/secret/data/a", headers: token, body: Array(#"{"data":{"x":1}}"#.utf8))
        _ = try await server.answer("GET", "/v1/secret/data/a", headers: token, body: [])
        let channel = EmbeddedChannel(handlers: [
            HTTPResponseEncoder(), HitHandler(hits: server.hits, limits: .init(body: 1024)),
        ])
        return (server, channel)
    }

    private func get(
        _ target: String = "/v1/secret/data/a", method: String = "GET", headers: String = HitHandlerTests.token,
        version: String = "1.1"
    ) -> ByteBuffer {
        ByteBuffer(string: "\(method) \(target) HTTP/\(version)\r\nHost: airlock\r\n\(headers)\r\n")
    }

    private func written(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    private func passedOn(_ channel: EmbeddedChannel) throws -> Int {
        var count = 0
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            if case .head = part { count += 1 }
        }
        return count
    }

    private func respond(_ channel: EmbeddedChannel) throws {
        try channel.writeOutbound(
            HTTPServerResponsePart.head(.init(version: .http1_1, status: .noContent, headers: [:])))
        try channel.writeOutbound(HTTPServerResponsePart.end(nil))
    }

    @Test(arguments: [
        "X-Vault-Token: root\r\n", "x-vault-token:root\r\nX-Vault-Request: true\r\nUser-Agent: hvac\r\n",
        "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nX-Vault-Token: root\r\n",
        "Authorization: Bearer root\r\n", "AUTHORIZATION: Bearer  root \r\nCONNECTION: Keep-Alive\r\n",
    ])
    func `What the usual clients send is answered at once`(headers: String) async throws {
        let (_, channel) = try await connection()
        try channel.writeInbound(get(headers: headers))
        let answer = try written(channel)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains(#""data":{"data":{"x":1},"metadata":{"#))
        #expect(try passedOn(channel) == 0)
    }

    @Test(arguments: [
        "X-Vault-Token: root\r\nX-Vault-Namespace: ns\r\n", "X-Vault-Token: root\r\nX-Vault-Wrap-TTL: 60\r\n",
        "X-Vault-Token: root\r\nCache-Control: no-cache\r\n", "X-Vault-Token: root\r\nX-Forwarded-For: 10.0.0.1\r\n",
        "X-Vault-Token: root\r\nConnection: close\r\n", "X-Vault-Token: root\r\nX-Vault-Token: root\r\n",
        "X-Vault-Token: other\r\n", "Authorization: bearer root\r\n", "Authorization: Basic root\r\n", "",
        "Authorization: Bearer root\r\nX-Vault-Token: root\r\n",
        "X-Vault-Token: root\r\nContent-Length: 0\r\n",
        "X-Vault-Token: root\r\nExpect: 100-continue\r\n", "X-Vault-Token: root\r\nX-Vault-Index: 1\r\n",
    ])
    func `A request with anything odd about it goes the ordinary way`(headers: String) async throws {
        let (_, channel) = try await connection()
        try channel.writeInbound(get(headers: headers))
        #expect(try written(channel) == "")
        #expect(try passedOn(channel) == 1)
    }

    @Test func `A connection of the typed surface is answered at once until its secret changes`() async throws {
        let (server, channel) = try await connection()
        let token: HTTPFields = [.authorization: "Bearer root"]
        func write(_ uri: String) async throws {
            let body = Array(#"{"data":{"conn_uri":"\#(uri)"}}"#.utf8)
            _ = try await server.answer("POST", "/v1/secret/data/connections/pg", headers: token, body: body)
        }
        func read() throws -> String {
            try channel.writeInbound(get("/api/v2/connections/pg", headers: "Authorization: Bearer root\r\n"))
            defer { if (try? passedOn(channel)) == 1 { try? respond(channel) } }
            return try written(channel)
        }
        try await write("postgres://one")
        #expect(try read() == "")
        _ = try written(channel)
        _ = try await server.answer("GET", "/api/v2/connections/pg", headers: token, body: [])
        #expect(try read().contains(#""conn_type":"postgres","description":null,"host":"one""#))
        try await write("postgres://two")
        #expect(try read() == "")
        _ = try written(channel)
        // The Vault surface's answer is another one, kept beside it.
        _ = try await server.answer("GET", "/v1/secret/data/connections/pg", headers: token, body: [])
        #expect(try read() == "")
        _ = try written(channel)
        _ = try await server.answer("GET", "/api/v2/connections/pg", headers: token, body: [])
        #expect(try read().contains(#""host":"two""#))
    }

    @Test func `A client that sends and does not read is left to the ordinary way`() async throws {
        let (_, channel) = try await connection()
        channel.isWritable = false
        try channel.writeInbound(get())
        #expect(try written(channel) == "")
        #expect(try passedOn(channel) == 1)
        try respond(channel)
        _ = try written(channel)
        channel.isWritable = true
        try channel.writeInbound(get())
        #expect(try written(channel).hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test
    func `Of a client that sends and does not read only some requests are taken, and the rest once those are answered`()
        async throws
    {
        let reads = Reads()
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers(reads, HitHandler(hits: nil, limits: .init(body: 1 << 20)))
        let requests = (0..<100).map {
            ByteBuffer(string: "PUT /\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        }
        var taken: [String] = []
        func take() throws {
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
                if case .head(let head) = part { taken.append(head.uri) }
            }
        }
        try channel.writeInbound(ByteBuffer(bytes: requests.map { $0.readableBytesView }.joined()))
        try take()
        #expect(taken.count == HitHandler.waitingLimit)
        channel.read()
        #expect(reads.count == 0)
        // The client may be done with sending: what it sent is answered all the same.
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        for answered in 1...100 {
            try respond(channel)
            try take()
            #expect(taken.count - answered <= HitHandler.waitingLimit)
        }
        #expect(taken == (0..<100).map { "/\($0)" })
        #expect(reads.count == 1)
        #expect(throws: Never.self) { try channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func `A client that is gone before its requests had their turn is no error`() async throws {
        let channel = EmbeddedChannel(handler: HitHandler(hits: nil, limits: .init(body: 1 << 20)))
        let requests = String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 100)
        try channel.writeInbound(ByteBuffer(string: requests))
        #expect(try passedOn(channel) == HitHandler.waitingLimit)
        #expect(throws: Never.self) { try channel.finish() }
        #expect(try passedOn(channel) == 0)
    }

    @Test func `What comes in one piece is answered here up to a limit`() async throws {
        let (server, channel) = try await connection()
        let token: HTTPFields = [HTTPField.Name("X-Vault-Token")!: "root"]
        let body = Array(#"{"data":{"x":"\#(String(repeating: "x", count: 3000))"}}"#.utf8)
        _ = try await server.answer("POST", "/v1/secret/data/large", headers: token, body: body)
        _ = try await server.answer("GET", "/v1/secret/data/large", headers: token, body: [])
        var bytes = ByteBuffer()
        for _ in 0..<200 { bytes.writeImmutableBuffer(get("/v1/secret/data/large")) }
        try channel.writeInbound(bytes)
        let answers = try written(channel)
        #expect((256 * 1024..<260 * 1024).contains(answers.utf8.count))
        var passed = try passedOn(channel)
        while passed < 200 - answers.split(separator: "HTTP/1.1 200 OK").count {
            try respond(channel)
            passed += try passedOn(channel)
        }
        #expect(passed == 200 - answers.split(separator: "HTTP/1.1 200 OK").count)
        // A connection that rests does not hold what it needed for them.
        let handler = try channel.pipeline.syncOperations.handler(type: HitHandler.self)
        #expect(handler.answers.capacity <= HitHandler.keptCapacity)
    }

    @Test(arguments: ["/v1/secret/data/a?version=1", "/v1/secret/data/a?", "/v1/secret/data/a/", "/v1/secret/data//a"])
    func `Another spelling of the target goes the ordinary way`(target: String) async throws {
        let (_, channel) = try await connection()
        try channel.writeInbound(get(target))
        #expect(try written(channel) == "")
        #expect(try passedOn(channel) == 1)
    }

    @Test(arguments: [("HEAD", "1.1"), ("LIST", "1.1"), ("DELETE", "1.1"), ("GET", "1.0")])
    func `Another method or version goes the ordinary way`(method: String, version: String) async throws {
        let (_, channel) = try await connection()
        try channel.writeInbound(get(method: method, version: version))
        #expect(try written(channel) == "")
        #expect(try passedOn(channel) == 1)
    }

    @Test func `No answer overtakes one that is still awaited`() async throws {
        let (_, channel) = try await connection()
        try channel.writeInbound(get())
        #expect(try written(channel).hasPrefix("HTTP/1.1 200 OK"))
        try channel.writeInbound(get("/v1/secret/data/b"))
        try channel.writeInbound(get())
        #expect(try written(channel) == "")
        #expect(try passedOn(channel) == 2)
        try respond(channel)
        try channel.writeInbound(get())
        #expect(try passedOn(channel) == 1)
        try respond(channel)
        try respond(channel)
        _ = try written(channel)
        try channel.writeInbound(get())
        #expect(try written(channel).hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test func `Requests that come in one piece are answered in order, each with an id of its own`() async throws {
        let (_, channel) = try await connection()
        var bytes = get()
        bytes.writeImmutableBuffer(get())
        bytes.writeImmutableBuffer(get("/v1/secret/data/b"))
        bytes.writeImmutableBuffer(get())
        try channel.writeInbound(bytes)
        let answers = try written(channel).split(separator: "HTTP/1.1 200 OK")
        #expect(answers.count == 2)
        #expect(Set(answers).count == 2)
        #expect(try passedOn(channel) == 2)
    }

    @Test func `A connection that is about to close answers nothing more by itself`() async throws {
        let (_, channel) = try await connection()
        try channel.writeInbound(get("/v1/secret/data/b", headers: "Connection: close\r\n"))
        try respond(channel)
        _ = try written(channel)
        try channel.writeInbound(get())
        #expect(try written(channel) == "")

        let (_, other) = try await connection()
        other.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        try other.writeInbound(get())
        #expect(try written(other) == "")
    }

    // MARK: Logins

    private static let credentials = #"{"role_id": "airflow", "secret_id": "secret"}"#

    /// A server with an AppRole that has logged in, and a connection to it.
    private func loginConnection() async throws -> (TestServer, EmbeddedChannel) {
        let (server, channel) = try await connection()
        let root: HTTPFields = [HTTPField.Name("X-Vault-Token")!: "root"]
        for (path, body) in [
            ("sys/policies/acl/airflow", #"{"policy":"path \"secret/data/*\" { capabilities = [\"read\"] }"}"#),
            ("sys/auth/approle", #"{"type":"approle"}"#),
            ("auth/approle/role/airflow", #"{"token_policies":"airflow"}"#),
            ("auth/approle/role/airflow/role-id", #"{"role_id":"airflow"}"#),
            ("auth/approle/role/airflow/custom-secret-id", #"{"secret_id":"secret"}"#),
        ] {
            let answer = try await server.answer("POST", "/v1/\(path)", headers: root, body: Array(body.utf8))
            #expect([200, 204].contains(answer.status))
        }
        _ = try await ordinaryLogin(server)
        _ = try await server.answer("GET", "/v1/secret/data/a", headers: root, body: [])
        return (server, channel)
    }

    private func ordinaryLogin(_ server: TestServer) async throws -> TestServer.Answer {
        try await server.answer(
            "POST", "/v1/auth/approle/login", headers: [:], body: Array(HitHandlerTests.credentials.utf8))
    }

    private func login(
        _ body: String = HitHandlerTests.credentials, path: String = "approle/login", method: String = "POST",
        headers: String = ""
    ) -> ByteBuffer {
        ByteBuffer(
            string: "\(method) /v1/auth/\(path) HTTP/1.1\r\nHost: airlock\r\nContent-Length: \(body.utf8.count)\r\n"
                + "\(headers)\r\n\(body)")
    }

    /// The answer's head, and its body without what is its own.
    private func likeness(_ answer: String) throws -> (head: [Substring], body: JSON) {
        let parts = try #require(answer.firstRange(of: "\r\n\r\n"))
        func bare(_ json: JSON) -> JSON {
            guard let members = json.members else { return json }
            return .object(
                members.map {
                    ["request_id", "client_token", "accessor"].contains($0.name)
                        ? .init($0.name, .integer($0.value.text?.utf8.count ?? 0)) : .init($0.name, bare($0.value))
                })
        }
        return (
            answer[..<parts.lowerBound].split(separator: "\r\n"),
            bare(try JSON(parsing: String(answer[parts.upperBound...])))
        )
    }

    @Test(arguments: [
        ("POST", ""), ("PUT", "Content-Type: application/json\r\nX-Vault-Request: true\r\n"),
        ("POST", "User-Agent: hvac\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n"),
    ])
    func `A login is answered at once, as the ordinary way answers it`(method: String, headers: String) async throws {
        let (server, channel) = try await loginConnection()
        let ordinary = try await ordinaryLogin(server)
        try channel.writeInbound(login(method: method, headers: headers))
        #expect(try passedOn(channel) == 0)
        let (head, body) = try likeness(try written(channel))
        #expect(head.first == "HTTP/1.1 200 OK")
        #expect(try body == likeness("\r\n\r\n" + String(decoding: ordinary.body, as: UTF8.self)).body)
        for header in ordinary.headers { #expect(head.contains("\(header.name.rawName): \(header.value)")) }
    }

    @Test func `The first read with a login's token is answered at once, until the token is revoked`() async throws {
        let (server, channel) = try await loginConnection()
        try channel.writeInbound(login())
        let answer = try written(channel)
        let json = try JSON(parsing: String(answer[try #require(answer.firstRange(of: "\r\n\r\n")).upperBound...]))
        let token = try #require(json["auth"]?["client_token"]?.text)
        try channel.writeInbound(get(headers: "X-Vault-Token: \(token)\r\n"))
        #expect(try written(channel).contains(#""data":{"data":{"x":1}"#))
        let fields: HTTPFields = [HTTPField.Name("X-Vault-Token")!: token]
        #expect(try await server.answer("POST", "/v1/auth/token/revoke-self", headers: fields, body: []).status == 204)
        try channel.writeInbound(get(headers: "X-Vault-Token: \(token)\r\n"))
        #expect(try passedOn(channel) == 1)
        #expect(try await server.answer("GET", "/v1/secret/data/a", headers: fields, body: []).status == 403)
    }

    @Test func `A login that comes in pieces is answered once it is whole`() async throws {
        let (_, channel) = try await loginConnection()
        var request = login()
        let body = request.readSlice(length: request.readableBytes - 5) ?? ByteBuffer()
        try channel.writeInbound(body)
        #expect(try written(channel) == "" && passedOn(channel) == 0)
        try channel.writeInbound(request)
        #expect(try written(channel).hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(try passedOn(channel) == 0)
        // What follows it is another request.
        try channel.writeInbound(body)
        var rest = request
        rest.writeImmutableBuffer(get())
        try channel.writeInbound(rest)
        #expect(try written(channel).components(separatedBy: "HTTP/1.1 200 OK").count == 3)
    }

    @Test func `The beginning of a login whose end does not come is left to the ordinary way`() async throws {
        let (_, channel) = try await loginConnection()
        var request = login()
        try channel.writeInbound(request.readSlice(length: request.readableBytes - 5) ?? ByteBuffer())
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(try passedOn(channel) == 1)
        try channel.writeInbound(request)
        #expect(try written(channel) == "")
    }

    @Test(arguments: [
        (HitHandlerTests.credentials, "X-Vault-Token: root\r\n"),
        (HitHandlerTests.credentials, "X-Vault-Wrap-TTL: 60\r\n"),
        (HitHandlerTests.credentials, "X-Vault-Namespace: a\r\n"),
        (HitHandlerTests.credentials, "Content-Length: 5\r\n"),
        (HitHandlerTests.credentials, "Content-Type: application/x-www-form-urlencoded\r\n"),
        (HitHandlerTests.credentials, "Transfer-Encoding: chunked\r\n"),
        (HitHandlerTests.credentials, "Expect: 100-continue\r\n"),
        (HitHandlerTests.credentials, "X-Forwarded-For: 10.0.0.1\r\n"),
        (HitHandlerTests.credentials, "Connection: close\r\n"),
        (#"{"role_id":"airflow","secret_id":"wrong"}"#, ""), (#"{"role_id":"airflow"}"#, ""),
        (#"{"role_id":"airflow","secret_id":"secret","more":1}"#, ""),
        (#"{"role_id":1,"secret_id":"secret"}"#, ""), (#"["role_id","secret_id"]"#, ""), ("", ""), ("{", ""),
    ])
    func `A login with anything odd about it goes the ordinary way`(body: String, headers: String) async throws {
        let (_, channel) = try await loginConnection()
        _ = try? channel.writeInbound(login(body, headers: headers))
        #expect(try written(channel) == "")
    }

    @Test(arguments: [
        "approle/login/", "approle//login", "other/login", "approle%2Flogin", "token/login", "approle/Login", "/login",
    ])
    func `Another spelling of a login's path goes the ordinary way`(path: String) async throws {
        let (_, channel) = try await loginConnection()
        try channel.writeInbound(login(path: path))
        #expect(try written(channel) == "" && passedOn(channel) == 1)
    }

    @Test func `A login counts as one in the metrics`() async throws {
        let (server, channel) = try await loginConnection()
        func logins() -> UInt64 {
            let metrics = server.hits.services.metrics
            return metrics.counters.filter { $0.key.labels == ["approle/", "ok"] }.values.reduce(0, +)
        }
        let before = logins()
        try channel.writeInbound(login())
        #expect(try passedOn(channel) == 0 && logins() == before + 1)
    }

    @Test func `A login that is bound to addresses is answered to a client from there only`() async throws {
        let (server, channel) = try await loginConnection()
        let root: HTTPFields = [HTTPField.Name("X-Vault-Token")!: "root"]
        _ = try await server.answer(
            "POST", "/v1/auth/approle/role/airflow", headers: root,
            body: Array(#"{"secret_id_bound_cidrs":"10.0.0.0/8"}"#.utf8))
        // Without an address it is refused, but the role is known again.
        #expect(try await ordinaryLogin(server).status == 400)
        channel.remoteAddress = try SocketAddress(ipAddress: "11.1.1.1", port: 1)
        try channel.writeInbound(login())
        #expect(try passedOn(channel) == 1 && written(channel) == "")
        try respond(channel)
        _ = try written(channel)
        channel.remoteAddress = try SocketAddress(ipAddress: "10.1.1.1", port: 1)
        try channel.writeInbound(login())
        #expect(try passedOn(channel) == 0 && written(channel).hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test func `A listener that asks for X-Vault-Request asks for it of a login, too`() async throws {
        let (server, _) = try await loginConnection()
        var rules = ListenerRules()
        rules.requiresRequestHeader = true
        let hits = Hits(services: server.hits.services, rules: rules)
        func answers(_ headers: String) -> Bool {
            var (request, answer) = (login(headers: headers), ByteBuffer())
            if case .answered = hits.answer(&request, into: &answer) { return true }
            return false
        }
        #expect(answers("X-Vault-Request: true\r\n"))
        #expect(!answers(""))
    }

    @Test func `A listener that asks for X-Vault-Request asks for it of a hit, too`() async throws {
        let (server, _) = try await connection()
        var rules = ListenerRules()
        rules.requiresRequestHeader = true
        let hits = Hits(services: server.hits.services, rules: rules)
        func answers(_ headers: String) -> Bool {
            var (request, answer) = (get(headers: HitHandlerTests.token + headers), ByteBuffer())
            if case .answered = hits.answer(&request, into: &answer) { return true }
            return false
        }
        #expect(answers("X-Vault-Request: true\r\n"))
        #expect(!answers(""))
        #expect(!answers("X-Vault-Request: 1\r\n"))
    }
}

/// How often more was asked of the client.
private final class Reads: ChannelOutboundHandler {
    typealias OutboundIn = Never

    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}
