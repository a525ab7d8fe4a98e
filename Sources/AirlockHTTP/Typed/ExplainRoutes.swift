import AirlockCore
import HTTPTypes

/// `/api/v2/explain/...`: what Airflow would get, and why. Whoever asks needs `read` on `sys/airlock/explain`, and no right to
/// the secret: what is in it is not told.
enum ExplainRoutes {
    static let connection: TypedSurface.Handler = { call in
        try await explain(.connection, Connection.self, call)
    }

    static let variable: TypedSurface.Handler = { call in
        try await explain(.variable, Variable.self, call)
    }

    private static func explain<Model: TypedModel>(
        _ kind: Explanation.Kind, _ model: Model.Type, _ call: TypedCall
    ) async throws -> TypedResponse {
        guard try call.requirePrincipal().access.allows(.read, on: "sys/airlock/explain") else {
            throw AirlockError.permissionDenied
        }
        try Model.checkID(call.id, at: ["path", Model.idMember])
        let services = call.surface.services
        let (folders, mountPoint) = try call.folders(Model.folders(call.surface.settings), setting: Model.setting)
        let mountPath = mountPoint.split(separator: "/").joined(separator: "/") + "/"
        guard let mount = services.mount(for: mountPath, opening: try call.requirePrincipal()), mount.path == mountPath
        else {
            throw TypedError(.notFound, "there is no mount \"\(mountPath)\"")
        }
        let principal = try explained(call)
        let lookup = Lookup(
            services: services, principal: principal, mount: mount, bound: services.registry.bound[mount.path])
        var tried: [Attempt] = []
        for folder in folders {
            let parts = folder.split(separator: "/").map(String.init) + [call.id]
            let isDecided = tried.contains { $0.outcome.isLast }
            tried.append(try await lookup.attempt(try SecretPath(parts.joined(separator: "/")), isDecided: isDecided))
        }
        let token = principal.token
        let explanation = Explanation(
            kind: kind, id: call.id,
            principal: .init(displayName: token.displayName, accessor: token.accessor, policies: token.policies),
            place: lookup.place, tried: tried)
        return TypedResponse(body: explanation.json)
    }

    /// Whose lookup is explained.
    private static func explained(_ call: TypedCall) throws -> Principal {
        guard let accessor = call.query.accessor else { return try call.requirePrincipal() }
        let services = call.surface.services
        guard let found = try services.tokens.lookup(accessor: accessor) else {
            throw TypedError(.notFound, "no living token has this accessor")
        }
        return try services.principal(found)
    }
}

/// One principal's lookups on one mount, looked at without changing anything.
private struct Lookup {
    let services: Services
    let principal: Principal
    let mount: Mount
    let bound: BoundMount?

    var place: Explanation.Place {
        let kinds = bound?.backends.map(\.kind) ?? ["embedded"]
        return Explanation.Place(
            path: mount.path, backends: kinds, upstreams: bound?.upstreams.map(\.origin) ?? [],
            kvVersion: mount.kvVersion, authorization: bound?.authorization)
    }

    /// - Parameter isDecided: an earlier path has the answer, and this one is not tried.
    func attempt(_ path: SecretPath, isDecided: Bool) async throws -> Attempt {
        let full = mount.path + (mount.kvVersion == 2 ? "data/" : "") + path.text
        let entry = bound.flatMap { $0.readThrough.cache.entry($0.readThrough.key(path)) }
        let cached = entry.flatMap { entry in
            bound.map { Attempt.Cached(entry, at: services.now(), $0.readThrough.rule) }
        }
        return Attempt(
            path: full, rights: try await rights(path, full, isDecided: isDecided), cached: cached,
            answer: isDecided
                ? .notAsked(reason: "an earlier path has the answer") : try await answer(path, entry?.secret))
    }

    private func rights(_ path: SecretPath, _ full: String, isDecided: Bool) async throws -> Attempt.Rights {
        guard let bound, bound.authorization == .upstream else {
            return principal.access.allows(.read, on: full) ? .allowed : .denied(capability: "read", path: full)
        }
        guard let grant = principal.token.upstream else {
            return .deniedUpstream(
                reason:
                    "the vault decides who reads \(mount.path), and this token is Airlock's own, not one of its logins")
        }
        if isDecided { return .unknown(reason: "an earlier path has the answer") }
        if grant.isCounted { return .unknown(reason: "asking the vault would use up one of the token's limited uses") }
        do {
            let reader = try MountReader(principal, bound, rights: services.upstream?.rights)
            try await reader.authorizeRead(of: path)
            return .allowed
        } catch let error as AirlockError {
            switch error.code {
            case .permissionDenied:
                return .deniedUpstream(reason: "the vault does not let this token read \(full)")
            case .invalidToken: return .deniedUpstream(reason: "the vault no longer knows this token")
            default: return .unknown(reason: error.message ?? "the vault does not answer")
            }
        }
    }

    /// - Parameter known: what is cached, than which an answer must not be older.
    private func answer(_ path: SecretPath, _ known: Secret?) async throws -> Attempt.Answer {
        guard bound?.authorization != .upstream else {
            return .notAsked(
                reason: "nothing fresh is cached, and Airlock has no login of its own at the vault of \(mount.path)")
        }
        let backend: any Backend =
            bound?.readThrough.backend
            ?? EmbeddedBackend(storage: services.storage, mount: mount, now: services.now)
        do {
            guard let secret = try await backend.read(path, version: nil, as: .own) else { return .absent }
            if let known, secret.isOlder(than: known) {
                return .unreachable(reason: "it answers an older version than before, as a lagging replica does")
            }
            return .found(secret)
        } catch let error as UpstreamError {
            return error.kind == .denied ? .denied(reason: error.message) : .unreachable(reason: error.message)
        }
    }
}
