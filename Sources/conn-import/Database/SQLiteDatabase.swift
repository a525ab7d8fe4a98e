import AirlockCore
import Foundation
import GRDB

/// An Airflow metadata database in a SQLite file, which is read and never changed, also while Airflow runs.
struct SQLiteDatabase {
    private let path: String

    init(path: String) { self.path = path }

    /// One transaction, so that what is read was there at one moment.
    func read(into rows: inout AirflowRows) throws {
        let attributes = try state()
        // A file in WAL mode that nobody has open lacks the two files beside it. Opening it as usual would create them, in
        // the name of who reads, and Airflow might be unable to write to them.
        let isAtRest = try isWAL() && !hasWAL
        let name = isAtRest ? "file:\(escapedPath)?immutable=1" : URL(filePath: path).path
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(10)
            let queue = try DatabaseQueue(path: name, configuration: configuration)
            var found = rows
            try queue.read { database in
                for table in AirflowTable.allCases { try SQLiteDatabase.read(table, in: database, into: &found) }
            }
            rows = found
        } catch let error as AirflowTable.Mismatch {
            throw unreadable(error.reason)
        } catch let error as DatabaseError {
            throw unreadable(SQLiteDatabase.reason(error))
        }
        // Nothing kept Airflow from writing to a file at rest.
        if isAtRest, try hasWAL || state() != attributes {
            throw unreadable("Airflow began to write to it meanwhile; run this again")
        }
    }

    private static func read(_ table: AirflowTable, in database: Database, into rows: inout AirflowRows) throws {
        let columns = try database.makeStatement(sql: table.columnsQuery).columnNames
        let cursor = try Row.fetchCursor(database, sql: table.query(columns))
        while let row = try cursor.next() {
            // As bytes: SQLite's texts may hold NUL, at which a C string would end.
            let values = try (0..<row.count).map { try row.withUnsafeData(atIndex: $0) { $0.map { Array($0) } } }
            rows.add(values, of: table)
        }
    }

    private static func reason(_ error: DatabaseError) -> String {
        switch error.resultCode {
        case .SQLITE_READONLY where error.extendedResultCode == .SQLITE_READONLY_ROLLBACK:
            "holds half a transaction of a program that was killed; start Airflow once, which takes it back"
        case .SQLITE_NOTADB: "is no SQLite database"
        case .SQLITE_BUSY: "is locked by another program; run this again"
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            "cannot be opened; run this as the user that Airflow runs as"
        // It tells of a missing table, and no values.
        case .SQLITE_ERROR: "is not read as Airflow's database: \(error.message ?? "SQLite gives no reason")"
        default: "cannot be read: \(error.message ?? "SQLite gives no reason")"
        }
    }

    // MARK: The file

    private var hasWAL: Bool { FileManager.default.fileExists(atPath: path + "-wal") }

    /// Bytes 18 and 19 of a database in WAL mode are 2. https://www.sqlite.org/fileformat.html#the_database_header
    private func isWAL() throws -> Bool {
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? file.close() }
            let header = try file.read(upToCount: 20) ?? Data()
            return header.count == 20 && header[18] == 2
        } catch {
            throw unreadable("cannot be read; check its permissions")
        }
    }

    private struct State: Equatable {
        var size: Int
        var modified: Date
    }

    private func state() throws -> State {
        guard let found = try? FileManager.default.attributesOfItem(atPath: path),
            let size = found[.size] as? Int, let modified = found[.modificationDate] as? Date
        else { throw unreadable("there is no such file") }
        return State(size: size, modified: modified)
    }

    private var escapedPath: String {
        URL(filePath: path).path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
    }

    private func unreadable(_ reason: String) -> SourceFile.Unreadable { .init(name: path, reason: reason) }
}
