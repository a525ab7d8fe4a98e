import Foundation
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct CurlClientTests {
    static let canary = "canary-5c3e"

    private func failure(
        _ options: CurlClient.Options = .init(), url: String,
        answer: @escaping @Sendable (String) -> String? = { _ in nil }
    ) async throws -> UpstreamError {
        let request = UpstreamRequest(
            method: "POST", url: url, headers: [("X-Vault-Token", SecretText(CurlClientTests.canary))],
            body: Array(CurlClientTests.canary.utf8))
        let error = try await #require(throws: UpstreamError.self) {
            try await CurlClient(options: options).send(request)
        }
        #expect(!error.message.contains(CurlClientTests.canary))
        return error
    }

    @Test func `A request arrives as it was made and the answer comes back whole`() async throws {
        let server = LocalServer { _ in LocalServer.response(201, #"{"a":1}"#, headers: "X-Two: b\r\n") }
        defer { server.stop() }
        let response = try await CurlClient().send(
            UpstreamRequest(
                method: "PUT", url: server.url + "/v1/a%20b?c=d", headers: [("X-One", SecretText("1"))],
                body: Array("body".utf8)))
        #expect(response.status == 201)
        #expect(response.header("x-two") == "b")
        #expect(response.body == Array(#"{"a":1}"#.utf8))
        let seen = try #require(server.seen.first)
        #expect(seen.hasPrefix("PUT /v1/a%20b?c=d HTTP/1.1\r\n"))
        #expect(seen.contains("X-One: 1\r\n"))
        #expect(seen.hasSuffix("\r\n\r\nbody"))
        #expect(!seen.contains("Expect"))
    }

    @Test(arguments: ["GET", "LIST", "DELETE", "POST"])
    func `Any verb is sent and an empty body is a body`(method: String) async throws {
        let server = LocalServer { _ in LocalServer.response(200, "{}") }
        defer { server.stop() }
        let body: [UInt8]? = method == "POST" ? [] : nil
        _ = try await CurlClient().send(UpstreamRequest(method: method, url: server.url + "/x", body: body))
        #expect(server.seen.first?.hasPrefix("\(method) /x HTTP/1.1") == true)
    }

    @Test func `One connection serves requests that follow one another`() async throws {
        let server = LocalServer { _ in LocalServer.response(200, "{}") }
        defer { server.stop() }
        let client = CurlClient()
        for _ in 0..<20 { _ = try await client.send(UpstreamRequest(method: "GET", url: server.url)) }
        #expect(server.seen.count == 20)
        #expect(server.connectionCount == 1)
    }

    @Test func `Many requests at once all get their own answers`() async throws {
        let server = LocalServer { request in
            LocalServer.response(200, String(request.split(separator: " ")[1]))
        }
        defer { server.stop() }
        let client = CurlClient()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let response = try await client.send(
                        UpstreamRequest(method: "GET", url: server.url + "/\(number)"))
                    #expect(response.body == Array("/\(number)".utf8))
                }
            }
            try await group.waitForAll()
        }
        // 32 at a time; libcurl may replace one that looks dead.
        #expect(server.connectionCount < 60)
    }

    @Test func `Nobody listening is refused`() async throws {
        let server = LocalServer { _ in nil }
        server.stop()
        #expect(try await failure(url: server.url).kind == .refused)
    }

    @Test func `A name without an address is unresolved`() async throws {
        var options = CurlClient.Options()
        options.proxies = .byScheme([:])
        #expect(try await failure(options, url: "http://nowhere.invalid:8200/").kind == .unresolved)
    }

    @Test func `A server that never answers ends in a timeout`() async throws {
        let server = LocalServer { _ in nil }
        defer { server.stop() }
        var options = CurlClient.Options()
        options.timeout = .milliseconds(150)
        #expect(try await failure(options, url: server.url).kind == .timeout)
    }

    @Test func `TLS against a plain server says TLS`() async throws {
        let server = LocalServer { _ in nil }
        defer { server.stop() }
        var options = CurlClient.Options()
        options.timeout = .milliseconds(300)
        let kind = try await failure(options, url: "https://127.0.0.1:\(server.port)").kind
        #expect(kind == .tls || kind == .timeout)
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n{canary-5c3e", UpstreamError.Kind.broken),
        ("canary-5c3e is no HTTP\r\nConnection: close\r\n\r\n", .malformed),
        ("Connection: close", .malformed),
    ])
    func `Half an answer or none is an error`(answer: String, kind: UpstreamError.Kind) async throws {
        let server = LocalServer { _ in answer }
        defer { server.stop() }
        let found = try await failure(url: server.url).kind
        #expect(found == kind || found == .broken)
    }

    @Test(arguments: [true, false])
    func `An answer over the limit is not kept`(saysLength: Bool) async throws {
        let body = String(repeating: "x", count: 100_000)
        let server = LocalServer { _ in
            saysLength
                ? LocalServer.response(200, body) : "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\(body)"
        }
        defer { server.stop() }
        var options = CurlClient.Options()
        options.responseLimit = 50_000
        #expect(try await failure(options, url: server.url).kind == .tooLarge)
    }

    @Test func `A redirect is an answer and is not followed`() async throws {
        let server = LocalServer { _ in
            LocalServer.response(307, "", headers: "Location: http://127.0.0.1:1/elsewhere\r\n")
        }
        defer { server.stop() }
        let response = try await CurlClient().send(UpstreamRequest(method: "GET", url: server.url))
        #expect(response.status == 307)
        #expect(server.seen.count == 1)
    }

    @Test func `A cancelled task stops waiting`() async throws {
        let server = LocalServer { _ in nil }
        defer { server.stop() }
        let client = CurlClient()
        let task = Task { try await client.send(UpstreamRequest(method: "GET", url: server.url)) }
        while server.seen.isEmpty { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `A Unix socket serves as well`() async throws {
        let path = NSTemporaryDirectory() + "airlock-\(UUID().uuidString.prefix(8)).sock"
        let server = LocalServer(.unix(path: path)) { _ in LocalServer.response(200, "{}") }
        defer {
            server.stop()
            try? FileManager.default.removeItem(atPath: path)
        }
        var options = CurlClient.Options()
        options.unixSocket = path
        let response = try await CurlClient(options: options).send(
            UpstreamRequest(method: "GET", url: "http://localhost/v1/sys/health"))
        #expect(response.status == 200)
    }

    @Test func `A proxy for the scheme is asked in place of the server`() async throws {
        let proxy = LocalServer { _ in LocalServer.response(200, "{}") }
        defer { proxy.stop() }
        var options = CurlClient.Options()
        options.proxies = .byScheme(["http": SecretText("http://user:pass@127.0.0.1:\(proxy.port)")])
        let client = CurlClient(options: options)
        _ = try await client.send(UpstreamRequest(method: "GET", url: "http://vault.invalid:8200/v1/x"))
        let seen = try #require(proxy.seen.first)
        #expect(seen.hasPrefix("GET http://vault.invalid:8200/v1/x HTTP/1.1"))
        #expect(seen.contains("Proxy-Authorization: Basic"))
    }

    @Test func `A scheme without a proxy goes to the server itself`() async throws {
        let server = LocalServer { _ in LocalServer.response(200, "{}") }
        defer { server.stop() }
        var options = CurlClient.Options()
        options.proxies = .byScheme(["https": SecretText("http://127.0.0.1:1")])
        let response = try await CurlClient(options: options).send(
            UpstreamRequest(method: "GET", url: server.url + "/x"))
        #expect(response.status == 200)
        #expect(server.seen.first?.hasPrefix("GET /x HTTP/1.1") == true)
    }

    @Test func `A host that takes no connection costs the connect timeout alone`() async throws {
        let host = SilentHost()
        defer { host.close() }
        var options = CurlClient.Options()
        options.connectTimeout = .milliseconds(200)
        options.timeout = .seconds(600)
        let begun = ContinuousClock.now
        #expect(try await failure(options, url: host.url).kind == .timeout)
        #expect(ContinuousClock.now - begun < .seconds(300))
    }

    @Test func `Dots in a path are sent as they are`() async throws {
        let server = LocalServer { _ in LocalServer.response(200, "{}") }
        defer { server.stop() }
        _ = try await CurlClient().send(UpstreamRequest(method: "GET", url: server.url + "/v1/a/../b/./c"))
        #expect(server.seen.first?.hasPrefix("GET /v1/a/../b/./c HTTP/1.1") == true)
    }

    @Test func `Kwargs say how a server is reached`() throws {
        let kwargs = try BackendKwargs(
            parsing: """
                {"url": "https://vault:8200", "verify": "/ca.pem", "cert": ["/c.pem", "/k.pem"], "timeout": 0.5}
                """)
        let options = CurlClient.Options(kwargs, connections: 7)
        #expect(options.verification == .authority(path: "/ca.pem"))
        #expect(options.clientCertificate == ClientCertificate(certificate: "/c.pem", key: "/k.pem"))
        #expect(options.timeout == .milliseconds(500))
        #expect(options.connectTimeout == .milliseconds(500))
        #expect(options.unixSocket == nil)
        #expect(options.connectionsPerHost == 7)
        let plain = CurlClient.Options(try BackendKwargs(parsing: #"{"url": "unix:///run/v.sock"}"#), connections: 1)
        #expect(plain.timeout == .seconds(2))
        #expect(plain.unixSocket == "/run/v.sock")
    }

    @Test func `A client that goes away leaves no request hanging`() async throws {
        for _ in 0..<50 {
            let error = await #expect(throws: UpstreamError.self) {
                try await CurlClient().send(UpstreamRequest(method: "GET", url: "http://127.0.0.1:1"))
            }
            #expect(error?.kind == .refused)
        }
    }

    @Test func `A credential with a newline is refused before anything is sent`() async throws {
        let request = UpstreamRequest(
            method: "GET", url: "http://127.0.0.1:1", headers: [("X-Vault-Token", SecretText("canary-5c3e\r\nX: y"))])
        let error = try await #require(throws: UpstreamError.self) { try await CurlClient().send(request) }
        #expect(error.kind == .invalid)
        #expect(!error.message.contains(CurlClientTests.canary))
    }

    @Test(arguments: ["ftp://h/x", "file:///etc/passwd", "http://", "nonsense"])
    func `Only addresses of HTTP servers are tried`(url: String) async throws {
        let kind = try await failure(url: url).kind
        #expect(kind == .invalid || kind == .unresolved)
    }

    @Test func `A missing CA file is named`() async throws {
        var options = CurlClient.Options()
        options.verification = .authority(path: "/nowhere/ca.pem")
        let error = try await failure(options, url: "https://127.0.0.1:1")
        #expect(error.kind == .tls)
        #expect(error.message.contains("/nowhere/ca.pem"))
    }

    @Test func `Requests and answers cannot be printed`() {
        let request = UpstreamRequest(
            method: "GET", url: "http://h/\(CurlClientTests.canary)",
            headers: [("a", SecretText(CurlClientTests.canary))])
        let response = UpstreamResponse(status: 200, body: Array(CurlClientTests.canary.utf8))
        var dumped = ""
        dump(request, to: &dumped)
        dump(response, to: &dumped)
        for text in ["\(request)", "\(response)", dumped] { #expect(!text.contains(CurlClientTests.canary)) }
    }
}
