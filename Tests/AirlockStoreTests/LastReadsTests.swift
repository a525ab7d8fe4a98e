import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Synchronization
import Testing

/// Who read which secret last, as it is gathered and written down.
struct LastReadsTests {
    private let store = TemporaryStore()
    private let mount = Mount(path: "secret/", engine: .kv, description: "", options: ["version": "2"])

    private func reads(_ storage: any Storage, batch: Int = 100, limit: Int = 200) async throws -> LastReads {
        try await LastReads(storage: storage, batch: batch, limit: limit, now: { store.now })
    }

    /// A token with names of its own, and the canary as its text.
    private func token(_ name: String, _ storage: any Storage) async throws -> Token {
        var request = TokenRequest()
        request.displayName = name
        request.policies = ["default"]
        request.entityID = "entity-of-\(name)"
        return try await Tokens(storage: storage, namespace: .root, now: { store.now }).issue(request).token
    }

    private func path(_ name: String) throws -> SecretPath { try SecretPath("connections/\(name)") }

    private func write(_ name: String, _ storage: any Storage) async throws {
        let engine = KVVersioned(storage: storage, mount: mount, now: { store.now })
        _ = try await engine.write(path(name), data: SecretPayload(Array("{}".utf8)), cas: nil)
    }

    private func rows() throws -> [String] {
        try store.outside {
            try String.fetchAll(
                $0, sql: "SELECT name FROM record WHERE kind = 'last_read' AND scope <> '' ORDER BY name")
        }
    }

    @Test func `A read is known at once, written down by a flush, and known after a restart`() async throws {
        let pg = try path("pg")
        let accessor: String
        let moment = store.now
        do {
            let opened = try store.open()
            try await Registry(storage: opened.storage).enable(mount)
            let reads = try await reads(opened.storage)
            let alice = try await token("alice", opened.storage)
            accessor = alice.accessor
            try await write("pg", opened.storage)
            #expect(try reads.reads(of: [pg], on: mount).isEmpty)
            reads.note(pg, on: mount, isStored: true, by: alice)
            #expect(try reads.reads(of: [pg], on: mount)[pg]?.displayName == "alice")
            #expect(try rows().isEmpty)
            try await reads.flush()
            #expect(try rows() == ["connections/pg"])
            try opened.storage.close()
        }
        store.advance(seconds: 60)
        let opened = try store.open()
        let reads = try await reads(opened.storage)
        let found = try #require(try reads.reads(of: [pg, try path("other")], on: mount)[pg])
        #expect(found.moment == moment && found.accessor == accessor && found.entityID == "entity-of-alice")
        #expect(reads.since == moment)
        let elsewhere = Mount(path: "other/", engine: .kv, description: "", options: ["version": "2"])
        #expect(try reads.reads(of: [pg], on: elsewhere).isEmpty)
    }

    @Test func `The newest of many reads counts, and costs one row`() async throws {
        let opened = try store.open()
        let reads = try await reads(opened.storage)
        let (alice, bob) = (try await token("alice", opened.storage), try await token("bob", opened.storage))
        let pg = try path("pg")
        for reader in [alice, bob, alice, bob] {
            store.advance(seconds: 1)
            reads.note(pg, on: mount, isStored: false, by: reader)
            if reader == bob { try await reads.flush() }
        }
        let found = try #require(try reads.reads(of: [pg], on: mount)[pg])
        #expect(found == LastRead(by: bob, at: store.now))
        #expect(try rows().count == 1)
    }

    @Test func `Nothing of a reader stands in the files in the clear`() async throws {
        let opened = try store.open()
        let reads = try await reads(opened.storage)
        let reader = try await token("a-very-particular-name", opened.storage)
        reads.note(try path("pg"), on: mount, isStored: false, by: reader)
        try await reads.flush()
        #expect(try rows() == ["connections/pg"])
        try opened.storage.close()
        for (name, bytes) in try store.files() {
            for text in [reader.displayName, reader.accessor, reader.entityID] {
                #expect(bytes.range(of: Data(text.utf8)) == nil, "\(name)")
            }
        }
    }

    @Test func `Of a secret that is deleted whole, or whose mount is, no read is left`() async throws {
        let opened = try store.open()
        let registry = try Registry(storage: opened.storage)
        try await registry.enable(mount)
        let reads = try await reads(opened.storage)
        let alice = try await token("alice", opened.storage)
        for name in ["kept", "gone", "gone before the flush"] {
            try await write(name, opened.storage)
            if name != "gone before the flush" { reads.note(try path(name), on: mount, isStored: true, by: alice) }
        }
        try await reads.flush()
        #expect(try rows().count == 2)
        let engine = KVVersioned(storage: opened.storage, mount: mount, now: { store.now })
        try await engine.deleteMetadata(path("gone"))
        reads.note(try path("gone before the flush"), on: mount, isStored: true, by: alice)
        try await engine.deleteMetadata(path("gone before the flush"))
        try await reads.flush()
        #expect(try rows() == ["connections/kept"])
        try await registry.disable("secret/")
        #expect(try rows().isEmpty)

        let plain = Mount(path: "plain/", engine: .kv, description: "", options: nil)
        try await registry.enable(plain)
        let kv1 = KVPlain(storage: opened.storage, mount: plain)
        try await kv1.write(path("pg"), data: SecretPayload(Array("{}".utf8)))
        reads.note(try path("pg"), on: plain, isStored: true, by: alice)
        try await reads.flush()
        #expect(try rows() == ["connections/pg"])
        try await kv1.delete(path("pg"))
        #expect(try rows().isEmpty)
    }

