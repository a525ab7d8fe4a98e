import AirlockCore
import HTTPTypes
import HummingbirdCore

/// The Vault surface: from a request below `/v1/` to its answer. The path is found and the token recognised before the body
/// is read, so that a stranger costs little; then the policy is asked, and only then anything is looked up.
struct VaultSurface: Sendable {
    let services: Services
    let bodyLimit: Int

    /// The engine a path lies in, and the path below it.
    private struct Target {
        let engine: Engine
        let mount: Mount?
        let path: String
    }

    func respond(to request: Request, source: String?, certificates: ClientCertificates) async throws -> Response {
        try await answer(request, source: source, certificates: certificates).rendered()
    }

    func answer(
        _ request: Request, source: String?, certificates: ClientCertificates
    ) async throws -> VaultResponse {
        let begun = services.storage.front.moment
        var parsed = try VaultRequest(request, source: source)
        parsed.clientCertificates = certificates
        guard parsed.operation != .unknown else { throw AirlockError(.notAllowed, nil) }
        let services = try services.located(&parsed)
        guard let trail = AuditTrail(parsed, services) else {
            let response = try await answer(&parsed, request, services, nil)
            keep(response, to: request, parsed, since: begun)
            return response
        }
        do {
            let response = try await answer(&parsed, request, services, trail).identified(as: trail.id)
            try await trail.end(response)
            return response
        } catch {
            try await trail.end(error)
            throw error
        }
    }

    /// One call of several that came in one request: as if it had come alone, but for its token, which has been recognised.
    func answer(_ parsed: VaultRequest, as principal: Principal) async throws -> VaultResponse {
        let target = target(of: parsed.path, services)
        let route = target.flatMap { $0.engine.route(for: $0.path, parsed.operation) }
        try checkNamespace(parsed.namespace, target)
        var call = Call(request: parsed, services: services, principal: principal, mount: target?.mount)
        call.captures = route?.captures ?? [:]
        guard let trail = AuditTrail(parsed, services) else {
            return try await answer(call, target, route?.route, nil)
        }
        do {
            let response = try await answer(call, target, route?.route, trail).identified(as: trail.id)
            try await trail.end(response)
            return response
        } catch {
            try await trail.end(error)
            throw error
        }
    }

    private func answer(
        _ parsed: inout VaultRequest, _ request: Request, _ located: Services, _ trail: AuditTrail?
    ) async throws -> VaultResponse {
        var services = located
        var target = target(of: parsed.path, services)
        var route = target.flatMap { $0.engine.route(for: $0.path, parsed.operation) }
        if let known = route?.route, known.access == .state {
            parsed.listNothing()
            guard known.operations[parsed.operation] != nil else { throw known.openRefusal }
        }
        try parsed.checkPatchType()
        // Before the policy is asked: a rule on `a/b` must not be got round by writing to `a/b/`.
        guard ![.write, .patch].contains(parsed.operation) || parsed.path.utf8.last != UInt8(ascii: "/") else {
            throw AirlockError.badRequest("cannot write to a path ending in '/'")
        }
        let isOpen = route?.route.isOpen ?? false
        let isSigned =
            route?.route.access == .signed && parsed.operation == .write && parsed.signature != nil
            && services.webhook != nil
        let isUnread = route?.route.access == .unread
        var principal = isUnread ? nil : try await principal(parsed, services, isOptional: isOpen || isSigned)
        if target == nil, let principal, services.mount(for: parsed.path, opening: principal) != nil {
            target = self.target(of: parsed.path, services)
            route = target.flatMap { $0.engine.route(for: $0.path, parsed.operation) }
        }
        try checkNamespace(parsed.namespace, target)
        let limit = isOpen || isSigned ? min(bodyLimit, VaultSurface.openBodyLimit) : bodyLimit
        let signature = parsed.signature
        try await parsed.readBody(request, limit: limit) { body in
            guard isSigned else { return }
            guard let signature, let webhook = services.webhook else { throw AirlockError.invalidToken }
            try webhook.verify(signature, body: body)
        }
        if target?.engine == .token, let home = try TokenRoutes.home(parsed, principal, services) {
            services = self.services.within(home)
            principal = principal?.seen(from: home.namespace)
        }
        // What cannot be read costs no use, nor does what needs no token.
        if !isOpen, let asking = principal { principal = try await services.used(asking) }
        var call = Call(request: parsed, services: services, principal: principal, mount: target?.mount)
        call.captures = route?.captures ?? [:]
        return try await answer(call, target, route?.route, trail).wrapped(for: call)
    }

    /// Clients go on naming the namespace that their vault has for a mount.
    private func checkNamespace(_ namespace: String, _ target: Target?) throws {
        guard services.isOfVault(namespace) else { return }
        let bound = target?.mount.flatMap { services.registry.bound[$0.path] }
        var isKnown = bound.map { $0.namespace == namespace } ?? true
        // Credentials for one namespace are not tried in another.
        if target?.engine == .upstreamLogin { isKnown = services.upstream?.namespace == namespace }
        guard isKnown else { throw Registry.noNamespace }
    }

