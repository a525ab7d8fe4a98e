import AirlockCore
import HTTPTypes

/// `/api/v2/inventory`: which connections and variables there are, where, and who read them last. Of each secret only what
/// may be shown to whoever may read it; of each folder only what may be listed (docs/inventory.md).
enum InventoryRoutes {
    static let list: TypedSurface.Handler = { call in
        let query = try InventoryQuery(call.fields, now: call.surface.services.now())
        let inventory = Inventory(
            services: call.surface.services, principal: try call.requirePrincipal(), settings: call.surface.settings,
            query: query)
        let page = try await inventory.page()
        return TypedResponse(body: [
            "inventory": .array(page.items), "next": .orNull(page.next),
            "recorded_since": .string(call.surface.services.reads.since.rfc3339),
        ])
    }
}

/// One page, in the order of full paths.
private struct Inventory {
    struct Page {
        var items: [JSON] = []
        /// The last path that was looked at, when there may be more.
        var next: String?
    }

    let services: Services
    let principal: Principal
    let settings: TypedSettings
    let query: InventoryQuery

    /// A page ends when so many secrets were looked at, or asked of a vault, however few of them it shows.
    private static let lookedLimit = 10_000
    private static let askedLimit = 256
    /// So many at once: what a vault is asked at the same time.
    private static let chunk = 16

    func page() async throws -> Page {
        var (page, looked, asked) = (Page(), 0, 0)
        var (isListed, isDenied) = (false, false)
        let (mounts, isSomeDenied) = try mounts()
        isDenied = isSomeDenied
        for mount in mounts where reaches(mount.prefix) {
            guard let places = try await places(of: mount) else {
                isDenied = true
                continue
            }
            isListed = true
            let showsAccessor = mount.showsAccessors
            for start in stride(from: 0, to: places.count, by: Inventory.chunk) {
                let chunk = places[start..<min(start + Inventory.chunk, places.count)]
                for (place, seen) in zip(chunk, try await look(at: chunk, mount)) {
                    page.next = place.fullPath
                    looked += 1
                    asked += seen.isAsked ? 1 : 0
                    if let item = seen.item { page.items.append(item.json(showsAccessor: showsAccessor)) }
                    if page.items.count == query.limit { return page }
                }
                if looked >= Inventory.lookedLimit || asked >= Inventory.askedLimit { return page }
            }
        }
        // Nothing to see, and nothing that may be seen, are told apart.
        guard isListed || !isDenied || query.after != nil else { throw AirlockError.permissionDenied }
        page.next = nil
        return page
    }

    /// Whether anything below the prefix comes after where the page begins.
    private func reaches(_ prefix: String) -> Bool {
        guard let after = query.after else { return true }
        return after.utf8.lexicographicallyPrecedes(prefix.utf8) || after.utf8.starts(with: prefix.utf8)
    }

    /// Sorted by prefix. No mount's prefix is the beginning of another's.
    private func mounts() throws -> (mounts: [InventoryMount], isSomeDenied: Bool) {
        guard query.mountPoint == nil else { return ([try namedMount()], false) }
        let below = services.registry.allNamespaces.compactMap { services.root.registry(of: $0.namespace) }
        var (mounts, isSomeDenied): ([InventoryMount], Bool) = ([], false)
        for services in [services] + below.map(services.within) {
            for mount in services.registry.mounts where mount.engine == .kv {
                do {
                    mounts.append(try InventoryMount(mount, services: services, principal: principal))
                } catch let error as AirlockError where error.code == .permissionDenied {
                    isSomeDenied = true
                }
            }
        }
        return (mounts.sorted { $0.prefix.utf8.lexicographicallyPrecedes($1.prefix.utf8) }, isSomeDenied)
    }

    private func namedMount() throws -> InventoryMount {
        let path = (query.mountPoint ?? "").split(separator: "/").joined(separator: "/") + "/"
        guard let mount = services.mount(for: path, opening: principal), mount.path == path, mount.engine == .kv else {
            // Whether a mount exists is told only to those who may reach something in it.
            throw principal.access.allows(.read, on: path + "x")
                ? TypedError(.notFound, "there is no mount of this name") : TypedError(AirlockError.permissionDenied)
        }
        return try InventoryMount(mount, services: services, principal: principal)
    }

    /// What the page could show of a mount, sorted; `nil` when nothing of it may be listed.
    private func places(of mount: InventoryMount) async throws -> [InventoryItem.Place]? {
        func folders(_ paths: [String]?) -> Set<String> {
            Set((paths ?? []).map { $0.split(separator: "/").joined(separator: "/") })
        }
        let kinds: [(Explanation.Kind, Set<String>)] = [
            (.connection, folders(settings.connectionsPaths)), (.variable, folders(settings.variablesPaths)),
        ]
        let all = kinds.reduce(into: Set<String>()) { $0.formUnion($1.1) }
        var (places, isListed): ([InventoryItem.Place], Bool) = ([], false)
        for (kind, folders) in kinds where (query.filter.kind ?? kind) == kind {
            for folder in folders {
                guard let found = try await mount.places(kind, in: folder, others: all, query.filter) else { continue }
                isListed = true
                places += found
            }
        }
        guard isListed else { return nil }
        return places.map { (place: $0, path: $0.fullPath) }.filter { place, path in
            query.filter.admits(place) && query.after.map { $0.utf8.lexicographicallyPrecedes(path.utf8) } ?? true
        }.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map(\.place)
    }

    /// In the order of the places.
    private func look(
        at places: ArraySlice<InventoryItem.Place>, _ mount: InventoryMount
    ) async throws -> [InventoryMount.Seen] {
        let reads = try mount.lastReads(of: places)
        let filter = query.filter
        return try await withThrowingTaskGroup(of: (Int, InventoryMount.Seen).self) { group in
            for (index, place) in places.enumerated() {
                group.addTask { (index, try await mount.look(at: place, reads[place.path], filter)) }
            }
            var seen = [InventoryMount.Seen](repeating: .init(), count: places.count)
            for try await (index, one) in group { seen[index] = one }
            return seen
        }
    }
}
