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
        #expect(try passedOn(channel) == 200 - answers.split(separator: "HTTP/1.1 200 OK").count)
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

    @Test func `A listener that asks for X-Vault-Request asks for it of a hit, too`() async throws {
        let (server, _) = try await connection()
        var rules = ListenerRules()
        rules.requiresRequestHeader = true
        let hits = Hits(services: server.hits.services, rules: rules)
        func answers(_ headers: String) -> Bool {
            var (request, answer) = (get(headers: HitHandlerTests.token + headers), ByteBuffer())
            return hits.answer(&request, into: &answer)
        }
        #expect(answers("X-Vault-Request: true\r\n"))
        #expect(!answers(""))
        #expect(!answers("X-Vault-Request: 1\r\n"))
    }
}
