import AirlockCore
import Foundation
import GRDB
import Logging
import Synchronization
import Testing

@testable import AirlockStore

/// A cache beside a store, in a data directory that goes when the test does.
struct TemporaryCache {
    static let mount = "airflow/"
    static let upstream = "vault https://vault.example:8200 airflow/"

    let temporary = TemporaryStore()
    let metrics = Metrics()
    let log = RecordedLog()

    /// The cache, and what must live as long as it.
    struct Opened {
        let store: TemporaryStore.Opened
        let cache: SQLiteCache

        func close() throws {
            cache.close()
            try store.storage.close()
        }
    }

    func open(_ limits: [String: CacheLimits] = [:]) throws -> Opened {
        let store = try temporary.open()
        let cache = try SQLiteCache(
            directory: store.directory, storage: store.storage, limits: limits, metrics: metrics, logger: log.logger,
            now: { [temporary] in temporary.now })
        return Opened(store: store, cache: cache)
    }

    var path: String { "\(temporary.root)/\(SQLiteCache.fileName)" }

    /// What somebody with the `sqlite3` command can do beside the running cache.
    @discardableResult
    func outside<T>(_ body: (Database) throws -> T) throws -> T {
        var configuration = Configuration()
        // The cache may be dropping a row at this moment.
        configuration.busyMode = .timeout(10)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.writeWithoutTransaction(body)
    }

    func key(
        _ path: String, version: Int? = nil, mount: String = TemporaryCache.mount,
        identity: String = TemporaryCache.upstream
    ) throws -> CacheKey {
        CacheKey(mount: mount, identity: identity, path: try SecretPath(path), version: version)
    }

    func value(_ text: String, version: Int = 1) -> CacheEntry {
        let secret = Secret(
            data: SecretPayload(Array("{\"value\":\"\(text)\"}".utf8)),
            metadata: SecretPayload(Array("{\"version\":\(version)}".utf8)), version: version, created: temporary.now)
        return CacheEntry(secret: secret, fetched: temporary.now)
    }

    /// Waits until everything begun before is done.
    func settle(_ cache: SQLiteCache) async { await cache.remove(.mount("none/")) }

    var nothing: CacheEntry { CacheEntry(secret: nil, fetched: temporary.now) }

    func count(_ counter: Metrics.Counter, _ mount: String = TemporaryCache.mount) -> Int {
        Int(metrics.counters.first { $0.key.name == counter && $0.key.labels == [mount] }?.value ?? 0)
    }
}

extension SecretCache {
    func store(_ entry: CacheEntry, for key: CacheKey) async { await store(entry, for: key) { _ in true } }
}

/// Every line that is logged, to be read by the test.
final class RecordedLog: Sendable {
    private let recorded = Mutex<[String]>([])

    var lines: [String] { recorded.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.recorded.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
        }
    }
}
