import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Testing

/// What a start does with a data directory: takes it alone, with the right key, or refuses and says what to do.
struct OpeningTests {
    private static let key = RecordKey(.kvSecret, scope: "mount", "a")
    private let temporary = TemporaryStore()

    @Test func `What was written is there after closing and opening`() async throws {
        try await {
            let opened = try temporary.open()
            try await opened.storage.put(OpeningTests.key, "1")
            try opened.storage.close()
        }()
        #expect(try temporary.open().storage.text(OpeningTests.key) == "1")
    }

    /// A killed process closes nothing: the write-ahead log alone holds what it wrote.
    @Test func `What was written is there after a kill`() async throws {
        let opened = try temporary.open()
        try await opened.storage.put(OpeningTests.key, "1")
        let copy = TemporaryStore()
        try FileManager.default.copyItem(atPath: temporary.root, toPath: copy.root)
        #expect(try copy.open().storage.text(OpeningTests.key) == "1")
        withExtendedLifetime(opened) {}
    }

    @Test func `A second start on the same directory is refused`() throws {
        let first = try temporary.open()
        let error = expectBroken { _ = try temporary.open() }
        #expect(error?.message?.contains("another airlock is running on \(temporary.root)") == true)
        withExtendedLifetime(first) {}
    }

    @Test func `The directory is free again once the first one is gone`() throws {
        do { try temporary.open().storage.close() }
        #expect(throws: Never.self) { try temporary.open() }
    }

    private func make(key: String) throws -> String {
        let path = "\(temporary.root)-key"
        try key.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test func `A wrong key is refused, and the right one still works`() async throws {
        try await {
            let opened = try temporary.open()
            try await opened.storage.put(OpeningTests.key, "1")
            try opened.storage.close()
        }()
        let path = try make(key: Data((0..<32).map { UInt8($0) }).base64EncodedString())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = expectBroken { _ = try temporary.open(keyFile: path) }
        #expect(error?.message == "the sealing key does not open this database")
        #expect(error?.hint?.contains(path) == true)
        #expect(try temporary.open().storage.text(OpeningTests.key) == "1")
    }

    @Test func `A missing key is never replaced by a new one`() throws {
        do { try temporary.open().storage.close() }
        try FileManager.default.removeItem(atPath: "\(temporary.root)/airlock.key")
        let error = expectBroken { _ = try temporary.open() }
        #expect(error?.message?.contains("airlock.key is missing") == true)
        #expect(!FileManager.default.fileExists(atPath: "\(temporary.root)/airlock.key"))
    }

    @Test(arguments: [
        "", "secret-key-text", "AAAA", String(repeating: "A", count: 44), String(repeating: "A", count: 64),
    ])
    func `A file that holds no key is refused without its text`(text: String) throws {
        let path = try make(key: text)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = expectBroken { _ = try temporary.open(keyFile: path) }
        #expect(error?.message?.contains("does not hold a key") == true)
        if !text.isEmpty { #expect(!String(reflecting: error).contains(text)) }
    }

    @Test func `A key file that is not there is refused`() throws {
        let error = expectBroken { _ = try temporary.open(keyFile: "/nonexistent/key") }
        #expect(error?.message?.contains("/nonexistent/key") == true)
    }

    @Test func `A damaged sealing key stops the start`() throws {
        do { try temporary.open().storage.close() }
        for term in [0, 1] {
            let sealed = try temporary.outside { database in
                let sealed = try Data.fetchOne(
                    database, sql: "SELECT sealed FROM sealing_key WHERE term = ?", arguments: [term])
                var damaged = try #require(sealed)
                damaged[20] ^= 1
                try database.execute(
                    sql: "UPDATE sealing_key SET sealed = ? WHERE term = ?", arguments: [damaged, term])
                return sealed
            }
            let error = expectBroken { _ = try temporary.open() }
            #expect(error?.message == "the sealing key does not open this database")
            try temporary.outside { database in
                try database.execute(
                    sql: "UPDATE sealing_key SET sealed = ? WHERE term = ?", arguments: [sealed, term])
            }
        }
        #expect(throws: Never.self) { try temporary.open() }
    }

    @Test func `Sealing keys that swapped their terms stop the start`() throws {
        do { try temporary.open().storage.close() }
        try temporary.outside { database in
            try database.execute(
                sql: "UPDATE sealing_key SET term = 1 - term + 10; UPDATE sealing_key SET term = term - 10")
        }
        _ = expectBroken { _ = try temporary.open() }
    }

    @Test func `A database without keys is refused`() throws {
        do { try temporary.open().storage.close() }
        try temporary.outside { database in try database.execute(sql: "DELETE FROM sealing_key") }
        let error = expectBroken { _ = try temporary.open() }
        #expect(error?.message == "the database holds no sealing keys")
    }

    @Test func `A database of another format is refused`() throws {
        do { try temporary.open().storage.close() }
        try temporary.outside { database in try database.execute(sql: "PRAGMA user_version = 7") }
        let error = expectBroken { _ = try temporary.open() }
        #expect(error?.message == "the database has format 7, this airlock knows format 1")
    }

    @Test func `A file that is no database is refused`() throws {
        do { try temporary.open().storage.close() }
        let path = "\(temporary.root)/store.db"
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: path))
        let error = expectBroken { _ = try temporary.open() }
        #expect(error?.message == "the database is damaged")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(repeating: 0x41, count: 8192))
    }

    /// Damaged pages are met at the start or at the read that needs them; never is a wrong value answered.
    @Test func `A database with a damaged page fails with words, never with a wrong value`() async throws {
        try await {
            let opened = try temporary.open()
            for number in 0..<200 {
                try await opened.storage.put(RecordKey(.kvSecret, scope: "mount", "k\(number)"), "\(number)")
            }
            try opened.storage.close()
        }()
        let url = URL(fileURLWithPath: "\(temporary.root)/store.db")
        let whole = try Data(contentsOf: url)
        let pages = whole.count / 4096
        #expect(pages > 4)
        var failures = 0
        for page in 0..<pages {
            var damaged = whole
            damaged.replaceSubrange(page * 4096..<(page + 1) * 4096, with: Data(repeating: 0xFF, count: 4096))
            try damaged.write(to: url)
            do {
                let storage = try temporary.open().storage
                for number in 0..<200 {
                    let key = RecordKey(.kvSecret, scope: "mount", "k\(number)")
                    do {
                        let text = try storage.text(key)
                        #expect(text == "\(number)", "page \(page)")
                    } catch let error as AirlockError {
                        failures += 1
                        #expect(error.code == .broken)
                    }
                }
            } catch let error as AirlockError {
                failures += 1
                #expect(error.code == .broken && error.hint != nil)
            }
        }
        #expect(failures > pages / 2)
    }
}
