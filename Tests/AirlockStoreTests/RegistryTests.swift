import AirlockCore
import Dispatch
import Foundation
import Synchronization
import Testing

struct RegistryTests {
    @Test func `A request does not wait while what every request asks is read anew from the disk`() async throws {
        let store = TemporaryStore()
        let storage = Slow(try store.open().storage)
        let registry = try Registry(storage: storage)
        try await registry.enable(Mount(path: "old/", engine: .kv, description: "", options: nil))
        storage.meanwhile { #expect(registry.mount(named: "old/") != nil) }
        try await registry.enable(Mount(path: "new/", engine: .kv, description: "", options: nil))
        #expect(storage.hasAnswered)
        #expect(registry.mount(named: "new/") != nil)
    }
}

/// A store whose next reading goes on only once somebody else has been answered.
private final class Slow: Storage {
    private let storage: any Storage
    private let asked = Mutex<(@Sendable () -> Void)?>(nil)
    private let answered = Mutex(false)

    init(_ storage: any Storage) { self.storage = storage }

    var hasAnswered: Bool { answered.withLock { $0 } }

    func meanwhile(_ ask: @escaping @Sendable () -> Void) { asked.withLock { $0 = ask } }

    func read<T>(_ body: (any StorageReader) throws -> T) throws -> T {
        if let ask = asked.withLock({ $0.take() }) {
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                ask()
                done.signal()
            }
            let isDone = done.wait(timeout: .now() + 20) == .success
            answered.withLock { $0 = isDone }
        }
        return try storage.read(body)
    }

    func write<T: Sendable>(_ body: @escaping @Sendable (any StorageTransaction) throws -> T) async throws -> T {
        try await storage.write(body)
    }

    var front: Front { storage.front }
    func digest(_ text: String) -> String { storage.digest(text) }
    func rotateKey() async throws { try await storage.rotateKey() }
    func keyStatus() throws -> (term: Int, installed: Timestamp) { try storage.keyStatus() }
}
