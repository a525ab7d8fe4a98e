import AirlockCore

/// `sys/mounts`, `sys/auth` and the preflight of the `kv` commands (VAULT-PROTOCOL 1.5, 4, 5).
enum MountRoutes {
    static let table: [Route] = [
        Route("mounts", [.read: { call in listed(call.services.registry.mounts + [system]) }]),
        Route(
            "mounts/auth/{path*}/tune", access: .sudoToChange, [.read: readTune(auth: true), .write: tune(auth: true)]),
        Route("mounts/{path*}/tune", [.read: readTune(auth: false), .write: tune(auth: false)]),
        Route("mounts/{path*}", [.read: read, .write: enable, .delete: disable]),
        Route("auth", access: .sudoToChange, [.read: { call in listed(call.services.registry.authMounts + [token]) }]),
        Route("auth/{path*}/tune", access: .sudoToChange, [.read: readTune(auth: true), .write: tune(auth: true)]),
        Route("auth/{path*}", access: .sudoToChange, [.read: readAuth, .write: enableAuth, .delete: disableAuth]),
        Route("internal/ui/mounts", access: .open, [.read: visibleMounts]),
        Route("internal/ui/mounts/{path*}", access: .open, [.read: preflight]),
    ]

    private static let system = Mount(
        path: "sys/", engine: .system, description: "system endpoints used for control, policy and debugging",
        options: nil)
    private static let token = Mount(
        path: "token/", engine: .token, description: "token based credentials", options: nil)

    // MARK: Rendering

    private static func members(_ mount: Mount) -> [JSON.Member] {
        var config: [JSON.Member] = [
            .init("default_lease_ttl", .integer(mount.defaultLeaseTTL)), .init("force_no_cache", false),
            .init("max_lease_ttl", .integer(mount.maxLeaseTTL)),
        ]
        if mount.engine == .approle || mount.engine == .token {
            config.append(.init("token_type", .string(mount.tokenType)))
        }
        let isBuiltIn = mount.engine == .system || mount.engine == .token
        return [.init("accessor", .string(mount.accessor)), .init("config", .object(config))]
            + (isBuiltIn ? [] : [.init("deprecation_status", "supported")]) + [
                .init("description", .string(mount.description)),
                .init("external_entropy_access", false), .init("local", false), .init("options", options(mount)),
                .init("plugin_version", ""),
                .init("running_plugin_version", .string("v\(SystemRoutes.protocolVersion)+builtin.bao")),
                .init("running_sha256", ""), .init("seal_wrap", .bool(mount.engine == .system)),
                .init("type", .string(mount.engine.rawValue)),
                .init("uuid", .string(mount.uuid)),
            ]
    }

