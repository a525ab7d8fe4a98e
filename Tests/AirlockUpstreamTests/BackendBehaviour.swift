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

    /// What a backend can keep.
    enum Keeps {
        /// Any object, in numbered versions.
        case versions
        /// One text a secret, whose older values can be asked for but are not numbered: `first` and `second` are one field
        /// with the texts `one` and `é/`. What has no value is not there.
        case olderTexts
        /// Fields of text, as they are now.
        case texts
    }

    let backend: any Backend
    var keeps = Keeps.versions
    var first = Prepared.first
    var second = Prepared.second

    private func path(_ name: String) throws -> SecretPath { try SecretPath(Prepared.folder + name) }

    func check() async throws {
        try await foundIsVerbatim()
        try await absentIsNil()
        if keeps == .versions { try await deletedHasNoData() } else { try await emptyIsNil() }
        try await deniedThrows()
        #expect(try await backend.list(Prepared.folder, as: .own).sorted() == Prepared.names)
        #expect(try await backend.list("elsewhere/", as: .own) == [])
    }

    private func foundIsVerbatim() async throws {
        let latest = try #require(try await backend.read(try path("found"), version: nil, as: .own))
        #expect(latest.data == SecretPayload(Array(second.utf8)))
        #expect(latest.version == (keeps == .versions ? 2 : nil))
        let metadata = try JSON(parsing: try #require(latest.metadata).bytes)
        #expect(metadata["version"]?.integer == latest.version ?? 0)
        guard keeps != .texts else {
            await #expect(throws: AirlockError.self) {
                try await backend.read(try path("found"), version: 1, as: .own)
            }
            return
        }
        let older = try #require(try await backend.read(try path("found"), version: 1, as: .own))
        #expect(older.data == SecretPayload(Array(first.utf8)))
        #expect(older.isOlder(than: latest) == (keeps == .versions))
        #expect(!latest.isOlder(than: older))
    }

    private func absentIsNil() async throws {
        #expect(try await backend.read(try path("absent"), version: nil, as: .own) == nil)
        guard keeps != .texts else { return }
        #expect(try await backend.read(try path("found"), version: 99, as: .own) == nil)
    }

    private func emptyIsNil() async throws {
        #expect(try await backend.read(try path("deleted"), version: nil, as: .own) == nil)
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
