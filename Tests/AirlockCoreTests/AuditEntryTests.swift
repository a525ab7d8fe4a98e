import Foundation
import Testing

@testable import AirlockCore

/// What the audit log says, and what it does not.
struct AuditEntryTests {
    /// In the place of a code: the text between brackets, so that a test can say which text it is that is hashed.
    private static let hash = AuditHash { "[\($0)]" }
    private static let moment = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

    private static func hashed(_ text: String, as part: AuditHash.Part) throws -> String {
        String(decoding: hash.hashed(try JSON(parsing: text), as: part).bytes, as: UTF8.self)
    }

    @Test func `Strings are hashed wherever they stand, names, numbers, truth and null are not`() throws {
        #expect(
            try Self.hashed(#"{"k":"v","n":1.50,"b":true,"x":null,"l":["a",{"":""}]}"#, as: .answer)
                == #"{"k":"hmac-sha256:[v]","n":1.50,"b":true,"x":null,"l":["hmac-sha256:[a]",{"":"hmac-sha256:[]"}]}"#)
    }

    @Test func `Of a secret the numbers are hashed too, digit by digit`() throws {
        #expect(try Self.hashed(#"{"pin":0.10}"#, as: .secret) == #"{"pin":"hmac-sha256:[0.10]"}"#)
    }

    @Test func `Times that the server made stay readable in answers, and nowhere else`() throws {
        let text = #"{"created_time":"2026-11-21T17:14:53Z"}"#
        #expect(try Self.hashed(text, as: .answer) == text)
        #expect(try Self.hashed(text, as: .secret) == #"{"created_time":"hmac-sha256:[2026-11-21T17:14:53Z]"}"#)
        #expect(try Self.hashed(#"{"any_time":"s3cret"}"#, as: .answer) == #"{"any_time":"hmac-sha256:[s3cret]"}"#)
        #expect(
            try Self.hashed(#"{"time":"2026-11-21T17:14:53Z"}"#, as: .answer)
                == #"{"time":"hmac-sha256:[2026-11-21T17:14:53Z]"}"#)
    }

    @Test func `Stored bytes are looked into, and hashed whole when they are no JSON`() {
        let stored = JSON.object([.init("data", .verbatim(Array(#"{"k":"v"}"#.utf8)))])
        #expect(Self.hash.hashed(stored, as: .secret) == ["data": ["k": "hmac-sha256:[v]"]])
        #expect(Self.hash.hashed(.verbatim(Array("not JSON".utf8)), as: .secret) == "hmac-sha256:[not JSON]")
    }

    private static func audited(_ operation: String = "update") -> AuditedRequest {
        AuditedRequest(
            id: "id", operation: operation, path: "secret/data/a", namespace: .own(.root), source: "127.0.0.1",
            token: SecretPayload(Array("tok".utf8)))
    }

    private static func line(_ bytes: [UInt8]) throws -> JSON {
        #expect(bytes.last == 0x0A && bytes.count { $0 == 0x0A } == 1)
        return try JSON(parsing: bytes)
    }

    @Test func `Of a request all is hashed, of an answer the secret whole and the rest as Vault does`() throws {
        var audited = Self.audited()
        audited.secrets = .member("data")
        audited.data = ["options": ["cas": 1], "data": ["pin": 1234]]
        let entry = AuditEntry(audited, hash: Self.hash)
        let request = try Self.line(entry.requestLine(at: Self.moment))
        let told: JSON = ["options": ["cas": "hmac-sha256:[1]"], "data": ["pin": "hmac-sha256:[1234]"]]
        #expect(request["request"]?["data"] == told)
        var answer = AuditedAnswer()
        answer.data = ["data": ["pin": 1234], "metadata": ["created_time": "2026-11-21T17:14:53Z", "version": 3]]
        let response = try Self.line(entry.responseLine(at: Self.moment, answer))
        #expect(response["response"]?["data"]?["data"] == ["pin": "hmac-sha256:[1234]"])
        #expect(response["response"]?["data"]?["metadata"] == answer.data["metadata"])
        #expect(response["request"] == request["request"])
        #expect(response["auth"] == request["auth"])
    }

    @Test func `An answer that nothing is known of is hashed as a secret`() throws {
        var answer = AuditedAnswer()
        answer.data = ["n": 1]
        let response = try Self.line(AuditEntry(Self.audited(), hash: Self.hash).responseLine(at: Self.moment, answer))
        #expect(response["response"]?["data"] == ["n": "hmac-sha256:[1]"])
    }

    @Test func `A stranger is told by the code of what was sent and by the reason`() throws {
        let entry = AuditEntry(Self.audited("read"), hash: Self.hash)
        let request = try Self.line(entry.requestLine(at: Self.moment, error: "permission denied"))
        #expect(request["auth"] == ["token_type": "default"])
        #expect(request["request"]?["client_token"] == "hmac-sha256:[tok]")
        #expect(request["error"] == "permission denied")
        #expect(request["time"] == "2027-01-15T08:00:00Z")
    }

    @Test func `Of a new token and of a wrapped answer only codes are told`() throws {
        let entry = AuditEntry(Self.audited(), hash: Self.hash)
        var answer = AuditedAnswer()
        answer.auth = [
            "client_token": "s.new", "accessor": "acc", "policies": ["p"], "lease_duration": 60, "num_uses": 0,
            "entity_id": "", "metadata": .null,
        ]
        answer.displayName = "approle"
        answer.wrapInfo = ["token": "s.wrap", "ttl": 60, "creation_path": "a/b", "wrapped_accessor": "other"]
        let response = try Self.line(entry.responseLine(at: Self.moment, answer))
        let issued: JSON = [
            "client_token": "hmac-sha256:[s.new]", "accessor": "hmac-sha256:[acc]", "display_name": "approle",
            "policies": ["p"], "token_ttl": 60,
        ]
        #expect(response["response"]?["auth"] == issued)
        #expect(response["auth"] == issued)
        #expect(
            response["response"]?["wrap_info"] == [
                "token": "hmac-sha256:[s.wrap]", "ttl": 60, "creation_path": "a/b",
                "wrapped_accessor": "hmac-sha256:[other]",
            ])
    }
}
