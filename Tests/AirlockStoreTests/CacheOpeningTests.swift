import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Testing

/// What a start makes of the cache that it finds: it is used, or made anew with a line in the log, and never in the way.
struct CacheOpeningTests {
    private let temporary = TemporaryCache()

    private func leaveEntry() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        try opened.close()
    }

    /// The file that is there is given up, and the new one works and stays.
    private func expectAnew(_ reason: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await {
            let opened = try temporary.open()
            #expect(opened.cache.entry(try temporary.key("a")) == nil, sourceLocation: sourceLocation)
            #expect(temporary.log.lines.count == 1, sourceLocation: sourceLocation)
            let line = temporary.log.lines.first ?? ""
            #expect(line.contains("the cache is made anew: "), sourceLocation: sourceLocation)
            #expect(line.contains(reason), "\(line)", sourceLocation: sourceLocation)
            await opened.cache.store(temporary.value("2"), for: try temporary.key("b"))
            try opened.close()
        }()
        let opened = try temporary.open()
        #expect(opened.cache.entry(try temporary.key("b")) == temporary.value("2"), sourceLocation: sourceLocation)
        #expect(temporary.log.lines.count == 1, sourceLocation: sourceLocation)
        try opened.close()
    }

    @Test func `What was cached is there after closing and opening`() async throws {
        try await leaveEntry()
        let opened = try temporary.open()
        #expect(opened.cache.entry(try temporary.key("a")) == temporary.value("1"))
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 1)
        #expect(temporary.log.lines == [])
    }

    @Test func `What was cached is there after a kill, and what was purged is not`() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        await opened.cache.store(temporary.value("2"), for: try temporary.key("b"))
        await opened.cache.remove(.path(mount: TemporaryCache.mount, try SecretPath("b")))
        let copy = TemporaryCache()
        try FileManager.default.copyItem(atPath: temporary.temporary.root, toPath: copy.temporary.root)
        let reopened = try copy.open()
        #expect(reopened.cache.entry(try copy.key("a")) == temporary.value("1"))
        #expect(reopened.cache.entry(try copy.key("b")) == nil)
        #expect(copy.log.lines == [])
        try opened.close()
    }

    @Test func `A cache of another format is made anew`() async throws {
        try await leaveEntry()
        try temporary.outside { try $0.execute(sql: "PRAGMA user_version = 7") }
        try await expectAnew("it has format 7, this airlock knows format 2")
    }

    @Test(arguments: ["DROP TABLE entry", "DROP TABLE usage", "DROP TABLE seal_check", "PRAGMA user_version = 0"])
    func `A cache that lacks something is made anew`(change: String) async throws {
        try await leaveEntry()
        try temporary.outside { try $0.execute(sql: change) }
        try await expectAnew(change.hasPrefix("DROP") ? "SQLite says: no such table" : "it has format 0")
    }

    @Test(arguments: ["DELETE FROM seal_check", "UPDATE seal_check SET sealed = x''", "UPDATE seal_check SET term = 2"])
    func `A cache whose keys cannot be told is made anew`(change: String) async throws {
        try await leaveEntry()
        try temporary.outside { try $0.execute(sql: change) }
        try await expectAnew("it was sealed with other keys")
    }

    @Test func `A cache beside a new store is made anew, for it has other keys`() async throws {
        try await leaveEntry()
        for name in ["store.db", "store.db-wal", "store.db-shm", "airlock.key"] {
            try? FileManager.default.removeItem(atPath: "\(temporary.temporary.root)/\(name)")
        }
        try await expectAnew("it was sealed with other keys than those of store.db")
    }

    @Test func `A cache survives the rotation of the store's key`() async throws {
        try await {
            let opened = try temporary.open()
            await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
            try await opened.store.storage.rotateKey()
            try opened.close()
        }()
        let opened = try temporary.open()
        #expect(opened.cache.entry(try temporary.key("a")) == temporary.value("1"))
        #expect(temporary.log.lines == [])
    }

    @Test func `A file that is no database is made anew`() async throws {
        try await leaveEntry()
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: temporary.path))
        try await expectAnew("SQLite says: file is not a database")
    }

    @Test func `A cut file is made anew`() async throws {
        try await {
            let opened = try temporary.open()
            for number in 0..<100 {
                await opened.cache.store(temporary.value("x"), for: try temporary.key("k\(number)"))
            }
            try opened.close()
        }()
        let whole = try Data(contentsOf: URL(fileURLWithPath: temporary.path))
        try whole.prefix(whole.count / 4096 / 2 * 4096).write(to: URL(fileURLWithPath: temporary.path))
        try await expectAnew("SQLite says: database disk image is malformed")
    }

    @Test func `An empty file is filled without a word`() async throws {
        try await leaveEntry()
        try Data().write(to: URL(fileURLWithPath: temporary.path))
        let opened = try temporary.open()
        #expect(opened.cache.entry(try temporary.key("a")) == nil)
        #expect(temporary.log.lines == [])
    }

    /// Left behind by somebody who deleted `cache.db` alone.
    @Test func `A log without its file is no part of the new one`() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        let copy = TemporaryCache()
        try FileManager.default.copyItem(atPath: temporary.temporary.root, toPath: copy.temporary.root)
        try FileManager.default.removeItem(atPath: copy.path)
        let reopened = try copy.open()
        #expect(reopened.cache.entry(try copy.key("a")) == nil)
        await reopened.cache.store(temporary.value("2"), for: try copy.key("b"))
        #expect(reopened.cache.entry(try copy.key("b")) == temporary.value("2"))
        try opened.close()
    }

    @Test func `Each damaged page costs the cache at worst, and never a wrong answer`() async throws {
        try await {
            let opened = try temporary.open()
            for number in 0..<150 {
                await opened.cache.store(temporary.value("\(number)"), for: try temporary.key("k\(number)"))
            }
            try opened.close()
        }()
        let url = URL(fileURLWithPath: temporary.path)
        let whole = try Data(contentsOf: url)
        let pages = whole.count / 4096
        #expect(pages > 10)
        for page in 0..<pages {
            var damaged = whole
            damaged.replaceSubrange(page * 4096..<(page + 1) * 4096, with: Data(repeating: 0xFF, count: 4096))
            try damaged.write(to: url)
            let opened = try temporary.open()
            for number in 0..<150 {
                let entry = opened.cache.entry(try temporary.key("k\(number)"))
                #expect(entry == nil || entry == temporary.value("\(number)"), "page \(page)")
            }
            await opened.cache.store(temporary.value("new"), for: try temporary.key("new"))
            #expect(opened.cache.entry(try temporary.key("new")) == temporary.value("new"), "page \(page)")
            try opened.close()
        }
        #expect(temporary.log.lines.count > pages / 2)
    }

    /// Met while running, after the start has found the file whole.
    @Test func `A file damaged under a running cache makes it forget, and never answer wrong or fail`() async throws {
        let opened = try temporary.open()
        for number in 0..<150 {
            await opened.cache.store(temporary.value("\(number)"), for: try temporary.key("k\(number)"))
        }
        try temporary.outside { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        let file = try #require(FileHandle(forWritingAtPath: temporary.path))
        let size = try file.seekToEnd()
        for page in 1..<size / 4096 {
            try file.seek(toOffset: page * 4096)
            try file.write(contentsOf: Data(repeating: 0xFF, count: 4096))
        }
        for number in 0..<150 {
            let entry = opened.cache.entry(try temporary.key("k\(number)"))
            #expect(entry == nil || entry == temporary.value("\(number)"))
        }
        await opened.cache.store(temporary.value("new"), for: try temporary.key("k0"))
        let entry = opened.cache.entry(try temporary.key("k0"))
        #expect(entry == nil || entry == temporary.value("new"))
        await opened.cache.remove(.mount(TemporaryCache.mount))
        #expect(opened.cache.entry(try temporary.key("k1")) == nil)
        #expect((1...8).contains(temporary.log.lines.count))
    }

    @Test func `A cache that cannot be a file at all stops the start with words`() throws {
        try temporary.open().close()
        try FileManager.default.removeItem(atPath: temporary.path)
        try FileManager.default.createDirectory(atPath: temporary.path, withIntermediateDirectories: false)
        let error = expectBroken { _ = try temporary.open() }
        #expect(error?.message == "the cache cache.db cannot be opened")
    }

    @Test func `The cache's files are for the owner alone`() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        for name in ["cache.db", "cache.db-wal", "cache.db-shm"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(temporary.temporary.root)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }

    @Test func `Each file has its own part of the schema`() throws {
        try temporary.open().close()
        let cache = try temporary.outside {
            try String.fetchSet($0, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        let store = try temporary.temporary.outside {
            try String.fetchSet($0, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
        #expect(cache == ["seal_check", "entry", "usage", "sqlite_sequence"])
        #expect(store == ["sealing_key", "record"])
    }
}
