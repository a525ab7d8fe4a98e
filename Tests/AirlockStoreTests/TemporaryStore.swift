import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Synchronization
import Testing

/// A data directory that goes when the test does, with a clock that stands still until it is moved.
final class TemporaryStore: Sendable {
    let root: String
    private let moment = Mutex(Timestamp(nanoseconds: 1_800_000_000_000_000_000))

    init() {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("airlock-\(UUID().uuidString)").path
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func advance(seconds: Int) { moment.withLock { $0 = $0.adding(seconds: seconds) } }

    var now: Timestamp { moment.withLock { $0 } }

    /// An open store and the directory's lock, which is held for as long as this lives.
    struct Opened {
        let directory: DataDirectory
        let storage: SQLiteStorage
    }

    func open(keyFile: String? = nil, gathering: Duration = SQLiteStorage.defaultGathering) throws -> Opened {
        let directory = try DataDirectory(root)
        let key = try OperatorKey.find(
            path: keyFile, environment: [:], directory: directory,
            isFirstStart: !directory.hasFile(SQLiteStorage.fileName))
        let storage = try SQLiteStorage(
            directory: directory, key: key, gathering: gathering, now: { [self] in now })
        return Opened(directory: directory, storage: storage)
    }

    /// What a crash would leave behind, with the time as it is.
    func crashed() throws -> TemporaryStore {
        let left = TemporaryStore()
        try FileManager.default.copyItem(atPath: root, toPath: left.root)
        left.moment.withLock { $0 = now }
        return left
    }

    /// What somebody with the `sqlite3` command can do beside the running store.
    @discardableResult
    func outside<T>(_ body: (Database) throws -> T) throws -> T {
        let queue = try DatabaseQueue(path: "\(root)/\(SQLiteStorage.fileName)")
        defer { try? queue.close() }
        return try queue.writeWithoutTransaction(body)
    }

    /// Every byte of every file, by the file's name.
    func files() throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: root) {
            files[name] = try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)"))
        }
        return files
    }
}

extension SQLiteStorage {
    func put(_ key: RecordKey, _ text: String, expires: Timestamp? = nil) async throws {
        try await write { try $0.put(key, Array(text.utf8), expires: expires) }
    }

    func text(_ key: RecordKey) throws -> String? {
        try read { try $0.record(key) }.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// The error of a call that must fail, as the operator gets it: with what happened and what to do.
func expectBroken(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) -> AirlockError? {
    let error = #expect(throws: AirlockError.self, sourceLocation: sourceLocation, performing: body)
    #expect(error?.code == .broken, sourceLocation: sourceLocation)
    #expect(error?.message?.isEmpty == false, sourceLocation: sourceLocation)
    #expect(error?.hint?.isEmpty == false, sourceLocation: sourceLocation)
    return error
}
