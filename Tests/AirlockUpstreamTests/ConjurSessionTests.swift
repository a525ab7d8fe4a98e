import Foundation
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct ConjurSessionTests {
    private let time = ManualTime()
    private let conjur = FakeConjur()
    private let login = "POST authn/default/host%2Fa%20b/authenticate"

    private func file(_ text: String) throws -> String {
        let path = NSTemporaryDirectory() + "airlock-conjur-\(UUID().uuidString)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    // MARK: Logins

    struct Transcript: CustomTestStringConvertible {
        let kwargs: String
        let request: String
        let body: String
        let type: String?
        var testDescription: String { request }
    }

    @Test(arguments: [
        Transcript(
            kwargs: #""authn_login": "admin""#, request: "POST authn/default/admin/authenticate", body: "key",
            type: "text/plain"),
        Transcript(
            kwargs: #""authn_login": "host/a b", "authn_cert_file": "/of-the-gateway.pem""#,
            request: "POST authn/default/host%2Fa%20b/authenticate", body: "key", type: "text/plain"),
        Transcript(
            kwargs: #""authn_type": "ldap", "service_id": "corp", "authn_login": "alice""#,
            request: "POST authn-ldap/corp/default/alice/authenticate", body: "key", type: "text/plain"),
        Transcript(
            kwargs: #""authn_type": "jwt", "service_id": "k8s""#,
            request: "POST authn-jwt/k8s/default/authenticate", body: "jwt=a.b%2Bc",
            type: "application/x-www-form-urlencoded"),
        Transcript(
            kwargs: #""authn_type": "jwt", "service_id": "k8s", "authn_login": "host/x""#,
            request: "POST authn-jwt/k8s/default/host%2Fx/authenticate", body: "jwt=a.b%2Bc",
            type: "application/x-www-form-urlencoded"),
        Transcript(
            kwargs: #""authn_type": "cert", "service_id": "vms", "authn_cert_file": "/c.pem""#,
            request: "POST authn-cert/vms/default/authenticate", body: "", type: nil),
        Transcript(
            kwargs: #""authn_type": "cert", "authn_login": "host/x", "authn_cert_file": "/c.pem""#,
            request: "POST authn/default/host%2Fx/authenticate", body: "", type: nil),
        Transcript(
            kwargs: #""authn_type": "k8s", "service_id": "prod/eu", "authn_login": "host/x", "authn_cert_file": "/c""#,
            request: "POST authn-k8s/prod/eu/default/host%2Fx/authenticate", body: "", type: nil),
    ])
    func `Each login is one request`(transcript: Transcript) async throws {
        #expect(try await TestConjur(conjur, login: transcript.kwargs).read("a") == nil)
        #expect(conjur.seen == [transcript.request, "GET secrets/default/variable/a"])
        #expect(conjur.bodies[0] == transcript.body)
        let requests = conjur.change { $0.requests }
        #expect(requests[0].headers.map(\.value.revealed) == [transcript.type].compactMap(\.self))
        #expect(requests[0].body != nil)
        #expect(requests[1].headers.map(\.value.revealed) == [FakeConjur.header(1)])
    }

    @Test func `A hundred reads at once make one login`() async throws {
        let test = try TestConjur(conjur, time: time)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { _ = try await test.read("connections/\(number)") } }
            try await group.waitForAll()
        }
        #expect(conjur.change { $0.logins } == 1)
        #expect(conjur.seen.first == login)
        #expect(conjur.seen.count == 101)
    }

    // MARK: Life of a token

    @Test func `A request whose token has died is repeated once after one login`() async throws {
        let test = try TestConjur(conjur, time: time)
        _ = try await test.read("a")
        conjur.change { $0.good = [] }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { _ = try await test.read("connections/\(number)") } }
            try await group.waitForAll()
        }
        #expect(conjur.change { $0.logins } == 2)
    }

    @Test func `A new token that is refused too is a refused credential`() async throws {
        let test = try TestConjur(conjur, time: time)
        _ = try await test.read("a")
        conjur.change { $0.gateway = UpstreamResponse(status: 401) }
        #expect(try await test.failure("a").kind == .unauthenticated)
        #expect(test.upstream.state.isOpen)
    }

    @Test(arguments: [(nil, 320, 450), (3600, 2400, 3375)] as [(Int?, Int, Int)])
    func `A token is replaced before its end and nobody waits for it`(
        lifetime: Int?, renewal: Int, end: Int
    ) async throws {
        let open = Shared(true)
        let conjur = FakeConjur { line in
            while line.hasSuffix("authenticate"), !open.current { try? await Task.sleep(for: .milliseconds(1)) }
        }
        conjur.change { $0.lifetime = lifetime }
        let test = try TestConjur(conjur, time: time)
        _ = try await test.read("a")
        time.advance(seconds: renewal - 1)
        _ = try await test.read("a")
        #expect(conjur.count("POST") == 1)
        open.change { $0 = false }
        time.advance(seconds: 1)
        _ = try await test.read("a")
        _ = try await test.read("b")
        await eventually("a login is under way") { conjur.count("POST") == 2 }
        open.change { $0 = true }
        await eventually("the new token is used") {
            _ = try? await test.read("c")
            let last = conjur.change { $0.requests.last?.headers.first?.value.revealed }
            return last == FakeConjur.header(2, lifetime: lifetime)
        }
        #expect(conjur.change { $0.logins } == 2)
        time.advance(seconds: end)
        open.change { $0 = false }
        let read = Task { try await test.read("d") }
        await eventually("past its end a login comes first") { conjur.count("POST") == 3 }
        #expect(conjur.count("GET secrets/default/variable/d") == 0)
        open.change { $0 = true }
        _ = try await read.value
    }

    @Test func `Refused credentials are tried again less and less often`() async throws {
        conjur.change { $0.refusesLogins = true }
        let test = try TestConjur(conjur, time: time)
        #expect(try await test.failure("a").kind == .unauthenticated)
        for _ in 0..<120 {
            await time.somebodySleeps(seconds: 1)
            time.advance(seconds: 1)
        }
        #expect((6...9).contains(conjur.count(login)))
        conjur.change { $0.refusesLogins = false }
        await eventually("closed") {
            time.advance(seconds: 1)
            return !test.upstream.state.isOpen
        }
        #expect(try await test.read("a") == nil)
    }

    @Test func `A key file is read again at each login`() async throws {
        let path = try file("old\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let test = try TestConjur(
            conjur, login: #""authn_login": "a", "authn_api_key_file": "\#(path)""#, time: time)
        _ = try await test.read("a")
        try "new\n".write(toFile: path, atomically: true, encoding: .utf8)
        conjur.change { $0.good = [] }
        _ = try await test.read("a")
        #expect(conjur.bodies.filter { !$0.isEmpty } == ["old", "new"])
    }

    @Test func `A token in a file is read again at each use and never made`() async throws {
        let token = #"{"protected":"e30=","payload":"e30=","signature":"s"}"#
        let path = try file(token)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let header = "Token token=\"\(Data(token.utf8).base64EncodedString())\""
        conjur.change { $0.good = [header] }
        let test = try TestConjur(conjur, login: #""authn_token_file": "\#(path)""#, time: time)
        #expect(try await test.read("a") == nil)
        conjur.change { $0.good = [] }
        let error = try await test.failure("a")
        #expect(error.kind == .unauthenticated)
        #expect(error.message.contains("authn_token_file"))
        #expect(conjur.count("POST") == 0)
        #expect(test.metrics.counters.keys.allSatisfy { $0.name != .upstreamLogins })
    }

    @Test(arguments: ["<html>", "{}", #"{"signature":1}"#, ""])
    func `What is no access token is not taken for one`(body: String) async throws {
        conjur.change { $0.gateway = UpstreamResponse(status: 200, body: Array(body.utf8)) }
        #expect(try await TestConjur(conjur).failure("a").kind == .malformed)
        #expect(conjur.seen == [login])
    }

    // MARK: Circuit breaker and sharing

    @Test func `After an outage requests fail at once until a probe gets through`() async throws {
        let test = try TestConjur(conjur, time: time)
        _ = try await test.read("a")
        conjur.change { $0.outage = UpstreamError(.timeout, "no answer in time") }
        #expect(try await test.failure("a").kind == .timeout)
        #expect(try await test.failure("a") == UpstreamError(.unavailable, "no answer in time"))
        conjur.change { state in
            state.outage = nil
            state.good = []
        }
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("closed") { !test.upstream.state.isOpen }
        #expect(conjur.count("GET resources/default/variable?limit=1") == 2)
        #expect(try await test.read("a") == nil)
    }
}
