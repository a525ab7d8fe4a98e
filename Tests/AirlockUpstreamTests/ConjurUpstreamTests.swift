import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct ConjurUpstreamTests {
    private static let canary = "canary-90c1"
    private let conjur = FakeConjur()

    // MARK: Reading

    @Test func `Conjur behaves as a backend must with one variable a secret`() async throws {
        conjur.change { state in
            state.variables = [
                "b/folder/found": ["one", "é/"], "b/folder/deleted": [], "b/folder/denied": ["x"], "other/x": ["x"],
            ]
            state.denied = ["b/folder/denied"]
        }
        let upstream = try TestConjur(conjur, #""policy_branch": "b", "fields": {"folder": "b"}"#).upstream
        try await BackendBehaviour(
            backend: upstream, keeps: .olderTexts, first: #"{"b":"one"}"#, second: #"{"b":"é/"}"#
        ).check()
    }

    @Test func `Conjur behaves as a backend must with one variable a field`() async throws {
        conjur.change { state in
            state.variables = [
                "folder/found/b": ["one", "é/"], "folder/deleted/b": [], "folder/denied/b": ["x"], "x": ["x"],
            ]
            state.denied = ["folder/denied/b"]
        }
        let upstream = try TestConjur(conjur, #""mapping": "fields""#).upstream
        try await BackendBehaviour(backend: upstream, keeps: .texts, second: #"{"b":"é/"}"#).check()
    }

    @Test func `On KV version 1 there is a lease and no metadata`() async throws {
        conjur.change { $0.variables = ["connections/pg": ["u"]] }
        let secret = try await TestConjur(conjur, kvVersion: 1).upstream.read(
            try SecretPath("connections/pg"), version: nil, as: .own)
        #expect(
            secret == Secret(data: SecretPayload(Array(#"{"conn_uri":"u"}"#.utf8)), leaseDuration: Mount.systemLeaseTTL)
        )
    }

    @Test(arguments: [
        (200, "text/html", "<html>canary-90c1</html>", UpstreamError.Kind.malformed),
        (404, "text/html", "<html>", .malformed), (404, "", "", .malformed), (403, "text/html", "<html>", .malformed),
        (403, "", "", .denied), (204, "", "", .malformed), (302, "", "", .redirect), (500, "", "", .failed),
        (429, "", "", .failed), (502, "text/html", "<html>", .unavailable), (503, "", "", .unavailable),
        (400, "", "", .rejected), (401, "", "", .unauthenticated),
    ])
    func `An error is never taken for absent`(
        status: Int, type: String, body: String, kind: UpstreamError.Kind
    ) async throws {
        let test = try TestConjur(conjur)
        #expect(try await test.read("a") == nil)
        conjur.change {
            $0.gateway = UpstreamResponse(
                status: status, headers: [("content-type", type)], body: Array(body.utf8))
        }
        let error = try await test.failure("a")
        #expect(error.kind == kind)
        #expect(!error.message.contains(ConjurUpstreamTests.canary))
    }

    @Test(arguments: ["{}", "[{}]", #"[{"id":"other:variable:x"}]"#, "<html>", ""])
    func `A list that is not Conjur's is no list`(body: String) async throws {
        let test = try TestConjur(conjur)
        #expect(try await test.upstream.list("", as: .own) == [])
        conjur.change { $0.gateway = UpstreamResponse(status: 200, body: Array(body.utf8)) }
        let error = try await #require(throws: UpstreamError.self) { try await test.upstream.list("", as: .own) }
        #expect(error.kind == .malformed)
    }

    @Test func `A page that Conjur marks as an attachment is a value`() async throws {
        let test = try TestConjur(conjur)
        _ = try await test.read("a")
        conjur.change {
            $0.gateway = UpstreamResponse(
                status: 200, headers: [("content-type", "text/html"), ("content-disposition", "attachment")],
                body: Array("<p>".utf8))
        }
        #expect(try await test.read("a") == #"{"key":"\u003cp\u003e"}"#)
    }

    @Test(arguments: ["a b", "100%", "a+b", "x%2Fy", "é/ü", "a/b/c", "#?&=", "comma,s"])
    func `An id goes as one part of the path`(name: String) async throws {
        conjur.change { $0.variables = ["team/\(name)": ["v"]] }
        #expect(try await TestConjur(conjur, #""policy_branch": "team""#).read(name) == #"{"key":"v"}"#)
        let target = try #require(conjur.seen.last)
        #expect(target.split(separator: "/", omittingEmptySubsequences: false).count == 4)
        #expect(!target.contains("+"))
    }

    // MARK: Batches

    @Test func `Fields are read in chunks and one by one where one has no value`() async throws {
        conjur.change { state in
            for number in 100..<220 { state.variables["s/f\(number)"] = ["\(number)"] }
            state.variables["s/f155"] = []
            state.variables["s/f,"] = ["comma"]
        }
        let text = try #require(try await TestConjur(conjur, #""mapping": "fields""#).read("s"))
        let members = try #require(try JSON(parsing: text).members)
        #expect(members.count == 120)
        #expect(members.map(\.name) == members.map(\.name).sorted())
        #expect(members.first?.value.text == "comma")
        #expect(conjur.count("GET secrets?") == 3)
        #expect(conjur.count("GET secrets/") == 51)
    }

    @Test func `Chunks keep below the limits of a URL`() {
        let long = (0..<40).map { "\(String(repeating: "é", count: 60))\($0)" }
        for ids in [long, (0..<200).map { "s/\($0)" }] {
            let chunks = ConjurBatch.chunks(of: ids, account: "default")
            #expect(chunks.flatMap(\.self) == ids)
            #expect(chunks.allSatisfy { $0.count <= 50 })
            #expect(
                chunks.allSatisfy { ConjurBatch.target($0, account: "default").utf8.count <= ConjurBatch.lengthLimit })
        }
        #expect(ConjurBatch.chunks(of: ["a", "b,", "c"], account: "x") == [["b,"], ["a", "c"]])
        #expect(ConjurBatch.chunks(of: [String(repeating: "x", count: 5000)], account: "x").count == 1)
    }

    @Test func `A field that is denied denies the secret`() async throws {
        conjur.change { state in
            state.variables = ["s/a": ["1"], "s/b": ["2"]]
            state.denied = ["s/b"]
        }
        #expect(try await TestConjur(conjur, #""mapping": "fields""#).failure("s").kind == .denied)
    }

    // MARK: Writing

    @Test func `A variable that is not there is made in the branch and then set`() async throws {
        conjur.change { $0.busy = 2 }
        let time = ManualTime()
        let test = try TestConjur(conjur, #""policy_branch": "prod/air flow""#, time: time)
        let write = Task { try await test.send("POST", "data/connections/pg", #"{"data":{"conn_uri":"u"}}"#) }
        for (number, pause) in [(1, Duration.milliseconds(100)), (2, .milliseconds(200))] {
            await eventually("pause \(number)") {
                time.wakeUps == [time.now.adding(nanoseconds: Int64(pause / .nanoseconds(1)))]
            }
            time.advance(seconds: 1)
        }
        #expect(try await write.value.status == 200)
        #expect(conjur.change { $0.variables } == ["prod/air flow/connections/pg": ["u"]])
        #expect(conjur.count("POST policies/default/policy/prod%2Fair%20flow") == 3)
        #expect(conjur.bodies.contains("- !variable \"connections/pg\"\n"))
    }

    @Test func `A policy that stays busy is an error that says so`() async throws {
        conjur.change { $0.busy = 100 }
        let time = ManualTime()
        let test = try TestConjur(conjur, time: time)
        let write = Task { try await test.send("POST", "data/a", #"{"data":{"key":"v"}}"#) }
        await eventually("given up") {
            time.advance(seconds: 10)
            return conjur.count("POST policies/") == 8
        }
        let error = try await #require(throws: UpstreamError.self) { _ = try await write.value }
        #expect(error.kind == .conflict)
        #expect(!test.upstream.state.isOpen)
    }

    @Test(arguments: [(422, "HTTP 422"), (404, "no policy branch root")])
    func `A policy that Conjur does not take is the writer's to know`(status: Int, words: String) async throws {
        conjur.change { $0.loading = status }
        let test = try TestConjur(conjur)
        let error = try await #require(throws: AirlockError.self) {
            try await test.send("POST", "data/a", #"{"data":{"key":"v"}}"#)
        }
        #expect(error.code == .badRequest)
        #expect(error.message?.contains(words) == true)
        #expect(error.message?.contains(ConjurUpstreamTests.canary) == false)
    }

    @Test func `A follower that takes no writes is told as one`() async throws {
        let test = try TestConjur(conjur)
        _ = try await test.read("a")
        conjur.change { $0.gateway = FakeConjur.error(405) }
        let error = try await #require(throws: AirlockError.self) {
            try await test.send("POST", "data/a", #"{"data":{"key":"v"}}"#)
        }
        #expect(error.code == .notAllowed)
        #expect(error.message?.contains("follower") == true)
    }

    @Test func `Fields are made by one policy before the first is set`() async throws {
        conjur.change { $0.loading = 422 }
        conjur.change { $0.variables = ["s/a": ["1"]] }
        let test = try TestConjur(conjur, #""mapping": "fields""#)
        let body = #"{"data":{"a":"x","b":"y","c":"z"}}"#
        await #expect(throws: AirlockError.self) { try await test.send("POST", "data/s", body) }
        #expect(conjur.change { $0.variables } == ["s/a": ["1"]])
        conjur.change { $0.loading = 201 }
        try await test.send("POST", "data/s", body)
        #expect(conjur.change { $0.variables } == ["s/a": ["1", "x"], "s/b": ["y"], "s/c": ["z"]])
        #expect(conjur.bodies.contains("- !variable \"s/b\"\n- !variable \"s/c\"\n"))
    }

    @Test func `A write that is half done is told as one that may have been done`() async throws {
        conjur.change { state in
            state.variables = ["s/a": ["1"], "s/b": ["2"]]
            state.denied = ["s/b"]
        }
        let test = try TestConjur(conjur, #""mapping": "fields""#)
        let error = try await #require(throws: UpstreamError.self) {
            try await test.send("POST", "data/s", #"{"data":{"a":"x","b":"y"}}"#)
        }
        #expect(error.kind == .broken)
        #expect(!test.upstream.state.isOpen)
    }

    @Test(arguments: [
        ("DELETE", "data/a", ""), ("DELETE", "metadata/a", ""), ("POST", "delete/a", "{}"), ("PUT", "destroy/a", "{}"),
    ])
    func `A delete is refused and says that Conjur removes by policy`(
        method: String, path: String, body: String
    ) async throws {
        let test = try TestConjur(conjur)
        let error = try await #require(throws: AirlockError.self) { try await test.send(method, path, body) }
        #expect(error.code == .notAllowed)
        #expect(error.message?.contains("Conjur removes variables by policy") == true)
        #expect(conjur.seen == [])
    }

    @Test(arguments: [("a b", "a b"), (#"q"\e"#, #"q\"\\e"#), ("é\u{2028}😀", #"\u00e9\u2028\U0001f600"#)])
    func `Names are quoted for every YAML`(name: String, quoted: String) {
        #expect(ConjurUpstream.quoted(name) == "\"\(quoted)\"")
    }

    // MARK: Identity

    @Test func `The identity tells mounts apart and holds no credential`() throws {
        func identity(_ kwargs: String, kvVersion: Int = 2) throws -> String {
            try TestConjur(conjur, kwargs, kvVersion: kvVersion).upstream.identity
        }
        let all = [
            try identity(""), try identity("", kvVersion: 1), try identity(#""policy_branch": "a b""#),
            try identity(#""policy_branch": "a""#), try identity(#""mapping": "fields""#),
            try identity(#""fields": {"": "value"}"#),
        ]
        #expect(Set(all).count == all.count)
        #expect(all.allSatisfy { $0.hasPrefix("conjur http://conjur default ") && !$0.contains("host") })
        #expect(try TestConjur(conjur).upstream.kind == "conjur")
    }

    @Test func `A client's token is never sent to Conjur`() async throws {
        let upstream = try TestConjur(conjur).upstream
        let error = try await #require(throws: UpstreamError.self) {
            _ = try await upstream.read(try SecretPath("a"), version: nil, as: .client(SecretText("c")))
        }
        #expect(error.kind == .unsupported)
        #expect(conjur.seen == [])
    }
}
