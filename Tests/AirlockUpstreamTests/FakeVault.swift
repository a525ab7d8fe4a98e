import Logging
import Synchronization
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

/// A Vault in place of the wire: tokens that are issued, live and die, and secrets on the mount `airflow/`.
final class FakeVault: UpstreamTransport {
    struct State {
        /// Tokens it accepts now.
        var good: Set<String> = []
        var logins = 0
        /// What a login and a renewal give.
        var duration = 3600
        var isRenewable = true
        var uses = 0
        var refusesLogins = false
        /// Policies leave out `default`.
        var refusesLookups = false
        var renewal: (status: Int, duration: Int) = (200, 3600)
        var wrapped: [String: String] = [:]
        /// By target; a status and a body.
        var answers: [String: (Int, String)] = [:]
        var denied: Set<String> = []
        var outage: UpstreamError?
        /// What somebody on the way answers in its place.
        var gateway: (Int, String)?
        var requests: [UpstreamRequest] = []
    }

    private let state = Mutex(State())
    /// Waited for before each answer.
    let delay: @Sendable (String) async -> Void

    init(delay: @escaping @Sendable (String) async -> Void = { _ in }) { self.delay = delay }

    @discardableResult
    func change<Value>(_ body: (inout State) -> sending Value) -> sending Value { state.withLock { body(&$0) } }

    /// Method and target of each request.
    var seen: [String] { change { $0.requests.map(FakeVault.line) } }
    var tokens: [String?] {
        change { $0.requests.map { $0.headers.first { $0.name == "X-Vault-Token" }?.value.revealed } }
    }
    func count(_ line: String) -> Int { seen.count { $0 == line } }

    private static func line(_ request: UpstreamRequest) -> String {
        let target = request.url.split(separator: "/v1/", maxSplits: 1).last ?? ""
        return "\(request.method) \(target)"
    }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        let line = FakeVault.line(request)
        change { $0.requests.append(request) }
        await delay(line)
        try Task.checkCancellation()
        if let outage = change({ $0.outage }) { throw outage }
        let token = request.headers.first { $0.name == "X-Vault-Token" }?.value.revealed
        let (status, body) = change { $0.gateway ?? FakeVault.answer(line, token, &$0) }
        return UpstreamResponse(status: status, body: Array(body.utf8))
    }

    private static let noRight = (403, #"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#)

    private static func answer(_ line: String, _ token: String?, _ state: inout State) -> (Int, String) {
        let target = String(line.split(separator: " ", maxSplits: 1)[1])
        if target.hasPrefix("auth/"), target.contains("/login") { return login(&state) }
        if target.hasPrefix("sys/health") { return state.answers[target] ?? (200, "{}") }
        if target == "sys/wrapping/unwrap" {
            guard let secretID = token.flatMap({ state.wrapped.removeValue(forKey: $0) }) else {
                return (400, #"{"errors":["wrapping token is not valid or does not exist"]}"#)
            }
            return (200, #"{"data":{"secret_id":"\#(secretID)"}}"#)
        }
        guard let token, state.good.contains(token) else { return (403, #"{"errors":["permission denied"]}"#) }
        switch target {
        case "auth/token/lookup-self":
            guard !state.refusesLookups else { return noRight }
            return (200, #"{"data":{"ttl":\#(state.duration),"renewable":\#(state.isRenewable)}}"#)
        case "auth/token/renew-self":
            let (status, duration) = state.renewal
            return (status, #"{"auth":{"client_token":"x","lease_duration":\#(duration),"renewable":true}}"#)
        default:
            if state.denied.contains(target) { return noRight }
            return state.answers[target] ?? (404, #"{"errors":[]}"#)
        }
    }

    private static func login(_ state: inout State) -> (Int, String) {
        if state.refusesLogins { return (400, #"{"errors":["invalid role or secret ID"]}"#) }
        state.logins += 1
        let token = "login-\(state.logins)"
        state.good.insert(token)
        return (
            200,
            #"{"auth":{"client_token":"\#(token)","lease_duration":\#(state.duration),"#
                + #""renewable":\#(state.isRenewable),"num_uses":\#(state.uses)}}"#
        )
    }
}

/// Time that stands still until a test moves it.
final class ManualTime: Sendable {
    private struct State {
        var now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)
        var sleepers: [Int: (until: Timestamp, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    var now: Timestamp { state.withLock { $0.now } }

    func pause(_ duration: Duration) async throws {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                state.withLock { state in
                    if Task.isCancelled {
                        continuation.resume(throwing: CancellationError())
                    } else {
                        let nanoseconds = Int64(duration / .nanoseconds(1))
                        state.sleepers[id] = (state.now.adding(nanoseconds: nanoseconds), continuation)
                    }
                }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.continuation.resume(throwing: CancellationError())
        }
    }

    /// When those who pause now will go on.
    var wakeUps: [Timestamp] { state.withLock { $0.sleepers.values.map(\.until).sorted() } }

    func advance(seconds: Int) {
        let due = state.withLock { state in
            state.now = state.now.adding(seconds: seconds)
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    /// Until somebody pauses for exactly so long from now.
    func somebodySleeps(seconds: Int, sourceLocation: SourceLocation = #_sourceLocation) async {
        await eventually("somebody pauses for \(seconds) s", sourceLocation: sourceLocation) {
            self.wakeUps.contains(self.now.adding(seconds: seconds))
        }
    }
}

/// Yields until `condition` holds; the deadline is for a machine that is busy with something else.
func eventually(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async -> Bool
) async {
    let deadline = ContinuousClock.now + .seconds(300)
    while await !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record("never: \(what)", sourceLocation: sourceLocation)
            return
        }
        // Without this the pollers of all tests keep the tasks they wait for from running.
        try? await Task.sleep(for: .milliseconds(1))
    }
}

/// A server of kwargs over a transport of the test's own.
struct TestUpstream {
    static let approle = #""auth_type": "approle", "role_id": "r", "secret_id": "s""#
    let metrics = Metrics()
    let server: VaultServer
    let upstream: VaultUpstream

    /// - Parameter kwargs: members beside the url.
    init(
        _ transport: any UpstreamTransport, _ kwargs: String = approle, hasOwnLogin: Bool = true, kvVersion: Int = 2,
        places: Int = 30, time: ManualTime = ManualTime()
    ) throws {
        let kwargs = try BackendKwargs(parsing: #"{"url": "http://vault:8200", \#(kwargs)}"#)
        server = try VaultServer(
            kwargs: kwargs, login: hasOwnLogin ? VaultLogin(kwargs, environmentToken: nil) : nil, transport: transport,
            metrics: metrics, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: { time.now },
            places: places, pause: { try await time.pause($0) })
        upstream = VaultUpstream(server: server, mount: VaultMount(path: "airflow", kvVersion: kvVersion))
    }

    func read(_ path: String, as credential: Credential = .own) async throws -> Secret? {
        try await upstream.read(try SecretPath(path), version: nil, as: credential)
    }

    func failure(_ path: String, as credential: Credential = .own) async throws -> UpstreamError {
        try await #require(throws: UpstreamError.self) { _ = try await read(path, as: credential) }
    }
}

/// A value that several tasks of a test change.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    var current: Value { value.withLock { $0 } }
    func change(_ body: @Sendable (inout Value) -> Void) { value.withLock { body(&$0) } }
}
