package import AirlockCore
import Foundation
import GRDB
import Synchronization

/// The embedded store: sealed records in `store.db` (`schema.sql`). Errors about the file itself, such as a corrupt page,
/// become `AirlockError.broken` for the one call that met them.
package final class SQLiteStorage: Storage {
    package static let fileName = "store.db"

    let database: DatabasePool
    package let front: Front
    private let writer: GroupCommit
    private let operatorKey: OperatorKey
    private let currentSealer: Mutex<Sealer>
    private let now: Now

    /// The format of `schema.sql`; a database with another one is refused, never guessed at.
    private static let formatVersion = 1

    /// Opens the database, or makes it with its keys when there is none.
    /// - Throws: `AirlockError` when the key does not open it or the file is no database of this program.
    package init(
        directory: DataDirectory, key: OperatorKey, front: Front = Front(), now: @escaping Now
    ) throws {
        self.front = front
        let path = directory.path(SQLiteStorage.fileName)
        if !directory.hasFile(SQLiteStorage.fileName) { try directory.createFile(SQLiteStorage.fileName, contents: []) }
        do {
            database = try DatabasePool(path: path)
            // A commit is on the disk when it returns (https://www.sqlite.org/pragma.html#pragma_synchronous). Set here,
            // because opening a pool sets its writer to NORMAL, after any set-up of a configuration.
            try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try SQLiteStorage.migrate(database, key: key, now: now)
            let keys = try database.read(SQLiteStorage.keys)
            currentSealer = Mutex(try Sealer(opening: keys, with: key))
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
        writer = GroupCommit(database)
        operatorKey = key
        self.now = now
    }

    private static func migrate(_ database: DatabasePool, key: OperatorKey, now: Now) throws {
        let moment = now()
        try database.write { database in
            let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            if version == formatVersion { return }
            let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
            guard version == 0, isEmpty else {
                throw AirlockError(
                    .broken, "the database has format \(version), this airlock knows format \(formatVersion)",
                    hint: "run the airlock that made it, or name another data directory with --data-dir")
            }
            try database.execute(sql: Schema.store)
            for term in [Sealer.digestTerm, 1] {
                try insert(database, Sealer.makeKey(term: term, with: key, now: moment))
            }
            try database.execute(sql: "PRAGMA user_version = \(formatVersion)")
        }
    }

    private static func keys(_ database: Database) throws -> [Sealer.SealedKey] {
        try Row.fetchAll(database, sql: "SELECT term, sealed, installed FROM sealing_key").map { row in
            guard let term = Int.fromDatabaseValue(row["term"]), let sealed = Data.fromDatabaseValue(row["sealed"]),
                let installed = Int64.fromDatabaseValue(row["installed"])
            else {
                throw AirlockError(
                    .broken, "the table of sealing keys is damaged", hint: "restore \(fileName) from a backup")
            }
            return Sealer.SealedKey(term: term, sealed: sealed, installed: Timestamp(nanoseconds: installed))
        }
    }

    private static func insert(_ database: Database, _ key: Sealer.SealedKey) throws {
        try database.execute(
            sql: "INSERT INTO sealing_key (term, sealed, installed) VALUES (?, ?, ?)",
            arguments: [key.term, key.sealed, key.installed.nanoseconds])
    }

    /// SQLite's message names tables and files, never values; the code is what the operator looks up.
    private static func explained(_ error: DatabaseError) -> AirlockError {
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            AirlockError(
                .broken, "the database is damaged",
                hint: "SQLite says: \(error.message ?? "corrupt"). Restore \(fileName) from a backup")
        case .SQLITE_FULL, .SQLITE_IOERR:
            AirlockError(
                .broken, "the database cannot be written",
                hint: "SQLite says: \(error.message ?? "I/O error"). Check the disk; nothing was acknowledged")
        default:
            AirlockError(.broken, "the database failed", hint: "SQLite says: \(error.message ?? "\(error.resultCode)")")
        }
    }

    // MARK: Storage

    package func read<T>(_ body: (any StorageReader) throws -> T) throws -> T {
        let sealer = sealer
        do {
            return try database.read { try body(RecordReader(database: $0, sealer: sealer)) }
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }

    package func write<T: Sendable>(_ body: @escaping @Sendable (any StorageTransaction) throws -> T) async throws -> T
    {
        let (sealer, front) = (sealer, front)
        let changes = RecordChanges()
        // Before the caller, who will tell others, learns how it went.
        defer { front.changed(changes.announced) }
        do {
            return try await writer.write { database in
                let result = try body(RecordReader(database: database, sealer: sealer, changes: changes))
                front.changing(changes.announce())
                return result
            }
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }

    /// With the newest key; what was sealed with any earlier one opens too.
    var sealer: Sealer { currentSealer.withLock { $0 } }

    package func digest(_ text: String) -> String { sealer.digest(text) }

    package func rotateKey() async throws {
        let (operatorKey, moment) = (operatorKey, now())
        do {
            let keys = try await writer.write { database in
                let newest = try Int.fetchOne(database, sql: "SELECT max(term) FROM sealing_key") ?? 0
                let key = try Sealer.makeKey(term: newest + 1, with: operatorKey, now: moment)
                try SQLiteStorage.insert(database, key)
                return try SQLiteStorage.keys(database)
            }
            let fresh = try Sealer(opening: keys, with: operatorKey)
            currentSealer.withLock { $0 = $0.currentTerm < fresh.currentTerm ? fresh : $0 }
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }

    package func keyStatus() throws -> (term: Int, installed: Timestamp) {
        currentSealer.withLock { ($0.currentTerm, $0.installed) }
    }

    /// Drops records whose time is up, a bounded number at a time.
    /// - Returns: how many went.
    package func sweep() async throws -> Int {
        let moment = now().nanoseconds
        return try await writer.write { database in
            try database.execute(
                sql: """
                    DELETE FROM record WHERE (kind, scope, name, version) IN
                    (SELECT kind, scope, name, version FROM record WHERE expires <= ? LIMIT 1000)
                    """, arguments: [moment])
            return database.changesCount
        }
    }

    /// Writes what the log holds into the database file and closes it.
    package func close() throws {
        do {
            try database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            try database.close()
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }
}

/// One transaction's view of the records.
private struct RecordReader: StorageTransaction {
    let database: Database
    let sealer: Sealer
    var changes: RecordChanges?

    func record(_ key: RecordKey) throws -> [UInt8]? {
        let statement = try database.cachedStatement(
            sql: "SELECT term, sealed FROM record WHERE kind = ? AND scope = ? AND name = ? AND version = ?")
        let arguments: StatementArguments = [key.kind.rawValue, key.scope, key.name, key.version]
        guard let row = try Row.fetchOne(statement, arguments: arguments) else { return nil }
        // Decoded with care: a damaged row may hold anything.
        guard let term = Int.fromDatabaseValue(row["term"]), let sealed = Data.fromDatabaseValue(row["sealed"]) else {
            throw RecordReader.damaged(key)
        }
        guard let bytes = sealer.open(sealed, term: term, boundTo: key.binding) else { throw RecordReader.damaged(key) }
        return bytes
    }

    private static func damaged(_ key: RecordKey) -> AirlockError {
        AirlockError(
            .broken, "a stored record does not open",
            hint: """
                the \(key.kind.rawValue) record "\(key.name)" is damaged or was altered outside Airlock: write it anew, or \
                restore the data directory from a backup
                """)
    }

    func names(_ kind: RecordKind, scope: String) throws -> [String] {
        try Row.fetchAll(
            database, sql: "SELECT DISTINCT name FROM record WHERE kind = ? AND scope = ? ORDER BY name",
            arguments: [kind.rawValue, scope]
        ).map { row in
            guard let name = String.fromDatabaseValue(row["name"]) else {
                throw RecordReader.damaged(RecordKey(kind, scope: scope, "?"))
            }
            return name
        }
    }

    /// Steps from child to child through the primary key, so that a folder costs its children, not its descendants.
    func children(_ kind: RecordKind, scope: String, folder: String) throws -> [String] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT name FROM record WHERE kind = ? AND scope = ? AND name >= ? AND name < ?
                ORDER BY name LIMIT 1
                """)
        // "0" is the byte after "/": the end of everything in a folder.
        let end = folder.isEmpty ? "\u{10FFFF}" : String(Substring(folder.utf8.dropLast())) + "0"
        var children: [String] = []
        var from = folder
        while let name = try String.fetchOne(statement, arguments: [kind.rawValue, scope, from, end]) {
            let rest = name.utf8.dropFirst(folder.utf8.count)
            if let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
                children.append(String(Substring(rest[...slash])))
                from = String(name[..<slash]) + "0"
            } else {
                children.append(String(Substring(rest)))
                // The smallest text after this name that is not the name itself.
                from = name + "\u{1}"
            }
        }
        return children
    }

    func digest(_ text: String) -> String { sealer.digest(text) }

    func put(_ key: RecordKey, _ bytes: [UInt8], expires: Timestamp?) throws {
        changes?.note(key)
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO record (kind, scope, name, version, term, sealed, expires) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET term = excluded.term, sealed = excluded.sealed, expires = excluded.expires
                """)
        try statement.execute(arguments: [
            key.kind.rawValue, key.scope, key.name, key.version, sealer.currentTerm,
            try sealer.seal(bytes, to: key.binding), expires?.nanoseconds,
        ])
    }

    func delete(_ key: RecordKey) throws {
        changes?.note(key)
        try database.cachedStatement(
            sql: "DELETE FROM record WHERE kind = ? AND scope = ? AND name = ? AND version = ?"
        ).execute(arguments: [key.kind.rawValue, key.scope, key.name, key.version])
    }

    func deleteAll(_ kind: RecordKind, scope: String) throws {
        changes?.noteAll(kind, scope: scope)
        try database.execute(
            sql: "DELETE FROM record WHERE kind = ? AND scope = ?", arguments: [kind.rawValue, scope])
    }
}
