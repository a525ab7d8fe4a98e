import Testing

@testable import AirlockCore

/// What every backend must do, whatever it is. A backend under test is filled beforehand with what `prepared` says.
struct BackendBehaviour {
    /// On a KV version 2 mount: `folder/found` has two versions, `folder/deleted` one that is deleted; `folder/denied` may
    /// not be read; there is nothing else.
    enum Prepared {
        static let first = #"{"b": 1.0, "a": 12345678901234567890123}"#
        static let second = #"{"b":"é/"}"#
        static let folder = "folder/"
        static let names = ["deleted", "denied", "found"]
    }

    let backend: any Backend

    private func path(_ name: String) throws -> SecretPath { try SecretPath(Prepared.folder + name) }

    func check() async throws {
        try await foundIsVerbatim()
        try await absentIsNil()
        try await deletedHasNoData()
        try await deniedThrows()
        #expect(try await backend.list(Prepared.folder, as: .own).sorted() == Prepared.names)
        #expect(try await backend.list("elsewhere/", as: .own) == [])
    }

    private func foundIsVerbatim() async throws {
        let latest = try #require(try await backend.read(try path("found"), version: nil, as: .own))
        #expect(latest.data == SecretPayload(Array(Prepared.second.utf8)))
        #expect(latest.version == 2)
        let metadata = try JSON(parsing: try #require(latest.metadata).bytes)
        #expect(metadata["version"]?.bytes == Array("2".utf8))
        let first = try #require(try await backend.read(try path("found"), version: 1, as: .own))
        #expect(first.data == SecretPayload(Array(Prepared.first.utf8)))
        #expect(first.isOlder(than: latest))
        #expect(!latest.isOlder(than: first))
    }

    private func absentIsNil() async throws {
        #expect(try await backend.read(try path("absent"), version: nil, as: .own) == nil)
        #expect(try await backend.read(try path("found"), version: 99, as: .own) == nil)
    }

    private func deletedHasNoData() async throws {
        let deleted = try #require(try await backend.read(try path("deleted"), version: nil, as: .own))
        #expect(deleted.data == nil)
        #expect(deleted.version == 1)
        #expect(deleted.metadata != nil)
    }

    private func deniedThrows() async throws {
        let error = try await #require(throws: UpstreamError.self) {
            _ = try await backend.read(try path("denied"), version: nil, as: .own)
        }
        #expect(error.kind == .denied)
    }
}
