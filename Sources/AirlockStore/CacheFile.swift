import AirlockCore
import Foundation
import GRDB
import Logging

/// Opens `cache.db`, and makes it anew when it is not what this program left there: it is never the only copy of anything.
enum CacheFile {
    static let name = "cache.db"

    /// The format of its part of `schema.sql`, and of what is sealed in it.
    private static let formatVersion = 2
    private static let check = SealBinding(purpose: "airlock cache 1")

    /// Why a file is not used. For the log.
    private struct Unusable: Error { let reason: String }

    /// - Throws: `AirlockError` when the file cannot be made or read at all.
    static func open(in directory: DataDirectory, sealer: Sealer, logger: Logger) throws -> DatabasePool {
        do {
            do {
                return try opened(in: directory, sealer)
            } catch let unusable as Unusable {
                logger.warning("the cache is made anew: \(unusable.reason)", metadata: ["file": "\(name)"])
                for suffix in ["", "-wal", "-shm"] { directory.removeFile(name + suffix) }
                return try opened(in: directory, sealer)
            }
        } catch let unusable as Unusable {
            throw failure(unusable.reason)
        } catch let error as DatabaseError {
            throw failure("SQLite says: \(error.message ?? "\(error.resultCode)")")
        }
    }

    private static func failure(_ reason: String) -> AirlockError {
        AirlockError(
            .broken, "the cache \(name) cannot be opened",
            hint: "\(reason). Check the disk, and who may write to the data directory")
    }

    private static func opened(in directory: DataDirectory, _ sealer: Sealer) throws -> DatabasePool {
        if !directory.hasFile(name) { try directory.createFile(name, contents: []) }
        do {
            var configuration = Configuration()
            // Somebody who looks into the file is no reason to lose what comes in meanwhile.
            configuration.busyMode = .timeout(1)
            let database = try DatabasePool(path: directory.path(name), configuration: configuration)
            do {
                try database.writeWithoutTransaction { database in
                    try database.execute(sql: "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON")
                    try database.inTransaction(.immediate) {
                        try prepare(database, sealer)
                        return .commit
                    }
                }
                return database
            } catch {
                try? database.close()
                throw error
            }
        } catch let error as DatabaseError {
            // Anything else, a full disk for one, would be the same with a new file, and this one is wanted in an outage.
            guard [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR, .SQLITE_CONSTRAINT].contains(error.resultCode) else {
                throw error
            }
            throw Unusable(reason: "SQLite says: \(error.message ?? "damaged")")
        }
    }

    private static func prepare(_ database: Database, _ sealer: Sealer) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        if version == 0, try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0 {
            try database.execute(sql: Schema.cache)
            try database.execute(
                sql: "INSERT INTO seal_check (term, sealed) VALUES (?, ?)",
                arguments: [sealer.currentTerm, try sealer.seal([], to: check)])
            try database.execute(sql: "PRAGMA user_version = \(formatVersion)")
            return
        }
        guard version == formatVersion else {
            throw Unusable(reason: "it has format \(version), this airlock knows format \(formatVersion)")
        }
        guard let row = try Row.fetchOne(database, sql: "SELECT term, sealed FROM seal_check"),
            let term = Int.fromDatabaseValue(row["term"]), let sealed = Data.fromDatabaseValue(row["sealed"]),
            sealer.open(sealed, term: term, boundTo: check) == []
        else {
            throw Unusable(reason: "it was sealed with other keys than those of \(SQLiteStorage.fileName)")
        }
        // The limits keep the file small enough for it. Damage that is met later would stay for ever.
        if let damage = try String.fetchOne(database, sql: "PRAGMA quick_check(1)"), damage != "ok" {
            throw Unusable(reason: "it is damaged")
        }
        try database.execute(
            sql: """
                DELETE FROM usage;
                INSERT INTO usage SELECT mount, count(*), sum(size), sum(negative) FROM entry GROUP BY mount
                """)
    }
}
