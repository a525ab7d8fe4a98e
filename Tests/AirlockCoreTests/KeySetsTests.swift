import Foundation
import Logging
import Synchronization
import Testing

@testable import AirlockCore

/// When an issuer is asked for its keys. A key here is a name, and a token's signature is the name of the key that made it.
@Suite struct KeySetsTests {
    private static let url = KeySource.url("https://issuer/keys", authority: "")
    private let issuer = ScriptedIssuer()
    private let sets: KeySets

    init() {
        sets = KeySets(
            reader: NamesAsKeys(), fetcher: issuer, folder: nil, now: { [issuer] in issuer.now },
            logger: Logger(label: "test"))
    }

    private func reason(_ key: String, _ source: KeySource = KeySetsTests.url) async -> String? {
        func part(_ text: String) -> String {
            Data(text.utf8).base64EncodedString().replacing("=", with: "").replacing("+", with: "-")
        }
        let token = SecretText("\(part(#"{"alg":"ES256"}"#)).\(part("{}")).\(part(key))")
        do throws(JWTFault) {
            _ = try await sets.verified(token, by: source)
            return nil
        } catch {
            return error.reason
        }
    }

    private static let unknown = "failed to verify id token signature"

    @Test func `keys are asked for once and then known`() async {
        issuer.answers("https://issuer/keys", "a b")
        for key in ["a", "b", "a"] { #expect(await reason(key) == nil) }
        #expect(issuer.asked == ["https://issuer/keys"])
    }

    @Test func `an unknown key makes one question in five seconds and no more`() async {
        issuer.answers("https://issuer/keys", "a")
        #expect(await reason("a") == nil)
        for _ in 0..<10 { #expect(await reason("b") == KeySetsTests.unknown) }
        #expect(issuer.asked.count == 1, "the keys had only just come")
        issuer.wait(seconds: KeySets.pause)
        issuer.answers("https://issuer/keys", "b")
        #expect(await reason("b") == nil)
        #expect(await reason("a") == KeySetsTests.unknown, "the issuer has dropped it")
        #expect(issuer.asked.count == 2)
    }

    @Test func `those who come together wait for one answer`() async {
        issuer.answers("https://issuer/keys", "a")
        await withTaskGroup(of: String?.self) { group in
            for _ in 0..<50 { group.addTask { await reason("a") } }
            for await reason in group { #expect(reason == nil) }
        }
        #expect(issuer.asked.count == 1)
    }

    @Test func `a key that its issuer no longer names stops to count after ten minutes`() async {
        issuer.answers("https://issuer/keys", "a")
        #expect(await reason("a") == nil)
        issuer.answers("https://issuer/keys", "b")
        issuer.wait(seconds: KeySets.freshness - 1)
        #expect(await reason("a") == nil)
        issuer.wait(seconds: 1)
        #expect(await reason("a") == KeySetsTests.unknown)
    }

    @Test func `an outage of the issuer keeps the keys that are known`() async {
        issuer.answers("https://issuer/keys", "a")
        #expect(await reason("a") == nil)
        issuer.answers("https://issuer/keys", nil)
        issuer.wait(seconds: 86_400)
        #expect(await reason("a") == nil)
        #expect(await reason("b") == "fetching keys failed: the issuer gave no key set")
        #expect(issuer.asked.count == 2, "an issuer that is down is not asked by every login either")
        issuer.wait(seconds: KeySets.pause)
        issuer.answers("https://issuer/keys", "b")
        #expect(await reason("b") == nil)
    }

    @Test func `keys that never came prove nobody`() async {
        #expect(await reason("a") == "fetching keys failed: the issuer gave no key set")
        #expect(await sets.failure(of: KeySetsTests.url) == "the answer has status 404, not 200")
    }

    @Test func `an issuer is the one that its document names`() async {
        let source = KeySource.discovery(issuer: "https://issuer", authority: "")
        for document in [
            #"{"issuer":"https://other","jwks_uri":"https://issuer/keys"}"#, #"{"jwks_uri":"https://issuer/keys"}"#,
            #"{"issuer":"https://issuer"}"#, #"{"issuer":"https://issuer","jwks_uri":"http://127.0.0.1/keys"}"#,
            #"{"issuer":"https://issuer","jwks_uri":"file:///etc/passwd"}"#, "[]", "",
        ] {
            issuer.answers("https://issuer/.well-known/openid-configuration", document)
            issuer.answers("https://issuer/keys", "a")
            await #expect(throws: JWTFault.self, "\(document)") { try await sets.check(source) }
            #expect(issuer.asked.allSatisfy { $0.hasSuffix("openid-configuration") }, "\(document)")
        }
        issuer.answers(
            "https://issuer/.well-known/openid-configuration",
            #"{"issuer":"https://issuer","jwks_uri":"https://issuer/keys"}"#)
        await #expect(throws: Never.self) { try await sets.check(source) }
        #expect(await reason("a", source) == nil)
    }

    @Test func `a file of keys is named without a path`() {
        for good in ["keys.json", "a", "cluster-1_x.json"] { #expect(KeySets.isFileName(good)) }
        for bad in ["", ".", "..", "../a", "a/b", "/a", "a\u{0}b", ".a", "a b", "a\n", "a/.."] {
            #expect(!KeySets.isFileName(bad), "\(bad)")
        }
    }
}

/// An issuer, and a clock.
private final class ScriptedIssuer: LoginFetcher {
    private struct State {
        var now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
        var bodies: [String: String] = [:]
        var asked: [String] = []
    }

    private let state = Mutex(State())

    var now: Timestamp { state.withLock { $0.now } }
    var asked: [String] { state.withLock { $0.asked } }

    func wait(seconds: Int) { state.withLock { $0.now = $0.now.adding(seconds: seconds) } }

    func answers(_ url: String, _ body: String?) { state.withLock { $0.bodies[url] = body } }

    func fetch(_ question: LoginQuestion) async throws -> LoginAnswer {
        let body = state.withLock { state in
            state.asked.append(question.url.text)
            return state.bodies[question.url.text]
        }
        await Task.yield()
        return LoginAnswer(status: body == nil ? 404 : 200, body: SecretPayload(Array((body ?? "").utf8)))
    }
}

private struct NamesAsKeys: KeyReading {
    struct Name: VerificationKey {
        let id = ""
        let name: [UInt8]

        func signed(_ token: CompactJWT) -> Bool { token.signature == name }
    }

    func key(pem: String) -> (any VerificationKey)? { Name(name: Array(pem.utf8)) }

    func keys(set: [UInt8]) -> [any VerificationKey]? {
        set.split(separator: UInt8(ascii: " ")).map { Name(name: Array($0)) }
    }

    func isAuthority(pem: String) -> Bool { true }
}
