import AirlockCore
import Foundation
import GRDB
import Testing

@testable import AirlockStore

/// Somebody who may write to `cache.db` can make Airlock forget, and nothing else.
struct CacheSealingTests {
    private static let canary = "canary-c4fe"
    private let temporary = TemporaryCache()

    private func fill(_ cache: SQLiteCache) async throws {
        await cache.store(temporary.value(CacheSealingTests.canary), for: try temporary.key("connections/pg"))
        await cache.store(temporary.value("other"), for: try temporary.key("connections/mysql"))
    }

    /// The number of entries that are answered; none is answered wrong.
    private func rightAnswers(_ cache: SQLiteCache, sourceLocation: SourceLocation = #_sourceLocation) throws -> Int {
        let expected = [
            "connections/pg": temporary.value(CacheSealingTests.canary), "connections/mysql": temporary.value("other"),
        ]
        return try expected.count { path, entry in
            guard let found = cache.entry(try temporary.key(path)) else { return false }
            #expect(found == entry, sourceLocation: sourceLocation)
            return true
        }
    }

    private static let pg = "path = 'connections/pg'"

    @Test(arguments: [
        ("id", true), ("mount", false), ("path", false), ("identity", true), ("negative", true), ("fetched", true),
        ("used", true), ("size", true), ("term", false), ("sealed", false),
    ])
    func `A flipped byte of any column gives the right answer or none`(column: String, isAnswered: Bool) async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        let isNumber = ["id", "negative", "fetched", "used", "size", "term"].contains(column)
        let bytes = try temporary.outside { database in
            isNumber
                ? 8
                : try Int.fetchOne(
                    database, sql: "SELECT length(CAST(\(column) AS BLOB)) FROM entry WHERE \(CacheSealingTests.pg)")
                    ?? 0
        }
        #expect(bytes > 7)
        for place in 0..<bytes {
            try temporary.outside { database in
                if isNumber {
                    // Without the sign bit of ids, terms and sums, which SQLite's own arithmetic would refuse.
                    let flip = Int64(1) << min(place * 8, 48)
                    try database.execute(
                        sql:
                            "UPDATE entry SET \(column) = (\(column) | \(flip)) - (\(column) & \(flip)) WHERE \(CacheSealingTests.pg)"
                    )
                } else {
                    let old = try Data.fetchOne(
                        database, sql: "SELECT CAST(\(column) AS BLOB) FROM entry WHERE \(CacheSealingTests.pg)")
                    var new = try #require(old)
                    new[place] ^= 1
                    let type = column == "sealed" ? "BLOB" : "TEXT"
                    try database.execute(
                        sql: "UPDATE entry SET \(column) = CAST(? AS \(type)) WHERE \(CacheSealingTests.pg)",
                        arguments: [new])
                }
            }
            #expect(try rightAnswers(opened.cache) == (isAnswered ? 2 : 1), "byte \(place)")
            // Also what reads the rows back by themselves takes none of it for good.
            await opened.cache.expire(.mount(TemporaryCache.mount))
            #expect(opened.cache.entry(try temporary.key("connections/mysql"))?.expired == true)
            let entry = opened.cache.entry(try temporary.key("connections/pg"))
            #expect(entry == nil || entry?.secret == temporary.value(CacheSealingTests.canary).secret)
            await opened.cache.remove(.mount(TemporaryCache.mount))
            try temporary.outside { try $0.execute(sql: "DELETE FROM entry") }
            try await fill(opened.cache)
        }
    }

    /// A byte changed in the file itself, past SQLite's rules about types.
    @Test func `Any byte of the row's page changed in the file gives the right answer or none`() async throws {
        try await {
            let opened = try temporary.open()
            try await fill(opened.cache)
            try opened.close()
        }()
        let url = URL(fileURLWithPath: temporary.path)
        let whole = try Data(contentsOf: url)
        let row = try #require(whole.range(of: Data("connections/pg".utf8)))
        let store = try temporary.temporary.open()
        var answered = 0
        let places = Array((row.lowerBound - 40)..<(row.upperBound + 200))
        for place in places {
            var damaged = whole
            damaged[place] ^= 0x11
            try damaged.write(to: url)
            let cache = try SQLiteCache(
                directory: store.directory, storage: store.storage, limits: [:], metrics: temporary.metrics,
                logger: temporary.log.logger, now: { [temporary] in temporary.temporary.now })
            answered += try rightAnswers(cache)
            await cache.expire(.mount(TemporaryCache.mount))
            await cache.store(temporary.nothing, for: try temporary.key("new"))
            cache.close()
        }
        #expect(answered > 0 && answered < 2 * places.count)
    }

    @Test(arguments: ["sealed", "sealed, term", "path", "path, version", "id"])
    func `Two rows swapped are never taken for one another`(columns: String) async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        try temporary.outside { database in
            let names = columns.split(separator: ", ")
            try database.execute(
                sql: """
                    CREATE TEMP TABLE other AS SELECT * FROM entry;
                    UPDATE entry SET path = path || id, id = id + 10;
                    UPDATE entry SET path = (SELECT path FROM other WHERE other.id = entry.id - 10);
                    UPDATE entry SET path = 'x' || path WHERE \(names.contains("path") ? 1 : 0);
                    """)
            for name in names {
                try database.execute(
                    sql: "UPDATE entry SET \(name) = (SELECT \(name) FROM other WHERE other.id <> entry.id - 10)")
            }
        }
        #expect(try rightAnswers(opened.cache) == (columns == "id" ? 2 : 0))
        #expect(temporary.count(.cacheRejected) == (columns == "id" ? 0 : 2))
    }

    @Test func `An answer of another upstream is rejected, counted and gone`() async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        let moved = try temporary.key("connections/pg", identity: "vault https://other.example:8200 airflow/")
        #expect(opened.cache.entry(moved) == nil)
        #expect(temporary.count(.cacheRejected) == 1)
        await temporary.settle(opened.cache)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 1)
        #expect(opened.cache.entry(moved) == nil)
        #expect(temporary.count(.cacheRejected) == 1)
        await opened.cache.store(temporary.value("there"), for: moved)
        #expect(opened.cache.entry(moved) == temporary.value("there"))
    }

    @Test(arguments: [
        ("path", "connections/mine"), ("path", "connections/mysql"), ("mount", "other/"), ("version", "1"),
        ("version", "0"),
    ])
    func `A row copied to another place is not answered there`(column: String, value: String) async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        let names = [
            "mount", "path", "version", "identity", "negative", "expired", "fetched", "used", "size", "term", "sealed",
        ]
        let copied = names.map { $0 == column ? "'\(value)'" : $0 }.joined(separator: ", ")
        try temporary.outside { database in
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO entry (\(names.joined(separator: ", ")))
                    SELECT \(copied) FROM entry WHERE \(CacheSealingTests.pg)
                    """)
        }
        let key = try temporary.key(
            column == "path" ? value : "connections/pg", version: column == "version" ? Int(value) : nil,
            mount: column == "mount" ? value : TemporaryCache.mount)
        #expect(opened.cache.entry(key) == nil)
        #expect(temporary.count(.cacheRejected, key.mount) == 1)
        #expect(opened.cache.entry(try temporary.key("connections/pg")) == temporary.value(CacheSealingTests.canary))
    }

    /// Without a mark of its own for "the latest", it would be one with some number.
    @Test(arguments: [0, -1, Int.min, Int.max])
    func `A row of one version is not answered for the latest`(version: Int) async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("old"), for: try temporary.key("a", version: version))
        try temporary.outside { try $0.execute(sql: "UPDATE entry SET version = ''") }
        #expect(opened.cache.entry(try temporary.key("a")) == nil)
        #expect(temporary.count(.cacheRejected) == 1)
    }

    /// Sealed with the same keys, for another purpose.
    @Test func `A record of the embedded store is no cache entry`() async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        let sealer = opened.store.storage.sealer
        let bytes = temporary.value("forged").encoded
        let record = RecordKey(.kvSecret, scope: TemporaryCache.mount, "connections/pg")
        let sealed = try sealer.seal(bytes, to: record.binding)
        #expect(sealer.open(sealed, term: sealer.currentTerm, boundTo: record.binding) == bytes)
        try temporary.outside {
            try $0.execute(sql: "UPDATE entry SET sealed = ? WHERE \(CacheSealingTests.pg)", arguments: [sealed])
        }
        #expect(opened.cache.entry(try temporary.key("connections/pg")) == nil)
    }

    @Test func `What was stored under an earlier key is answered after the key was rotated`() async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        try await opened.store.storage.rotateKey()
        #expect(try rightAnswers(opened.cache) == 2)
        await opened.cache.store(temporary.value("new"), for: try temporary.key("new"))
        #expect(opened.cache.entry(try temporary.key("new")) == temporary.value("new"))
        await opened.cache.expire(.path(mount: TemporaryCache.mount, try SecretPath("connections/pg")))
        let terms = try temporary.outside { try Int.fetchAll($0, sql: "SELECT term FROM entry ORDER BY path") }
        #expect(terms == [1, 2, 2])
        #expect(opened.cache.entry(try temporary.key("connections/pg"))?.expired == true)
        #expect(temporary.count(.cacheRejected) == 0)
    }

    @Test func `Rejections are logged once a minute, without the secret`() async throws {
        let opened = try temporary.open()
        for minute in 0..<3 {
            for _ in 0..<5 {
                try await fill(opened.cache)
                try temporary.outside { try $0.execute(sql: "UPDATE entry SET sealed = substr(sealed, 2)") }
                #expect(try rightAnswers(opened.cache) == 0)
                await temporary.settle(opened.cache)
            }
            #expect(temporary.log.lines.count == minute + 1)
            temporary.temporary.advance(seconds: 60)
        }
        #expect(temporary.log.lines.allSatisfy { $0.contains("does not open") && $0.contains(TemporaryCache.mount) })
        #expect(!temporary.log.lines.joined().contains(CacheSealingTests.canary))
        #expect(temporary.count(.cacheRejected) == 30)
    }

    @Test func `No page of the cache or of its log holds a secret in the clear`() async throws {
        try await {
            let opened = try temporary.open()
            try await fill(opened.cache)
            for round in 0..<3 {
                let long = String(repeating: "\(CacheSealingTests.canary) \(round) ", count: 2_000)
                await opened.cache.store(temporary.value(long), for: try temporary.key("long"))
                await opened.cache.expire(.mount(TemporaryCache.mount))
            }
            try expectUnreadable("cache.db-wal")
            try opened.close()
        }()
        try expectUnreadable("cache.db")
        #expect(!temporary.log.lines.joined().contains(CacheSealingTests.canary))
    }

    private func expectUnreadable(_ file: String) throws {
        let files = try temporary.temporary.files()
        // The search finds what is there: paths are in the clear, as `schema.sql` says.
        #expect(files[file]?.range(of: Data("connections/pg".utf8)) != nil)
        for (name, contents) in files {
            #expect(contents.range(of: Data(CacheSealingTests.canary.utf8)) == nil, "\(name)")
            #expect(
                contents.range(of: Data(CacheSealingTests.canary.utf8).base64EncodedData()) == nil, "\(name) in base64")
        }
    }

    @Test func `What is purged leaves its sealed bytes nowhere in the file`() async throws {
        let opened = try temporary.open()
        try await fill(opened.cache)
        let long = String(repeating: "x", count: 100_000)
        await opened.cache.store(temporary.value(long), for: try temporary.key("long"))
        let sealed = try temporary.outside { try Data.fetchAll($0, sql: "SELECT sealed FROM entry") }
        try await opened.cache.database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        func places() throws -> [Bool] {
            let file = try #require(try temporary.temporary.files()["cache.db"])
            return sealed.map { file.range(of: $0.suffix(16)) != nil }
        }
        #expect(try places() == [true, true, true])
        #expect(await opened.cache.remove(.mount(TemporaryCache.mount)) == 3)
        try opened.close()
        #expect(try places() == [false, false, false])
    }

    /// Existing databases are sealed to exactly these bytes.
    @Test func `The binding of a record is what it always was`() {
        let key = RecordKey(.kvVersion, scope: "m", "aé", version: 3)
        var expected = Array("airlock record 1".utf8)
        expected += [0, 0, 0, 0, 0, 0, 0, 10] + Array("kv_version".utf8)
        expected += [0, 0, 0, 0, 0, 0, 0, 1] + Array("m".utf8)
        expected += [0, 0, 0, 0, 0, 0, 0, 3] + Array("aé".utf8)
        expected += [0, 0, 0, 0, 0, 0, 0, 3] + [0, 0, 0, 0, 0, 0, 0, 7]
        #expect(key.binding.bytes(term: 7) == expected)
    }
}
