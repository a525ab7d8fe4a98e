package import AirlockCore

/// Everything a handler may use.
struct Services: Sendable {
    let storage: any Storage
    /// The root namespace's, which leads to the others.
    let root: Registry
    /// Those of the namespace that a request is for.
    private(set) var registry: Registry
    private(set) var tokens: Tokens
    let metrics: Metrics
    let hasher: any PasswordHasher
    let failures: LoginFailures
    /// The vault that decides about its own mounts, where one does.
    private(set) var upstream: UpstreamClients?
    /// Namespaces of vaults, which the settings name; clients of those mounts name them too.
    let namespaces: Set<String>
    /// `nil`: no signature counts.
    let webhook: Webhook?
    /// `nil`: nothing is logged.
    let audit: AuditLog?
    let reads: LastReads
    let identity: IdentityServers
    let now: Now
    let started: Timestamp

    init(
        storage: any Storage, registry: Registry, metrics: Metrics, upstream: UpstreamClients?,
        namespaces: Set<String>, webhook: Webhook?, audit: AuditLog? = nil, reads: LastReads,
        identity: IdentityServers, hasher: any PasswordHasher = ScryptHasher(), now: @escaping Now
    ) {
        self.storage = storage
        root = registry
        self.registry = registry
        self.metrics = metrics
        self.upstream = upstream
        self.namespaces = namespaces
        self.webhook = webhook
        self.hasher = hasher
        failures = LoginFailures(now: now)
        self.audit = audit
        self.reads = reads
        self.identity = identity
        self.now = now
        started = now()
        tokens = Tokens(storage: storage, namespace: registry.namespace, now: now)
    }
}

extension Services {
    /// The same for another namespace. What the configuration sets is the root's.
    func within(_ registry: Registry) -> Services {
        var services = self
        services.registry = registry
        services.tokens = Tokens(storage: storage, namespace: registry.namespace, now: now)
        services.upstream = registry.namespace.isRoot ? upstream : nil
        return services
    }

    /// The mount a path lies in; one that is named by the path's first segment is made for a principal who may do something
    /// there, and for nobody else.
    func mount(for path: String, opening principal: Principal) -> Mount? {
        if let mount = registry.mount(for: path) { return mount }
        guard let segment = path.split(separator: "/").first,
            principal.token.upstream != nil || principal.access.grantsAnything(below: segment + "/")
        else { return nil }
        return registry.bound.opened(for: path)?.mount
    }
}

/// The clients of a vault that decides for itself (`authorize: upstream`).
package struct UpstreamClients: Sendable {
    /// Without slashes at its ends; empty is the root.
    package let namespace: String
    package let logins: UpstreamLogins
    package let rights: UpstreamRights

    package init(namespace: String, logins: UpstreamLogins, rights: UpstreamRights) {
        self.namespace = namespace
        self.logins = logins
        self.rights = rights
    }
}

/// Who asks, once authenticated.
struct Principal: Sendable {
    let found: Tokens.Found
    /// What it may do in the namespace that the request is for.
    private(set) var access: AccessControl

    var token: Token { found.token }

    func seen(from namespace: Namespace) -> Principal {
        var principal = self
        principal.access = access.seen(from: namespace, by: token.namespace)
        return principal
    }
}

/// One request on its way to a handler.
struct Call: Sendable {
    let request: VaultRequest
    let services: Services
    /// `nil` on open routes when no good token was sent.
    let principal: Principal?
    /// The engine the path lies in; for `sys/` and `auth/token/` there is none.
    let mount: Mount?
    /// What the route's `{names}` stand for.
    var captures: [String: String] = [:]

    /// The mount's backends, when it is one of the configuration's.
    var bound: BoundMount? { mount.flatMap { services.registry.bound[$0.path] } }

    var fields: Fields { Fields(request.fields) }

    /// - Throws: `AirlockError.invalidToken` on an open route without one.
    func requirePrincipal() throws -> Principal {
        guard let principal else { throw AirlockError.invalidToken }
        return principal
    }

    subscript(capture: String) -> String { captures[capture] ?? "" }

    /// The secret's data is about to be answered.
    func noteRead(of path: SecretPath) {
        guard request.isNoted, let mount, let token = principal?.token else { return }
        services.reads.note(path, on: mount, isStored: bound == nil, by: token)
    }
}

/// One line of an engine's table: a path below the engine, who may come, and what each operation does.
struct Route: Sendable {
    typealias Handler = @Sendable (Call) async throws -> VaultResponse

    enum Guard: Sendable {
        /// No token needed, no policy asked.
        case open
        /// The same, for the state of the server, which no engine serves: nothing is looked at where the operation is not known.
        case state
        /// The same, and the token is left alone: it may be one that a look would use up. The handler looks at it.
        case unread
        /// A good token whose policies allow the operation on the path.
        case policy
        /// The same, and `sudo` besides, for writes and deletes; reads need no more than the policy.
        case sudoToChange
        /// The same, and `sudo` besides, for every operation.
        case sudo
        /// A good token; the handler itself decides what it may see.
        case token
        /// As `policy`; or, without any token, a webhook's signature over the body.
        case signed
    }

    let access: Guard
    /// Whether anybody may come.
    var isOpen: Bool { access == .open || access == .state || access == .unread }
    let operations: [VaultRequest.Operation: Handler]
    /// Whether the thing exists: then a write needs `update`, otherwise `create`. Without it a write always needs `update`.
    let exists: (@Sendable (Call) async throws -> Bool)?
    /// What the body and the query may name; anything else is answered with a warning. `nil`: not looked at.
    let fields: Set<String>?
    private let mayEndInSlash: Bool
    private let template: PathTemplate

    /// - Parameter pattern: `role/{name}/secret-id`, `data/{path*}`; literals match exactly. Where it ends in a slash, or the
    ///   route has a list, the path may end in one too.
    init(
        _ pattern: String, access: Guard = .policy, exists: (@Sendable (Call) async throws -> Bool)? = nil,
        fields: Set<String>? = nil, _ operations: [VaultRequest.Operation: Handler]
    ) {
        self.access = access
        self.operations = operations
        self.exists = exists
        self.fields = fields
        mayEndInSlash = pattern.hasSuffix("/") || operations[.list] != nil || operations[.scan] != nil
        template = PathTemplate(pattern, ignoresTrailingSlash: mayEndInSlash)
    }

    /// What OpenBao answers to a known open path and an operation it does not have (VAULT-PROTOCOL 1.3).
    var openRefusal: AirlockError { AirlockError(.notAllowed, access == .state ? nil : "unsupported operation") }

    /// A path that is open to everybody and not there.
    static let missing: Handler = { _ in throw AirlockError(.notFound, "unsupported path") }

    func match(_ path: String) -> [String: String]? { template.match(path) }

    /// A list asks for `path/`.
    func isFolder(for operation: VaultRequest.Operation) -> Bool {
        guard operation == .list || operation == .scan else { return true }
        return mayEndInSlash || template.endsInRest || access == .state
    }
}
