import AirlockCore
import AirlockStore
import GRDB
import Testing

/// What goes when there is too much: what was not used for longest, negatives before values.
struct CacheLimitsTests {
    private let temporary = TemporaryCache()

    private func limits(entries: Int = 100_000, bytes: Int = 1 << 30) -> [String: CacheLimits] {
        var limits = CacheLimits()
        limits.entries = entries
        limits.bytes = bytes
        return [TemporaryCache.mount: limits]
    }

    private func store(_ paths: [String], in cache: SQLiteCache) async throws {
        for path in paths {
            await cache.store(temporary.value(path), for: try temporary.key(path))
            temporary.temporary.advance(seconds: 1)
        }
    }

    private func kept(_ cache: SQLiteCache) throws -> [String] {
        try temporary.outside { try String.fetchAll($0, sql: "SELECT path FROM entry ORDER BY path") }
    }

    @Test func `What was not used for longest goes first`() async throws {
        let opened = try temporary.open(limits(entries: 4))
        try await store(["a", "b", "c", "d"], in: opened.cache)
        #expect(opened.cache.entry(try temporary.key("a")) != nil)
        try await store(["e"], in: opened.cache)
        #expect(try kept(opened.cache) == ["a", "c", "d", "e"])
        #expect(temporary.count(.cacheEvicted) == 1)
        #expect(opened.cache.entry(try temporary.key("c")) != nil)
        try await store(["f", "g"], in: opened.cache)
        #expect(try kept(opened.cache) == ["c", "e", "f", "g"])
        #expect(temporary.count(.cacheEvicted) == 3)
    }

    @Test func `Uses are remembered over a restart`() async throws {
        try await {
            let opened = try temporary.open(limits(entries: 3))
            try await store(["a", "b", "c"], in: opened.cache)
            #expect(opened.cache.entry(try temporary.key("a")) != nil)
            try opened.close()
        }()
        let opened = try temporary.open(limits(entries: 3))
        try await store(["d"], in: opened.cache)
        #expect(try kept(opened.cache) == ["a", "c", "d"])
    }

    @Test func `Uses are written down every few seconds, without a store`() async throws {
        let opened = try temporary.open()
        try await store(["a"], in: opened.cache)
        func used() throws -> Int64? { try temporary.outside { try Int64.fetchOne($0, sql: "SELECT used FROM entry") } }
        temporary.temporary.advance(seconds: 2)
        let first = temporary.temporary.now
        #expect(opened.cache.entry(try temporary.key("a")) != nil)
        #expect(try used() != first.nanoseconds)
        temporary.temporary.advance(seconds: 5)
        #expect(opened.cache.entry(try temporary.key("a")) != nil)
        // Behind that write, in turn.
        await temporary.settle(opened.cache)
        #expect(try used() == temporary.temporary.now.nanoseconds)
    }

    @Test func `An entry used from the future, before the clock was set back, is not kept for ever`() async throws {
        let opened = try temporary.open(limits(entries: 3))
        try await store(["a"], in: opened.cache)
        temporary.temporary.advance(seconds: -1_000_000)
        #expect(opened.cache.entry(try temporary.key("a")) != nil)
        temporary.temporary.advance(seconds: 1)
        try await store(["b", "c", "d"], in: opened.cache)
        #expect(try kept(opened.cache) == ["b", "c", "d"])
    }

    @Test func `A little more goes than must, so that not every store has to evict`() async throws {
        let opened = try temporary.open(limits(entries: 128))
        try await store((0..<129).map { "k\($0)" }, in: opened.cache)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 126)
        #expect(temporary.count(.cacheEvicted) == 3)
        try await store(["x", "y"], in: opened.cache)
        #expect(temporary.count(.cacheEvicted) == 3)
        for path in ["k0", "k1", "k2"] { #expect(opened.cache.entry(try temporary.key(path)) == nil) }
        #expect(opened.cache.entry(try temporary.key("k3")) != nil)
    }

    @Test func `The bytes of a mount stay within their limit`() async throws {
        let opened = try temporary.open(limits(bytes: 10_000))
        for number in 0..<200 {
            try await store(["k\(number)"], in: opened.cache)
            #expect(opened.cache.status(mount: TemporaryCache.mount).bytes <= 10_000)
        }
        let status = opened.cache.status(mount: TemporaryCache.mount)
        #expect(status.bytes > 9_000)
        #expect(temporary.count(.cacheEvicted) == 200 - status.entries)
        #expect(opened.cache.entry(try temporary.key("k199")) != nil)
    }

