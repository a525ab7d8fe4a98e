package import AirlockCore
package import Logging
import Synchronization

/// Conjur as one identity sees it: its connections, its login and its circuit breaker, for every mount that lies there.
package final class ConjurServer: Sendable {
    private static let connections = 32

    let address: ServerAddress
    let account: String
    let breaker: CircuitBreaker
    private let session: ConjurSession
    private let gate: RequestGate
    /// Conjur loads one policy at a time and turns the others away; those of this server wait for each other instead.
    private let policyGate: RequestGate
    private let pause: Pause
    private let wire: ConjurWire
    let writeTimeout: Duration
    /// Conjur takes its time for a list: it looks up each variable's annotations, permissions and versions.
    let listTimeout: Duration

    package convenience init(
        kwargs: ConjurKwargs, metrics: Metrics, logger: Logger, now: @escaping Now
    ) throws(BackendKwargs.Fault) {
        try self.init(
            kwargs: kwargs,
            transport: CurlClient(options: CurlClient.Options(kwargs, connections: ConjurServer.connections)),
            metrics: metrics, logger: logger, now: now)
    }

    init(
        kwargs: ConjurKwargs, transport: any UpstreamTransport, metrics: Metrics, logger: Logger, now: @escaping Now,
        pause: @escaping Pause = { try await Task.sleep(for: $0) }
    ) throws(BackendKwargs.Fault) {
        let wire = ConjurWire(address: kwargs.address, transport: transport, metrics: metrics, now: now)
        let session = ConjurSession(wire: wire, login: try ConjurLogin(kwargs))
        let origin = kwargs.address.origin
        let account = kwargs.account
        address = kwargs.address
        self.account = account
        self.wire = wire
        self.session = session
        self.pause = pause
        writeTimeout = kwargs.timeout ?? VaultServer.writeTimeout
        listTimeout = kwargs.timeout ?? .seconds(10)
        // Two places are left for logins and probes.
        gate = RequestGate(
            places: ConjurServer.connections - 2, limit: max(kwargs.timeout ?? .zero, VaultServer.lineTimeout),
            full: UpstreamError(
                .timeout, "\(origin): too many requests are under way, and none came to an end in time"), pause: pause)
        policyGate = RequestGate(
            places: 1, limit: VaultServer.writeTimeout,
            full: UpstreamError(.conflict, "\(origin): too many variables are being made at once; try again"),
            pause: pause)
        breaker = CircuitBreaker(logger: logger, now: now, pause: pause) {
            let probe = ConjurCall("GET", "resources/\(ConjurCall.encoded(account))/variable?limit=1")
            _ = try ConjurShape.ids(try await session.send(probe), account: account, origin)
        }
    }

    var origin: String { address.origin }

    /// `address`, told apart from the same url at the other end of a socket.
    var place: String { address.base + (address.unixSocket.map { "@" + VaultCall.encoded($0) } ?? "") }

    /// Makes a call and reads the answer, both under the circuit breaker.
    func perform<Value: Sendable>(
        _ call: ConjurCall, _ read: (UpstreamResponse) throws -> Value
    ) async throws -> Value {
        try await gate.enter()
        defer { gate.leave() }
        do {
            return try await breaker.run { try read(try await session.send(call)) }
        } catch let error as UpstreamError where error.kind == .unauthenticated {
            // To the server a 401 like any other; to the operator the one that stops everything.
            wire.metrics.add(.upstreamRequests, wire.origin, error.kind.rawValue)
            throw error
        }
    }

    /// Loads a policy, again for a while when Conjur is loading somebody else's.
    func load(_ call: ConjurCall, _ read: (UpstreamResponse) throws -> Void) async throws {
        try await policyGate.enter()
        defer { policyGate.leave() }
        var wait = Duration.milliseconds(100)
        while true {
            do {
                return try await perform(call, read)
            } catch let error as UpstreamError where error.kind == .conflict && wait < .seconds(8) {
                try await pause(wait)
                wait *= 2
            }
        }
    }
}

/// The servers in use: mounts with the same address, identity and way there share one.
package final class ConjurServers: Sendable {
    private struct Key: Hashable {
        let address: ServerAddress
        let account: String
        let login: ConjurLogin
        let verification: TLSVerification
        let clientCertificate: ClientCertificate?
        let timeout: Duration?
    }

    private let servers = Mutex<[Key: ConjurServer]>([:])
    private let metrics: Metrics
    private let logger: Logger
    private let now: Now

    package init(metrics: Metrics, logger: Logger, now: @escaping Now) {
        self.metrics = metrics
        self.logger = logger
        self.now = now
    }

    package func server(for kwargs: ConjurKwargs) throws(BackendKwargs.Fault) -> ConjurServer {
        let key = Key(
            address: kwargs.address, account: kwargs.account, login: try ConjurLogin(kwargs),
            verification: kwargs.verification, clientCertificate: kwargs.clientCertificate, timeout: kwargs.timeout)
        if let known = servers.withLock({ $0[key] }) { return known }
        let new = try ConjurServer(kwargs: kwargs, metrics: metrics, logger: logger, now: now)
        return servers.withLock { servers in
            let server = servers[key] ?? new
            servers[key] = server
            return server
        }
    }
}

extension CurlClient.Options {
    /// The way to Conjur as kwargs describe it.
    fileprivate init(_ kwargs: ConjurKwargs, connections: Int) {
        self.init()
        verification = kwargs.verification
        clientCertificate = kwargs.clientCertificate
        unixSocket = kwargs.address.unixSocket
        timeout = kwargs.timeout ?? VaultServer.readTimeout
        connectTimeout = min(connectTimeout, timeout)
        connectionsPerHost = connections
    }
}
