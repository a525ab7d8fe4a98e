import Foundation
import Synchronization
import Testing

@testable import AirlockCore
@testable import AirlockStore

/// What memory answers for plain reads is never older than what has been acknowledged.
struct FrontTests {
    /// Ends what memory may answer, each in its own way.
    enum Change: String, CaseIterable {
        case write, patch, delete, destroy, deleteMetadata, editPolicy, deletePolicy, revoke, revokeParent, disable,
            move
        case tune, writeNothing
    }

    @Test(arguments: Change.allCases)
    func `What a change touches is not answered from memory once the change is`(change: Change) async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        try reader.read()
        #expect(reader.hit() == "1")
        try await reader.make(change)
        #expect(reader.hit() == nil)
    }

    @Test func `Another secret's change leaves the others in memory`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        try reader.read()
        _ = try await reader.engine.write(try SecretPath("other"), data: SecretPayload(Array("{}".utf8)), cas: nil)
        _ = try await reader.tokens.issue(TokenRequest())
        #expect(reader.hit() == "1")
    }

    @Test func `What a change overtakes on its way is not kept`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        let reading = try #require(try reader.reading())
        try await reader.write("2")
        reader.front.keep(reading.reading, since: reading.begun)
        #expect(reader.hit() == nil)
        // The moment of a reading is the one before it began.
        reader.front.keep(reading.reading, since: reader.front.moment)
        #expect(reader.hit() == "1")
    }

    @Test func `What is being changed is neither answered nor kept until the change is done or given up`() async throws
    {
        let reader = try await PlainReader()
        try await reader.write("1")
        try reader.read()
        let change = [Front.Thing.secret(scope: reader.mount.uuid, path: PlainReader.path)]
        reader.front.changing(change)
        #expect(reader.hit() == nil)
        try reader.read()
        #expect(reader.hit() == nil)
        reader.front.changed(change)
        #expect(reader.hit() == nil)
        try reader.read()
        #expect(reader.hit() == "1")
    }

    @Test func `A write that fails changes nothing that is answered later`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        try reader.read()
        await #expect(throws: AirlockError.self) {
            try await reader.engine.write(
                try SecretPath(PlainReader.path), data: SecretPayload(Array("{}".utf8)), cas: 7)
        }
        try reader.read()
        #expect(reader.hit() == "1")
    }

    @Test func `A token's end, its parent's and a version's come by themselves`() async throws {
        let reader = try await PlainReader(parentTTL: 50, ttl: 100)
        try await reader.write("1")
        try reader.read()
        reader.store.advance(seconds: 49)
        #expect(reader.hit() == "1")
        reader.store.advance(seconds: 1)
        #expect(reader.hit() == nil)

        let other = try await PlainReader()
        _ = try await other.engine.updateMetadata(try SecretPath(PlainReader.path), cas: nil, creates: true) {
            $0.deleteVersionAfter = Timestamp.nanoseconds(in: 30)
        }
        try await other.write("1")
        try other.read()
        #expect(other.hit() == "1")
        other.store.advance(seconds: 30)
        #expect(other.hit() == nil)
    }

    @Test func `Another token, one without the right, and another spelling of the path get nothing from memory`()
        async throws
    {
        let reader = try await PlainReader()
        try await reader.write("1")
        try reader.read()
        #expect(reader.hit(token: "s.unknown") == nil)
        #expect(reader.hit(target: "/v1/secret/data/a/") == nil)
        #expect(reader.hit(target: "/v1/secret/data/%61") == nil)
        #expect(reader.hit(target: "/v1/secret/data/") == nil)
        #expect(reader.hit(target: "/v1/secret/metadata/a") == nil)
        try await reader.makeOther()
        #expect(reader.hit(token: reader.otherText) == nil)
    }

    @Test(
        arguments: [
            { $0.uses = 5 }, { $0.boundCIDRs = [CIDR("10.0.0.0/8")!] },
            {
                $0.upstream = UpstreamGrant(
                    token: SecretText("x"), policies: [], isBrought: true, login: nil, isCounted: false)
            },
        ] as [@Sendable (inout TokenRequest) -> Void])
    func `A token that is counted, bound to addresses or a vault's is looked at each time`(
        change: @Sendable (inout TokenRequest) -> Void
    ) async throws {
        let reader = try await PlainReader(change)
        try await reader.write("1")
        try reader.read(source: "10.0.0.1")
        #expect(reader.hit() == nil)
    }

    @Test func `Memory holds no more than its limit`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        let reading = try #require(try reader.reading()).reading
        let front = Front(limit: 1 << 20)
        let data = SecretPayload([UInt8](repeating: 0x20, count: 400))
        var kept = 0
        for number in 0..<20_000 {
            front.keep(
                try reader.reading(reading, path: "s\(number)", data: data), since: front.moment)
        }
        for number in 0..<20_000
        where front.hit(reader.presented, Array("/v1/secret/data/s\(number)".utf8), now: reader.store.now)
            != nil
        {
            kept += 1
        }
        #expect((1_450..<1_700).contains(kept))
    }

    @Test func `Answers are found by their hash, however those collide, and whatever went before`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        let first = try #require(try reader.reading()).reading
        let place = Front.Place(first)
        let answers = try (0..<300).map { number in
            let data = SecretPayload([UInt8](repeating: 0x20, count: number))
            return Front.Kept(try reader.reading(first, path: "s\(number)", data: data), place: place)
        }
        var random = SystemRandomNumberGenerator()
        var table = Front.KeptTable()
        var model: [Int: Front.Kept] = [:]
        // Few places for many hashes, at both ends of the table.
        let hashes = (0..<120).map { ($0 % 40 - 20) << 6 | ($0 / 40) << 40 }
        for step in 0..<4_000 {
            let hash = try #require(hashes.randomElement(using: &random))
            if step % 1_000 == 999 {
                let gone = table.removeAll { $0.dataCount % 2 == 0 }
                #expect(gone.count == model.values.count { $0.dataCount % 2 == 0 })
                model = model.filter { $0.value.dataCount % 2 == 1 }
            } else if Bool.random(using: &random) {
                let kept = try #require(answers.randomElement(using: &random))
                table.put(kept, hash)
                model[hash] = kept
            } else {
                table.remove(hash)
                model[hash] = nil
            }
            for hash in hashes { try #require(table[hash]?.path == model[hash]?.path) }
            try #require(table.cost == model.values.reduce(0) { $0 + $1.cost })
        }
    }

    @Test func `Of a mount that is gone nothing is held`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        try reader.read()
        #expect(reader.front.state.withLock { $0.places.count == 1 && $0.cost > 0 })
        try await reader.make(.disable)
        #expect(reader.front.state.withLock { $0.places.isEmpty && $0.cost == 0 })
    }

    @Test func `A token with very much text of somebody's choice is not kept`() async throws {
        let text = String(repeating: "x", count: 20_000)
        let changes: [@Sendable (inout TokenRequest) -> Void] = [
            { $0.meta = ["x": text] }, { $0.displayName = text }, { $0.policies.append(text) },
            { request in
                request.meta = [:]
                for number in 0..<1_000 { request.meta?["\(number)"] = "some text of no great length" }
            },
        ]
        for change in changes {
            let reader = try await PlainReader(change)
            try await reader.write("1")
            try reader.read()
            #expect(reader.hit() == nil)
            let isInMemory = reader.front.record(RecordKey(.token, reader.issued.digest)) != nil
            #expect(!isInMemory)
        }
    }

    @Test func `A token at the end of a long line of ancestors is not kept`() async throws {
        let store = TemporaryStore()
        let opened = try store.open()
        let tokens = Tokens(storage: opened.storage, namespace: .root, now: { store.now })
        var request = TokenRequest()
        for ancestors in 0..<40 {
            let issued = try await tokens.issue(request)
            request.parent = Token.Parent(digest: issued.digest, accessor: issued.token.accessor)
            let found = Tokens.Found(digest: issued.digest, token: issued.token)
            #expect(try (TokenLine(found, in: opened.storage) != nil) == (ancestors <= 32))
        }
    }

    @Test func `With a limit of nothing nothing is kept`() async throws {
        let reader = try await PlainReader()
        try await reader.write("1")
        let reading = try #require(try reader.reading()).reading
        let front = Front(limit: 0)
        front.keep(reading, since: front.moment)
        #expect(front.hit(reader.presented, reading.target, now: reader.store.now) == nil)
    }

    @Test func `No thread reads from memory what was replaced or refused before it asked`() async throws {
        let reader = try await PlainReader()
        try await reader.write("0")
        let race = Race()
        let threads = (0..<4).map { _ in
            Thread {
                while !race.isDone.withLock({ $0 }) {
                    let floor = race.acknowledged.withLock { $0 }
                    if let text = reader.hit(), let number = Int(text) {
                        race.hits.withLock { $0 += 1 }
                        if number < floor { Issue.record("\(number) after \(floor) was acknowledged") }
                    } else {
                        _ = try? reader.read()
                    }
                }
            }
        }
        for thread in threads { thread.start() }
        for number in 1...200 {
            try await reader.write(String(number))
            race.acknowledged.withLock { $0 = number }
            let before = race.hits.withLock { $0 }
            // On a machine with one free core the readers need their turn.
            for _ in 0..<200 where race.hits.withLock({ $0 }) == before { await Task.yield() }
        }
        try await reader.make(.revoke)
        #expect(reader.hit() == nil)
        race.isDone.withLock { $0 = true }
        #expect(threads.count == 4 && race.hits.withLock { $0 } > 0)
        while threads.contains(where: \.isExecuting) { await Task.yield() }
        #expect(reader.hit() == nil)
    }

    @Test
    func `What memory answers counts as used when the cache makes room, and what the cache drops memory does, too`()
        async throws
    {
        let temporary = TemporaryCache()
        var limits = CacheLimits()
        limits.entries = 2
        let opened = try temporary.open([TemporaryCache.mount: limits])
        defer { try? opened.close() }
        let front = opened.store.storage.front
        var presented = SecretPayload([])
        for path in ["a", "b"] {
            let reading = try await PlainReader.reading(path, of: temporary, in: opened)
            front.keep(reading, since: front.moment)
            presented = reading.presented
        }
        func isHit(_ path: String) -> Bool {
            let target = Array("/v1/\(TemporaryCache.mount)data/\(path)".utf8)
            return front.hit(presented, target, now: temporary.temporary.now) != nil
        }
        temporary.temporary.advance(seconds: 1)
        #expect(isHit("a"))
        await opened.cache.store(temporary.value("c"), for: try temporary.key("c")) { _ in true }
        #expect(opened.cache.entry(try temporary.key("a")) != nil)
        #expect(opened.cache.entry(try temporary.key("b")) == nil)
        #expect(isHit("a") && !isHit("b"))
    }

    @Test(arguments: ["store", "remove", "expire", "prefix", "mount"])
    func `An entry of the cache is not answered from memory once it has changed`(change: String) async throws {
        let temporary = TemporaryCache()
        let opened = try temporary.open()
        defer { try? opened.close() }
        let front = opened.store.storage.front
        let key = try temporary.key("a")
        let reading = try await PlainReader.reading("a", of: temporary, in: opened)
        let begun = front.moment
        front.keep(reading, since: begun)
        let hit = { front.hit(reading.presented, reading.target, now: temporary.temporary.now) }
        #expect(hit() != nil)
        switch change {
        case "store": await opened.cache.store(temporary.value("2"), for: key) { _ in true }
        case "remove": await opened.cache.remove(.path(mount: key.mount, key.path))
        case "expire": await opened.cache.expire(.path(mount: key.mount, key.path))
        case "prefix": await opened.cache.expire(.prefix(mount: key.mount, "a/"))
        default: await opened.cache.remove(.mount(key.mount))
        }
        #expect(hit() == nil)
        front.keep(reading, since: begun)
        #expect(hit() == nil)
        front.keep(reading, since: front.moment)
        #expect(hit() != nil)
        temporary.temporary.advance(seconds: 10)
        #expect(hit() == nil)
    }
}

