import AirlockCore
import AirlockStore
import GRDB
import Testing

/// A cache that cannot be written, on a full disk for one, forgets; it does not answer what should be gone.
struct CacheFailureTests {
    private let temporary = TemporaryCache()

    private func block(_ event: String) throws {
        try temporary.outside {
            try $0.execute(
                sql: "CREATE TRIGGER blocked BEFORE \(event) ON entry BEGIN SELECT RAISE(ABORT, 'blocked'); END")
        }
    }

    private func unblock() throws { try temporary.outside { try $0.execute(sql: "DROP TRIGGER blocked") } }

    private func path(_ text: String) throws -> CacheScope { .path(mount: TemporaryCache.mount, try SecretPath(text)) }

    @Test func `What could not be purged is not answered, and goes as soon as it can`() async throws {
        let opened = try temporary.open()
        let (a, b) = (try temporary.key("a"), try temporary.key("b"))
        for key in [a, b] { await opened.cache.store(temporary.value("1"), for: key) }
        try block("DELETE")
        #expect(await opened.cache.remove(try path("a")) == 0)
        #expect(opened.cache.entry(a) == nil)
        #expect(opened.cache.entry(b) == temporary.value("1"))
        #expect(temporary.log.lines.count == 1)
        #expect(temporary.log.lines.first?.contains("the cache could not purge: blocked") == true)
        try unblock()
        await opened.cache.store(temporary.value("2"), for: b)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 1)
        await opened.cache.store(temporary.value("3"), for: a)
        #expect(opened.cache.entry(a) == temporary.value("3"))
        await temporary.settle(opened.cache)
        #expect(opened.cache.entry(a) == temporary.value("3"))
    }

    @Test(arguments: ["prefix", "mount"])
    func `The same holds for a folder and a mount`(kind: String) async throws {
        let opened = try temporary.open()
        let mount = TemporaryCache.mount
        let scope = kind == "prefix" ? CacheScope.prefix(mount: mount, "f/") : .mount(mount)
        for path in ["f/a", "fa"] { await opened.cache.store(temporary.value("1"), for: try temporary.key(path)) }
        try block("DELETE")
        await opened.cache.remove(scope)
        #expect(opened.cache.entry(try temporary.key("f/a")) == nil)
        #expect((opened.cache.entry(try temporary.key("fa")) == nil) == (kind == "mount"))
        try unblock()
        await temporary.settle(opened.cache)
        #expect(opened.cache.status(mount: mount).entries == (kind == "mount" ? 0 : 1))
    }

    @Test func `What could not be marked expired is not answered`() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        try block("UPDATE OF sealed")
        #expect(await opened.cache.expire(.mount(TemporaryCache.mount)) == 0)
        #expect(opened.cache.entry(try temporary.key("a")) == nil)
        try unblock()
        await temporary.settle(opened.cache)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 0)
    }

    @Test func `A newer answer that could not be kept takes the older one with it`() async throws {
        let opened = try temporary.open()
        let (a, b) = (try temporary.key("a"), try temporary.key("b"))
        for key in [a, b] { await opened.cache.store(temporary.value("1"), for: key) }
        try block("INSERT")
        await opened.cache.store(temporary.value("2", version: 2), for: a)
        // The same again is no reason to forget it.
        await opened.cache.store(temporary.value("1"), for: b)
        #expect(opened.cache.entry(a) == nil)
        #expect(opened.cache.entry(b) == temporary.value("1"))
        try unblock()
    }

    @Test func `One failing store takes none of those with it that share its commit`() async throws {
        let opened = try temporary.open()
        try temporary.outside {
            try $0.execute(
                sql: """
                    CREATE TRIGGER blocked BEFORE INSERT ON entry WHEN new.path LIKE 'bad%'
                    BEGIN SELECT RAISE(ABORT, 'blocked'); END
                    """)
        }
        try await withThrowingTaskGroup { group in
            for number in 0..<100 {
                let key = try temporary.key("\(number % 2 == 0 ? "bad" : "good")\(number)")
                group.addTask { await opened.cache.store(temporary.value("1"), for: key) }
            }
            try await group.waitForAll()
        }
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 50)
    }

    @Test func `A great many that could not be purged cost the whole mount, and no other`() async throws {
        let opened = try temporary.open()
        let foreign = try temporary.key("a", mount: "other/")
        await opened.cache.store(temporary.value("1"), for: foreign)
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        try block("DELETE")
        for number in 0...100 { await opened.cache.remove(try path("k\(number)")) }
        // Nothing was there to delete, so nothing failed.
        #expect(opened.cache.entry(try temporary.key("a")) != nil)
        for _ in 0...100 { await opened.cache.remove(try path("a")) }
        #expect(opened.cache.entry(try temporary.key("b")) == nil)
        #expect(opened.cache.entry(foreign) == temporary.value("1"))
        try unblock()
        await opened.cache.store(temporary.value("2"), for: try temporary.key("b"))
        #expect(opened.cache.entry(try temporary.key("b")) == temporary.value("2"))
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 1)
        #expect(temporary.log.lines.count == 1)
    }

    @Test func `A closed cache answers nothing and stops nobody`() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
        try opened.close()
        #expect(opened.cache.entry(try temporary.key("a")) == nil)
        await opened.cache.store(temporary.value("2"), for: try temporary.key("a"))
        #expect(await opened.cache.remove(.mount(TemporaryCache.mount)) == 0)
        #expect(opened.cache.status(mount: TemporaryCache.mount) == CacheStatus())
    }
}
