import AirlockCore
import AirlockStore
import GRDB
import Testing

/// What `SecretCache` promises, on the one implementation there is.
struct CacheBehaviourTests {
    private let temporary = TemporaryCache()

    @Test func `What was stored is answered as it was, and nothing else`() async throws {
        let opened = try temporary.open()
        let entries = [
            "value": temporary.value("a"), "nothing": temporary.nothing,
            "deleted": CacheEntry(
                secret: Secret(data: nil, metadata: SecretPayload([1]), version: 3), fetched: temporary.temporary.now),
            "plain": CacheEntry(
                secret: Secret(data: SecretPayload([0, 255, 34]), leaseDuration: 2_764_800),
                fetched: Timestamp(nanoseconds: 1), expired: true),
        ]
        for (path, entry) in entries { await opened.cache.store(entry, for: try temporary.key(path)) }
        for (path, entry) in entries { #expect(opened.cache.entry(try temporary.key(path)) == entry) }
        #expect(opened.cache.entry(try temporary.key("other")) == nil)
        #expect(temporary.count(.cacheRejected) == 0)
    }

    @Test func `Each version of a path is kept apart, and from the latest`() async throws {
        let opened = try temporary.open()
        let versions: [Int?] = [nil, 0, 1, 2, -1, .max, .min]
        for version in versions {
            let key = try temporary.key("a", version: version)
            await opened.cache.store(temporary.value("\(version ?? 77)"), for: key)
        }
        for version in versions {
            let key = try temporary.key("a", version: version)
            #expect(opened.cache.entry(key) == temporary.value("\(version ?? 77)"))
        }
        #expect(await opened.cache.remove(.path(mount: TemporaryCache.mount, try SecretPath("a"))) == versions.count)
        for version in versions { #expect(opened.cache.entry(try temporary.key("a", version: version)) == nil) }
    }

    @Test func `A store asks what is there when its turn has come`() async throws {
        let opened = try temporary.open()
        let key = try temporary.key("a")
        let (first, second) = (temporary.value("1"), temporary.value("2", version: 2))
        await opened.cache.store(first, for: key) { known in
            #expect(known == nil)
            return true
        }
        await opened.cache.store(second, for: key) { known in
            #expect(known == first)
            return false
        }
        #expect(opened.cache.entry(key) == first)
        await opened.cache.store(second, for: key)
        #expect(opened.cache.entry(key) == second)
        await opened.cache.remove(.mount(TemporaryCache.mount))
        await opened.cache.store(first, for: key) { known in
            #expect(known == nil)
            return true
        }
        #expect(opened.cache.status(mount: TemporaryCache.mount).entries == 1)
    }

    @Test func `Of many stores of one key at once each sees the one before it`() async throws {
        let opened = try temporary.open()
        let key = try temporary.key("a")
        await withTaskGroup { group in
            for version in 1...200 {
                group.addTask {
                    await opened.cache.store(temporary.value("\(version)", version: version), for: key) { known in
                        (known?.secret?.version ?? 0) < version
                    }
                }
            }
        }
        #expect(opened.cache.entry(key)?.secret?.version == 200)
    }

    @Test func `An expired entry is kept for an outage, with its age`() async throws {
        let opened = try temporary.open()
        let key = try temporary.key("a")
        await opened.cache.store(temporary.value("1"), for: key)
        await opened.cache.store(temporary.value("1"), for: try temporary.key("a", version: 1))
        await opened.cache.store(temporary.value("2"), for: try temporary.key("b"))
        var expected = temporary.value("1")
        expected.expired = true
        let scope = CacheScope.path(mount: TemporaryCache.mount, key.path)
        #expect(await opened.cache.expire(scope) == 2)
        #expect(opened.cache.entry(key) == expected)
        #expect(opened.cache.entry(try temporary.key("a", version: 1)) == expected)
        #expect(opened.cache.entry(try temporary.key("b")) == temporary.value("2"))
        #expect(await opened.cache.expire(scope) == 0)
        await opened.cache.store(temporary.value("1"), for: key)
        #expect(opened.cache.entry(key) == temporary.value("1"))
    }

    @Test func `A whole mount is marked expired, however many entries it has`() async throws {
        let opened = try temporary.open()
        for number in 0..<1_203 {
            await opened.cache.store(temporary.value("\(number)"), for: try temporary.key("k\(number)"))
        }
        let foreign = try temporary.key("a", mount: "other/")
        await opened.cache.store(temporary.value("other"), for: foreign)
        #expect(await opened.cache.expire(.mount(TemporaryCache.mount)) == 1_203)
        for number in 0..<1_203 { #expect(opened.cache.entry(try temporary.key("k\(number)"))?.expired == true) }
        #expect(opened.cache.entry(foreign)?.expired == false)
    }

    private static let paths = [
        "a", "a/b", "a/b/c", "ab", "a/", "a-b", "a0", "a/\u{301}x", "A/b", "a%b/c", "a_b/c", "axb/c", "e\u{301}/x",
        "é/x",
        "\u{600}/x", "a/\u{10FFFF}",
    ].filter { !$0.hasSuffix("/") }

    @Test(arguments: ["", "a/", "a/b/", "a", "a%b/", "a_b/", "A/", "e\u{301}/", "é/", "\u{600}/", "/", "b/", "a//"])
    func `A folder is what lies below it, byte by byte`(folder: String) async throws {
        let bytes = Array(folder.utf8)
        let whole = bytes.isEmpty || bytes.last == UInt8(ascii: "/") ? bytes : bytes + [UInt8(ascii: "/")]
        let inside = CacheBehaviourTests.paths.filter { $0.utf8.starts(with: whole) }
        let opened = try temporary.open()
        let mounts = [TemporaryCache.mount, "airflow", "airflow/x/"]
        for mount in mounts {
            for path in CacheBehaviourTests.paths {
                await opened.cache.store(temporary.value(path), for: try temporary.key(path, mount: mount))
            }
        }
        let scope = CacheScope.prefix(mount: TemporaryCache.mount, folder)
        #expect(await opened.cache.expire(scope) == inside.count)
        for path in CacheBehaviourTests.paths {
            let entry = opened.cache.entry(try temporary.key(path))
            #expect(entry?.expired == inside.contains { $0.utf8.elementsEqual(path.utf8) }, "\(path)")
        }
        #expect(await opened.cache.remove(scope) == inside.count)
        for path in CacheBehaviourTests.paths {
            let isInside = inside.contains { $0.utf8.elementsEqual(path.utf8) }
            #expect((opened.cache.entry(try temporary.key(path)) == nil) == isInside, "\(path)")
        }
        for mount in mounts.dropFirst() {
            #expect(opened.cache.status(mount: mount).entries == CacheBehaviourTests.paths.count)
        }
    }

    @Test func `The status counts entries, sealed bytes and negatives, and knows the oldest`() async throws {
        let opened = try temporary.open()
        #expect(opened.cache.status(mount: TemporaryCache.mount) == CacheStatus())
        let start = temporary.temporary.now
        await opened.cache.store(temporary.nothing, for: try temporary.key("a"))
        temporary.temporary.advance(seconds: 10)
        await opened.cache.store(temporary.value("x"), for: try temporary.key("b"))
        let sealed = try temporary.outside { try Int.fetchOne($0, sql: "SELECT sum(length(sealed)) FROM entry") }
        var expected = CacheStatus()
        expected.entries = 2
        expected.negatives = 1
        expected.bytes = try #require(sealed)
        expected.oldest = start
        expected.oldestNegative = start
        expected.oldestValue = temporary.temporary.now
        #expect(opened.cache.status(mount: TemporaryCache.mount) == expected)
        #expect(opened.cache.status(mount: "other/") == CacheStatus())
        await opened.cache.store(temporary.value("x"), for: try temporary.key("a"))
        #expect(opened.cache.status(mount: TemporaryCache.mount).negatives == 0)
        #expect(opened.cache.status(mount: TemporaryCache.mount).oldest == temporary.temporary.now)
        await opened.cache.remove(.mount(TemporaryCache.mount))
        #expect(opened.cache.status(mount: TemporaryCache.mount) == CacheStatus())
    }

    @Test func `The oldest stale entry is the oldest past its own ttl, or marked expired`() async throws {
        let opened = try temporary.open()
        let rule = FreshnessRule()
        func oldestStale() -> Timestamp? {
            opened.cache.status(mount: TemporaryCache.mount).oldestStale(at: temporary.temporary.now, rule)
        }
        let start = temporary.temporary.now
        await opened.cache.store(temporary.value("x"), for: try temporary.key("value"))
        temporary.temporary.advance(seconds: 10)
        await opened.cache.store(temporary.nothing, for: try temporary.key("negative"))
        temporary.temporary.advance(seconds: 14)
        #expect(oldestStale() == nil)
        temporary.temporary.advance(seconds: 1)
        #expect(oldestStale() == start.adding(seconds: 10), "the negative's ttl is over, the older value's is not")
        await opened.cache.expire(.path(mount: TemporaryCache.mount, try SecretPath("value")))
        #expect(oldestStale() == start)
        await opened.cache.store(temporary.value("y"), for: try temporary.key("value"))
        #expect(oldestStale() == start.adding(seconds: 10), "fetched anew, it is fresh")
        temporary.temporary.advance(seconds: 60)
        #expect(oldestStale() == start.adding(seconds: 10))
        await opened.cache.remove(.mount(TemporaryCache.mount))
        #expect(oldestStale() == nil)
    }

    @Test func `The sweep drops what is too old to be answered, and mounts that are gone`() async throws {
        let opened = try temporary.open()
        for number in 0..<1_100 { await opened.cache.store(temporary.value("x"), for: try temporary.key("k\(number)")) }
        await opened.cache.store(temporary.value("x"), for: try temporary.key("a", mount: "gone/"))
        temporary.temporary.advance(seconds: 60)
        await opened.cache.store(temporary.value("y"), for: try temporary.key("young"))
        let minute = Timestamp.nanoseconds(in: 60)
        #expect(await opened.cache.sweep(keeping: [TemporaryCache.mount: minute + 1, "gone/": .max]) == 0)
        #expect(await opened.cache.sweep(keeping: [TemporaryCache.mount: minute]) == 1_101)
        #expect(opened.cache.entry(try temporary.key("young")) == temporary.value("y"))
        #expect(opened.cache.status(mount: "gone/") == CacheStatus())
    }

    @Test func `Mounts without an age of their own are swept by the common one, where there is one`() async throws {
        let opened = try temporary.open()
        await opened.cache.store(temporary.value("x"), for: try temporary.key("old", mount: "opened/"))
        temporary.temporary.advance(seconds: 60)
        await opened.cache.store(temporary.value("y"), for: try temporary.key("young", mount: "opened/"))
        let minute = Timestamp.nanoseconds(in: 60)
        #expect(await opened.cache.sweep(keeping: [:], others: minute + 1) == 0)
        #expect(await opened.cache.sweep(keeping: [:], others: minute) == 1)
        #expect(opened.cache.entry(try temporary.key("young", mount: "opened/")) != nil)
        #expect(await opened.cache.sweep(keeping: [:]) == 1)
    }
}
