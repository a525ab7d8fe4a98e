import AirlockCore
import AirlockStore
import Testing

/// What `LIST` shows (VAULT-PROTOCOL 2.6): bytewise order, folders with a trailing slash, each once.
struct ChildrenTests {
    private let temporary = TemporaryStore()

    private func children(of names: [String], in folders: [String]) async throws -> [[String]] {
        let opened = try temporary.open()
        try await opened.storage.write { transaction in
            for name in names { try transaction.put(RecordKey(.kvMetadata, scope: "mount", name), [], expires: nil) }
            try transaction.put(RecordKey(.kvMetadata, scope: "other", "foreign"), [], expires: nil)
            try transaction.put(RecordKey(.kvSecret, scope: "mount", "foreign"), [], expires: nil)
        }
        return try folders.map { folder in
            try opened.storage.read { try $0.children(.kvMetadata, scope: "mount", folder: folder) }
        }
    }

    /// Texts as bytes: Swift would take canonically equivalent ones for equal.
    private func expect(_ found: [String], _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(found.map { Array($0.utf8) } == expected.map { Array($0.utf8) }, sourceLocation: sourceLocation)
    }

    @Test func `A key that is also a folder is listed as both`() async throws {
        let found = try await children(
            of: ["x", "x/1", "x/2/3", "x-y", "x0", "d"], in: ["", "x/", "x/2/", "d/", "nosuch/", "x/1/"])
        expect(found[0], ["d", "x", "x-y", "x/", "x0"])
        expect(found[1], ["1", "2/"])
        expect(found[2], ["3"])
        #expect(Array(found[3...]) == [[], [], []])
    }

    @Test func `Names come in the order of their bytes`() async throws {
        let names = ["é", "z", "Z", "a", "~", "!", " ", "e\u{301}", "ﬁ", "\u{1F600}", "\u{FFFD}", "0", "10", "9"]
        let found = try await children(of: names, in: [""])
        expect(found[0], names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        #expect(found[0].count == names.count)
    }

    /// To Swift `/` and a combining mark are one character, and no slash; so are a sign that comes before (U+0600) and `/`.
    @Test func `A combining mark after a slash hides no folder`() async throws {
        let names = ["a/\u{301}x", "a/b", "a\u{301}/c", "\u{301}", "a/\u{301}x/y", "\u{338}/q", "\u{600}/p"]
        let found = try await children(of: names, in: ["", "a/", "a\u{301}/", "a/\u{301}x/", "\u{338}/", "\u{600}/"])
        expect(found[0], ["a/", "a\u{301}/", "\u{301}", "\u{338}/", "\u{600}/"])
        expect(found[1], ["b", "\u{301}x", "\u{301}x/"])
        expect(found[2], ["c"])
        expect(found[3], ["y"])
        expect(found[4], ["q"])
        expect(found[5], ["p"])
    }

    @Test func `Canonically equivalent names are two names`() async throws {
        let found = try await children(
            of: ["caf\u{E9}", "cafe\u{301}", "caf\u{E9}/1", "cafe\u{301}/2"], in: ["", "caf\u{E9}/", "cafe\u{301}/"])
        expect(found[0], ["cafe\u{301}", "cafe\u{301}/", "caf\u{E9}", "caf\u{E9}/"])
        expect(found[1], ["1"])
        expect(found[2], ["2"])
    }

    @Test func `Several versions of a name are listed once`() async throws {
        let opened = try temporary.open()
        try await opened.storage.write { transaction in
            for version in 1...5 {
                try transaction.put(RecordKey(.kvVersion, scope: "mount", "a", version: version), [], expires: nil)
            }
        }
        let found = try opened.storage.read {
            (try $0.children(.kvVersion, scope: "mount", folder: ""), try $0.names(.kvVersion, scope: "mount"))
        }
        #expect(found == (["a"], ["a"]))
    }

    @Test func `Ten thousand keys and ten thousand below one folder are all there`() async throws {
        let flat = (0..<10_000).map { "flat/\($0)" }
        let deep = (0..<10_000).map { "deep/one/\($0)" }
        let found = try await children(of: flat + deep, in: ["", "flat/", "deep/", "deep/one/"])
        expect(found[0], ["deep/", "flat/"])
        expect(found[1], (0..<10_000).map(String.init).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        expect(found[2], ["one/"])
        #expect(found[3].count == 10_000)
    }

    /// Against the plain definition, on names made of what sorts beside a slash or joins with it.
    @Test func `Listing agrees with its definition on random names`() async throws {
        let alphabet = ["a", "b", "/", "/", "-", ".", "0", "\u{301}", "é", "A", "~", " ", "\u{10FFFD}"]
        var generator = SystemRandomNumberGenerator()
        var names: Set<[UInt8]> = []
        while names.count < 1_500 {
            let text = (0..<Int.random(in: 1...7, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }.joined()
            if (try? SecretPath(text)) != nil { names.insert(Array(text.utf8)) }
        }
        let texts = names.map { String(decoding: $0, as: UTF8.self) }
        let slash = UInt8(ascii: "/")
        let folders = Set(
            names.flatMap { name in name.indices.filter { name[$0] == slash }.map { Array(name[...$0]) } } + [[]])
        #expect(folders.count > 100)
        let ordered = Array(folders)
        let found = try await children(of: texts, in: ordered.map { String(decoding: $0, as: UTF8.self) })
        for (folder, listed) in zip(ordered, found) {
            var expected: Set<[UInt8]> = []
            for name in names where name.starts(with: folder) && name.count > folder.count {
                let rest = name[folder.count...]
                expected.insert(Array(rest.firstIndex(of: slash).map { rest[...$0] } ?? rest))
            }
            let sorted = expected.sorted { $0.lexicographicallyPrecedes($1) }
            #expect(listed.map { Array($0.utf8) } == sorted, "\(folder)")
        }
    }
}
