import Foundation
import Synchronization
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

/// Answers from a list, in order, and remembers what was asked.
final class ScriptedTransport: UpstreamTransport {
    private let answers: Mutex<[(Int, String)]>
    private let requests = Mutex<[UpstreamRequest]>([])

    init(_ answers: [(Int, String)]) { self.answers = Mutex(answers) }

    var seen: [String] {
        requests.withLock { $0.map { "\($0.method) \($0.url.dropFirst("http://vault:8200/v1/".count))" } }
    }
    var tokens: [String?] {
        requests.withLock { $0.map { $0.headers.first { $0.name == "X-Vault-Token" }?.value.revealed } }
    }
    var bodies: [String?] { requests.withLock { $0.map { $0.body.map { String(decoding: $0, as: UTF8.self) } } } }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        requests.withLock { $0.append(request) }
        guard let (status, body) = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
            throw UpstreamError(.broken, "the script is at its end")
        }
        return UpstreamResponse(status: status, body: Array(body.utf8))
    }
}

struct VaultClientTests {
    static let canary = "canary-1f88"
    private static let v1 = VaultMount(path: "kv", kvVersion: 1)
    private static let v2 = VaultMount(path: "airflow", kvVersion: 2)
    private static let noErrors = #"{"errors":[]}"#
    private static let denied = #"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#

    private func client(
        _ transport: ScriptedTransport, _ login: VaultLogin = VaultLogin(.token(.given(SecretText("t")))),
        namespace: String? = nil
    ) throws -> VaultClient {
        VaultClient(
            address: try ServerAddress("http://vault:8200"), namespace: namespace, login: login, transport: transport)
    }

