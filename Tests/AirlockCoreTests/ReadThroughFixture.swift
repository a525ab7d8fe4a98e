import AirlockCore
import AirlockStore
import Foundation
import Logging
import Synchronization
import Testing

/// A mount read through the real cache, from a backend that says what the test tells it to, under a clock that stands still.
final class ReadThroughFixture: Sendable {
    static let mount = "airflow/"

    let backend = ScriptedBackend()
    let metrics = Metrics()
    let cache: HookedCache
    let readThrough: ReadThrough
    private let clock: Clock
    private let root: String
    private let directory: DataDirectory

    final class Clock: Sendable {
        private let moment = Mutex(Timestamp(nanoseconds: 1_800_000_000_000_000_000))
        var now: Timestamp { moment.withLock { $0 } }
        func advance(nanoseconds: Int64) { moment.withLock { $0 = $0.adding(nanoseconds: nanoseconds) } }
    }

    init(ttl: Int = 60, maxStale: Int = 3_600, negativeTTL: Int = 15) throws {
        let clock = Clock()
        self.clock = clock
        root = FileManager.default.temporaryDirectory.appendingPathComponent("airlock-\(UUID().uuidString)").path
        directory = try DataDirectory(root)
        let key = try OperatorKey.find(path: nil, environment: [:], directory: directory, isFirstStart: true)
        let storage = try SQLiteStorage(directory: directory, key: key, now: { clock.now })
        cache = HookedCache(
            try SQLiteCache(
                directory: directory, storage: storage, limits: [:], metrics: metrics, logger: Logger(label: "test"),
                now: { clock.now }))
        var rule = FreshnessRule()
        rule.ttl = Timestamp.nanoseconds(in: ttl)
        rule.maxStale = Timestamp.nanoseconds(in: maxStale)
        rule.negativeTTL = Timestamp.nanoseconds(in: negativeTTL)
        readThrough = ReadThrough(
            mount: ReadThroughFixture.mount, backend: backend, rule: rule, cache: cache, metrics: metrics,
            now: { clock.now })
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var now: Timestamp { clock.now }

    func advance(seconds: Int) { clock.advance(nanoseconds: Timestamp.nanoseconds(in: seconds)) }

    func advance(nanoseconds: Int64) { clock.advance(nanoseconds: nanoseconds) }

    func secret(_ text: String, version: Int? = nil, created: Timestamp? = nil) -> Secret {
        Secret(data: SecretPayload(Array(text.utf8)), version: version, created: created)
    }

    func read(
        _ path: String = "a", version: Int? = nil, with header: String = "", as reader: TestReader = TestReader()
    ) async throws -> Served {
        try await readThrough.read(
            try SecretPath(path), version: version, directives: CacheDirectives(parsing: header), for: reader)
    }

    /// How it was answered, what with, and how old: `HIT one 3`.
    func answer(
        _ path: String = "a", version: Int? = nil, with header: String = "", as reader: TestReader = TestReader()
    ) async -> String {
        do {
            let served = try await read(path, version: version, with: header, as: reader)
            let text = served.secret?.data.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "-"
            return "\(served.outcome.rawValue) \(text) \(served.age)"
        } catch let error as AirlockError {
            return "\(error.code)"
        } catch {
            return "\(error)"
        }
    }

    func count(_ counter: Metrics.Counter, _ labels: String...) -> Int {
        let labels = [ReadThroughFixture.mount] + labels
        return Int(metrics.counters.first { $0.key.name == counter && $0.key.labels == labels }?.value ?? 0)
    }
}

struct TestReader: SecretReader {
    var credential = Credential.own
    var isAllowed = true

    func authorizeRead(of path: SecretPath) async throws {
        guard isAllowed else { throw AirlockError.permissionDenied }
    }
}

/// A vault that answers what it held when it was asked, as late as the test wants.
final class ScriptedBackend: Backend {
    struct Call: Equatable {
        let path: String
        let version: Int?
        let credential: Credential
    }

    typealias Script = @Sendable (Call) throws -> Secret?

    private struct State {
        var script: Script = { _ in nil }
        var calls: [Call] = []
        var isHolding = false
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    let identity = "test"

    func answer(_ script: @escaping Script) { state.withLock { $0.script = script } }

    func answer(_ secret: Secret?) { answer { _ in secret } }

    func fail(_ kind: UpstreamError.Kind) { answer { _ in throw UpstreamError(kind, "as told") } }

    var calls: [Call] { state.withLock { $0.calls } }

    /// From now on answers wait for `release`, though they are what was there when the question came.
    func hold() { state.withLock { $0.isHolding = true } }

    /// Lets all go that wait, and holds no more.
    func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            state.isHolding = false
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    /// Lets the one go that has waited least.
    func releaseLast() { state.withLock { $0.held.popLast() }?.resume() }

    /// Returns once that many questions have come, and wait if they are to.
    func asked(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async {
        await until("\(count) questions", sourceLocation: sourceLocation) { self.calls.count >= count }
    }

    func read(_ path: SecretPath, version: Int?, as credential: Credential) async throws -> Secret? {
        let call = Call(path: path.text, version: version, credential: credential)
        let result = state.withLock { $0.script }
        let answer = Result { try result(call) }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                state.calls.append(call)
                if state.isHolding { state.held.append(continuation) }
                return !state.isHolding
            }
            if isFree { continuation.resume() }
        }
        return try answer.get()
    }

    func list(_ folder: String, as credential: Credential) async throws -> [String] { [] }
}

/// The real cache, with a place for the test to step in just before a store.
final class HookedCache: SecretCache {
    private let cache: SQLiteCache
    private let hook = Mutex<(@Sendable () async -> Void)?>(nil)

    init(_ cache: SQLiteCache) { self.cache = cache }

    /// Runs once, before the next store.
    func beforeNextStore(_ body: @escaping @Sendable () async -> Void) { hook.withLock { $0 = body } }

    func entry(_ key: CacheKey) -> CacheEntry? { cache.entry(key) }

    func store(
        _ entry: CacheEntry, for key: CacheKey, if isWanted: @escaping @Sendable (CacheEntry?) -> Bool
    ) async {
        let body = hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        await body?()
        await cache.store(entry, for: key, if: isWanted)
    }

    @discardableResult func remove(_ scope: CacheScope) async -> Int { await cache.remove(scope) }
    @discardableResult func expire(_ scope: CacheScope) async -> Int { await cache.expire(scope) }
    func status(mount: String) -> CacheStatus { cache.status(mount: mount) }
}

/// Polls for what other tasks make true. Its deadline is for a test that fails, not for a machine that is slow.
func until(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async -> Bool
) async {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(300)
    while await !condition() {
        guard clock.now < deadline else {
            Issue.record("still waiting for \(what)", sourceLocation: sourceLocation)
            return
        }
        // Without this the pollers of all tests keep the tasks they wait for from running.
        try? await Task.sleep(for: .milliseconds(1))
    }
}
