import AirlockCore
import Foundation
import GRDB

/// The records as rows, sealed and opened on their way.
struct RecordRows {
    let database: Database
    let sealer: Sealer

    func record(_ key: RecordKey) throws -> [UInt8]? {
        let statement = try database.cachedStatement(
            sql: "SELECT term, sealed FROM record WHERE kind = ? AND scope = ? AND name = ? AND version = ?")
        let arguments: StatementArguments = [key.kind.rawValue, key.scope, key.name, key.version]
        guard let row = try Row.fetchOne(statement, arguments: arguments) else { return nil }
        // Decoded with care: a damaged row may hold anything.
        guard let term = Int.fromDatabaseValue(row["term"]), let sealed = Data.fromDatabaseValue(row["sealed"]) else {
            throw RecordRows.damaged(key)
        }
        guard let bytes = sealer.open(sealed, term: term, boundTo: key.binding) else { throw RecordRows.damaged(key) }
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
                throw RecordRows.damaged(RecordKey(kind, scope: scope, "?"))
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
        try database.cachedStatement(
            sql: "DELETE FROM record WHERE kind = ? AND scope = ? AND name = ? AND version = ?"
        ).execute(arguments: [key.kind.rawValue, key.scope, key.name, key.version])
    }

    func deleteAll(_ kind: RecordKind, scope: String) throws {
        try database.execute(
            sql: "DELETE FROM record WHERE kind = ? AND scope = ?", arguments: [kind.rawValue, scope])
    }
}
