import AirlockCore

/// `sys/airlock/`: what the mounts of the configuration keep, and how to make them ask again.
enum CacheRoutes {
    static let table: [Route] = [
        Route("airlock/cache", [.read: status]),
        Route("airlock/cache/purge", fields: ["path"], [.write: purge]),
        Route("airlock/cache/refresh", fields: ["path"], [.write: refresh]),
        Route("airlock/invalidate", access: .signed, fields: ["path", "prefix", "mount"], [.write: invalidate]),
    ]

    // MARK: Status

    private static let status: Route.Handler = { call in
        let now = call.services.now()
        return .data(call.services.registry.bound.all.map { .init($0.mount.path, status(of: $0, now)) })
    }

    private static func status(of bound: BoundMount, _ now: Timestamp) -> JSON {
        let status = bound.cacheStatus
        let rule = bound.readThrough.rule
        func age(_ moment: Timestamp?) -> JSON { moment.map { .integer(now.seconds(after: $0)) } ?? .null }
        return [
            "authorize": .string(bound.authorization.rawValue), "bytes": .integer(status.bytes),
            "entries": .integer(status.entries), "max_stale": .integer(rule.maxStale / 1_000_000_000),
            "negative_ttl": .integer(rule.negativeTTL / 1_000_000_000), "negatives": .integer(status.negatives),
            "oldest_age": age(status.oldest), "oldest_stale_age": age(status.oldestStale(at: now, rule)),
            "ttl": .integer(rule.ttl / 1_000_000_000),
            "upstreams": .array(bound.upstreams.map(state)),
        ]
    }

    private static func state(of upstream: any Upstream) -> JSON {
        var (state, reason, since) = ("closed", JSON.null, JSON.null)
        if case .open(let moment, let why) = upstream.state {
            (state, reason, since) = ("open", .string(why), .string(moment.rfc3339))
        }
        return ["address": .string(upstream.origin), "reason": reason, "since": since, "state": .string(state)]
    }

    // MARK: Scopes

    private static func bound(_ path: String, _ call: Call) throws -> BoundMount {
        if let bound = call.services.registry.bound.known(for: path) { return bound }
        guard call.services.registry.mount(for: path)?.engine == .kv else {
            throw AirlockError.badRequest("no mount has this path; it begins with Airlock's own name of the mount")
        }
        throw AirlockError.badRequest("the mount of this path is in the embedded store, which needs no cache")
    }

    /// - Parameter text: `airflow` or `airflow/` for the mount, `airflow/connections/` for a folder, else a secret.
    private static func scope(_ text: String, _ bound: BoundMount) throws -> CacheScope {
        let mount = bound.mount.path
        let below = String(Substring(text.utf8.dropFirst(mount.utf8.count)))
        if below.isEmpty { return .mount(mount) }
        guard below.hasSuffix("/") else { return .path(mount: mount, try SecretPath(below)) }
        return .prefix(mount: mount, try SecretPath.folder(below))
    }

    private static func path(_ call: Call) throws -> String {
        guard let path = try call.fields.string("path"), !path.isEmpty else {
            throw AirlockError.badRequest("name a path, such as {\"path\": \"airflow/connections/pg\"}")
        }
        return path
    }

    /// The Vault surface's path is the likely mistake, and one that does nothing.
    private static func counted(_ name: String, _ count: Int, _ scope: CacheScope, _ bound: BoundMount) -> VaultResponse
    {
        let names: String
        switch scope {
        case .path(_, let path): names = path.text
        case .prefix(_, let folder): names = folder
        case .mount: names = ""
        }
        let isDoubtful = count == 0 && bound.mount.kvVersion == 2 && names.hasPrefix("data/")
        return .data(
            [.init(name, .integer(count))], warnings: isDoubtful ? ["nothing is kept there; leave out data/"] : [])
    }

    // MARK: Changing

    private static let purge: Route.Handler = { call in
        let path = try path(call)
        let bound = try bound(path, call)
        let scope = try scope(path, bound)
        return counted("purged", await bound.readThrough.purge(scope), scope, bound)
    }

    private static let refresh: Route.Handler = { call in
        let text = try path(call)
        let bound = try bound(text, call)
        guard case .path(let mount, let path) = try scope(text, bound) else {
            throw AirlockError.badRequest(
                "refresh takes the path of one secret; invalidate a folder or a mount instead")
        }
        guard bound.authorization == .local else {
            throw AirlockError.badRequest(
                "\(mount) has authorize upstream: Airlock has no login of its own there; invalidate the path instead")
        }
        let readThrough = bound.readThrough
        do {
            let secret = try await readThrough.fetch(readThrough.key(path), as: .own, alone: true).secret
            let state = secret == nil ? "absent" : secret?.data == nil ? "deleted" : "found"
            return .data([
                .init("state", .string(state)), .init("version", secret?.version.map { .integer($0) } ?? .null),
            ])
        } catch let error as UpstreamError {
            guard error.kind == .denied else {
                throw AirlockError(.unavailable, "not refreshed, what is kept stays: \(error.message)")
            }
            // As for a read: what Airlock may no longer see is not kept.
            _ = await readThrough.purge(.path(mount: mount, path))
            throw AirlockError.badRequest(
                "the vault refuses Airlock's own login, and what was kept is dropped: \(error.message)")
        }
    }

    private static let invalidate: Route.Handler = { call in
        let fields = call.fields
        let given = try ["path", "prefix", "mount"].compactMap { name in
            try fields.string(name).flatMap { $0.isEmpty ? nil : (name: name, text: $0) }
        }
        guard given.count == 1, let (name, text) = given.first else {
            throw AirlockError.badRequest(
                "name one of path (airflow/connections/pg), prefix (airflow/connections/) and mount (airflow)")
        }
        let bound = try bound(text, call)
        let scope = try scope(name == "prefix" && !text.hasSuffix("/") ? text + "/" : text, bound)
        switch (name, scope) {
        case ("path", .path), ("prefix", .prefix), ("prefix", .mount), ("mount", .mount): break
        case ("path", _): throw AirlockError.badRequest("path names one secret; write a folder as prefix")
        default: throw AirlockError.badRequest("mount names a mount of Airlock, such as airflow")
        }
        return counted("invalidated", await bound.readThrough.invalidate(scope), scope, bound)
    }
}
