package import AirlockCore
package import Logging
import Synchronization

/// A Vault-compatible server as one identity sees it: its connections, its login and its circuit breaker, for every mount
/// that lies there.
package final class VaultServer: UpstreamServer {
    /// For a read, from the name's lookup to the last byte.
    package static let readTimeout = Duration.seconds(2)
    package static let writeTimeout = Duration.seconds(30)
    /// In line for a connection. Longer than a request may take, for a slow server is not one that is down: when one is,
    /// the first timeout lets the whole line go.
    static let lineTimeout = Duration.seconds(10)
    private static let connections = 40
    private static let clientPlaces = 8

    package let address: ServerAddress
    package let namespace: String?
    /// `address`, told apart from the same url at the other end of a socket.
    package let place: String
    package let breaker: CircuitBreaker
    private let wire: VaultWire
    /// `nil`: only clients' own tokens are used here.
    private let session: VaultSession?
    private let gate: RequestGate
    /// Clients' logins and tokens wait in a line of their own, so that strangers hold up no read.
    private let clientGate: RequestGate
    private let givenTimeout: Duration?

    /// - Parameter hasOwnLogin: false where only clients' own tokens are used; then the kwargs' login does not count.
    package convenience init(
        kwargs: BackendKwargs, environmentToken: SecretText?, hasOwnLogin: Bool = true, metrics: Metrics,
        logger: Logger, now: @escaping Now
    ) throws(BackendKwargs.Fault) {
        try self.init(
            kwargs: kwargs, login: hasOwnLogin ? VaultLogin(kwargs, environmentToken: environmentToken) : nil,
            transport: CurlClient(options: VaultServer.options(kwargs, hasOwnLogin: hasOwnLogin)),
            metrics: metrics, logger: logger, now: now)
    }

    /// A certificate is a credential: where only clients' own count, none of Airlock's is shown.
    private static func options(_ kwargs: BackendKwargs, hasOwnLogin: Bool) -> CurlClient.Options {
        var options = CurlClient.Options(kwargs, connections: connections)
        if !hasOwnLogin { options.clientCertificate = nil }
        return options
    }

    init(
        kwargs: BackendKwargs, login: VaultLogin?, transport: any UpstreamTransport, metrics: Metrics, logger: Logger,
        now: @escaping Now, places: Int = VaultServer.connections - VaultServer.clientPlaces - 2,
        pause: @escaping Pause = { try await Task.sleep(for: $0) }
    ) throws(BackendKwargs.Fault) {
        guard let address = kwargs.url else {
            throw BackendKwargs.Fault(key: "url", reason: "is missing: the address of the server, http://HOST:PORT")
        }
        let wire = VaultWire(
            address: address, namespace: kwargs.namespace, transport: transport, metrics: metrics, now: now)
        let session = login.map {
            VaultSession(wire: wire, login: $0, upkeep: VaultSession.Upkeep(logger: logger, pause: pause))
        }
        self.address = address
        namespace = kwargs.namespace
        place = address.base + (address.unixSocket.map { "@" + VaultCall.encoded($0) } ?? "")
        self.wire = wire
        self.session = session
        givenTimeout = kwargs.timeout
        let full = UpstreamError(
            .timeout, "\(address.origin): too many requests are under way, and none came to an end in time")
        clientGate = RequestGate(
            places: VaultServer.clientPlaces, limit: VaultServer.lineTimeout, full: full, pause: pause)
        // Two places are left for logins, renewals and probes.
        gate = RequestGate(
            places: places, limit: max(kwargs.timeout ?? VaultServer.readTimeout, VaultServer.lineTimeout),
            full: full, pause: pause)
        breaker = CircuitBreaker(logger: logger, now: now, pause: pause) {
            if let session { try await session.check() } else { try await VaultServer.checkHealth(wire) }
        }
    }

    private static func checkHealth(_ wire: VaultWire) async throws {
        var call = VaultCall("GET", "sys/health?standbyok=true&perfstandbyok=true")
        call.isInNamespace = false
        guard try VaultShape.checked(try await wire.send(call, token: nil), wire.origin).status == 200 else {
            throw VaultShape.noVaultAnswer
        }
    }

    package var origin: String { address.origin }

    /// Address and namespace; never a credential.
    package var identity: String {
        let namespace = (namespace ?? "").split(separator: "/").joined(separator: "/")
        return "vault \(place) \(VaultCall.encoded(namespace))"
    }

    /// Sends a request as it came, with the token given and no other. A Vault's answer of any status is an answer.
    /// - Parameter request: its path lies below `/v1/`.
    package func send(_ request: ForwardedRequest, token: SecretText?) async throws -> ForwardedAnswer {
        let call = try call(request, below: "")
        if case .open(_, let reason) = breaker.state { throw UpstreamError(.unavailable, reason) }
        try await clientGate.enter()
        defer { clientGate.leave() }
        do {
            return try VaultShape.passed(try await wire.send(call, token: token), wire.origin)
        } catch let error as UpstreamError where error.isUnreachable {
            // Only what no login can bring about by itself is everybody's outage: one whose directory hangs is its own.
            return try await breaker.run { throw error }
        }
    }

    /// Makes a call and reads the answer, both under the circuit breaker.
    func perform<Value: Sendable>(
        _ call: VaultCall, as credential: Credential, _ read: (UpstreamResponse) throws -> Value
    ) async throws -> Value {
        try await guarded {
            switch credential {
            case .client(let token): return try read(try await wire.send(call, token: token))
            case .own:
                guard let session else {
                    throw UpstreamError(.unsupported, "\(address.origin) is asked with clients' own tokens only")
                }
                return try read(try await session.send(call))
            }
        }
    }

    private func guarded<Value: Sendable>(_ work: () async throws -> Value) async throws -> Value {
        try await gate.enter()
        defer { gate.leave() }
        do {
            return try await breaker.run(work)
        } catch let error as UpstreamError where error.kind == .unauthenticated {
            // To the server a 403 like any other; to the operator the one that stops everything.
            wire.metrics.add(.upstreamRequests, wire.origin, error.kind.rawValue)
            throw error
        }
    }

    /// A request as it came, for the wire.
    /// - Parameter folder: what its path is below; empty, or ends in `/`.
    func call(_ request: ForwardedRequest, below folder: String) throws(UpstreamError) -> VaultCall {
        // Parts such as `..` would lead out of the folder, with Airlock's own rights.
        guard (try? SecretPath.folder(request.path)) != nil else {
            throw UpstreamError(.invalid, "the path has an empty part, '.', '..' or a control character")
        }
        let query = request.query.isEmpty ? "" : "?" + request.query
        var call = VaultCall(request.method, VaultCall.encoded(folder + request.path) + query)
        call.body = request.body.bytes.isEmpty ? nil : request.body.bytes
        call.contentType = request.contentType
        let isQuick = ["GET", "LIST", "HEAD"].contains(request.method) || call.target.hasPrefix("auth/")
        call.timeout = givenTimeout ?? (isQuick ? VaultServer.readTimeout : VaultServer.writeTimeout)
        return call
    }
}

