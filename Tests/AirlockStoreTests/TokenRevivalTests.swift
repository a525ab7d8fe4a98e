import AirlockCore
import AirlockStore
import Testing

/// A dead token's children stay dead, whatever token comes after it.
struct TokenRevivalTests {
    private let temporary = TemporaryStore()

    private func isAlive(_ text: SecretPayload, _ tokens: Tokens) throws -> Bool {
        do {
            _ = try tokens.recognise(String(decoding: text.bytes, as: UTF8.self), source: nil)
            return true
        } catch let error as AirlockError where error.code == .invalidToken {
            return false
        }
    }

    private func child(of parent: String, _ tokens: Tokens) async throws -> SecretPayload {
        var request = TokenRequest()
        let found = try #require(try tokens.lookup(text: parent))
        request.parent = Token.Parent(digest: found.digest, accessor: found.token.accessor)
        request.ttl = 3600
        return try await tokens.issue(request).text
    }

    @Test func `A replaced root token takes what it issued with it, also when it comes back`() async throws {
        let opened = try temporary.open()
        let (storage, now) = (opened.storage, { @Sendable [temporary] in temporary.now })
        let tokens = Tokens(storage: storage, namespace: .root, now: now)
        let (first, second) = (SecretPayload(Array("first".utf8)), SecretPayload(Array("second".utf8)))
        try await RootToken.set(first, in: storage, now: now)
        let child = try await child(of: "first", tokens)
        let grandchild = try await self.child(of: String(decoding: child.bytes, as: UTF8.self), tokens)
        try await RootToken.set(first, in: storage, now: now)
        #expect(try isAlive(child, tokens), "setting the same token again changes nothing")
        #expect(try isAlive(grandchild, tokens))

        try await RootToken.set(second, in: storage, now: now)
        #expect(try !isAlive(first, tokens))
        #expect(try isAlive(second, tokens))
        #expect(try !isAlive(child, tokens))

        try await RootToken.set(first, in: storage, now: now)
        #expect(try isAlive(first, tokens))
        #expect(try !isAlive(second, tokens))
        #expect(try !isAlive(child, tokens))
        #expect(try !isAlive(grandchild, tokens))
    }

    @Test func `A token of an expired one's chosen text does not inherit its children`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        let tokens = Tokens(storage: storage, namespace: .root, now: { [temporary] in temporary.now })
        var request = TokenRequest()
        request.chosenText = "ci"
        request.ttl = 60
        let parent = try await tokens.issue(request).text
        let child = try await child(of: "ci", tokens)
        #expect(try isAlive(child, tokens))
        temporary.advance(seconds: 60)
        #expect(try !isAlive(parent, tokens))
        #expect(try !isAlive(child, tokens))
        #expect(try await storage.sweep() > 0)
        _ = try await tokens.issue(request)
        #expect(try isAlive(parent, tokens))
        #expect(try !isAlive(child, tokens))
    }

    @Test func `A text in use cannot be chosen again`() async throws {
        let opened = try temporary.open()
        let tokens = Tokens(storage: opened.storage, namespace: .root, now: { [temporary] in temporary.now })
        var request = TokenRequest()
        request.chosenText = "ci"
        _ = try await tokens.issue(request)
        await #expect(throws: AirlockError.badRequest("cannot create a token with a duplicate ID")) {
            try await tokens.issue(request)
        }
    }
}
