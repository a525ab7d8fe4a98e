import AirlockCore
import Foundation
import GRDB
import Testing

@testable import conn_import

struct SQLiteDatabaseTests {
    private final class Folder {
        let url = FileManager.default.temporaryDirectory.appending(path: "airflow-\(UUID().uuidString)")
        var database: String { url.appending(path: "air flow?#%20.db").path }

        init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(at: url) }

        var files: [String: Data] {
            get throws {
                let names = try FileManager.default.contentsOfDirectory(atPath: url.path)
                return try Dictionary(
                    uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: url.appending(path: $0))) })
            }
        }

        /// As Airflow 3.1 has its tables, with one row in each.
        func airflow(isWAL: Bool) throws -> DatabaseQueue {
            let queue = try DatabaseQueue(path: database)
            try queue.writeWithoutTransaction { database in
                if isWAL { try database.execute(sql: "PRAGMA journal_mode = WAL") }
                try database.execute(
                    sql: """
                        CREATE TABLE team (id CHAR(32) PRIMARY KEY, name VARCHAR(50));
                        CREATE TABLE connection (
                            id INTEGER PRIMARY KEY, conn_id, conn_type, description, host, schema, login, password, port,
                            extra, is_encrypted BOOLEAN, is_extra_encrypted BOOLEAN, team_id CHAR(32));
                        CREATE TABLE variable (
                            id INTEGER PRIMARY KEY, key, val, description, is_encrypted BOOLEAN, team_id CHAR(32));
                        INSERT INTO team VALUES ('7', 'sales');
                        INSERT INTO connection VALUES (
                            1, 'pg', 'postgres', NULL, 'a' || char(0) || 'b', NULL, NULL, 'p', 5432, NULL, 0, 0, '7');
                        INSERT INTO variable VALUES (1, 'region', 'eu', NULL, 0, NULL);
                        """)
            }
            return queue
        }
    }

    private func read(_ path: String) throws -> [ImportCandidate] {
        var rows = AirflowRows(of: path, keyCount: 0) { _ in nil }
        try SQLiteDatabase(path: path).read(into: &rows)
        return rows.source.candidates
    }

    private func reason(_ path: String) -> String? {
        let error = #expect(throws: SourceFile.Unreadable.self) { try read(path) }
        return error?.reason
    }

    @Test(arguments: [true, false])
    func `A database at rest is read, and its folder is left as it was`(_ isWAL: Bool) throws {
        let folder = try Folder()
        try folder.airflow(isWAL: isWAL).close()
        let before = try folder.files
        #expect(before.count == 1)
        let found = try read(folder.database)
        #expect(found.map(\.target.name) == ["sales/pg", "region"])
        #expect(
            found.map(\.text.revealed) == [
                #"{"conn_type":"postgres","host":"a\u0000b","password":"p","port":5432}"#, "eu",
            ])
        #expect(try folder.files == before)
    }

    @Test(arguments: [true, false])
    func `While Airflow has it open, what it committed is read and what it did not is not`(_ isWAL: Bool) throws {
        let folder = try Folder()
        let airflow = try folder.airflow(isWAL: isWAL)
        try airflow.write { try $0.execute(sql: "INSERT INTO variable (key, val) VALUES ('committed', 'x')") }
        try airflow.writeWithoutTransaction { database in
            try database.inTransaction {
                try database.execute(sql: "INSERT INTO variable (key, val) VALUES ('uncommitted', 'x')")
                let before = try folder.files.mapValues(\.count)
                #expect(try read(folder.database).map(\.target.name) == ["sales/pg", "region", "committed"])
                #expect(try folder.files.mapValues(\.count) == before)
                return .commit
            }
        }
        try airflow.close()
    }

    @Test func `Half a transaction of a killed Airflow is not read`() throws {
        let (folder, killed) = (try Folder(), try Folder())
        let airflow = try folder.airflow(isWAL: false)
        try airflow.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA cache_size = 1")
            try database.inTransaction {
                for size in 1...100 {
                    try database.execute(
                        sql: "INSERT INTO variable (key, val) VALUES (?, zeroblob(?))",
                        arguments: ["\(size)", size * 100])
                }
                for name in try folder.files.keys {
                    try FileManager.default.copyItem(
                        at: folder.url.appending(path: name), to: killed.url.appending(path: name))
                }
                return .rollback
            }
        }
        #expect(reason(killed.database)?.contains("start Airflow once") == true)
    }

    @Test func `What is no database of Airflow's is said to be none`() throws {
        let folder = try Folder()
        #expect(reason(folder.database) == "there is no such file")
        try Data("AIRFLOW_VAR_A=b, and more text than the header of a database has".utf8)
            .write(to: URL(filePath: folder.database))
        #expect(reason(folder.database) == "is no SQLite database")
        try FileManager.default.removeItem(atPath: folder.database)
        let queue = try DatabaseQueue(path: folder.database)
        try queue.write { try $0.execute(sql: "CREATE TABLE other (id)") }
        #expect(reason(folder.database) == "is not read as Airflow's database: no such table: connection")
        try queue.write { try $0.execute(sql: "CREATE TABLE connection (id, conn_id)") }
        #expect(
            reason(folder.database)
                == "its table `connection` has no column `conn_type`, so it is not of Airflow 2.10 or 3")
        #expect(reason(folder.url.path) != nil)
    }
}
