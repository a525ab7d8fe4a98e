import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct VaultUpstreamTests {
    private static let canary = "canary-6d02"

    private static func version(_ number: Int, _ data: String, more: String = "") -> String {
        #"{"data": {"data": \#(data), "metadata": {"created_time":"2026-11-21T09:16:0\#(number).5Z","version":\#(number)\#(more)}}}"#
    }

    @Test func `A Vault behaves as a backend must`() async throws {
        let vault = FakeVault()
        let gone = VaultUpstreamTests.version(1, "null", more: #","deletion_time":"2026-11-21T10:00:00Z""#)
        vault.change { state in
            let found = "airflow/data/folder/found"
            state.answers[found] = (200, VaultUpstreamTests.version(2, BackendBehaviour.Prepared.second))
            state.answers[found + "?version=1"] = (200, VaultUpstreamTests.version(1, BackendBehaviour.Prepared.first))
            state.answers["airflow/data/folder/deleted"] = (404, gone)
            state.answers["airflow/metadata/folder/?list=true"] = (
                200, #"{"data":{"keys":["deleted","denied","found"]}}"#
            )
            state.denied = ["airflow/data/folder/denied"]
        }
        try await BackendBehaviour(backend: try TestUpstream(vault).upstream).check()
    }

    @Test func `A version 2 secret keeps its metadata's bytes and its time`() async throws {
        let vault = FakeVault()
        vault.change { $0.answers["airflow/data/a"] = (200, VaultUpstreamTests.version(7, #"{"n": 1.50}"#)) }
        let secret = try #require(try await TestUpstream(vault).read("a"))
        let metadata = #"{"created_time":"2026-11-21T09:16:07.5Z","version":7}"#
        #expect(secret.metadata == SecretPayload(Array(metadata.utf8)))
        #expect(secret.created?.rfc3339 == "2026-11-21T09:16:07.5Z")
        #expect(secret.leaseDuration == 0)
    }

    @Test func `A version 1 secret has a lease and no version`() async throws {
        let vault = FakeVault()
        vault.change { $0.answers["airflow/a"] = (200, #"{"lease_duration":1800,"data":{"ttl":"30m"}}"#) }
        let secret = try await TestUpstream(vault, kvVersion: 1).read("a")
        #expect(secret == Secret(data: SecretPayload(Array(#"{"ttl":"30m"}"#.utf8)), leaseDuration: 1800))
    }

    @Test(arguments: [
        (500, "", UpstreamError.Kind.failed), (501, "", .unavailable), (502, "<html>", .unavailable),
        (503, #"{"errors":["Vault is sealed"]}"#, .unavailable), (504, "", .unavailable), (429, "", .failed),
        (404, "<html>canary-6d02</html>", .malformed), (200, "<html>canary-6d02</html>", .malformed),
        (404, #"{"errors":["no handler for route \"canary-6d02\""]}"#, .noSuchMount),
        (404, #"{"errors":["namespace not found"]}"#, .noSuchMount), (204, "", .malformed),
        (200, #"{"data":{"data":{"a":"canary-6d02"}}}"#, .malformed), (404, "", .malformed),
        (200, #"{"data":{"data":null,"metadata":{"version":1}}}"#, .malformed), (302, "", .redirect),
        (200, #"{"data":{"data":{"a":1},"metadata":{"version":"1"}}}"#, .malformed), (403, "", .malformed),
        (403, "<html>canary-6d02</html>", .malformed), (403, #"{"errors":["permission denied"]}"#, .denied),
    ])
    func `An error is never taken for absent`(status: Int, body: String, kind: UpstreamError.Kind) async throws {
        let vault = FakeVault()
        vault.change { $0.answers["airflow/data/a"] = (status, body) }
        let error = try await TestUpstream(vault).failure("a")
        #expect(error.kind == kind)
        #expect(!error.message.contains(VaultUpstreamTests.canary))
    }

    @Test func `The identity tells servers and mounts apart and holds no credential`() throws {
        func identity(_ kwargs: String, mount: String = "airflow", kvVersion: Int = 2) throws -> String {
            let server = try TestUpstream(FakeVault(), "\(TestUpstream.approle), \(kwargs)").server
            return VaultUpstream(server: server, mount: VaultMount(path: mount, kvVersion: kvVersion)).identity
        }
        #expect(try identity(#""namespace": "/team/""#) == "vault http://vault:8200 team airflow v2")
        let all = [
            try identity(#""namespace": null"#), try identity(#""namespace": "a b""#, mount: "c"),
            try identity(#""namespace": "a""#, mount: "b c"), try identity(#""url": "unix:///run/one""#),
            try identity(#""url": "unix:///run/two""#), try identity(#""namespace": null"#, kvVersion: 1),
        ]
        #expect(Set(all).count == all.count)
    }

    // MARK: Forwarding

    private func request(_ method: String, _ path: String, query: String = "", body: String = "") -> ForwardedRequest {
        ForwardedRequest(
            method: method, path: path, query: query, contentType: body.isEmpty ? nil : "application/merge-patch+json",
            body: SecretPayload(Array(body.utf8)))
    }

    @Test func `A forwarded request goes as it came and the answer comes as it is`() async throws {
        let vault = FakeVault()
        vault.change { state in
            state.good = ["c"]
            state.answers["airflow/data/a%20%C3%A9%3F?x=1&y=%2F"] = (418, #"{ "tea":1.0}"#)
        }
        let answer = try await TestUpstream(vault).upstream.forward(
            request("PATCH", "data/a é?", query: "x=1&y=%2F", body: "{ }"), as: .client(SecretText("c")))
        #expect(answer.status == 418)
        #expect(answer.body == SecretPayload(Array(#"{ "tea":1.0}"#.utf8)))
        #expect(vault.seen == ["PATCH airflow/data/a%20%C3%A9%3F?x=1&y=%2F"])
        #expect(vault.tokens == ["c"])
    }

    @Test(arguments: [
        (200, "<html>Please sign in</html>", UpstreamError.Kind.malformed), (403, "<html></html>", .malformed),
        (200, #"{"data":"#, .malformed), (200, "[]", .malformed), (307, "", .redirect), (302, "{}", .redirect),
    ])
    func `What is no answer of a Vault is not passed on`(
        status: Int, body: String, kind: UpstreamError.Kind
    ) async throws {
        let vault = FakeVault()
        vault.change { state in
            state.good = ["c"]
            state.answers["airflow/data/a"] = (status, body)
        }
        let upstream = try TestUpstream(vault)
        let write = request("POST", "data/a", body: "{}")
        let error = try await #require(throws: UpstreamError.self) {
            _ = try await upstream.upstream.forward(write, as: .client(SecretText("c")))
        }
        #expect(error.kind == kind)
    }

    @Test(arguments: [(204, ""), (404, ""), (404, #"{"errors":[]}"#), (500, #"{"errors":["x"]}"#)])
    func `Any answer of a Vault is passed on`(status: Int, body: String) async throws {
        let vault = FakeVault()
        vault.change { state in
            state.good = ["c"]
            state.answers["airflow/data/a"] = (status, body)
        }
        let upstream = try TestUpstream(vault).upstream
        let answer = try await upstream.forward(request("PATCH", "data/a", body: "{}"), as: .client(SecretText("c")))
        #expect(answer.status == status)
        #expect(answer.body == SecretPayload(Array(body.utf8)))
    }

    @Test func `A client's call carries the client's token and logs nobody in`() async throws {
        let vault = FakeVault()
        let upstream = try TestUpstream(vault)
        let client = Credential.client(SecretText("dead"))
        #expect(try await upstream.upstream.forward(request("LIST", "metadata/"), as: client).status == 403)
        #expect(try await upstream.failure("a", as: client).kind == .denied)
        #expect(vault.seen == ["LIST airflow/metadata/", "GET airflow/data/a"])
        #expect(vault.tokens == ["dead", "dead"])
        #expect(!upstream.upstream.state.isOpen)
    }

    @Test func `A forwarded request repeats after one login when Airlock's token has died`() async throws {
        let vault = FakeVault()
        vault.change { $0.denied = ["airflow/data/secret"] }
        let upstream = try TestUpstream(vault)
        _ = try await upstream.read("a")
        vault.change { $0.good = [] }
        let answer = try await upstream.upstream.forward(request("POST", "data/secret", body: "{}"), as: .own)
        #expect(answer.status == 403)
        #expect(vault.change { $0.logins } == 2)
        #expect(vault.count("POST airflow/data/secret") == 2)
    }

    @Test(arguments: ["data/../../sys/mounts", "data//x", "./data", ".."])
    func `A path that leads out of the mount is not sent`(path: String) async throws {
        let vault = FakeVault()
        let upstream = try TestUpstream(vault).upstream
        let error = try await #require(throws: UpstreamError.self) {
            _ = try await upstream.forward(request("GET", path), as: .own)
        }
        #expect(error.kind == .invalid)
        #expect(vault.seen == [])
    }

    @Test func `Writes have more time than reads unless the kwargs say otherwise`() async throws {
        for (kwargs, read, write) in [("", 2, 30), (#", "timeout": 5"#, 5, 5)] {
            let vault = FakeVault()
            let upstream = try TestUpstream(vault, TestUpstream.approle + kwargs).upstream
            for method in ["GET", "POST"] {
                _ = try await upstream.forward(request(method, "data/a"), as: .client(SecretText("c")))
            }
            #expect(vault.change { $0.requests.map(\.timeout) } == [.seconds(read), .seconds(write)])
        }
    }
}
