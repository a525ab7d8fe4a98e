package import AirlockCore
import HTTPTypes
import HummingbirdCore
package import Logging
import NIOCore
import NIOHTTP1

/// The HTTP server: the surfaces behind one listener.
package struct Server: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 picks a free one.
        package var port: Int
        /// Bytes of a request body at most.
        package var bodyLimit = Server.defaultBodyLimit
        package var typed = TypedSettings()
        /// Namespaces that the settings name, without slashes at their ends.
        package var namespaces: Set<String> = []
        package var rules = ListenerRules()
        /// `nil` speaks plain HTTP.
        package var tls: TLSListener?
        /// The mount that the Conjur surface serves, ending in `/`; `nil` switches that off.
        package var conjurMount: String?
        /// Folder of the key files that logins may name.
        package var keyFolder: String?

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// Vault's own `max_request_size`.
    package static let defaultBodyLimit = 32 * 1024 * 1024

    private let configuration: Configuration
    private let services: Services
    private let logger: Logger

    package init(
        configuration: Configuration, storage: any Storage, registry: Registry, metrics: Metrics = Metrics(),
        upstream: UpstreamClients? = nil, webhook: Webhook? = nil, audit: AuditLog? = nil, reads: LastReads,
        fetcher: any LoginFetcher, now: @escaping Now, logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        services = Services(
            storage: storage, registry: registry, metrics: metrics, upstream: upstream,
            namespaces: configuration.namespaces, webhook: webhook, audit: audit, reads: reads,
            identity: IdentityServers(
                reader: SignatureKeyReader(), fetcher: fetcher, keyFolder: configuration.keyFolder, now: now,
                logger: logger),
            now: now)
    }

    /// Serves until the surrounding service group shuts down gracefully; requests in flight are answered first.
    /// - Parameter ready: called once with the port in use.
    package func run(ready: @escaping @Sendable (Int) -> Void) async throws {
        let bodyLimit = configuration.bodyLimit
        // What is audited goes the ordinary way, which writes it down first.
        let hits = services.audit == nil ? Hits(services: services, rules: configuration.rules) : nil
        let surfaces = Surfaces(
            vault: VaultSurface(services: services, bodyLimit: bodyLimit),
            typed: TypedSurface(services: services, settings: configuration.typed, bodyLimit: bodyLimit),
            conjur: configuration.conjurMount.map {
                ConjurSurface(services: services, mountPath: $0, bodyLimit: bodyLimit)
            },
            rules: configuration.rules)
        let (clock, now, logger) = (ClockText(), services.now, logger)
        let http = HTTPChannel(bodyLimit: bodyLimit, tls: configuration.tls, hits: hits) { request, writer, channel in
            let context = ConnectionContext(channel: channel, logger: logger)
            var response: Response
            do {
                response = try await surfaces.respond(to: request, context: context)
            } catch let error as HTTPParserError {
                throw error
            } catch {
                response = Response(status: .internalServerError)
            }
            response.headers[.date] = clock.text(now())
            do {
                try await writer.write(response: response.head, body: response.body)
            } catch is HTTPParserError {
                // Nothing more can be said: an answer is on its way.
                throw ChannelError.inputClosed
            }
        }
        try await Listener(host: configuration.host, port: configuration.port, http: http, logger: logger)
            .run(ready: ready)
    }
}

/// Which surface a request is for. Whatever they throw becomes an answer here, and nowhere else.
struct Surfaces {
    let vault: VaultSurface
    let typed: TypedSurface
    /// `nil`: it is switched off, and its paths are not there.
    var conjur: ConjurSurface?
    var rules = ListenerRules()

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let begun = vault.services.now()
        defer { observe(request, since: begun) }
        var response = try await answer(request, context: context)
        if let named = request.headers[VaultRequest.vaultNamespace], Surface(request.head.path ?? "/") == .vault {
            response.headers[VaultRequest.vaultNamespace] = named
        }
        // Where no body belongs, one would be read as the next answer on the connection (RFC 9110, section 6.4.1).
        let isBare = request.method == .head || [204, 205, 304].contains(response.status.code)
        return isBare ? Response(status: response.status, headers: response.headers) : response
    }

    private enum Surface: String {
        case vault, typed, conjur

        init?(_ path: String) {
            if path == "/v1" || path.hasPrefix("/v1/") {
                self = .vault
            } else if path.hasPrefix(TypedSurface.root) || TokenLogin.paths.contains(path) {
                self = .typed
            } else if ConjurSurface.serves(path) {
                self = .conjur
            } else {
                return nil
            }
        }
    }

    private func observe(_ request: Request, since begun: Timestamp) {
        guard let surface = Surface(request.head.path ?? "/") else { return }
        let nanoseconds = vault.services.now().nanoseconds - begun.nanoseconds
        vault.services.metrics.observe(.requests, surface.rawValue, seconds: Double(max(0, nanoseconds)) / 1e9)
    }

    private func answer(_ request: Request, context: ConnectionContext) async throws -> Response {
        let surface = Surface(request.head.path ?? "/")
        do {
            let source = try rules.source(of: request.headers, peer: context.source)
            switch surface {
            case .vault:
                return try await vault.respond(
                    to: request, source: source, certificates: context.certificates)
            case .typed where TokenLogin.paths.contains(request.head.path ?? "/"):
                return try await TokenLogin(vault: vault).respond(to: request, source: source, logger: context.logger)
            case .typed: return try await typed.respond(to: request, source: source, logger: context.logger)
            case .conjur:
                guard let conjur else { return VaultResponse.rendered(AirlockError.absent) }
                return try await conjur.respond(
                    to: request, source: source, certificates: context.certificates, logger: context.logger)
            case nil: return VaultResponse.rendered(AirlockError.absent)
            }
        } catch let early as VaultResponse.Early {
            return VaultResponse.rendered(early)
        } catch {
            if surface == .typed { return try TypedSurface.rendered(error, logger: context.logger) }
            if surface == .conjur, conjur != nil { return try ConjurSurface.rendered(error, logger: context.logger) }
            return VaultResponse.rendered(try Surfaces.explained(error, logger: context.logger))
        }
    }

    /// Any error as one fit for a client. What is broken here goes to the log with what to do about it; the log gets the
    /// kind of an unforeseen error, not its text, which could quote a request.
    static func explained(_ error: any Error, logger: Logger) throws -> AirlockError {
        switch error {
        case let error as AirlockError:
            if error.code == .broken {
                logger.error("\(error.message ?? "broken")", metadata: ["hint": "\(error.hint ?? "")"])
            }
            if error.code == .unavailable {
                logger.debug("\(error.message ?? "unavailable")", metadata: ["hint": "\(error.hint ?? "")"])
            }
            return error
        case let error as JSON.SyntaxError:
            return .badRequest("failed to decode JSON input: \(error.reason) at offset \(error.offset)")
        // A malformed or broken request: Hummingbird answers 400, if it still can, and closes the connection.
        case is HTTPParserError, is CancellationError, is ChannelError, is IOError: throw error
        default:
            logger.error("unforeseen error", metadata: ["kind": "\(type(of: error))"])
            return AirlockError(.broken, "internal error")
        }
    }
}

/// One connection, as handlers see it.
struct ConnectionContext {
    /// The client's address without its port.
    let source: String?
    let certificates: ClientCertificates
    let logger: Logger

    init(channel: any Channel, logger: Logger) {
        source = channel.remoteAddress?.ipAddress
        certificates = ClientCertificates(channel: channel)
        self.logger = logger
    }
}
