import AirlockCore
import AirlockHTTP
import AirlockStore
import AirlockUpstream
import ArgumentParser
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Serve connections and variables, from a vault through the cache or from the embedded encrypted store.",
        discussion: """
            Prints `airlock ready on http://HOST:PORT` (with a certificate `https://`) once it answers. Stops on SIGTERM or \
            SIGINT after the requests in flight; at SIGHUP it reads the certificate and opens the audit log anew. On a first \
            start the data directory gets the database, a key file and a root token, unless the token \
            comes from AIRLOCK_ROOT_TOKEN or AIRLOCK_ROOT_TOKEN_FILE.
            """)

    @Option(help: "Configuration file, JSON; `airlock settings` lists what may stand in it.")
    var config: String?

    @Option(help: "The JSON object that Airflow gives its VaultBackend (AIRFLOW__SECRETS__BACKEND_KWARGS).")
    var backendKwargs: String?

    @Option(help: ArgumentHelp("Address to listen on (default: 127.0.0.1:8100).", valueName: "host:port"))
    var listen: String?

    @Option(help: "PEM file with the server's certificate chain; then Airlock speaks TLS only.")
    var tlsCertFile: String?

    @Option(help: "PEM file with the certificate's private key.")
    var tlsKeyFile: String?

    @Option(help: "Directory of the encrypted database.")
    var dataDir: String?

    @Option(help: "File with the sealing key, 32 random bytes in base64.")
    var keyFile: String?

    @Option(help: ArgumentHelp("Who decides what a client may read (default: local).", valueName: "local|upstream"))
    var authorize: String?

    @Flag(help: "Allow plain HTTP on an address that is not loopback.")
    var insecureHttp = false

    func run() async throws {
        do {
            try await serve(ServeSettings(self, environment: ProcessInfo.processInfo.environment))
        } catch let error as AirlockError {
            let hint = error.hint.map { ": \($0)" } ?? ""
            Program.complain("airlock: \(error.message ?? "failed")\(hint)")
            throw ExitCode(error.code == .badRequest ? Program.usage : 1)
        }
    }

    private func serve(_ settings: ServeSettings) async throws {
        LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
        var logger = Logger(label: "airlock")
        logger.logLevel = settings.logLevel
        let now: Now = { Timestamp.now() }
        // One for two cores: an event loop answers a hundred thousand hits a second, and more of them would wait for a core that
        // the ordinary way, or the client itself, is using.
        NIOSingletons.groupLoopCountSuggestion = max(1, System.coreCount / 2)

        try MountAssembly.checkUpstreams(settings)
        let (directory, storage) = try open(settings, now: now, logger: logger)
        let stored = try Registry(storage: storage)
        try await FirstStart(storage: storage, registry: stored, directory: directory, now: now)
            .prepare(settings, logger: logger)
        let metrics = Metrics(mounts: Set(settings.mounts.compactMap(\.path)))
        let cache = try SQLiteCache(
            directory: directory, storage: storage, limits: settings.cacheLimits, metrics: metrics, logger: logger,
            now: now)
        let (bound, clients) = try MountAssembly(
            settings: settings, storage: storage, stored: stored, cache: cache, metrics: metrics, logger: logger,
            now: now
        ).bind()
        let registry = try Registry(storage: storage, bound: bound)
        if let path = settings.conjurMount {
            try await ConjurStart(storage: storage, registry: registry, directory: directory, now: now)
                .prepare(path, logger: logger)
        }
        let tls = try settings.listener.tls(now: now, logger: logger)
        if settings.insecureHTTP, tls == nil {
            logger.warning("plain HTTP on \(settings.host): tokens and secrets cross the network in the clear")
        }

        let reads = try await LastReads(storage: storage, now: now)
        let audit = try await auditLog(settings, storage: storage, logger: logger)
        let server = Server(
            configuration: settings.server(tls: tls), storage: storage, registry: registry, metrics: metrics,
            upstream: clients, webhook: settings.webhookSecret.map { Webhook(secret: $0, now: now) }, audit: audit,
            reads: reads, fetcher: LoginClient(), now: now, logger: logger)
        let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        let origin = "\(tls == nil ? "http" : "https")://\(host)"
        var reloads: [@Sendable () -> Void] = []
        if let audit { reloads.append { audit.reopen() } }
        if let tls { reloads.append { [logger] in tls.reload(logger) } }
        try await run(
            [
                .init(service: Serving(server: server, origin: origin)),
                .init(service: Reloader(actions: reloads, logger: logger)),
                .init(
                    service: Sweeper(
                        storage: storage, cache: cache, reads: reads, ages: settings.staleAges, logger: logger)),
            ], settings, logger: logger)
        do {
            try await reads.flush()
        } catch {
            logger.error("who read what in the last minute could not be recorded")
        }
        cache.close()
        try storage.close()
    }

    private func open(_ settings: ServeSettings, now: @escaping Now, logger: Logger) throws -> (
        DataDirectory, SQLiteStorage
    ) {
        let directory = try DataDirectory(settings.dataDirectory)
        let key = try OperatorKey.find(
            path: settings.keyFile, environment: ProcessInfo.processInfo.environment, directory: directory,
            isFirstStart: !directory.hasFile(SQLiteStorage.fileName))
        if key.liesBesideData {
            logger.warning(
                "the sealing key lies beside the data: whoever copies \(directory.root) can read every secret; keep it elsewhere with --key-file"
            )
        }
        return (
            directory,
            try SQLiteStorage(
                directory: directory, key: key, front: Front(limit: settings.memoryBytes), now: now)
        )
    }

    /// Until a signal ends them.
    private func run(
        _ services: [ServiceGroupConfiguration.ServiceConfiguration], _ settings: ServeSettings, logger: Logger
    ) async throws {
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // A client that stalls in the middle of a request does not keep the process for ever.
        group.maximumGracefulShutdownDuration = .seconds(30)
        group.maximumCancellationDuration = .seconds(5)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch is CancellationError {
            logger.warning("stopped with requests unanswered: their clients had stalled for 30 s")
        } catch let error as IOError {
            throw AirlockError(
                .broken,
                "cannot listen on \(settings.host):\(settings.port): \(String(cString: strerror(error.errnoCode)))",
                hint: "choose another address with --listen")
        }
    }

    private func auditLog(_ settings: ServeSettings, storage: SQLiteStorage, logger: Logger) async throws -> AuditLog? {
        guard let path = settings.audit else { return nil }
        return AuditLog(file: try AuditFile(path: path), key: try await AuditKey.find(in: storage), logger: logger)
    }
}

/// The listener as a service.
private struct Serving: Service {
    let server: Server
    /// Without the port.
    let origin: String

    func run() async throws {
        try await server.run { port in
            // Written whole and at once: scripts wait for this line through a pipe.
            FileHandle.standardOutput.write(Data("airlock ready on \(origin):\(port)\n".utf8))
        }
    }
}

/// Drops what has expired from both files once a minute, and writes down who read what. Nothing depends on it: an expired token
/// is refused, and a value past its time not served, whether or not it is still there.
private struct Sweeper: Service {
    let storage: SQLiteStorage
    let cache: SQLiteCache
    let reads: LastReads
    let ages: ServeSettings.StaleAges
    let logger: Logger

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    while try await storage.sweep() > 0 {}
                    await cache.sweep(keeping: ages.named, others: ages.opened)
                } catch {
                    logger.error("expired records could not be dropped; trying again in a minute")
                }
                do {
                    try await reads.flush()
                } catch {
                    logger.error("who read what could not be recorded; trying again in a minute")
                }
                try await Task.sleep(for: .seconds(60))
            }
        }
    }
}
