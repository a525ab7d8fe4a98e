import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Testing

/// A token's own secrets (VAULT-PROTOCOL 13): nobody else's, and gone with the token.
struct CubbyholeTests {
    private let temporary = TemporaryStore()
    private static let secret = SecretPayload(Array(#"{"k":"canary-of-the-cubbyhole"}"#.utf8))

    private func tokens(_ storage: SQLiteStorage) -> Tokens {
        Tokens(storage: storage, namespace: .root, now: { [temporary] in temporary.now })
    }

    private func issue(_ storage: SQLiteStorage, _ change: (inout TokenRequest) -> Void = { _ in }) async throws
        -> Tokens.Found
    {
        var request = TokenRequest()
        request.ttl = 60
        change(&request)
        let made = try await tokens(storage).issue(request)
        return try #require(try tokens(storage).lookup(text: String(decoding: made.text.bytes, as: UTF8.self)))
    }

    private func rows() throws -> Int? {
        try temporary.outside { try Int.fetchOne($0, sql: "SELECT count(*) FROM record WHERE kind = 'cubbyhole'") }
    }

    @Test func `What a token hides no other token finds, and no file shows`() async throws {
        let storage = try temporary.open().storage
        let path = try SecretPath("a/b")
        let (mine, theirs) = (
            Cubbyhole(storage: storage, owner: try await issue(storage)),
            Cubbyhole(storage: storage, owner: try await issue(storage))
        )
        try await mine.write(path, data: CubbyholeTests.secret)
        #expect(try mine.read(path) == CubbyholeTests.secret)
        #expect(try mine.list(folder: "") == ["a/"])
        #expect(try theirs.read(path) == nil)
        #expect(try theirs.list(folder: "") == [])
        try await theirs.delete(path)
        #expect(try mine.read(path) == CubbyholeTests.secret)
        for (name, bytes) in try temporary.files() {
            #expect(bytes.range(of: Data("canary-of-the-cubbyhole".utf8)) == nil, "\(name)")
        }
    }

    @Test func `It is gone once the token is revoked, also through its parent`() async throws {
        let storage = try temporary.open().storage
        let parent = try await issue(storage)
        let child = try await issue(storage) {
            $0.parent = Token.Parent(digest: parent.digest, accessor: parent.token.accessor)
        }
        let other = try await issue(storage)
        for owner in [parent, child, other] {
            try await Cubbyhole(storage: storage, owner: owner).write(try SecretPath("a"), data: CubbyholeTests.secret)
        }
        #expect(try rows() == 3)
        let fresh = try #require(try tokens(storage).lookup(accessor: parent.token.accessor))
        try await tokens(storage).revoke(fresh)
        #expect(try rows() == 1)
        #expect(try Cubbyhole(storage: storage, owner: other).read(try SecretPath("a")) == CubbyholeTests.secret)
    }

    @Test func `A token that was revoked meanwhile writes nothing that would stay`() async throws {
        let storage = try temporary.open().storage
        let owner = try await issue(storage)
        try await tokens(storage).revoke(owner)
        await #expect(throws: AirlockError.invalidToken) {
            try await Cubbyhole(storage: storage, owner: owner).write(
                try SecretPath("a"), data: CubbyholeTests.secret)
        }
        #expect(try rows() == 0)
    }

    @Test func `The sweeper takes it with the token, and not before a renewed one ends`() async throws {
        let storage = try temporary.open().storage
        let (short, renewed) = (try await issue(storage), try await issue(storage))
        let path = try SecretPath("a")
        for owner in [short, renewed] {
            try await Cubbyhole(storage: storage, owner: owner).write(path, data: CubbyholeTests.secret)
        }
        temporary.advance(seconds: 59)
        _ = try await tokens(storage).renew(renewed, increment: 60) { _, _ in
            RenewalLimits(maxTTL: Mount.systemLeaseTTL, period: 0, explicitMaxTTL: 0)
        }
        temporary.advance(seconds: 1)
        _ = try await storage.sweep()
        #expect(try rows() == 1)
        #expect(try Cubbyhole(storage: storage, owner: renewed).read(path) == CubbyholeTests.secret)
        temporary.advance(seconds: 59)
        _ = try await storage.sweep()
        #expect(try rows() == 0)
    }

    @Test func `A later token of the same chosen text does not find it`() async throws {
        let storage = try temporary.open().storage
        let path = try SecretPath("a")
        let first = try await issue(storage) { $0.chosenText = "ci" }
        try await Cubbyhole(storage: storage, owner: first).write(path, data: CubbyholeTests.secret)
        temporary.advance(seconds: 60)
        let second = try await issue(storage) { $0.chosenText = "ci" }
        #expect(try Cubbyhole(storage: storage, owner: second).read(path) == nil)
    }
}
