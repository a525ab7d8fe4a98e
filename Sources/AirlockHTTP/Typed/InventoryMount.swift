import AirlockCore

/// One mount in an inventory, seen with the rights of the principal who asks.
struct InventoryMount: Sendable {
    /// What could be seen of a secret.
    struct Seen: Sendable {
        /// `nil`: it is not there, or not for the principal.
        var item: InventoryItem?
        /// The backend was asked for it.
        var isAsked = false
    }

    private let services: Services
    private let access: AccessControl
    private let mount: Mount
    private let bound: BoundMount?
    private let reader: MountReader?
    private let backend: any Backend
    private let sources: [String]

    /// - Throws: `AirlockError.permissionDenied` where nothing can be shown to this principal.
    init(_ mount: Mount, services: Services, principal: Principal) throws {
        self.services = services
        access = principal.seen(from: services.registry.namespace).access
        self.mount = mount
        bound = services.registry.bound[mount.path]
        reader = try bound.map { try MountReader(principal, $0, rights: services.upstream?.rights) }
        // Each secret would take one of the token's uses.
        guard reader?.isCounted != true else { throw AirlockError.permissionDenied }
        backend =
            bound?.readThrough.backend ?? EmbeddedBackend(storage: services.storage, mount: mount, now: services.now)
        sources = bound?.backends.map { ($0 as? any Upstream)?.origin ?? "embedded" } ?? ["embedded"]
    }

    /// Namespace and mount: what every full path in it begins with.
    var prefix: String { services.registry.namespace.path + mount.path }

    /// Whether the accessor of who read something last is told: to those who may look a token up by it.
    var showsAccessors: Bool { access.allows(.update, on: "auth/token/lookup-accessor") }

    private var isDecidedUpstream: Bool { bound?.authorization == .upstream }

    private func allows(_ capability: Capabilities, _ path: String, endpoint: String) -> Bool {
        isDecidedUpstream
            || access.allows(capability, on: mount.path + (mount.kvVersion == 2 ? "\(endpoint)/" : "") + path)
    }

    // MARK: Listing

    /// The secrets that lie directly in a folder, and in those of the teams in it, as far as they may be listed.
    /// - Parameter others: folders that hold another kind, or this kind by themselves: no teams.
    /// - Returns: `nil` when none of it may be.
    func places(
        _ kind: Explanation.Kind, in folder: String, others: Set<String>, _ filter: InventoryFilter
    ) async throws -> [InventoryItem.Place]? {
        let base = folder.isEmpty ? "" : folder + "/"
        if let team = filter.team, !team.isEmpty {
            return try await names(in: base + team + "/")?.compactMap { place(kind, team, base + team + "/", $0) }
        }
        guard let names = try await names(in: base) else { return nil }
        var places = names.compactMap { place(kind, nil, base, $0) }
        for name in names where filter.team == nil && name.hasSuffix("/") && !others.contains(base + name.dropLast()) {
            let team = String(name.dropLast())
            places += try await self.names(in: base + name)?.compactMap { place(kind, team, base + name, $0) } ?? []
        }
        return places
    }

    private func place(_ kind: Explanation.Kind, _ team: String?, _ folder: String, _ name: String)
        -> InventoryItem.Place?
    {
        guard !name.hasSuffix("/"), let path = try? SecretPath(folder + name) else { return nil }
        return InventoryItem.Place(
            kind: kind, id: name, team: team, path: path, namespace: services.registry.namespace.path,
            mount: mount.path, sources: sources)
    }

    /// - Parameter folder: empty, or ends in `/`.
    /// - Returns: `nil` when it may not be listed.
    private func names(in folder: String) async throws -> [String]? {
        guard allows(.list, String(folder.dropLast()), endpoint: "metadata") else { return nil }
        do {
            return try await backend.list(folder, as: reader?.credential ?? .own)
        } catch let error as UpstreamError {
            if error.kind == .denied { return nil }
            throw AirlockError(error, mount: mount)
        }
    }

    // MARK: Looking

    func lastReads(of places: some Sequence<InventoryItem.Place>) throws -> [SecretPath: LastRead] {
        try services.reads.reads(of: places.map(\.path), on: mount)
    }

    /// What is cached, fresh or stale, is taken for what there is. What is not is asked for, and not kept: looking must not
    /// change what is cached.
    func look(at place: InventoryItem.Place, _ lastRead: LastRead?, _ filter: InventoryFilter) async throws -> Seen {
        guard allows(.read, place.path.text, endpoint: "data"), filter.admits(lastRead) else { return Seen() }
        let entry = bound.flatMap { $0.readThrough.cache.entry($0.readThrough.key(place.path)) }
        let freshness = bound.map { entry?.freshness(at: services.now(), $0.readThrough.rule) ?? .absent }
        guard filter.admits(freshness) else { return Seen() }
        do {
            if isDecidedUpstream { try await reader?.authorizeRead(of: place.path) }
        } catch let error as AirlockError where error.code == .permissionDenied {
            return Seen(isAsked: true)
        }
        func item(_ secret: Secret?, _ description: InventoryItem.Description) -> InventoryItem? {
            guard filter.admits(description) else { return nil }
            return InventoryItem(
                place: place, description: description, version: secret?.version, updated: secret?.created,
                lastRead: lastRead, freshness: freshness)
        }
        func item(_ secret: Secret?) -> InventoryItem? {
            guard let secret, let data = secret.data else { return nil }
            return item(secret, InventoryItem.Description(place.kind, data.bytes))
        }
        switch freshness {
        case .fresh?: return Seen(item: item(entry?.secret), isAsked: isDecidedUpstream)
        case .stale? where entry?.secret?.data != nil:
            return Seen(item: item(entry?.secret), isAsked: isDecidedUpstream)
        default: break
        }
        let isAsked = bound != nil
        do {
            let secret = try await backend.read(place.path, version: nil, as: reader?.credential ?? .own)
            return Seen(item: item(secret), isAsked: isAsked)
        } catch let error as UpstreamError {
            if error.kind == .denied { return Seen(isAsked: isAsked) }
            guard !error.isOutage else { throw AirlockError(error, mount: mount) }
            // One secret that cannot be read must not hide the others.
            return Seen(item: item(nil, .init(error: "the backend's answer cannot be used")), isAsked: isAsked)
        } catch let error as AirlockError where error.code == .broken {
            return Seen(item: item(nil, .init(error: "the stored record does not open")), isAsked: isAsked)
        }
    }
}