    @Test func `A version 2 secret keeps its bytes and its version`() async throws {
        let transport = ScriptedTransport([
            (200, #"{"data": {"data": {"n": 1.0, "b": 12345678901234567890123 }, "metadata": {"version": 7}}}"#)
        ])
        let answer = try await client(transport).read("connections/pg", in: VaultClientTests.v2)
        let bytes = Array(#"{"n": 1.0, "b": 12345678901234567890123 }"#.utf8)
        let metadata = SecretPayload(Array(#"{"version": 7}"#.utf8))
        #expect(answer == Secret(data: SecretPayload(bytes), metadata: metadata, version: 7))
        #expect(transport.seen == ["GET airflow/data/connections/pg"])
        #expect(transport.tokens == ["t"])
    }

    @Test func `A version 1 secret is its data`() async throws {
        let transport = ScriptedTransport([(200, #"{"data":{"value":"x"},"lease_duration":60}"#)])
        let answer = try await client(transport).read("a é/b", in: VaultClientTests.v1)
        #expect(answer == Secret(data: SecretPayload(Array(#"{"value":"x"}"#.utf8)), leaseDuration: 60))
        #expect(transport.seen == ["GET kv/a%20%C3%A9/b"])
    }

    @Test(arguments: [
        (404, #"{"errors":[]}"#, nil), (404, #"{"data":{"data":null,"metadata":{"version":5}}}"#, 5),
    ])
    func `What is not there is an answer`(status: Int, body: String, version: Int?) async throws {
        let answer = try await client(ScriptedTransport([(status, body)])).read("p", in: VaultClientTests.v2)
        #expect((answer != nil) == (version != nil))
        #expect(answer?.version == version)
        #expect(answer?.data == nil)
    }

    @Test(arguments: [
        (404, #"{"errors":["no handler for route \"canary-1f88\""]}"#, UpstreamError.Kind.noSuchMount),
        (404, #"{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine."]}"#, .noSuchMount),
        (404, "<html>canary-1f88</html>", .malformed), (200, "<html>canary-1f88</html>", .malformed),
        (200, #"{"data":{"data":{"canary-1f88"#, .malformed), (200, #"{"data":null}"#, .malformed),
        (200, #"{"data":{"data":["canary-1f88"],"metadata":{"version":1}}}"#, .malformed),
        (307, "", .redirect), (500, #"{"errors":["canary-1f88"]}"#, .failed), (502, "canary-1f88", .unavailable),
        (503, #"{"errors":["Vault is sealed"]}"#, .unavailable), (429, "", .failed),
        (400, #"{"errors":["canary-1f88"]}"#, .rejected), (405, "canary-1f88", .rejected),
    ])
    func `What is no answer is an error without the server's text`(
        status: Int, body: String, kind: UpstreamError.Kind
    ) async throws {
        let error = try await #require(throws: UpstreamError.self) {
            try await client(ScriptedTransport([(status, body)])).read("p", in: VaultClientTests.v2)
        }
        #expect(error.kind == kind)
        #expect(!error.message.contains(VaultClientTests.canary))
    }

    @Test func `A write carries the bytes and the version it may replace`() async throws {
        let transport = ScriptedTransport([(200, #"{"data":{"version":3}}"#), (204, "")])
        let vault = try client(transport)
        let payload = SecretPayload(Array(#"{"a":1.0}"#.utf8))
        #expect(try await vault.write("p", payload, in: VaultClientTests.v2, replacing: 2) == 3)
        #expect(try await vault.write("p", payload, in: VaultClientTests.v1, replacing: 0) == nil)
        #expect(transport.bodies == [#"{"data":{"a":1.0},"options":{"cas":2}}"#, #"{"a":1.0}"#])
        #expect(transport.seen == ["POST airflow/data/p", "POST kv/p"])
    }

    @Test func `A secret changed meanwhile is a conflict`() async throws {
        let transport = ScriptedTransport([
            (400, #"{"errors":["check-and-set parameter did not match the current version"]}"#)
        ])
        let error = try await #require(throws: UpstreamError.self) {
            try await client(transport).write("p", SecretPayload([]), in: VaultClientTests.v2, replacing: 0)
        }
        #expect(error.kind == .conflict)
    }

    @Test func `A list asks for the folder and an empty folder is empty`() async throws {
        let transport = ScriptedTransport([
            (200, #"{"data":{"keys":["a","b/"]}}"#), (404, VaultClientTests.noErrors), (404, VaultClientTests.noErrors),
        ])
        let vault = try client(transport)
        #expect(try await vault.list("connections", in: VaultClientTests.v2) == ["a", "b/"])
        #expect(try await vault.list("", in: VaultClientTests.v2) == [])
        #expect(try await vault.list("", in: VaultClientTests.v1) == [])
        #expect(
            transport.seen == [
                "GET airflow/metadata/connections?list=true", "GET airflow/metadata?list=true", "GET kv?list=true",
            ])
    }

    @Test(arguments: [
        (200, #"{"data":{"type":"kv","options":{"version":"2"},"path":"airflow/"}}"#, 2),
        (200, #"{"data":{"type":"kv","options":null,"path":"kv/"}}"#, 1),
        (200, #"{"data":{"path":"airflow/","options":{"version":"2"}}}"#, 2), (404, #"{"errors":[]}"#, nil),
    ])
    func `The version of a mount is found out`(status: Int, body: String, version: Int?) async throws {
        #expect(try await client(ScriptedTransport([(status, body)])).kvVersion(ofMount: "airflow") == version)
    }

    @Test func `A login comes first and its token is used by all`() async throws {
        let transport = ScriptedTransport([
            (200, #"{"auth":{"client_token":"new"}}"#), (404, VaultClientTests.noErrors),
            (404, VaultClientTests.noErrors),
        ])
        let login = VaultLogin(
            .approle(roleID: "r", secretID: .given(SecretText("s")), isWrapped: false), mount: "ap")
        let vault = try client(transport, login, namespace: "team")
        _ = try await vault.read("a", in: VaultClientTests.v2)
        _ = try await vault.read("b", in: VaultClientTests.v2)
        #expect(transport.seen == ["POST auth/ap/login", "GET airflow/data/a", "GET airflow/data/b"])
        #expect(transport.bodies.first == #"{"role_id":"r","secret_id":"s"}"#)
        #expect(transport.tokens == [nil, "new", "new"])
    }

    @Test func `A token that has expired is replaced by one more login`() async throws {
        let transport = ScriptedTransport([
            (200, #"{"auth":{"client_token":"old"}}"#), (403, #"{"errors":["permission denied"]}"#),
            (403, #"{"errors":["permission denied"]}"#), (200, #"{"auth":{"client_token":"new"}}"#),
            (404, VaultClientTests.noErrors),
        ])
        let login = VaultLogin(.userpass(username: "u x", password: SecretText("p")))
        #expect(try await client(transport, login).read("a", in: VaultClientTests.v2) == nil)
        #expect(
            transport.seen == [
                "POST auth/userpass/login/u%20x", "GET airflow/data/a", "GET auth/token/lookup-self",
                "POST auth/userpass/login/u%20x", "GET airflow/data/a",
            ])
        #expect(transport.tokens == [nil, "old", "old", nil, "new"])
    }

    @Test func `A good token without the right is denied and does not log in again`() async throws {
        let transport = ScriptedTransport([(403, VaultClientTests.denied), (200, #"{"data":{}}"#)])
        let error = try await #require(throws: UpstreamError.self) {
            try await client(transport).read("a", in: VaultClientTests.v2)
        }
        #expect(error.kind == .denied)
    }

    @Test func `A token that was given and is not accepted says so`() async throws {
        let transport = ScriptedTransport([(403, VaultClientTests.denied), (403, VaultClientTests.denied)])
        let error = try await #require(throws: UpstreamError.self) {
            try await client(transport).read("a", in: VaultClientTests.v2)
        }
        #expect(error.kind == .unauthenticated)
    }

    @Test func `A refused login names its mount`() async throws {
        let transport = ScriptedTransport([(400, #"{"errors":["invalid role or secret ID"]}"#)])
        let error = try await #require(throws: UpstreamError.self) {
            try await client(transport, VaultLogin(.approle(roleID: "r", secretID: nil, isWrapped: false)))
                .read("a", in: VaultClientTests.v2)
        }
        #expect(error.kind == .unauthenticated)
        #expect(error.message.contains("auth/approle"))
    }

    @Test func `A token file is read at each login without its newline`() async throws {
        let path = NSTemporaryDirectory() + "airlock-token-\(UUID().uuidString)"
        try "from-file\n".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let transport = ScriptedTransport([(404, VaultClientTests.noErrors)])
        _ = try await client(transport, VaultLogin(.token(.file(path: path, key: "token_path")))).read(
            "a", in: VaultClientTests.v2)
        #expect(transport.tokens == ["from-file"])
    }
}