    @Test func `A value nearly as large as the limit is kept alone`() async throws {
        let opened = try temporary.open(limits(bytes: 10_000))
        try await store(["a", "b"], in: opened.cache)
        let large = temporary.value(String(repeating: "x", count: 9_880))
        await opened.cache.store(large, for: try temporary.key("large"))
        #expect(opened.cache.entry(try temporary.key("large")) == large)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 1)
    }

    @Test func `A value larger than the limit is not kept, and drives nothing out but its own earlier self`()
        async throws
    {
        let opened = try temporary.open(limits(bytes: 10_000))
        try await store(["a", "b"], in: opened.cache)
        let large = temporary.value(String(repeating: "x", count: 10_000), version: 2)
        await opened.cache.store(large, for: try temporary.key("large"))
        #expect(opened.cache.entry(try temporary.key("large")) == nil)
        #expect(try kept(opened.cache) == ["a", "b"])
        await opened.cache.store(large, for: try temporary.key("a")) { _ in false }
        #expect(try kept(opened.cache) == ["a", "b"])
        await opened.cache.store(large, for: try temporary.key("a"))
        #expect(try kept(opened.cache) == ["b"])
        #expect(temporary.count(.cacheEvicted) == 0)
    }

    @Test func `A client that asks for random names gets no value out of the cache`() async throws {
        let opened = try temporary.open(limits(entries: 200))
        let values = (0..<150).map { "v\($0)" }
        try await store(values, in: opened.cache)
        for number in 0..<1_000 {
            temporary.temporary.advance(seconds: 1)
            await opened.cache.store(temporary.nothing, for: try temporary.key("random\(number)"))
        }
        let status = opened.cache.status(mount: TemporaryCache.mount)
        #expect(status.entries <= 200 && status.negatives >= 45)
        for path in values { #expect(opened.cache.entry(try temporary.key(path)) != nil) }
        #expect(opened.cache.entry(try temporary.key("random999")) == temporary.nothing)
    }

    @Test func `Not even from a cache that is full of values`() async throws {
        let opened = try temporary.open(limits(entries: 200))
        let values = (0..<200).map { "v\($0)" }
        try await store(values, in: opened.cache)
        for number in 0..<300 {
            await opened.cache.store(temporary.nothing, for: try temporary.key("random\(number)"))
        }
        #expect(opened.cache.status(mount: TemporaryCache.mount).negatives == 0)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 200)
        try await store(["new"], in: opened.cache)
        #expect(opened.cache.entry(try temporary.key("new")) != nil)
        #expect(opened.cache.entry(try temporary.key("v0")) == nil)
    }

    @Test func `The limits of one mount are none of another's`() async throws {
        let opened = try temporary.open(limits(entries: 2))
        for number in 0..<10 {
            await opened.cache.store(temporary.nothing, for: try temporary.key("k\(number)", mount: "other/"))
        }
        try await store(["a", "b", "c"], in: opened.cache)
        #expect(opened.cache.status(mount: "other/").entries == 10)
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 2)
        #expect(temporary.count(.cacheEvicted, "other/") == 0)
    }

    @Test func `A limit of nothing keeps nothing`() async throws {
        for limits in [limits(entries: 0), limits(bytes: 0)] {
            let temporary = TemporaryCache()
            let opened = try temporary.open(limits)
            await opened.cache.store(temporary.value("1"), for: try temporary.key("a"))
            await opened.cache.store(temporary.nothing, for: try temporary.key("b"))
            #expect(opened.cache.status(mount: TemporaryCache.mount) == CacheStatus())
        }
    }

    /// Sums that were tampered with are only good until the next start.
    @Test func `Altered bookkeeping stops nothing and is put right by a restart`() async throws {
        try await {
            let opened = try temporary.open(limits(entries: 3))
            try await store(["a", "b"], in: opened.cache)
            try temporary.outside {
                try $0.execute(sql: "UPDATE usage SET entries = -5, bytes = -1000; UPDATE entry SET size = 1 << 40")
            }
            try await store(["c", "d"], in: opened.cache)
            for path in ["c", "d"] { #expect(opened.cache.entry(try temporary.key(path)) != nil) }
            try temporary.outside { try $0.execute(sql: "UPDATE entry SET size = 100, negative = 0") }
            try opened.close()
        }()
        let opened = try temporary.open(limits(entries: 3))
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 4)
        try await store(["e"], in: opened.cache)
        #expect(try kept(opened.cache) == ["c", "d", "e"])
    }
}
