import AirlockCore
import Foundation
import GRDB

/// The entries as one connection sees them.
struct CacheRows {
    let database: Database

    /// What lies there for a key, not yet opened.
    struct Found {
        let id: Int64
        let used: Timestamp
        /// `nil` in a damaged row, which may hold anything.
        let term: Int?
        let sealed: Data?

        init(_ row: Row) {
            id = Int64.fromDatabaseValue(row["id"]) ?? 0
            used = Timestamp(nanoseconds: Int64.fromDatabaseValue(row["used"]) ?? 0)
            term = Int.fromDatabaseValue(row["term"])
            sealed = Data.fromDatabaseValue(row["sealed"])
        }

        /// `nil` when it was altered, moved, or answered by somebody else.
        func opened(_ key: CacheKey, _ sealer: Sealer) -> CacheEntry? {
            guard let term, let sealed else { return nil }
            return sealer.open(sealed, term: term, boundTo: key.binding).flatMap(CacheEntry.init(encoded:))
        }
    }

    func find(_ key: CacheKey) throws -> Found? {
        let statement = try database.cachedStatement(
            sql: "SELECT id, used, term, sealed FROM entry WHERE mount = ? AND path = ? AND version = ?")
        return try Row.fetchOne(statement, arguments: [key.mount, key.path.text, key.versionText]).map(Found.init)
    }

    func delete(_ id: Int64) throws {
        try database.cachedStatement(sql: "DELETE FROM entry WHERE id = ?").execute(arguments: [id])
    }

    func delete(_ scope: CacheScope) throws -> Int {
        let condition = scope.condition
        try database.execute(sql: "DELETE FROM entry WHERE \(condition.sql)", arguments: condition.arguments)
        return database.changesCount
    }