    /// Bytes of a body that anybody may send: a login is small.
    private static let openBodyLimit = 1024 * 1024

    private func answer(
        _ call: Call, _ target: Target?, _ route: Route?, _ trail: AuditTrail?
    ) async throws -> VaultResponse {
        let isOpen = route?.isOpen ?? false
        let request = call.request
        do {
            if let route, !isOpen { try await authorize(call, route) }
            if route == nil { try authorizeUnrouted(call) }
        } catch {
            try await trail?.begin(call, route, refusal: error)
            throw error
        }
        try await trail?.begin(call, route)
        guard let target else { throw noHandler(request) }
        guard let route else { return try target.engine.unrouted(call) }
        if target.engine == .system { try SystemRoutes.checkNamespace(call, target.path) }
        guard let handler = route.operations[request.operation] else {
            if request.operation == .head { return .empty(.methodNotAllowed) }
            throw isOpen ? route.openRefusal : AirlockError.unsupportedOperation
        }
        let ignored = unrecognized(call, route)
        do {
            return try await handler(call).warning(of: ignored)
        } catch let error as AirlockError where error == .absent && request.operation == .list && !ignored.isEmpty {
            // An empty list with a warning is not absent any more.
            return VaultResponse.data([]).warning(of: ignored)
        }
    }

    /// Fields of the body and the query that the route does not know.
    private func unrecognized(_ call: Call, _ route: Route) -> [String] {
        guard let known = route.fields else { return [] }
        // Only a GET is told by its query that it is a list.
        let told = call.request.method == "GET" && [.list, .scan].contains(call.request.operation)
        let consumed: Set<String> = told ? [call.request.operation.rawValue] : []
        return Set(call.fields.names).union(call.request.query.keys).subtracting(known).subtracting(consumed).sorted()
    }

    /// An open route takes a bad token for none (VAULT-PROTOCOL 8.3).
    private func principal(
        _ request: VaultRequest, _ services: Services, isOptional: Bool
    ) async throws -> Principal? {
        guard let token = request.token else {
            if isOptional { return nil }
            throw AirlockError.invalidToken
        }
        do {
            return try await services.recognised(token, source: request.source)
        } catch let error as AirlockError where isOptional && [.invalidToken, .unavailable].contains(error.code) {
            return nil
        }
    }

    private func target(of path: String, _ services: Services) -> Target? {
        func below(_ prefix: String) -> String { String(Substring(path.utf8.dropFirst(prefix.utf8.count))) }
        if path == "sys" || path.hasPrefix("sys/") { return Target(engine: .system, mount: nil, path: below("sys/")) }
        if path.hasPrefix("auth/") {
            let rest = below("auth/")
            if rest == "token" || rest.hasPrefix("token/") {
                return Target(engine: .token, mount: nil, path: below("auth/token/"))
            }
            guard let mount = services.registry.authMount(for: rest) else {
                return services.upstream == nil ? nil : Target(engine: .upstreamLogin, mount: nil, path: rest)
            }
            return Target(engine: Engine(mount), mount: mount, path: below("auth/" + mount.path))
        }
        if path == "cubbyhole" || path.hasPrefix("cubbyhole/") {
            return Target(engine: .cubbyhole, mount: CubbyholeRoutes.mount, path: below("cubbyhole/"))
        }
        guard let mount = services.registry.mount(for: path) else { return nil }
        guard !services.registry.bound.isOpened(mount.path) || !BoundMounts.isReserved(path) else { return nil }
        let isBound = services.registry.bound[mount.path] != nil
        return Target(engine: Engine(mount, isBound: isBound), mount: mount, path: below(mount.path))
    }

    private func authorize(_ call: Call, _ route: Route) async throws {
        try refuseHead(call)
        guard route.access != .token else { return }
        // Its signature is good, or the request would not have come so far.
        if route.access == .signed, call.principal == nil, call.request.signature != nil { return }
        if call.bound?.authorization == .upstream {
            // The upstream decides, and it knows only the tokens that it gave.
            guard try call.requirePrincipal().token.upstream != nil else { throw AirlockError.permissionDenied }
            return
        }
        let access = try call.requirePrincipal().access
        let operation = call.request.operation
        var wanted = VaultSurface.capability(operation)
        // Whether it exists matters, and is asked, only where one of the two is allowed and the other is not.
        if operation == .write, let exists = route.exists {
            let path = call.request.path
            let (mayCreate, mayUpdate) = (access.allows(.create, on: path), access.allows(.update, on: path))
            guard mayCreate || mayUpdate else { throw AirlockError.permissionDenied }
            if mayCreate != mayUpdate { wanted = try await exists(call) ? .update : .create }
        }
        let changes = ![.read, .list, .scan].contains(operation)
        if route.access == .sudo || (route.access == .sudoToChange && changes) { wanted.insert(.sudo) }
        guard access.allows(wanted, on: call.request.path) else { throw AirlockError.permissionDenied }
    }

