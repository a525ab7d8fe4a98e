import AirlockCore
import AirlockStore
import Foundation
import Testing

/// A wrapped answer is had once, whatever happens meanwhile.
struct WrappingTests {
    private let temporary = TemporaryStore()

    private func wrapping(_ storage: SQLiteStorage) -> Wrapping {
        Wrapping(storage: storage, namespace: .root, now: { [temporary] in temporary.now })
    }

    private func wrapped(_ text: String, _ wrapping: Wrapping, ttl: Int = 60) async throws -> String {
        let made = try await wrapping.wrap(
            SecretPayload(Array(text.utf8)), path: "secret/data/a", displayName: "token", ttl: ttl)
        return String(decoding: made.text.bytes, as: UTF8.self)
    }

    @Test func `Of many who unwrap at once exactly one gets the answer`() async throws {
        let opened = try temporary.open()
        let wrapping = wrapping(opened.storage)
        let token = try await wrapped("the answer", wrapping)
        let answers = try await withThrowingTaskGroup(of: SecretPayload?.self) { group in
            for _ in 0..<32 { group.addTask { try await wrapping.unwrap(token) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.compactMap(\.self) == [SecretPayload(Array("the answer".utf8))])
    }

    @Test func `An answer waits through a restart, and one that was had does not come back with it`() async throws {
        let (kept, had): (String, String)
        do {
            let wrapping = wrapping(try temporary.open().storage)
            (kept, had) = (try await wrapped("kept", wrapping), try await wrapped("had", wrapping))
            #expect(try await wrapping.unwrap(had) != nil)
        }
        let wrapping = wrapping(try temporary.open().storage)
        #expect(try await wrapping.unwrap(had) == nil)
        #expect(try await wrapping.unwrap(kept) == SecretPayload(Array("kept".utf8)))
    }

    @Test func `An answer that was had, revoked, misused or has expired is nowhere in the store`() async throws {
        let opened = try temporary.open()
        let (storage, wrapping) = (opened.storage, wrapping(opened.storage))
        let tokens = Tokens(storage: storage, namespace: .root, now: { [temporary] in temporary.now })
        let (had, revoked) = (try await wrapped("1", wrapping), try await wrapped("2", wrapping))
        let (misused, expired) = (try await wrapped("3", wrapping), try await wrapped("4", wrapping, ttl: 10))
        #expect(try storage.read { try $0.names(.wrapped, scope: "").count } == 4)
        _ = try await wrapping.unwrap(had)
        try await tokens.revoke(try #require(try tokens.lookup(text: revoked)))
        _ = try await tokens.use(try tokens.recognise(misused, source: nil))
        #expect(try storage.read { try $0.names(.wrapped, scope: "").count } == 1)
        temporary.advance(seconds: 10)
        #expect(try await wrapping.unwrap(expired) == nil)
        #expect(try await storage.sweep() > 0)
        #expect(try storage.read { try $0.names(.wrapped, scope: "") }.isEmpty)
    }

    @Test func `Neither the token nor the answer can be read from the files`() async throws {
        let opened = try temporary.open()
        let token = try await wrapped("a canary that sings", wrapping(opened.storage))
        for (name, bytes) in try temporary.files() {
            #expect(bytes.range(of: Data("a canary that sings".utf8)) == nil, "\(name)")
            #expect(bytes.range(of: Data(token.utf8)) == nil, "\(name)")
        }
    }

    @Test func `No token is given the policy of those that wrap`() async throws {
        let opened = try temporary.open()
        let tokens = Tokens(storage: opened.storage, namespace: .root, now: { [temporary] in temporary.now })
        var request = TokenRequest()
        request.policies = ["default", Policy.wrapping]
        await #expect(throws: AirlockError.badRequest("cannot assign policy \"response-wrapping\"")) {
            try await tokens.issue(request)
        }
    }
}