    /// - Returns: the new entry's id.
    func insert(_ entry: CacheEntry, for key: CacheKey, _ sealed: Data, term: Int, now: Timestamp) throws -> Int64 {
        try database.cachedStatement(
            sql: """
                INSERT INTO entry (mount, path, version, identity, negative, expired, fetched, used, size, term, sealed)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            key.mount, key.path.text, key.versionText, key.identity, entry.secret == nil, entry.expired,
            entry.fetched.nanoseconds, now.nanoseconds, sealed.count, term, sealed,
        ])
        return database.lastInsertedRowID
    }

    /// The same entry, marked expired inside its seal.
    func markExpired(_ id: Int64, _ sealed: Data, term: Int) throws {
        try database.cachedStatement(sql: "UPDATE entry SET expired = 1, term = ?, sealed = ? WHERE id = ?")
            .execute(arguments: [term, sealed, id])
    }

    func note(_ uses: [Int64: Timestamp]) throws {
        let statement = try database.cachedStatement(sql: "UPDATE entry SET used = ? WHERE id = ?")
        for (id, moment) in uses { try statement.execute(arguments: [moment.nanoseconds, id]) }
    }

    func ids(_ scope: CacheScope) throws -> [Int64] {
        let condition = scope.condition
        return try Int64.fetchAll(
            database, sql: "SELECT id FROM entry WHERE \(condition.sql)", arguments: condition.arguments)
    }

    /// - Returns: `nil` when it has gone; no key when its row does not make one.
    func find(id: Int64) throws -> (key: CacheKey?, found: Found)? {
        let statement = try database.cachedStatement(
            sql: "SELECT id, used, mount, path, version, identity, term, sealed FROM entry WHERE id = ?")
        return try Row.fetchOne(statement, arguments: [id]).map { (CacheKey($0), Found($0)) }
    }

    // MARK: Sums

    func status(mount: String) throws -> CacheStatus {
        var status = try sums(mount: mount)
        status.oldest = try oldest("mount = ?", mount)
        // Found by an index each, however many entries there are.
        status.oldestValue = try oldest("mount = ? AND expired = 0 AND negative = 0", mount)
        status.oldestNegative = try oldest("mount = ? AND expired = 0 AND negative = 1", mount)
        status.oldestExpired = try [0, 1].compactMap { negative in
            try oldest("mount = ? AND expired = 1 AND negative = \(negative)", mount)
        }.min()
        return status
    }

    private func oldest(_ condition: String, _ mount: String) throws -> Timestamp? {
        try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT min(fetched) FROM entry WHERE \(condition)"), arguments: [mount]
        ).map(Timestamp.init(nanoseconds:))
    }

    private func sums(mount: String) throws -> CacheStatus {
        var status = CacheStatus()
        let sums = try Row.fetchOne(
            database, sql: "SELECT entries, bytes, negatives FROM usage WHERE mount = ?", arguments: [mount])
        guard let sums else { return status }
        status.entries = Int.fromDatabaseValue(sums["entries"]) ?? 0
        status.bytes = Int.fromDatabaseValue(sums["bytes"]) ?? 0
        status.negatives = Int.fromDatabaseValue(sums["negatives"]) ?? 0
        return status
    }

    /// Drops what was asked at or before `moment`, a bounded number.
    func deleteOld(mount: String, _ moment: Timestamp) throws -> Int {
        try database.execute(
            sql: "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE mount = ? AND fetched <= ? LIMIT 1000)",
            arguments: [mount, moment.nanoseconds])
        return database.changesCount
    }

    func mounts() throws -> [String] { try String.fetchAll(database, sql: "SELECT mount FROM usage WHERE entries > 0") }

    // MARK: Limits

    /// Drops what was not used for longest until the mount is within its limits and a little below, so that not every
    /// store has to drop something. Negatives go first, and values never for their sake: a client that asks for names
    /// that do not exist gets no value out of the cache.
    /// - Parameter newest: the value that the room is for.
    /// - Parameter lastHit: when a path was answered without a look here, which is written down before it counts.
    /// - Returns: the paths that went.
    func evict(
        mount: String, _ limits: CacheLimits, for newest: Int64, lastHit: (String) -> Timestamp?
    ) throws -> [String] {
        let status = try sums(mount: mount)
        var (entries, bytes) = (status.entries, status.bytes)
        var evicted: [String] = []
        for (isNegative, isLate) in [(true, false), (false, false), (false, true)]
        where entries > limits.entries || bytes > limits.bytes {
            let oldest = try Row.fetchCursor(
                database,
                sql:
                    "SELECT id, path, used, size FROM entry WHERE mount = ? AND negative = ? AND id <> ? ORDER BY used, id",
                arguments: [mount, isNegative, isNegative ? 0 : newest])
            var dropped: [Int64] = []
            var spared: [Int64: Timestamp] = [:]
            while entries > limits.entries - limits.entries / 64 || bytes > limits.bytes - limits.bytes / 64,
                let row = try oldest.next()
            {
                guard let id = Int64.fromDatabaseValue(row["id"]) else { continue }
                let path = String.fromDatabaseValue(row["path"]) ?? ""
                let used = Timestamp(nanoseconds: Int64.fromDatabaseValue(row["used"]) ?? 0)
                if !isLate, let hit = lastHit(path), hit > used {
                    spared[id] = hit
                    continue
                }
                dropped.append(id)
                evicted.append(path)
                entries -= 1
                // Wrapping: an altered column may hold anything.
                bytes &-= Int.fromDatabaseValue(row["size"]) ?? 0
            }
            for id in dropped { try delete(id) }
            try note(spared)
        }
        return evicted
    }
}

extension CacheKey {
    /// Rows are found by mount, path and version; an answer of another upstream is found too, but does not open.
    var binding: SealBinding {
        SealBinding(
            purpose: "airlock cache entry 1", texts: [identity, mount, path.text],
            numbers: [version == nil ? 0 : 1, version ?? 0])
    }

    fileprivate var versionText: String { version.map(String.init) ?? "" }

    fileprivate init?(_ row: Row) {
        guard let mount = String.fromDatabaseValue(row["mount"]),
            let identity = String.fromDatabaseValue(row["identity"]),
            let path = String.fromDatabaseValue(row["path"]).flatMap({ try? SecretPath($0) }),
            let text = String.fromDatabaseValue(row["version"])
        else { return nil }
        let version = Int(text)
        guard version != nil || text.isEmpty else { return nil }
        self.init(mount: mount, identity: identity, path: path, version: version)
    }
}

extension CacheScope {
    /// Compared byte by byte, as SQLite does without a collation.
    fileprivate var condition: (sql: String, arguments: StatementArguments) {
        switch self {
        case .path(let mount, let path): return ("mount = ? AND path = ?", [mount, path.text])
        case .prefix(let mount, let folder):
            guard let range = CacheScope.range(of: folder) else { return ("mount = ?", [mount]) }
            return ("mount = ? AND path >= ? AND path < ?", [mount, range.start, range.end])
        case .mount(let mount): return ("mount = ?", [mount])
        }
    }

    /// As the condition, for a key that may have no row.
    func covers(_ key: CacheKey) -> Bool {
        guard key.mount == mountPath else { return false }
        switch self {
        case .path(_, let path): return key.path == path
        case .prefix(_, let folder):
            guard let range = CacheScope.range(of: folder) else { return true }
            return key.path.text.utf8.starts(with: range.start.utf8)
        case .mount: return true
        }
    }

    /// Bytes, not characters: a combining mark beside the slash must not hide it. "0" is the byte after "/".
    private static func range(of folder: String) -> (start: String, end: String)? {
        var bytes = Array(folder.utf8)
        guard !bytes.isEmpty else { return nil }
        if bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return (
            String(decoding: bytes + [UInt8(ascii: "/")], as: UTF8.self),
            String(decoding: bytes + [UInt8(ascii: "0")], as: UTF8.self)
        )
    }
}
