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
    private let unwritten = UnwrittenTokens()
    private let operatorKey: OperatorKey
    private let currentSealer: Mutex<Sealer>
    private let gathering: Duration
    private let now: Now

    /// For how long tokens of logins gather before they are written together.
    package static let defaultGathering = Duration.milliseconds(200)

    /// The format of `schema.sql`; a database with another one is refused, never guessed at.
    private static let formatVersion = 1

    /// Opens the database, or makes it with its keys when there is none.
    /// - Throws: `AirlockError` when the key does not open it or the file is no database of this program.
    package init(
        directory: DataDirectory, key: OperatorKey, front: Front = Front(),
        gathering: Duration = SQLiteStorage.defaultGathering, now: @escaping Now
    ) throws {
        self.front = front
        self.gathering = gathering
        let path = directory.path(SQLiteStorage.fileName)
        if !directory.hasFile(SQLiteStorage.fileName) { try directory.createFile(SQLiteStorage.fileName, contents: []) }
        do {
            database = try DatabasePool(path: path)
            // A commit is on the disk when it returns (https://www.sqlite.org/pragma.html#pragma_synchronous). Set here,
            // because opening a pool sets its writer to NORMAL, after any set-up of a configuration.
            try database.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
                // Four times SQLite's own: a page that many commits change, as those of the tokens, is copied once for all of
                // them. The log stays below some 16 MB.
                try database.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
                // KiB. Digests lie all over the table: its pages are to be at hand when many tokens are written.
                try database.execute(sql: "PRAGMA cache_size = -8000")
            }
            try SQLiteStorage.migrate(database, key: key, now: now)
            let keys = try database.read(SQLiteStorage.keys)
            currentSealer = Mutex(try Sealer(opening: keys, with: key))
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
        writer = GroupCommit(database) { [unwritten] in unwritten.ended(isCommitted: $0) }
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
        let begun = front.moment
        let memory = MemoryView(front: front, tokens: unwritten, sealer: sealer)
        if let result = try? body(memory), memory.isTrue(since: begun) { return result }
        // Before the view is opened: what is written meanwhile is here still, or there already.
        let (tokens, front) = (unwritten.view, front)
        do {
            return try database.read { database in
                // Taken once the view is open: what a rotation brings before is needed for it.
                let rows = RecordRows(database: database, sealer: sealer)
                return try body(SnapshotView(rows: rows, tokens: tokens, front: front, begun: begun))
            }
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }

    package func write<T: Sendable>(_ body: @escaping @Sendable (any StorageTransaction) throws -> T) async throws -> T
    {
        let (front, unwritten) = (front, unwritten)
        let changes = RecordChanges(front)
        // Before the caller, who will tell others, learns how it went.
        defer { changes.finish() }
        do {
            return try await writer.write { [self] database in
                let mark = unwritten.mark
                do {
                    let rows = RecordRows(database: database, sealer: sealer)
                    return try body(TransactionView(rows: rows, tokens: unwritten, changes: changes, front: front))
                } catch {
                    // What it had written goes with the rest of it.
                    unwritten.takeBack(to: mark)
                    throw error
                }
            }
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }

    package func writeBehind<T>(_ body: (any StorageTransaction) throws -> T) -> T? {
        let begun = front.moment
        let memory = MemoryView(front: front, tokens: unwritten, sealer: sealer)
        guard let result = try? body(memory), !memory.isIncomplete, let put = memory.put else { return nil }
        let added = unwritten.add(put.token, digest: put.digest) {
            memory.isTrue(since: begun)
        }
        if added == .first { writeTokensSoon() }
        return added == .no ? nil : result
    }

    private func writeTokensSoon() {
        Task { [weak self] in
            var isFailing = false
            repeat {
                guard let gathering = self?.gathering else { return }
                // A failure is not tried again at once.
                try? await Task.sleep(for: isFailing ? max(gathering, .seconds(1)) : gathering)
                guard let self else { return }
                do {
                    try await writeTokens()
                    isFailing = false
                } catch {
                    isFailing = true
                }
            } while self?.unwritten.attempted(isFailing: isFailing) ?? false
        }
    }

    private func writeTokens() async throws {
        try await writer.write { [self] database in
            let mark = unwritten.mark
            do {
                let rows = RecordRows(database: database, sealer: sealer)
                for token in unwritten.take(closing: false) { try rows.put(token) }
            } catch {
                unwritten.takeBack(to: mark)
                throw error
            }
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

    /// Writes the tokens that are not written yet, and what the log holds into the database file, and closes it.
    package func close() throws {
        do {
            try database.writeWithoutTransaction { database in
                try database.inTransaction(.immediate) {
                    let rows = RecordRows(database: database, sealer: sealer)
                    for token in unwritten.take(closing: true) { try rows.put(token) }
                    return .commit
                }
                unwritten.ended(isCommitted: true)
                _ = try database.checkpoint(.truncate)
            }
            try database.close()
        } catch let error as DatabaseError {
            throw SQLiteStorage.explained(error)
        }
    }
}