/// The servers in use: mounts with the same address, identity and way there share one.
package final class VaultServers: Sendable {
    private struct Key: Hashable {
        let url: ServerAddress?
        let namespace: String?
        let login: VaultLogin?
        let verification: TLSVerification?
        let clientCertificate: ClientCertificate?
        let timeout: Duration?
        let proxies: [String: SecretText]?
    }

    private let servers = Mutex<[Key: VaultServer]>([:])
    private let environmentToken: SecretText?
    private let metrics: Metrics
    private let logger: Logger
    private let now: Now

    package init(environmentToken: SecretText?, metrics: Metrics, logger: Logger, now: @escaping Now) {
        self.environmentToken = environmentToken
        self.metrics = metrics
        self.logger = logger
        self.now = now
    }

    package func server(
        for kwargs: BackendKwargs, hasOwnLogin: Bool = true
    ) throws(BackendKwargs.Fault) -> VaultServer {
        let key = Key(
            url: kwargs.url, namespace: kwargs.namespace,
            login: hasOwnLogin ? try VaultLogin(kwargs, environmentToken: environmentToken) : nil,
            verification: kwargs.verification, clientCertificate: kwargs.clientCertificate, timeout: kwargs.timeout,
            proxies: kwargs.proxies)
        if let known = servers.withLock({ $0[key] }) { return known }
        let new = try VaultServer(
            kwargs: kwargs, environmentToken: environmentToken, hasOwnLogin: hasOwnLogin, metrics: metrics,
            logger: logger, now: now)
        return servers.withLock { servers in
            let server = servers[key] ?? new
            servers[key] = server
            return server
        }
    }
}

extension CurlClient.Options {
    /// The way to a server as kwargs describe it.
    package init(_ kwargs: BackendKwargs, connections: Int) {
        self.init()
        verification = kwargs.verification ?? .system
        clientCertificate = kwargs.clientCertificate
        if let proxies = kwargs.proxies { self.proxies = .byScheme(proxies) }
        unixSocket = kwargs.url?.unixSocket
        timeout = kwargs.timeout ?? VaultServer.readTimeout
        connectTimeout = min(connectTimeout, timeout)
        connectionsPerHost = connections
    }
}
