import AirlockCore
import Synchronization
import Testing

/// What readers get who come at the same time, and at the time of a change.
struct ReadThroughRaceTests {
    private let fixture: ReadThroughFixture

    init() throws { fixture = try ReadThroughFixture() }

    private func inBackground(_ path: String = "a", _ header: String = "", as reader: TestReader = TestReader())
        -> Task<String, Never>
    {
        Task { [fixture] in await fixture.answer(path, with: header, as: reader) }
    }

    private func client(_ name: String) -> TestReader { TestReader(credential: .client(SecretText(name))) }

    // MARK: Single flight

    @Test func `Two hundred readers of one path cost one question`() async {
        fixture.backend.answer(fixture.secret("one"))
        fixture.backend.hold()
        let readers = (0..<200).map { _ in inBackground() }
        // All but the first wait for its question.
        await until("the others to wait") { fixture.count(.coalesced) == 199 }
        fixture.backend.release()
        for reader in readers { #expect(await reader.value == "MISS one 0") }
        #expect(fixture.backend.calls.count == 1)
    }

    @Test func `Who found nothing, and comes when another has just been answered, asks no more`() async throws {
        fixture.backend.answer(fixture.secret("one"))
        #expect(await fixture.answer() == "MISS one 0")
        let key = fixture.readThrough.key(try SecretPath("a"))
        let entry = try await fixture.readThrough.fetch(key, as: .own, after: .distantPast)
        #expect(entry.fetched == fixture.now)
        #expect(fixture.backend.calls.count == 1)
        _ = try await fixture.readThrough.fetch(key, as: .own, after: entry.fetched)
        #expect(fixture.backend.calls.count == 2)
    }

    @Test func `A failure is shared too, and the next read asks again`() async {
        fixture.backend.fail(.refused)
        fixture.backend.hold()
        let readers = (0..<20).map { _ in inBackground() }
        await until("the others to wait") { fixture.count(.coalesced) == 19 }
        fixture.backend.release()
        for reader in readers { #expect(await reader.value == "unavailable") }
        #expect(fixture.backend.calls.count == 1)
        fixture.backend.answer(fixture.secret("one"))
        #expect(await fixture.answer() == "MISS one 0")
    }

    @Test func `A reader who goes away does not take the answer from the others`() async {
        fixture.backend.answer(fixture.secret("one"))
        fixture.backend.hold()
        let first = inBackground()
        await fixture.backend.asked(1)
        let second = inBackground()
        await until("the others to wait") { fixture.count(.coalesced) == 1 }
        first.cancel()
        fixture.backend.release()
        #expect(await second.value == "MISS one 0")
        #expect(fixture.backend.calls.count == 1)
    }

    @Test func `Different paths, versions and tokens wait for their own question`() async throws {
        fixture.backend.answer { [fixture] call in fixture.secret("\(call.path) \(call.version ?? 0)") }
        fixture.backend.hold()
        let readers = [
            inBackground("a"), inBackground("b"), inBackground("a", as: client("x")),
            inBackground("a", as: client("y")),
        ]
        let versioned = Task { [fixture] in await fixture.answer(version: 1) }
        await fixture.backend.asked(5)
        fixture.backend.release()
        var answers: [String] = []
        for reader in readers + [versioned] { answers.append(await reader.value) }
        #expect(answers == ["MISS a 0 0", "MISS b 0 0", "MISS a 0 0", "MISS a 0 0", "MISS a 1 0"])
        #expect(fixture.count(.coalesced) == 0)
    }

    /// To Swift `é` and `e` with an accent are one text; to a vault they are two paths, and to a policy two rights.
    @Test func `Canonically equivalent paths are two paths`() async {
        fixture.backend.answer { [fixture] call in fixture.secret("\(call.path.utf8.count) bytes") }
        fixture.backend.hold()
        let readers = [inBackground("caf\u{E9}"), inBackground("cafe\u{301}")]
        await fixture.backend.asked(2)
        fixture.backend.release()
        var answers: [String] = []
        for reader in readers { answers.append(await reader.value) }
        #expect(answers == ["MISS 5 bytes 0", "MISS 6 bytes 0"])
    }

    @Test func `A no-cache reader waits for nobody's earlier question`() async {
        fixture.backend.answer(fixture.secret("one"))
        fixture.backend.hold()
        let slow = inBackground()
        await fixture.backend.asked(1)
        fixture.backend.answer(fixture.secret("two"))
        let eager = inBackground("a", "no-cache")
        await fixture.backend.asked(2)
        fixture.backend.release()
        #expect(await eager.value == "BYPASS two 0")
        _ = await slow.value
    }

    @Test func `A reader with max-age does not take an answer that was asked for longer ago`() async {
        fixture.backend.answer(fixture.secret("one"))
        fixture.backend.hold()
        let slow = inBackground()
        await fixture.backend.asked(1)
        fixture.advance(seconds: 2)
        fixture.backend.answer(fixture.secret("two"))
        let picky = inBackground("a", "max-age=1")
        await until("the others to wait") { fixture.count(.coalesced) == 1 }
        fixture.backend.release()
        #expect(await picky.value == "MISS two 0")
        #expect(await slow.value == "MISS one 2")
    }

    // MARK: Changes

    @Test(arguments: ["write", "purge path", "invalidate path", "invalidate folder", "invalidate mount"])
    func `What was asked before a change is neither kept nor answered after it`(change: String) async throws {
        let path = try SecretPath("f/a")
        fixture.backend.answer(fixture.secret("old"))
        fixture.backend.hold()
        let slow = inBackground("f/a")
        await fixture.backend.asked(1)
        fixture.backend.answer(fixture.secret("new"))
        let mount = ReadThroughFixture.mount
        switch change {
        case "write": await fixture.readThrough.changed(path)
        case "purge path": _ = await fixture.readThrough.purge(.path(mount: mount, path))
        case "invalidate path": await fixture.readThrough.invalidate(.path(mount: mount, path))
        case "invalidate folder": await fixture.readThrough.invalidate(.prefix(mount: mount, "f/"))
        default: await fixture.readThrough.invalidate(.mount(mount))
        }
        let after = inBackground("f/a")
        await fixture.backend.asked(2)
        // The one who asked later is answered first.
        fixture.backend.releaseLast()
        #expect(await after.value == "MISS new 0")
        fixture.backend.release()
        #expect(await slow.value == "MISS new 0")
        #expect(await fixture.answer("f/a") == "HIT new 0")
    }

    @Test func `A path that is changed all the time is not asked for without end, and not kept`() async throws {
        fixture.backend.answer(fixture.secret("one"))
        changeBeforeEachStore(of: try SecretPath("a"))
        #expect(await fixture.answer() == "MISS one 0")
        #expect(fixture.backend.calls.count == 3)
        #expect(fixture.cache.status(mount: ReadThroughFixture.mount).entries == 0)
    }

    @Test func `Who asked before a write and hears the older version after it is given the new one`() async throws {
        fixture.backend.answer(fixture.secret("one", version: 1, created: fixture.now))
        fixture.backend.hold()
        let slow = inBackground()
        await fixture.backend.asked(1)
        fixture.advance(seconds: 1)
        fixture.backend.answer(fixture.secret("two", version: 2, created: fixture.now))
        await fixture.readThrough.changed(try SecretPath("a"), written: answerToWrite(version: 2))
        fixture.backend.release()
        #expect(await slow.value == "MISS two 0")
    }

    /// An answer that is as new as its question is no lagging replica's, whatever was written since.
    @Test func `A path that is written all the time can still be read`() async throws {
        let path = try SecretPath("a")
        fixture.backend.answer(fixture.secret("one", version: 1, created: fixture.now))
        fixture.backend.hold()
        let slow = inBackground()
        for write in 1...3 {
            await fixture.backend.asked(write)
            fixture.advance(seconds: 1)
            fixture.backend.answer(fixture.secret("\(write + 1)", version: write + 1, created: fixture.now))
            await fixture.readThrough.changed(path, written: answerToWrite(version: write + 1))
            fixture.backend.releaseLast()
        }
        #expect(await slow.value == "MISS 3 1")
    }

    private func answerToWrite(version: Int) -> SecretPayload {
        let answer = #"{"data":{"version":\#(version),"created_time":"\#(fixture.now.rfc3339)"}}"#
        return SecretPayload(Array(answer.utf8))
    }

    private func changeBeforeEachStore(of path: SecretPath) {
        fixture.cache.beforeNextStore {
            changeBeforeEachStore(of: path)
            await fixture.readThrough.changed(path)
        }
    }

    @Test func `A slow failure that was asked before a change brings back nothing from before it`() async throws {
        fixture.backend.answer(fixture.secret("old"))
        _ = await fixture.answer()
        fixture.advance(seconds: 60)
        fixture.backend.fail(.timeout)
        fixture.backend.hold()
        let slow = inBackground()
        await fixture.backend.asked(2)
        await fixture.readThrough.changed(try SecretPath("a"))
        fixture.backend.release()
        #expect(await slow.value == "unavailable")
    }

    @Test func `A write ends what is kept of a path, all its versions and that it was not there`() async throws {
        for version in [nil, 1] { _ = await fixture.answer(version: version) }
        await fixture.readThrough.changed(try SecretPath("a"))
        fixture.backend.answer(fixture.secret("one"))
        for version in [nil, 1] { #expect(await fixture.answer(version: version) == "MISS one 0") }
    }

    @Test func `An invalidated value is asked for again, and kept for an outage`() async throws {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        let scope = CacheScope.path(mount: ReadThroughFixture.mount, try SecretPath("a"))
        #expect(await fixture.readThrough.invalidate(scope) == 1)
        fixture.backend.fail(.refused)
        fixture.advance(seconds: 5)
        #expect(await fixture.answer() == "STALE one 5")
        fixture.backend.answer(fixture.secret("two"))
        #expect(await fixture.answer() == "MISS two 0")
        #expect(await fixture.answer() == "HIT two 0")
        #expect(await fixture.readThrough.purge(scope) == 1)
        fixture.backend.fail(.refused)
        #expect(await fixture.answer() == "unavailable")
    }

    // MARK: Order of versions

    @Test func `A lagging replica's older version is answered with the newer one, as stale`() async {
        fixture.backend.answer(fixture.secret("two", version: 2, created: fixture.now))
        _ = await fixture.answer()
        fixture.backend.answer(fixture.secret("one", version: 1, created: fixture.now.adding(seconds: -9)))
        #expect(await fixture.answer(with: "no-cache") == "STALE two 0")
        fixture.advance(seconds: 60)
        #expect(await fixture.answer() == "STALE two 60")
        #expect(await fixture.answer(with: "max-age=59") == "unavailable")
        fixture.backend.answer(fixture.secret("three", version: 3, created: fixture.now))
        #expect(await fixture.answer() == "MISS three 0")
    }

    @Test func `After a write no replica that lags is believed, although what was cached is gone`() async throws {
        let before = fixture.secret("one", version: 1, created: fixture.now)
        fixture.backend.answer(before)
        _ = await fixture.answer()
        fixture.advance(seconds: 1)
        await fixture.readThrough.changed(try SecretPath("a"), written: answerToWrite(version: 2))
        #expect(await fixture.answer() == "unavailable")
        fixture.backend.answer(fixture.secret("two", version: 2, created: fixture.now))
        #expect(await fixture.answer() == "MISS two 0")
        // A delete does not say which version it left.
        await fixture.readThrough.changed(try SecretPath("a"))
        fixture.backend.answer(before)
        #expect(await fixture.answer() == "unavailable")
        fixture.advance(seconds: 1)
        fixture.backend.answer(fixture.secret("made again", version: 1, created: fixture.now))
        #expect(await fixture.answer() == "MISS made again 0")
        // A vault restored from a backup: its older version is right once the newer one is purged.
        fixture.advance(seconds: 60)
        fixture.backend.answer(fixture.secret("newer", version: 2, created: fixture.now))
        #expect(await fixture.answer() == "MISS newer 0")
        await fixture.readThrough.changed(try SecretPath("a"))
        fixture.backend.answer(before)
        #expect(await fixture.answer() == "unavailable")
        _ = await fixture.readThrough.purge(.path(mount: ReadThroughFixture.mount, try SecretPath("a")))
        #expect(await fixture.answer() == "MISS one 0")
    }

    @Test func `A secret that was deleted whole and made again starts anew`() async {
        fixture.backend.answer(fixture.secret("old", version: 7, created: fixture.now))
        _ = await fixture.answer()
        fixture.advance(seconds: 60)
        fixture.backend.answer(fixture.secret("new", version: 1, created: fixture.now))
        #expect(await fixture.answer() == "MISS new 0")
    }

    /// Two questions under way, to two replicas: the newer answer comes while the older one is about to be kept.
    @Test func `Of two answers at once the older version is never given after the newer`() async {
        fixture.backend.answer { [fixture] call in
            let version = call.credential == .own ? 1 : 2
            return fixture.secret("v\(version)", version: version, created: fixture.now.adding(seconds: version))
        }
        fixture.cache.beforeNextStore { [fixture] in
            #expect(await fixture.answer(as: client("x")) == "MISS v2 0")
        }
        #expect(await fixture.answer() == "STALE v2 0")
        #expect(await fixture.answer() == "HIT v2 0")
    }

    /// KV version 1 has no order of its own: the later question has the newer answer.
    @Test func `What was asked earlier is not kept over what was asked later`() async {
        fixture.backend.answer(fixture.secret("old"))
        fixture.backend.hold()
        let slow = inBackground()
        await fixture.backend.asked(1)
        fixture.advance(seconds: 1)
        fixture.backend.answer(fixture.secret("new"))
        let eager = inBackground("a", "no-cache")
        await fixture.backend.asked(2)
        // The eager one is let go first.
        fixture.backend.releaseLast()
        #expect(await eager.value == "BYPASS new 0")
        fixture.backend.release()
        _ = await slow.value
        #expect(await fixture.answer() == "HIT new 0")
    }

    @Test func `An entry from the future, before the clock was set back, keeps nothing new away`() async {
        fixture.backend.answer(fixture.secret("old"))
        _ = await fixture.answer()
        fixture.advance(seconds: -1_000)
        fixture.backend.answer(fixture.secret("new"))
        #expect(await fixture.answer() == "MISS new 0")
        #expect(await fixture.answer() == "HIT new 0")
    }

    // MARK: Refresh ahead

    /// When in between is a matter of each entry (`FreshnessTests`).
    @Test func `A value in use is asked for before it expires, not before 64 and not after 96 percent of its ttl`()
        async throws
    {
        for number in 0..<10 {
            let fixture = try ReadThroughFixture(ttl: 100)
            let path = "k\(number)"
            fixture.backend.answer(fixture.secret("one"))
            _ = await fixture.answer(path)
            fixture.backend.answer(fixture.secret("two"))
            fixture.advance(seconds: 63)
            #expect(await fixture.answer(path) == "HIT one 63")
            fixture.advance(seconds: 33)
            #expect(await fixture.answer(path) == "HIT one 96")
            await until("the refresh") { await fixture.answer(path) == "HIT two 0" }
            #expect(fixture.backend.calls.count == 2)
        }
    }

    @Test func `A value that nobody reads is not asked for, nor that there is nothing`() async {
        _ = await fixture.answer("none")
        fixture.advance(nanoseconds: Timestamp.nanoseconds(in: 15) - 1)
        #expect(await fixture.answer("none") == "NEGATIVE - 14")
        for _ in 0..<50 { await Task.yield() }
        #expect(fixture.backend.calls.count == 1)
    }

    @Test func `Readers who come while a value is refreshed wait for nothing`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.advance(seconds: 59)
        fixture.backend.hold()
        #expect(await fixture.answer() == "HIT one 59")
        await fixture.backend.asked(2)
        for _ in 0..<50 { #expect(await fixture.answer() == "HIT one 59") }
        for _ in 0..<50 { await Task.yield() }
        #expect(fixture.count(.coalesced) == 0)
        fixture.backend.release()
    }

    @Test func `A refresh that fails changes nothing`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.fail(.denied)
        fixture.advance(seconds: 59)
        #expect(await fixture.answer() == "HIT one 59")
        await fixture.backend.asked(2)
        #expect(await fixture.answer() == "HIT one 59")
        #expect(fixture.count(.unanswered) == 0)
    }
}
