package import AirlockCore
import Foundation
import GRDB
package import Logging
import Synchronization

/// The sealed cache in `cache.db` (`schema.sql`), sealed with the keys of the embedded store. Whatever fails in it is logged
/// and taken for "not cached".
package final class SQLiteCache: SecretCache {
    package static let fileName = CacheFile.name
    /// In the limits: every mount that is not named. No mount has an empty path.
    package static let otherMounts = ""

    let database: DatabasePool
    private let writer: GroupCommit
    private let storage: SQLiteStorage
    private let limits: [String: CacheLimits]
    private let metrics: Metrics
    private let complaints: Complaints
    private let uses: RecentUses
    private let unremoved = UnremovedEntries()
    /// Rows that did not open, until they are replaced.
    private let rejected = Mutex<Set<Int64>>([])
    private let now: Now

    /// How many entries an `expire` seals anew before others get their turn.
    static let chunk = 500

    /// - Parameter limits: by mount; one that is not named has those of `otherMounts`, or what `CacheLimits` begins with.
    /// - Throws: `AirlockError` when there can be no file.
    package init(
        directory: DataDirectory, storage: SQLiteStorage, limits: [String: CacheLimits], metrics: Metrics,
        logger: Logger, now: @escaping Now
    ) throws {
        database = try CacheFile.open(in: directory, sealer: storage.sealer, logger: logger)
        writer = GroupCommit(database)
        self.storage = storage
        self.limits = limits
        self.metrics = metrics
        complaints = Complaints(logger: logger, now: now)
        uses = RecentUses(now: now)
        self.now = now
    }

    /// Writes what the log holds into the database file and closes it.
    package func close() {
        do {
            try database.writeWithoutTransaction { database in
                try CacheRows(database: database).note(uses.take())
                _ = try database.checkpoint(.truncate)
            }
            try database.close()
        } catch {
            complain("close", error)
        }
    }

    // MARK: Reading

    package func entry(_ key: CacheKey) -> CacheEntry? {
        guard !unremoved.contain(key) else { return nil }
        do {
            guard let found = try database.read({ try CacheRows(database: $0).find(key) }) else { return nil }
            guard let entry = found.opened(key, storage.sealer) else {
                // Its drop waits for its turn, and whoever meets it meanwhile is not told of a second one.
                if rejected.withLock({ $0.insert(found.id, limit: SQLiteCache.chunk) }) {
                    noteRejected(key.mount)
                    submit("drop an entry that does not open") { try $0.delete(found.id) }
                }
                return nil
            }
            if uses.note(found.id, last: found.used) { submit("note what was used") { _ in } }
            return entry
        } catch {
            complain("read an entry", error)
            return nil
        }
    }

    package func status(mount: String) -> CacheStatus {
        do {
            return try database.read { try CacheRows(database: $0).status(mount: mount) }
        } catch {
            complain("count the entries", error)
            return CacheStatus()
        }
    }

    // MARK: Writing

    package func store(
        _ entry: CacheEntry, for key: CacheKey, if isWanted: @escaping @Sendable (CacheEntry?) -> Bool
    ) async {
        let changes = CacheScope.path(mount: key.mount, key.path).changes
        storage.front.changing(changes)
        defer { storage.front.changed(changes) }
        let limits = limits[key.mount] ?? limits[SQLiteCache.otherMounts] ?? CacheLimits()
        let evicted = await write("keep an answer") { [self] rows in
            let sealer = storage.sealer
            let found = try rows.find(key)
            let known = found?.opened(key, sealer)
            if let found, known == nil, rejected.withLock({ $0.remove(found.id) }) == nil { noteRejected(key.mount) }
            guard isWanted(known) else { return [String]() }
            // Also when the new one is not kept: the old one is not what the upstream says any more.
            if let found { try rows.delete(found.id) }
            let sealed = try sealer.seal(entry.encoded, to: key.binding)
            guard sealed.count <= limits.bytes, limits.entries > 0 else { return [] }
            let id = try rows.insert(entry, for: key, sealed, term: sealer.currentTerm, now: now())
            return try rows.evict(mount: key.mount, limits, for: id) { path in
                storage.front.lastHit(path, ofCached: key.mount)
            }
        }
        if let evicted {
            if !evicted.isEmpty { metrics.add(.cacheEvicted, key.mount, by: UInt64(evicted.count)) }
            let gone = evicted.map { Front.Thing.secret(scope: Front.scope(ofCached: key.mount), path: $0) }
            storage.front.changing(gone)
            storage.front.changed(gone)
        } else if self.entry(key)?.secret != entry.secret {
            // The one that is there is not what the upstream says any more.
            unremoved.add(.path(mount: key.mount, key.path))
        }
    }

    @discardableResult package func remove(_ scope: CacheScope) async -> Int {
        storage.front.changing(scope.changes)
        defer { storage.front.changed(scope.changes) }
        guard let count = await write("purge", isDurable: true, { try $0.delete(scope) }) else {
            unremoved.add(scope)
            return 0
        }
        return count
    }

    /// What is stored after this was called is not marked, also where its turn comes between two chunks.
    @discardableResult package func expire(_ scope: CacheScope) async -> Int {
        storage.front.changing(scope.changes)
        defer { storage.front.changed(scope.changes) }
        var marked = 0
        var rest = await write("find what to expire") { try $0.ids(scope) }?[...]
        while let ids = rest?.prefix(SQLiteCache.chunk), !ids.isEmpty {
            let count = await write("mark entries expired", isDurable: true) { [self] in
                try expire(ids, in: $0, scope.mountPath)
            }
            rest = count == nil ? nil : rest?.dropFirst(ids.count)
            marked += count ?? 0
        }
        if rest == nil { unremoved.add(scope) }
        return marked
    }

    private func expire(_ ids: ArraySlice<Int64>, in rows: CacheRows, _ mount: String) throws -> Int {
        let sealer = storage.sealer
        var marked = 0
        for id in ids {
            guard let (key, found) = try rows.find(id: id) else { continue }
            guard let key, var entry = found.opened(key, sealer) else {
                noteRejected(mount)
                try rows.delete(id)
                continue
            }
            guard !entry.expired else { continue }
            entry.expired = true
            try rows.markExpired(id, sealer.seal(entry.encoded, to: key.binding), term: sealer.currentTerm)
            marked += 1
        }
        return marked
    }

    /// Drops what may no longer be answered at all.
    /// - Parameters:
    ///   - ages: nanoseconds, by mount.
    ///   - others: the same for every other mount; `nil` drops what belongs to them whole.
    /// - Returns: how many entries went.
    @discardableResult package func sweep(keeping ages: [String: Int64], others: Int64? = nil) async -> Int {
        let moment = now()
        var dropped = 0
        for mount in await write("list the mounts", { try $0.mounts() }) ?? [] {
            guard let age = ages[mount] ?? others else {
                dropped += await remove(.mount(mount))
                continue
            }
            let oldest = Timestamp(nanoseconds: moment.nanoseconds - age)
            while let count = await write("drop old entries", { try $0.deleteOld(mount: mount, oldest) }), count > 0 {
                dropped += count
            }
        }
        return dropped
    }

    /// In turn after everything begun before. `nil`, and a line in the log, when it failed.
    /// - Parameter isDurable: for what must not come back after a power cut. An answer that is lost is only asked for again.
    private func write<T: Sendable>(
        _ intent: String, isDurable: Bool = false, _ body: @escaping @Sendable (CacheRows) throws -> T
    ) async -> T? {
        do {
            let (value, settled) = try await writer.write(isDurable: isDurable) { [self] in
                try turn(CacheRows(database: $0), body)
            }
            unremoved.settle(settled)
            return value
        } catch {
            complain(intent, error)
            return nil
        }
    }

    /// As `write`, without waiting for it.
    private func submit(_ intent: String, _ body: @escaping @Sendable (CacheRows) throws -> Void) {
        writer.enqueue { [self] in
            _ = try turn(CacheRows(database: $0), body)
        } failed: { [self] error in
            complain(intent, error)
        }
    }

    private func turn<T>(
        _ rows: CacheRows, _ body: (CacheRows) throws -> T
    ) throws -> (value: T, settled: UnremovedEntries.Batch) {
        let overdue = unremoved.all
        for scope in overdue.values { _ = try rows.delete(scope) }
        try rows.note(uses.take())
        return (try body(rows), overdue)
    }

    // MARK: Telling

    private func noteRejected(_ mount: String) {
        metrics.add(.cacheRejected, mount)
        complaints.log(
            "rejected", "a cache entry of \(mount) does not open: altered, moved, or answered by another upstream")
    }

    private func complain(_ intent: String, _ error: any Error) {
        // SQLite's message names tables and files, never values.
        let reason = (error as? DatabaseError).map { $0.message ?? "\($0.resultCode)" } ?? "\(type(of: error))"
        complaints.log(
            intent,
            "the cache could not \(intent): \(reason). If it says so again, stop Airlock and delete \(CacheFile.name)")
    }
}

extension CacheScope {
    /// A folder counts as its whole mount.
    fileprivate var changes: [Front.Thing] {
        let scope = Front.scope(ofCached: mountPath)
        if case .path(_, let path) = self { return [.secret(scope: scope, path: path.text)] }
        return [.scope(scope)]
    }
}

extension Set {
    /// - Returns: `false` when it was there already. A full set starts anew.
    fileprivate mutating func insert(_ element: Element, limit: Int) -> Bool {
        if count >= limit { removeAll() }
        return insert(element).inserted
    }
}

/// Warnings that would come with every read, once a minute each.
private final class Complaints: Sendable {
    private let last = Mutex<[String: Timestamp]>([:])
    private let logger: Logger
    private let now: Now

    init(logger: Logger, now: @escaping Now) {
        self.logger = logger
        self.now = now
    }

    /// - Parameter subject: one of a few.
    func log(_ subject: String, _ message: @autoclosure () -> String) {
        let moment = now()
        let isDue = last.withLock { last in
            if let before = last[subject], before <= moment, moment < before.adding(seconds: 60) { return false }
            last[subject] = moment
            return true
        }
        if isDue { logger.warning("\(message())") }
    }
}
