import Testing

@testable import AirlockCore

/// What the real server answers to the same tokens is compared in Tests/e2e/test_jwt_logins.py; here stand the edges in time,
/// which need a clock that stands still.
@Suite struct JWTExpectationTests {
    private static let now = Timestamp(nanoseconds: 1_800_000_000_500_000_000)

    private func reason(_ claims: String, _ change: (inout JWTExpectation) -> Void = { _ in }) throws -> String? {
        var expected = JWTExpectation()
        change(&expected)
        let claims = try #require(JWTClaims(Array(claims.utf8)))
        do throws(JWTFault) {
            try expected.check(claims, algorithm: "ES256", now: JWTExpectationTests.now)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `a token is good until its end and a minute more`() throws {
        #expect(try reason(#"{"exp":1799999941,"iat":1799999000}"#) == nil)
        #expect(
            try reason(#"{"exp":1799999940,"iat":1799999000}"#)
                == "invalid expiration time (exp) claim: token is expired")
    }

    @Test func `a token is good from its beginning and a minute before`() throws {
        #expect(try reason(#"{"exp":1900000000,"nbf":1800000060}"#) == nil)
        #expect(
            try reason(#"{"exp":1900000000,"nbf":1800000061}"#)
                == "invalid not before (nbf) claim: token not yet valid")
    }

    @Test func `no number makes the times overflow`() throws {
        for number in ["1e300", "-1e300", "9223372036854775807", "-9223372036854775808", "1e16"] {
            #expect(try reason(#"{"exp":\#(number)}"#)?.contains("NumericDate") == true)
            #expect(try reason(#"{"nbf":\#(number),"exp":1900000000}"#)?.contains("NumericDate") == true)
        }
        #expect(try reason(#"{"exp":9000000000000000}"#) { $0.notBeforeLeeway = .max } == nil)
        #expect(try reason(#"{"iat":1800000000}"#) { $0.clockSkewLeeway = .min } == nil)
    }

    @Test func `names that only look alike are not the same`() throws {
        let composed = "{\"iat\":1800000000,\"iss\":\"\u{E9}\",\"aud\":\"\u{E9}\"}"
        #expect(try reason(composed) { $0.issuer = "e\u{301}" } == "invalid issuer (iss) claim")
        #expect(try reason(composed) { $0.audiences = ["e\u{301}"] }?.contains("audience") == true)
    }

    @Test func `claims that say something twice are no claims`() {
        #expect(JWTClaims(Array(#"{"sub":"a","sub":"b"}"#.utf8)) == nil)
        #expect(JWTClaims(Array(#"{"o":{"p":1,"p":2}}"#.utf8)) == nil)
        #expect(JWTClaims(Array("[]".utf8)) == nil)
    }

    @Test func `a pointer reaches into objects and lists and no further`() throws {
        let claims = try #require(JWTClaims(Array(#"{"a":{"b/c":[1,{"~":"x"}]},"":"e","n":null,"/a":"no"}"#.utf8)))
        #expect(claims.named("/a/b~1c/1/~0")?.text == "x")
        #expect(claims.named("/a/b~1c/0")?.integer == 1)
        #expect(claims.named("/")?.text == "e")
        for missing in ["/a/x", "/a/b~1c/2", "/a/b~1c/-1", "/a/b~1c/1/~0/y", "/n", "n", "x", "/a/"] {
            #expect(claims.named(missing) == nil, "\(missing)")
        }
    }

    @Test func `a star stands for any text and nothing else does`() {
        for (pattern, text) in [("*", ""), ("a*", "a"), ("*a*b*", "xaxbx"), ("a*a", "aa"), ("", ""), ("a**b", "ab")] {
            #expect(Glob.matches(pattern, text), "\(pattern)")
        }
        for (pattern, text) in [("a*a", "a"), ("a", "ab"), ("*ab", "abc"), ("a?", "ab"), ("", "a"), ("*b*a*", "ab")] {
            #expect(!Glob.matches(pattern, text), "\(pattern)")
        }
    }

    @Test func `an address of a login is https or does not leave the machine`() {
        for good in [
            "https://k8s.example.org", "https://10.0.0.1:6443/x?y=z", "http://127.0.0.1:8080/keys",
            "http://localhost/x", "http://[::1]:80/x", "http://127.9.9.9",
        ] { #expect((try? LoginURL(good)) != nil, "\(good)") }
        for bad in [
            "http://example.org", "http://127.0.0.1.example.org", "http://localhost.example.org", "http://10.0.0.1",
            "ftp://x",
            "file:///etc/passwd", "unix:///run/x", "https://user:pass@example.org", "https://", "example.org", "",
            "http://127.0.0.1@example.org", "https://example.org/#x", "https://example.org/a b", "http://[::2]/",
            "http:/x",
            "http://0x7f.1/", "https://exa\u{301}mple.org\u{0}",
        ] { #expect((try? LoginURL(bad)) == nil, "\(bad)") }
    }

    @Test func `a token that is printed does not show itself`() throws {
        let token = try CompactJWT(SecretText("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.AAAA"))
        var shown = "\(token) \(String(reflecting: token))"
        dump(token, to: &shown)
        #expect(!shown.contains("eyJ") && !shown.contains("CANARY"))
        shown = ""
        dump(KubernetesConfig.Reviewer("CANARY"), to: &shown)
        #expect(!shown.contains("CANARY"))
    }
}
