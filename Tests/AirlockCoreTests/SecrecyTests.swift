import Testing

@testable import AirlockCore

/// Whatever prints a value that holds a secret prints a placeholder.
struct SecrecyTests {
    private static let canary = "canary-41b7"

    private struct Enclosing {
        let name = "pg"
        let payload: SecretPayload
        let texts: [SecretText]
        let maybe: SecretPayload?
    }

    @Test func `A secret is unprintable, alone and from inside other values`() throws {
        let payload = SecretPayload(Array(SecrecyTests.canary.utf8))
        let text = SecretText(SecrecyTests.canary)
        let enclosing = Enclosing(payload: payload, texts: [text], maybe: payload)
        let issued = IssuedToken(text: payload, token: try SecrecyTests.token, digest: "")
        let values: [Any] = [
            payload, text, Optional(payload) as Any, [payload], ["x": text], (payload, text), enclosing, [enclosing],
            Result<SecretPayload, Never>.success(payload), issued,
            payload.json, JSON.array([.string(SecrecyTests.canary)]),
        ]
        for value in values {
            var dumped = ""
            dump(value, to: &dumped)
            var printed = ""
            print(value, to: &printed)
            debugPrint(value, to: &printed)
            for shown in [dumped, printed, "\(value)", String(describing: value), String(reflecting: value)] {
                #expect(!shown.contains(SecrecyTests.canary), "\(type(of: value))")
                // Nor its bytes, in decimal: 99, 97, 110 are "can".
                #expect(!shown.contains("99, 97, 110"), "\(type(of: value))")
                #expect(!shown.isEmpty)
            }
        }
        #expect("\(payload)" == "SecretPayload(redacted)")
        #expect("\(text)" == "(secret)")
        #expect(Mirror(reflecting: payload).children.isEmpty)
        #expect(Mirror(reflecting: text).children.isEmpty)
    }

    private static var token: Token {
        get throws {
            try Tokens(storage: NoStorage(), namespace: .root, now: { Timestamp(nanoseconds: 0) })
                .issued(TokenRequest()).token
        }
    }

    /// Issuing a token in memory asks the store nothing.
    private struct NoStorage: Storage {
        func read<T>(_ body: (any StorageReader) throws -> T) throws -> T { throw AirlockError.absent }
        func write<T: Sendable>(_ body: @escaping @Sendable (any StorageTransaction) throws -> T) async throws -> T {
            throw AirlockError.absent
        }
        let front = Front()
        func digest(_ text: String) -> String { String(repeating: "0", count: 64) }
        func rotateKey() async throws {}
        func keyStatus() throws -> (term: Int, installed: Timestamp) { (1, Timestamp(nanoseconds: 0)) }
    }
}