    @Test func `A read is kept for 400 days, and its row tells its time to no more than a month`() async throws {
        let opened = try store.open()
        let reads = try await reads(opened.storage)
        let alice = try await token("alice", opened.storage)
        var ends: Set<Int64> = []
        for name in ["a", "b"] {
            reads.note(try path(name), on: mount, isStored: false, by: alice)
            store.advance(seconds: 60)
        }
        try await reads.flush()
        ends = try store.outside {
            Set(try Int64.fetchAll($0, sql: "SELECT expires FROM record WHERE kind = 'last_read' AND scope <> ''"))
        }
        #expect(ends.count == 1)
        store.advance(seconds: 400 * 86_400)
        _ = try await opened.storage.sweep()
        #expect(try rows() == ["connections/a", "connections/b"])
        store.advance(seconds: 31 * 86_400)
        _ = try await opened.storage.sweep()
        #expect(try rows().isEmpty)
        let later = try await self.reads(opened.storage)
        #expect(later.since == reads.since, "since when reads are recorded is kept for ever")
    }

    @Test(.timeLimit(.minutes(1)))
    func `Many reads are written down before their time, without anybody asking, a bounded number at once`()
        async throws
    {
        let opened = try store.open()
        let storage = Counted(opened.storage)
        let reads = try await reads(storage, batch: 600, limit: 1000)
        let alice = try await token("alice", storage)
        var begun = storage.begun.makeAsyncIterator()
        for _ in 0..<2 { await begun.next() }
        for number in 0..<600 { reads.note(try path("\(number)"), on: mount, isStored: false, by: alice) }
        for _ in 0..<2 { await begun.next() }
        // Begun later, and finds nothing left to write.
        try await reads.flush()
        #expect(try rows().count == 600)
        #expect(storage.writes == 4)
    }

    @Test func `While the store cannot be written, reads wait, and go in once it can`() async throws {
        let opened = try store.open()
        let storage = Counted(opened.storage)
        let reads = try await reads(storage)
        let alice = try await token("alice", storage)
        let (a, b) = (try path("a"), try path("b"))
        for path in [a, b] { reads.note(path, on: mount, isStored: false, by: alice) }
        storage.isFull.withLock { $0 = true }
        await #expect(throws: AirlockError.self) { try await reads.flush() }
        #expect(try reads.reads(of: [a, b], on: mount).count == 2)
        store.advance(seconds: 5)
        reads.note(a, on: mount, isStored: false, by: alice)
        storage.isFull.withLock { $0 = false }
        try await reads.flush()
        #expect(try rows().count == 2)
        #expect(try reads.reads(of: [a, b], on: mount)[a]?.moment == store.now)
    }

    @Test func `So many wait at most, and no flush is tried for each of them`() async throws {
        let opened = try store.open()
        let storage = Counted(opened.storage)
        let reads = try await reads(storage)
        let alice = try await token("alice", storage)
        storage.isFull.withLock { $0 = true }
        let before = storage.writes
        let paths = try (0...200).map { try path("\($0)") }
        for path in paths { reads.note(path, on: mount, isStored: false, by: alice) }
        await #expect(throws: AirlockError.self) { try await reads.flush() }
        #expect(storage.writes - before <= 2)
        let known = try reads.reads(of: paths, on: mount)
        #expect(known.count == 200)
        // One of those is still brought up to date.
        store.advance(seconds: 5)
        let one = try #require(known.keys.first)
        reads.note(one, on: mount, isStored: false, by: alice)
        #expect(try reads.reads(of: [one], on: mount)[one]?.moment == store.now)
    }

    @Test func `A row that was altered is as good as none, and is written anew by the next read`() async throws {
        let opened = try store.open()
        let reads = try await reads(opened.storage)
        let alice = try await token("alice", opened.storage)
        let (a, b) = (try path("a"), try path("b"))
        for path in [a, b] { reads.note(path, on: mount, isStored: false, by: alice) }
        try await reads.flush()
        try store.outside {
            try $0.execute(sql: "UPDATE record SET sealed = zeroblob(60) WHERE name = 'connections/a'")
        }
        #expect(try reads.reads(of: [a, b], on: mount).keys.map(\.text) == ["connections/b"])
        reads.note(a, on: mount, isStored: false, by: alice)
        try await reads.flush()
        #expect(try reads.reads(of: [a, b], on: mount).count == 2)
    }
}

/// A store that counts its writes and can be full.
private final class Counted: Storage {
    private let storage: any Storage
    private let count = Mutex(0)
    let isFull = Mutex(false)
    /// An element for each write.
    let begun: AsyncStream<Void>
    private let told: AsyncStream<Void>.Continuation

    init(_ storage: any Storage) {
        self.storage = storage
        (begun, told) = AsyncStream.makeStream()
    }

    var writes: Int { count.withLock { $0 } }

    func read<T>(_ body: (any StorageReader) throws -> T) throws -> T { try storage.read(body) }

    func write<T: Sendable>(_ body: @escaping @Sendable (any StorageTransaction) throws -> T) async throws -> T {
        count.withLock { $0 += 1 }
        told.yield()
        guard !isFull.withLock({ $0 }) else { throw AirlockError(.broken, "the disk is full") }
        return try await storage.write(body)
    }

    var front: Front { storage.front }
    func digest(_ text: String) -> String { storage.digest(text) }
    func rotateKey() async throws { try await storage.rotateKey() }
    func keyStatus() throws -> (term: Int, installed: Timestamp) { try storage.keyStatus() }
}
