import Testing

@testable import conn_import

/// The vectors of https://github.com/fernet/spec (generate.json, verify.json, invalid.json).
struct FernetTests {
    private static let key = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

    private func opened(_ token: String, by key: String = FernetTests.key) throws -> String? {
        try #require(Fernet(key: key)).open(Array(token.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `The token that the specification generates and verifies is opened`() throws {
        let token =
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
        #expect(try opened(token) == "hello")
        #expect(try opened(token, by: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") == nil)
    }

    @Test(arguments: [
        "incorrect mac":
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
        "too short": "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
        "invalid base64":
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
        "payload size not multiple of block size":
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
        "payload padding error":
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
        "incorrect IV (causes padding error)":
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
        "trailing characters after b64 padding":
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==trailingdata",
        "invalid characters in b64":
            "*gAAAAAAdwJ6wAAECAwQFBgcI!CQoLDA0ODy021?cpGVWKZ_eEwC@GM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
        "invalid non-urlsafe characters in b64":
            "gAAAAAAdwJ6wAAEC/AwQFBgcICQoLDA0ODy+021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
    ])
    func `An invalid token is not opened`(_ description: String, _ token: String) throws {
        #expect(try opened(token) == nil, "\(description)")
    }

    /// Both are invalid only to who gives them a time to live. Airflow gives none to what its database holds.
    @Test(arguments: [
        "far-future TS (unacceptable clock skew)":
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
        "expired TTL":
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
    ])
    func `The age of a token does not count`(_ description: String, _ token: String) throws {
        #expect(try opened(token)?.isEmpty == true, "\(description)")
    }

    @Test func `A key is 32 bytes`() {
        for text in ["", "short", FernetTests.key + "AAAA", "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4="] {
            #expect(Fernet(key: text) == nil)
        }
    }
}
