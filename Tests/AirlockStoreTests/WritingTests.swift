import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Synchronization
import Testing

/// One writer, many waiting: each write stands or falls alone, and what was acknowledged stays.
struct WritingTests {
    private struct Refusal: Error {}

    private let temporary = TemporaryStore()

    /// A value that several tasks change.
    private final class Shared<Value: Sendable>: Sendable {
        private let mutex: Mutex<Value>

        init(_ value: Value) { mutex = Mutex(value) }

        func change(_ body: @Sendable (inout Value) -> Void) { mutex.withLock { body(&$0) } }

        var value: Value { mutex.withLock { $0 } }
    }

    private func key(_ number: Int, _ kind: RecordKind = .kvSecret) -> RecordKey {
        RecordKey(kind, scope: "mount", "k\(number)")
    }

    @Test func `A failing write does not undo its neighbours, and leaves nothing of its own`() async throws {
        let acknowledged = Shared<Set<Int>>([])
        try await {
            let opened = try temporary.open()
            let storage = opened.storage
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        do {
                            try await storage.write { transaction in
                                try transaction.put(key(number), Array("\(number)".utf8), expires: nil)
                                try transaction.put(key(number, .policy), [], expires: nil)
                                if number.isMultiple(of: 7) { throw Refusal() }
                            }
                            acknowledged.change { $0.insert(number) }
                        } catch {
                            #expect(error is Refusal)
                        }
                    }
                }
            }
            try storage.close()
        }()
        let expected = (0..<300).filter { !$0.isMultiple(of: 7) }
        #expect(acknowledged.value == Set(expected))
        let storage = try temporary.open().storage
        for number in 0..<300 {
            let isThere = !number.isMultiple(of: 7)
            #expect(try storage.text(key(number)) == (isThere ? "\(number)" : nil))
            #expect(try storage.text(key(number, .policy)) == (isThere ? "" : nil))
        }
    }

    /// The gate keeps the writer busy, so that the others queue up behind it.
    @Test func `Writes that wait share commits`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        let gate = DispatchSemaphore(value: 0)
        let entered = Shared(false)
        let queued = Shared(0)
        let before = try transactions()
        async let first: Void = storage.write { _ in
            entered.change { $0 = true }
            gate.wait()
        }
        while !entered.value { await Task.yield() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    queued.change { $0 += 1 }
                    try await storage.put(key(number), "\(number)")
                }
            }
            while queued.value < 100 { await Task.yield() }
            gate.signal()
            try await group.waitForAll()
        }
        try await first
        // Each commit writes the changed pages once: a hundred of them would write a hundred times as much.
        #expect(try transactions() - before < 100)
        for number in 0..<100 { #expect(try storage.text(key(number)) == "\(number)") }
    }

    /// Frames in the write-ahead log that end a commit (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
    private func transactions() throws -> Int {
        let log = try Data(contentsOf: URL(fileURLWithPath: "\(temporary.root)/store.db-wal"))
        let page = log[8..<12].reduce(0) { $0 << 8 | Int($1) }
        return stride(from: 32, to: log.count, by: 24 + page).count { log[($0 + 4)..<($0 + 8)].contains { $0 != 0 } }
    }

    @Test func `Writes run one after another in their order`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        try await storage.put(key(0), "0")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await storage.write { transaction in
                        let old = Int(String(decoding: try transaction.record(key(0)) ?? [], as: UTF8.self)) ?? 0
                        try transaction.put(key(0), Array("\(old + 1)".utf8), expires: nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try storage.text(key(0)) == "200")
    }

    @Test func `A write sees what it wrote, others only once it is done`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        try await storage.put(key(0), "old")
        let seen = try await storage.write { transaction -> [String?] in
            try transaction.put(key(0), Array("new".utf8), expires: nil)
            return [
                try transaction.record(key(0)).map { String(decoding: $0, as: UTF8.self) }, try storage.text(key(0)),
            ]
        }
        #expect(seen == ["new", "old"])
        #expect(try storage.text(key(0)) == "new")
    }

    @Test func `Deleting a scope takes its records of that kind and no others`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        let gone = [
            RecordKey(.kvVersion, scope: "a", "x", version: 1), RecordKey(.kvVersion, scope: "a", "y/z", version: 2),
        ]
        let kept = [RecordKey(.kvVersion, scope: "ab", "x", version: 1), RecordKey(.kvMetadata, scope: "a", "x")]
        for key in gone + kept { try await storage.put(key, "1") }
        try await storage.write { try $0.deleteAll(.kvVersion, scope: "a") }
        for key in gone { #expect(try storage.text(key) == nil) }
        for key in kept { #expect(try storage.text(key) == "1") }
    }

    // MARK: Keys

    @Test func `Records of every key stay readable after rotation and after opening again`() async throws {
        try await {
            let opened = try temporary.open()
            let storage = opened.storage
            let digest = storage.digest("token")
            for number in 1...4 {
                #expect(try storage.keyStatus().term == number)
                #expect(try storage.keyStatus().installed == temporary.now)
                try await storage.put(key(number), "\(number)")
                temporary.advance(seconds: 60)
                try await storage.rotateKey()
                for earlier in 1...number { #expect(try storage.text(key(earlier)) == "\(earlier)") }
            }
            #expect(storage.digest("token") == digest)
            try storage.close()
        }()
        let terms = try temporary.outside { try Int.fetchAll($0, sql: "SELECT term FROM record ORDER BY name") }
        #expect(terms == [1, 2, 3, 4])
        let storage = try temporary.open().storage
        #expect(try storage.keyStatus().term == 5)
        for number in 1...4 { #expect(try storage.text(key(number)) == "\(number)") }
    }

    @Test func `Writes go on while keys are rotated`() async throws {
        try await {
            let opened = try temporary.open()
            let storage = opened.storage
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 { group.addTask { try await storage.put(key(number), "\(number)") } }
                for _ in 0..<10 { group.addTask { try await storage.rotateKey() } }
                try await group.waitForAll()
            }
            #expect(try storage.keyStatus().term == 11)
            for number in 0..<100 { #expect(try storage.text(key(number)) == "\(number)") }
            try storage.close()
        }()
        let storage = try temporary.open().storage
        for number in 0..<100 { #expect(try storage.text(key(number)) == "\(number)") }
    }

    // MARK: Sweeping

    @Test func `The sweeper drops what is due and nothing else`() async throws {
        let opened = try temporary.open()
        let storage = opened.storage
        try await storage.put(key(0), "for ever")
        try await storage.put(key(1), "due in 10 s", expires: temporary.now.adding(seconds: 10))
        try await storage.put(key(2), "due in 11 s", expires: temporary.now.adding(seconds: 11))
        #expect(try await storage.sweep() == 0)
        temporary.advance(seconds: 10)
        #expect(try await storage.sweep() == 1)
        #expect(try storage.text(key(0)) == "for ever")
        #expect(try storage.text(key(1)) == nil)
        #expect(try storage.text(key(2)) == "due in 11 s")
        temporary.advance(seconds: 1)
        #expect(try await storage.sweep() == 1)
        #expect(try storage.text(key(2)) == nil)
    }

    @Test func `The sweeper takes a bounded number at a time`() async throws {
        let opened = try temporary.open()
        let (storage, moment) = (opened.storage, temporary.now)
        try await storage.write { transaction in
            for number in 0..<1_500 { try transaction.put(key(number), [], expires: moment) }
        }
        #expect(try await [storage.sweep(), storage.sweep(), storage.sweep()] == [1_000, 500, 0])
    }
}
