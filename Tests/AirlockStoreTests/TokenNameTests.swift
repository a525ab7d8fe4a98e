import AirlockCore
import GRDB
import Testing

@testable import AirlockStore

/// What the database shows of a token, and how a text and an accessor lead to it.
struct TokenNameTests {
    private struct Fixture {
        let store = TemporaryStore()
        let opened: TemporaryStore.Opened
        let tokens: Tokens

        init() throws {
            opened = try store.open()
            tokens = Tokens(storage: opened.storage, namespace: .root, now: { [store] in store.now })
        }

        func issue(text: String? = nil, ttl: Int = 3600) async throws -> IssuedToken {
            var request = TokenRequest()
            request.chosenText = text
            request.ttl = ttl
            return try await tokens.issue(request)
        }

        func names(_ kind: String) throws -> [String] {
            try store.outside {
                try String.fetchAll($0, sql: "SELECT name FROM record WHERE kind = ? ORDER BY name", arguments: [kind])
            }
        }

        /// As a build before the rule of names wrote it: by the digest of its text, with a random accessor.
        func makeEarlier(_ text: String) async throws -> String {
            let issued = try tokens.issued(TokenRequest())
            let name = opened.storage.digest(text)
            try await opened.storage.write { try TokenRecords.put($0, issued.token, digest: name) }
            return issued.token.accessor
        }
    }

    private func text(_ issued: IssuedToken) -> String { String(decoding: issued.text.bytes, as: UTF8.self) }

    @Test func `Tokens that are made together lie together in the database, one record each`() async throws {
        let fixture = try Fixture()
        var made: [String] = []
        for _ in 0..<20 {
            for _ in 0..<5 { made.append(try await fixture.issue().digest) }
            fixture.store.advance(seconds: 7)
        }
        let names = try fixture.names("token")
        #expect(names.count == 100)
        for first in stride(from: 0, to: 100, by: 5) {
            #expect(Set(names[first..<first + 5]) == Set(made[first..<first + 5]))
        }
        #expect(try fixture.names("token_accessor").isEmpty)
    }

    @Test func `A token is found by its text and by its accessor, and by nothing else in the database`() async throws {
        let fixture = try Fixture()
        let issued = try await fixture.issue()
        #expect(text(issued).utf8.count == 26)
        #expect(issued.token.accessor.utf8.count == 24)
        #expect(try fixture.tokens.lookup(text: text(issued))?.token == issued.token)
        #expect(try fixture.tokens.lookup(accessor: issued.token.accessor)?.digest == issued.digest)
        for wrong in [issued.digest, "s." + issued.token.accessor, String(text(issued).dropFirst(2))] {
            #expect(try fixture.tokens.lookup(text: wrong) == nil)
            #expect(try fixture.tokens.lookup(accessor: wrong) == nil)
        }
        #expect(!issued.digest.contains(issued.token.accessor.dropFirst(5)))
        #expect(!issued.digest.contains(text(issued).dropFirst(7)))
    }

    @Test func `A text that somebody else has chosen shows no letter of itself`() async throws {
        let fixture = try Fixture()
        for text in ["s.0aBcDefghijklmnopqrstuvw", "s.zzzzzfghijklmnopqrstuvwx", "root", "hvs.CAESIJ"] {
            let issued = try await fixture.issue(text: text)
            #expect(issued.digest == fixture.opened.storage.digest(text))
            #expect(try fixture.tokens.lookup(text: text)?.token == issued.token)
            #expect(try fixture.tokens.lookup(accessor: issued.token.accessor)?.token == issued.token)
            await #expect(throws: AirlockError.self) { try await fixture.issue(text: text) }
        }
    }

    @Test func `A token can be had again under its text once it is gone, and is not the one before`() async throws {
        let fixture = try Fixture()
        let made = try await fixture.issue()
        await #expect(throws: AirlockError.self) { try await fixture.issue(text: text(made)) }
        try await fixture.tokens.revoke(#require(try fixture.tokens.lookup(text: text(made))))
        #expect(try fixture.tokens.lookup(text: text(made)) == nil)
        let again = try await fixture.issue(text: text(made))
        #expect(again.token.accessor != made.token.accessor)
        #expect(try fixture.tokens.lookup(text: text(made))?.token == again.token)
        #expect(try fixture.tokens.lookup(accessor: made.token.accessor) == nil)
    }

    @Test func `Tokens of an earlier build work on, and leave nothing behind`() async throws {
        let fixture = try Fixture()
        for text in ["s.0aBcDefghijklmnopqrstuvw", "s.zzzzzfghijklmnopqrstuvwx"] {
            let accessor = try await fixture.makeEarlier(text)
            let found = try #require(try fixture.tokens.lookup(text: text))
            #expect(try fixture.tokens.lookup(accessor: accessor)?.token == found.token)
            try await fixture.tokens.revoke(found)
            #expect(try fixture.tokens.lookup(text: text) == nil)
        }
        #expect(try fixture.names("token") + fixture.names("token_accessor") == [])
    }

    @Test func `A clock that is set back makes no token unknown`() async throws {
        let fixture = try Fixture()
        let issued = try await fixture.issue(ttl: 2_000_000)
        fixture.store.advance(seconds: -1_000_000)
        #expect(try fixture.tokens.lookup(text: text(issued))?.token == issued.token)
        #expect(try fixture.tokens.lookup(accessor: issued.token.accessor)?.token == issued.token)
    }

    @Test func `A root token that Airlock once made as another token is that other one no longer`() async throws {
        let fixture = try Fixture()
        let made = try await fixture.issue()
        try await RootToken.set(made.text, in: fixture.opened.storage, now: { [store = fixture.store] in store.now })
        let root = try #require(try fixture.tokens.lookup(text: text(made)))
        #expect(root.token.isRoot)
        try await fixture.tokens.revoke(root)
        #expect(try fixture.tokens.lookup(text: text(made)) == nil)
    }
}
