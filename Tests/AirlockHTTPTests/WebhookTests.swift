import AirlockCore
import Crypto
import Foundation
import Testing

@testable import AirlockHTTP

struct WebhookTests {
    private static let secret = SecretText("a-shared-secret-of-32-characters")
    private static let body = Array(#"{"mount":"airflow"}"#.utf8)

    private let clock = TestClock()
    private let webhook: Webhook

    init() {
        let clock = clock
        webhook = Webhook(secret: WebhookTests.secret, now: { clock.now })
    }

    private func code(at seconds: Int, _ body: [UInt8] = WebhookTests.body, secret: SecretText = WebhookTests.secret)
        -> String
    {
        HMAC<SHA256>.authenticationCode(
            for: Array("\(seconds).".utf8) + body, using: SymmetricKey(data: Array(secret.revealed.utf8))
        ).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func signature(
        at seconds: Int, _ body: [UInt8] = WebhookTests.body, secret: SecretText = WebhookTests.secret
    ) -> String {
        "t=\(seconds),v1=\(code(at: seconds, body, secret: secret))"
    }

    private func refusal(_ signature: String, _ body: [UInt8] = WebhookTests.body) -> AirlockError.Code? {
        do {
            try webhook.verify(signature, body: body)
            return nil
        } catch {
            return (error as? AirlockError)?.code
        }
    }

    @Test func `A good signature is good, once`() {
        let signature = signature(at: clock.now.seconds)
        #expect(refusal(signature) == nil)
        #expect(refusal(signature) == .invalidToken)
        #expect(
            refusal(signature.uppercased().replacing("T=", with: "t=").replacing("V1=", with: "v1=")) == .invalidToken)
        #expect(refusal("v0=other,\(signature)") == .invalidToken)
    }

    @Test func `Another body, another time or another secret makes a signature wrong`() {
        let now = clock.now.seconds
        #expect(refusal(signature(at: now), WebhookTests.body + [0x20]) == .invalidToken)
        #expect(refusal("t=\(now + 1),v1=\(code(at: now))") == .invalidToken)
        #expect(refusal(signature(at: now, secret: SecretText("another-secret-of-32-characters!"))) == .invalidToken)
        #expect(refusal(signature(at: now)) == nil, "the same request, signed well, is good")
    }

    @Test func `A signature's time may be five minutes off, and no more`() {
        let now = clock.now.seconds
        for (offset, expected) in [
            (-301, AirlockError.Code.invalidToken), (301, .invalidToken), (-300, nil), (300, nil),
        ]
            as [(Int, AirlockError.Code?)]
        {
            #expect(refusal(signature(at: now + offset)) == expected, "\(offset)")
        }
    }

    @Test func `A replay is refused for as long as its time is good`() {
        let signature = signature(at: clock.now.seconds + 300)
        #expect(refusal(signature) == nil)
        for _ in 0..<6 {
            clock.advance(seconds: 100)
            // Other requests make room where they can.
            for n in 0..<20 {
                _ = refusal(self.signature(at: clock.now.seconds, Array("\(n)".utf8)), Array("\(n)".utf8))
            }
            #expect(refusal(signature) == .invalidToken)
        }
    }

    @Test(arguments: [
        "", "t=", "v1=", "t=1,v1=", "t=1", "t=x,v1=00", "nonsense", "t=-1,v1=00", "t=99999999999999999999,v1=00",
    ])
    func `A signature without its parts is refused`(text: String) { #expect(refusal(text) == .invalidToken) }

    @Test func `A time or a code that stands there twice is refused`() {
        let now = clock.now.seconds
        #expect(refusal("t=\(now),t=\(now),v1=\(code(at: now))") == .invalidToken)
        #expect(refusal("t=\(now),v1=\(code(at: now)),v1=\(code(at: now))") == .invalidToken)
    }

    @Test func `Twenty may come at once and ten a second after that; what was too much can be sent again`() {
        let now = clock.now.seconds
        func send(_ n: Int) -> AirlockError.Code? {
            let body = Array("{\"path\":\"airflow/\(n)\"}".utf8)
            return refusal(signature(at: now, body), body)
        }
        #expect((0..<20).allSatisfy { send($0) == nil })
        #expect(send(20) == .tooMany)
        clock.advance(seconds: 1)
        #expect((20..<30).allSatisfy { send($0) == nil })
        #expect(send(30) == .tooMany)
    }

    @Test func `Signatures that are wrong use nothing up`() {
        let now = clock.now.seconds
        for _ in 0..<100 { #expect(refusal("t=\(now),v1=\(String(repeating: "00", count: 32))") == .invalidToken) }
        #expect(refusal(signature(at: now)) == nil)
    }
}