extension Front {
    fileprivate func hit(_ token: SecretPayload, _ target: [UInt8], now: Timestamp) -> Hit? {
        token.bytes.withUnsafeBytes { token in
            target.withUnsafeBytes { hit(token: token, target: $0, now: now) }
        }
    }
}

/// What the threads of a race know of each other.
private final class Race: Sendable {
    let acknowledged = Mutex(0)
    let hits = Mutex(0)
    let isDone = Mutex(false)
}

/// A token that reads one secret, as the ordinary way does and from memory.
private final class PlainReader: Sendable {
    static let path = "a"

    let store = TemporaryStore()
    let opened: TemporaryStore.Opened
    let registry: Registry
    let tokens: Tokens
    let mount: Mount
    let parent: IssuedToken
    let issued: IssuedToken
    private let other = Mutex("")

    var front: Front { opened.storage.front }
    var presented: SecretPayload { SecretPayload(issued.text.bytes) }
    var otherText: String { other.withLock { $0 } }
    private var text: String { String(decoding: issued.text.bytes, as: UTF8.self) }
    var engine: KVVersioned { KVVersioned(storage: opened.storage, mount: mount, now: { [store] in store.now }) }

    init(
        parentTTL: Int = 0, ttl: Int = 0, _ change: @Sendable (inout TokenRequest) -> Void = { _ in }
    ) async throws {
        opened = try store.open()
        registry = try Registry(storage: opened.storage)
        try await registry.write(Policy(name: "p", text: #"path "secret/data/*" { capabilities = ["read"] }"#))
        try await registry.enable(Mount(path: "secret/", engine: .kv, description: "", options: ["version": "2"]))
        mount = try #require(registry.mount(named: "secret/"))
        tokens = Tokens(storage: opened.storage, namespace: .root, now: { [store] in store.now })
        var request = TokenRequest()
        request.ttl = parentTTL
        parent = try await tokens.issue(request)
        request.ttl = ttl
        request.policies = ["p"]
        request.parent = Token.Parent(digest: parent.digest, accessor: parent.token.accessor)
        change(&request)
        issued = try await tokens.issue(request)
    }

    func write(_ value: String) async throws {
        _ = try await engine.write(
            try SecretPath(PlainReader.path), data: SecretPayload(Array(value.utf8)), cas: nil)
    }

    func reading(source: String? = nil) throws -> (reading: Front.Reading, begun: Front.Moment)? {
        let begun = front.moment
        let found = try tokens.recognise(text, source: source)
        let path = try SecretPath(PlainReader.path)
        guard let mount = registry.mount(for: "secret/data/a"), let line = try TokenLine(found, in: opened.storage),
            let stored = try engine.read(path, version: nil), let data = stored.data
        else { return nil }
        return (
            Front.Reading(
                presented: presented, token: found.token, access: registry.accessControl(found.token.policies),
                line: line, mount: mount, hits: nil, path: path,
                answer: Front.Answer(data: data, validity: .init(fetched: nil, until: stored.state.deletion))), begun
        )
    }

    func reading(_ reading: Front.Reading, path: String, data: SecretPayload) throws -> Front.Reading {
        let found = try tokens.recognise(text, source: nil)
        return Front.Reading(
            presented: presented, token: found.token, access: registry.accessControl(found.token.policies),
            line: try #require(try TokenLine(found, in: opened.storage)), mount: mount, hits: nil,
            path: try SecretPath(path), answer: Front.Answer(data: data, validity: .init(fetched: nil, until: nil)))
    }

    /// As the ordinary way reads.
    func read(source: String? = nil) throws {
        if let (reading, begun) = try reading(source: source) { front.keep(reading, since: begun) }
    }

    func hit(token: String? = nil, target: String = "/v1/secret/data/a") -> String? {
        front.hit(
            SecretPayload(Array((token ?? text).utf8)), Array(target.utf8), now: store.now
        ).map { $0.kept.withData { String(decoding: $0, as: UTF8.self) } }
    }

    /// A secret put into the cache, as it is read from there.
    static func reading(
        _ path: String, of temporary: TemporaryCache, in opened: TemporaryCache.Opened
    ) async throws -> Front.Reading {
        let (key, now) = (try temporary.key(path), temporary.temporary.now)
        await opened.cache.store(temporary.value(path), for: key) { _ in true }
        let token = try Tokens(storage: opened.store.storage, namespace: .root, now: { now })
            .issued(TokenRequest()).token
        let line = try TokenLine(Tokens.Found(digest: "d", token: token), in: opened.store.storage)
        return Front.Reading(
            presented: SecretPayload(Array("s.token".utf8)), token: token, access: .root, line: try #require(line),
            mount: Mount(path: key.mount, engine: .kv, description: "", options: ["version": "2"], uuid: "m"),
            hits: Metrics().count(.reads, "m", "HIT"), path: key.path,
            answer: Front.Answer(
                data: SecretPayload([]), validity: .init(fetched: now, until: now.adding(seconds: 10))))
    }

    /// A second token, without any right.
    func makeOther() async throws {
        let made = try await tokens.issue(TokenRequest())
        other.withLock { $0 = String(decoding: made.text.bytes, as: UTF8.self) }
        let begun = front.moment
        let found = try tokens.recognise(otherText, source: nil)
        front.keep(
            Front.Reading(
                presented: SecretPayload(made.text.bytes), token: found.token, access: registry.accessControl([]),
                line: try #require(try TokenLine(found, in: opened.storage)), mount: mount, hits: nil,
                path: try SecretPath(PlainReader.path),
                answer: Front.Answer(
                    data: SecretPayload(Array("1".utf8)), validity: .init(fetched: nil, until: nil))), since: begun)
    }

    func make(_ change: FrontTests.Change) async throws {
        let path = try SecretPath(PlainReader.path)
        switch change {
        case .write: try await write("2")
        case .writeNothing: try await write("1")
        case .patch:
            try await write("{}")
            try read()
            _ = try await engine.patch(path, merge: try JSON(parsing: Array("{}".utf8)), cas: nil)
        case .delete: try await engine.delete(path, versions: nil)
        case .destroy: try await engine.destroy(path, versions: [1])
        case .deleteMetadata: try await engine.deleteMetadata(path)
        case .editPolicy:
            try await registry.write(Policy(name: "p", text: #"path "secret/data/*" { capabilities = ["deny"] }"#))
        case .deletePolicy: try await registry.deletePolicy("p")
        case .revoke: try await tokens.revoke(try tokens.recognise(text, source: nil))
        case .revokeParent:
            try await tokens.revoke(
                try tokens.recognise(String(decoding: parent.text.bytes, as: UTF8.self), source: nil))
        case .disable: try await registry.disable("secret/")
        case .move:
            try await registry.move(
                try Remount(from: "secret/", to: "moved/"), id: "1", now: store.now)
        case .tune:
            try await registry.tune("secret/", auth: false) { mount, _ in mount.description = "tuned" }
        }
    }
}
