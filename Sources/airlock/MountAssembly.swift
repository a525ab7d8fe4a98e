import AirlockCore
import AirlockHTTP
import AirlockStore
import AirlockUpstream
import Logging

/// Puts together what the settings say of mounts with an upstream: servers, caches and, where the upstream decides, its
/// clients.
struct MountAssembly {
    let settings: ServeSettings
    let storage: SQLiteStorage
    /// The mounts of the embedded store.
    let stored: Registry
    let cache: SQLiteCache
    let metrics: Metrics
    let now: Now
    private let logger: Logger
    private let servers: VaultServers
    private let conjurServers: ConjurServers

    init(
        settings: ServeSettings, storage: SQLiteStorage, stored: Registry, cache: SQLiteCache, metrics: Metrics,
        logger: Logger, now: @escaping Now
    ) {
        self.settings = settings
        self.storage = storage
        self.stored = stored
        self.cache = cache
        self.metrics = metrics
        self.logger = logger
        self.now = now
        servers = VaultServers(
            environmentToken: settings.environmentToken, metrics: metrics, logger: logger, now: now)
        conjurServers = ConjurServers(metrics: metrics, logger: logger, now: now)
    }

    /// - Throws: `AirlockError` for a login that cannot work, or where there is nothing to reach an upstream with. Asked before
    ///   anything is made on the disk.
    static func checkUpstreams(_ settings: ServeSettings) throws {
        if settings.mounts.contains(where: \.isBound) {
            do throws(UpstreamError) {
                try LibCurl.load()
            } catch {
                throw AirlockError(.broken, error.message)
            }
        }
        for mount in settings.mounts where mount.cache.authorization == .upstream {
            // Every client's login would go over it, and be Airlock's own.
            guard mount.vault?.clientCertificate == nil else {
                throw AirlockError.badRequest(
                    "\(mount.place): cert: with authorize upstream Airlock shows no certificate of its own; leave it out"
                )
            }
        }
        for mount in settings.mounts where mount.cache.authorization == .local {
            for case .vault(let kwargs) in mount.backends {
                _ = try ServeSettings.kwargs(mount.place) { () throws(BackendKwargs.Fault) in
                    try VaultLogin(kwargs, environmentToken: settings.environmentToken)
                }
            }
        }
    }

    /// - Throws: `AirlockError` where it could not be told what a request is for: a namespace, or what the settings name.
    private func checkNamespaces() throws {
        for name in settings.namespaces where !name.isEmpty && stored.namespace(at: name) != nil {
            throw AirlockError.badRequest(
                "the namespace \(name) of the kwargs is also one of the embedded store: start without it and delete one of them"
            )
        }
        for path in settings.mounts.compactMap(\.path) where stored.descend(path).registry !== stored {
            throw AirlockError.badRequest("\(path) lies in a namespace of the embedded store: name the mount otherwise")
        }
    }

    func bind() throws -> (mounts: BoundMounts, clients: UpstreamClients?) {
        try checkNamespaces()
        var mounts: [BoundMount] = []
        var open: (@Sendable (String) -> BoundMount)?
        var clients: UpstreamClients?
        for mount in settings.mounts {
            guard mount.isBound else { continue }
            let makers = try mount.backends.map { try maker($0, mount) }
            let make: @Sendable (String) -> BoundMount = { [self] path in bound(path, makers.map { $0(path) }, mount) }
            if let path = mount.path {
                mounts.append(make(path))
                if !mount.hasEmbedded, stored.mount(named: path) != nil {
                    logger.warning("\(path) of the embedded store is hidden by the configuration's mount of that name")
                }
            } else {
                open = make
            }
            if mount.cache.authorization == .upstream, clients == nil, let kwargs = mount.vault {
                clients = upstreamClients(try server(kwargs, mount), mount)
            }
        }
        // A write through one would leave what the other keeps.
        var places: [String: String] = [:]
        for mount in mounts {
            for upstream in mount.upstreams {
                guard let other = places.updateValue(mount.mount.path, forKey: upstream.identity) else { continue }
                throw AirlockError.badRequest(
                    "\(mount.mount.path) and \(other) lead to the same secrets of the same server: name them once")
            }
        }
        return (BoundMounts(mounts, open: open), clients)
    }

    private func server(_ kwargs: BackendKwargs, _ mount: MountSettings) throws -> VaultServer {
        try ServeSettings.kwargs(mount.place) { () throws(BackendKwargs.Fault) in
            try servers.server(for: kwargs, hasOwnLogin: mount.cache.authorization == .local)
        }
    }

    /// From Airlock's own mount path.
    private typealias Maker = @Sendable (String) -> any Backend

    private func maker(_ backend: MountSettings.Backend, _ mount: MountSettings) throws -> Maker {
        switch backend {
        case .vault(let kwargs):
            let server = try server(kwargs, mount)
            return { path in
                VaultUpstream(
                    server: server,
                    mount: VaultMount(path: kwargs.mountPoint ?? String(path.dropLast()), kvVersion: mount.kvVersion))
            }
        case .conjur(let kwargs):
            let server = try ServeSettings.kwargs(mount.place) { () throws(BackendKwargs.Fault) in
                try conjurServers.server(for: kwargs)
            }
            let upstream = ConjurUpstream(server: server, kwargs: kwargs, kvVersion: mount.kvVersion)
            return { _ in upstream }
        case .embedded:
            guard let path = mount.path, let found = stored.mount(named: path) else {
                throw AirlockError.badRequest("an embedded backend needs a mount with a name")
            }
            guard found.kvVersion == mount.kvVersion else {
                throw AirlockError.badRequest(
                    "\(path): the embedded mount has KV version \(found.kvVersion), the settings say \(mount.kvVersion)"
                )
            }
            let embedded = EmbeddedBackend(storage: storage, mount: found, now: now)
            return { _ in embedded }
        }
    }

    private func bound(_ path: String, _ backends: [any Backend], _ mount: MountSettings) -> BoundMount {
        let backend = backends.count == 1 ? backends[0] : FallbackBackend(backends)
        // An embedded backend's records belong to the stored mount.
        let stored = mount.hasEmbedded ? stored.mount(named: path) : nil
        let described = Mount(
            path: path, engine: .kv, description: "", options: ["version": String(mount.kvVersion)],
            uuid: RandomText.uuid(fromDigest: storage.digest("mount \(path) \(backend.identity)")))
        return BoundMount(
            mount: stored ?? described,
            readThrough: ReadThrough(
                mount: path, backend: backend, rule: mount.cache.rule, cache: cache, metrics: metrics, now: now),
            upstream: backends[0] as? any Upstream, authorization: mount.cache.authorization,
            namespace: mount.namespace)
    }

    private func upstreamClients(_ server: VaultServer, _ mount: MountSettings) -> UpstreamClients {
        let logins = UpstreamLogins(
            server: server, storage: storage, recheck: mount.cache.loginRecheck, metrics: metrics, now: now)
        return UpstreamClients(
            namespace: mount.namespace, logins: logins,
            rights: UpstreamRights(
                server: server, logins: logins, storage: storage, recheck: mount.cache.rightsRecheck,
                maxStale: mount.cache.rule.maxStale, now: now))
    }
}
