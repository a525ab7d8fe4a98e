import AirlockCore
import Foundation
import GRDB
import Testing

@testable import AirlockStore

struct DurabilityTests {
    @Test func `the writer waits for the disk at each commit`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let directory = try DataDirectory(folder)
        let key = try OperatorKey.find(path: nil, environment: [:], directory: directory, isFirstStart: true)
        let storage = try SQLiteStorage(directory: directory, key: key, now: Timestamp.now)
        let synchronous = try storage.database.writeWithoutTransaction { database in
            try Int.fetchOne(database, sql: "PRAGMA synchronous")
        }
        // 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
        #expect(synchronous == 2)
        try storage.close()
    }
}