    /// No policy grants a `HEAD`, as in OpenBao.
    private func refuseHead(_ call: Call) throws {
        guard call.request.operation != .head || call.principal?.token.isRoot ?? false else {
            throw AirlockError.permissionDenied
        }
    }

    private func authorizeUnrouted(_ call: Call) throws {
        try refuseHead(call)
        let access = try call.requirePrincipal().access
        guard access.allows(VaultSurface.capability(call.request.operation), on: call.request.path) else {
            throw AirlockError.permissionDenied
        }
    }

    private func noHandler(_ request: VaultRequest) -> AirlockError {
        let quoted = request.pathAsRouted.map { ["\\", "\""].contains($0) ? "\\\($0)" : String($0) }.joined()
        return AirlockError.noHandler(quoted)
    }

    static func capability(_ operation: VaultRequest.Operation) -> Capabilities {
        switch operation {
        case .read, .head, .unknown: .read
        case .list: .list
        case .write: .update
        case .patch: .patch
        case .delete: .delete
        case .scan: .scan
        }
    }
}

extension Services {
    /// Whoever presents the token, for one request.
    func principal(_ token: SecretPayload, source: String?) async throws -> Principal {
        try await used(try await recognised(token, source: source))
    }

    /// The same before the request counts as one of the token's uses.
    func recognised(_ token: SecretPayload, source: String?) async throws -> Principal {
        let text = String(decoding: token.bytes, as: UTF8.self)
        do {
            return try principal(try tokens.recognise(text, source: source))
        } catch let error as AirlockError where error.code == .invalidToken {
            guard let upstream, try await upstream.rights.adopt(text) else { throw error }
            return try principal(try tokens.recognise(text, source: source))
        }
    }

    func used(_ principal: Principal) async throws -> Principal {
        Principal(found: try await tokens.use(principal.found), access: principal.access)
    }

    /// With what the token's policies allow in the namespace that is asked about.
    /// - Throws: `AirlockError.invalidToken` for a token whose namespace is gone.
    func principal(_ found: Tokens.Found) throws -> Principal {
        guard let home = root.registry(of: found.token.namespace) else { throw AirlockError.invalidToken }
        return Principal(found: found, access: home.accessControl(found.token.policies)).seen(from: registry.namespace)
    }
}

/// The tables, by what kind of engine a path lies in. A new kind is one case here.
enum Engine: Sendable {
    case system, cubbyhole, token, approle, userpass, cert, jwt, kubernetes
    case kvPlain, kvVersioned, boundPlain, boundVersioned, upstreamLogin

    /// - Parameter isBound: the mount's secrets do not live in the embedded store alone.
    init(_ mount: Mount, isBound: Bool = false) {
        switch mount.engine {
        case .kv where isBound: self = mount.kvVersion == 2 ? .boundVersioned : .boundPlain
        case .system: self = .system
        case .cubbyhole: self = .cubbyhole
        case .token: self = .token
        case .approle: self = .approle
        case .userpass: self = .userpass
        case .jwt: self = .jwt
        case .kubernetes: self = .kubernetes
        case .cert: self = .cert
        case .kv: self = mount.kvVersion == 2 ? .kvVersioned : .kvPlain
        }
    }

    private var table: [Route] {
        switch self {
        case .system: SystemRoutes.table
        case .cubbyhole: CubbyholeRoutes.table
        case .token: TokenRoutes.table
        case .approle: AppRoleRoutes.table
        case .userpass: UserpassRoutes.table
        case .jwt: JWTRoutes.table
        case .kubernetes: KubernetesRoutes.table
        case .cert: CertRoutes.table
        case .kvPlain: KVPlainRoutes.table
        case .kvVersioned: KVVersionedRoutes.table
        case .boundPlain: BoundKVRoutes.plain
        case .boundVersioned: BoundKVRoutes.versioned
        case .upstreamLogin: UpstreamLoginRoutes.table
        }
    }

    /// The first line of the engine's table that matches the path below the engine.
    func route(
        for path: String, _ operation: VaultRequest.Operation
    ) -> (route: Route, captures: [String: String])? {
        for route in table where route.isFolder(for: operation) {
            if let captures = route.match(path) { return (route, captures) }
        }
        return nil
    }

    /// The answer for a path the table does not know.
    func unrouted(_ call: Call) throws -> VaultResponse {
        guard self == .kvVersioned else { throw AirlockError.unsupportedPath }
        return KVVersionedRoutes.unrouted(call)
    }
}