    private static func options(_ mount: Mount) -> JSON {
        guard let options = mount.options else { return .null }
        return .object(options.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    private static func listed(_ mounts: [Mount]) -> VaultResponse {
        .data(mounts.map { .init($0.path, .object(members($0))) }, repeatsData: true)
    }

    private static func normalised(_ path: String) -> String {
        path.split(separator: "/").joined(separator: "/") + "/"
    }

    // MARK: Secrets engines

    private static let read: Route.Handler = { call in
        let path = normalised(call["path"])
        guard let mount = call.services.registry.mount(named: path) else {
            throw AirlockError.badRequest("No secret engine mount at \(path)")
        }
        return .data(members(mount), repeatsData: true)
    }

    private static let enable: Route.Handler = { call in
        let path = normalised(call["path"])
        guard !["sys/", "auth/", "cubbyhole/", "identity/"].contains(where: path.hasPrefix) else {
            throw AirlockError.badRequest("cannot mount \"\(path)\"")
        }
        _ = try SecretPath(String(path.dropLast()))
        guard let type = try call.fields.string("type"), !type.isEmpty else {
            throw AirlockError.badRequest("backend type must be specified as a string")
        }
        var options =
            try call.fields["options"].map { try Fields(.object([.init("options", $0)])).map("options") } ?? nil
        switch type {
        case "kv", "generic": break
        case "kv-v1": options = ["version": "1"]
        case "kv-v2": options = ["version": "2"]
        default: throw AirlockError.badRequest("plugin not found in the catalog: \(type)")
        }
        if let version = options?["version"], version != "1", version != "2" {
            throw AirlockError.badRequest("unknown version of the key/value engine: use 1 or 2")
        }
        var mount = Mount(
            path: path, engine: .kv, description: try call.fields.string("description") ?? "", options: options ?? [:])
        try configure(&mount, call.fields["config"].map(Fields.init) ?? Fields(.object([])))
        try await call.services.registry.enable(mount)
        return .noContent
    }

    private static let disable: Route.Handler = { call in
        let path = normalised(call["path"])
        guard path != "sys/", path != "cubbyhole/" else { throw AirlockError.badRequest("cannot unmount \"\(path)\"") }
        try await call.services.registry.disable(path)
        return .noContent
    }

    private static func configure(_ mount: inout Mount, _ fields: Fields) throws {
        if let seconds = try unlessEmpty(fields, "default_lease_ttl") { mount.defaultLeaseTTL = seconds }
        if let seconds = try unlessEmpty(fields, "max_lease_ttl") { mount.maxLeaseTTL = seconds }
        guard mount.effectiveDefaultTTL <= mount.effectiveMaxTTL else {
            throw AirlockError.badRequest(
                "backend max lease TTL of \(mount.effectiveMaxTTL) would be less than backend default lease TTL of \(mount.effectiveDefaultTTL)"
            )
        }
    }

    private static func unlessEmpty(_ fields: Fields, _ name: String) throws -> Int? {
        if case .string("")? = fields[name] { return nil }
        return try fields.seconds(name)
    }

    private static func readTune(auth: Bool) -> Route.Handler {
        { call in
            let path = normalised(call["path"])
            let registry = call.services.registry
            guard let mount = auth ? registry.authMount(named: path) : registry.mount(named: path) else {
                throw AirlockError.badRequest("cannot fetch sysview for path \"\(auth ? "auth/" : "")\(path)\"")
            }
            var members: [JSON.Member] = [
                .init("default_lease_ttl", .integer(mount.effectiveDefaultTTL)),
                .init("description", .string(mount.description)), .init("force_no_cache", false),
                .init("max_lease_ttl", .integer(mount.effectiveMaxTTL)),
            ]
            if !(mount.options ?? [:]).isEmpty { members.append(.init("options", options(mount))) }
            if auth { members.append(.init("token_type", .string(mount.tokenType))) }
            return .data(members, repeatsData: true)
        }
    }

    private static func tune(auth: Bool) -> Route.Handler {
        { call in
            let fields = call.fields
            let version = try fields["options"].map { try Fields($0).string("version") } ?? nil
            try await call.services.registry.tune(normalised(call["path"]), auth: auth) { mount in
                if let description = try fields.string("description") { mount.description = description }
                try configure(&mount, fields)
                guard let version, !auth else { return }
                guard version == String(mount.kvVersion) else {
                    throw AirlockError.badRequest(
                        mount.kvVersion == 2
                            ? "cannot downgrade mount from version 2"
                            : "upgrading a mount to version 2 is not supported: enable a new one and copy the secrets")
                }
            }
            return .noContent
        }
    }

    // MARK: Ways to log in

    private static let readAuth: Route.Handler = { call in
        let path = normalised(call["path"])
        let mount = path == token.path ? token : call.services.registry.authMount(named: path)
        guard let mount else { throw AirlockError.badRequest("No auth engine at \(path)") }
        return .data(members(mount), repeatsData: true)
    }

    private static let enableAuth: Route.Handler = { call in
        let path = normalised(call["path"])
        _ = try SecretPath(String(path.dropLast()))
        guard !path.hasPrefix(token.path) else {
            throw AirlockError.badRequest("path is already in use at \(token.path)")
        }
        guard let type = try call.fields.string("type"), !type.isEmpty else {
            throw AirlockError.badRequest("backend type must be specified as a string")
        }
        guard type == "approle" else { throw AirlockError.badRequest("plugin not found in the catalog: \(type)") }
        var mount = Mount(
            path: path, engine: .approle, description: try call.fields.string("description") ?? "", options: [:])
        try configure(&mount, call.fields["config"].map(Fields.init) ?? Fields(.object([])))
        try await call.services.registry.enableAuth(mount)
        return .noContent
    }

    private static let disableAuth: Route.Handler = { call in
        let path = normalised(call["path"])
        guard path != token.path else {
            throw AirlockError.badRequest("token credential backend cannot be disabled")
        }
        try await call.services.registry.disableAuth(path)
        return .noContent
    }

    // MARK: Preflight

    /// Without a token nothing is visible, and that is no error.
    private static let visibleMounts: Route.Handler = { call in
        guard let principal = call.principal else {
            return .data([.init("auth", .object([])), .init("secret", .object([]))])
        }
        let secret = call.services.registry.mounts.filter { principal.access.grantsAnything(below: $0.path) }
        let auth = (call.services.registry.authMounts + [token]).filter {
            principal.access.grantsAnything(below: "auth/" + $0.path)
        }
        return .data([
            .init("auth", .object(auth.map { .init($0.path, .object(members($0))) })),
            .init("secret", .object(secret.map { .init($0.path, .object(members($0))) })),
        ])
    }

    private static let preflight: Route.Handler = { call in
        let principal = try call.requirePrincipal()
        let path = call["path"]
        let registry = call.services.registry
        let isAuth = path.hasPrefix("auth/")
        let mount =
            isAuth
            ? registry.authMount(for: String(path.dropFirst("auth/".count)))
            : call.services.mount(for: path, opening: principal)
        let isDecidedUpstream =
            mount.map { registry.bound[$0.path]?.authorization == .upstream && principal.token.upstream != nil }
            ?? false
        guard let mount,
            isDecidedUpstream || principal.access.grantsAnything(below: (isAuth ? "auth/" : "") + mount.path)
        else {
            throw AirlockError(
                .permissionDenied,
                "preflight capability check returned 403, please ensure client's policies grant access to path \"\(normalised(path))\""
            )
        }
        return .data(members(mount) + [.init("path", .string(mount.path))])
    }
}
