import AirlockCore

/// `sys/mounts`, `sys/auth` and the preflight of the `kv` commands (VAULT-PROTOCOL 1.5, 4, 5).
enum MountRoutes {
    static let table: [Route] = [
        Route("mounts", fields: [], [.read: { call in listed(call.services.registry.mounts + builtIn(call)) }]),
        Route(
            "mounts/auth/{path*}/tune", access: .sudoToChange, fields: MountTuning.fields,
            [.read: MountTuning.read(auth: true), .write: MountTuning.write(auth: true)]),
        Route(
            "mounts/{path+}/tune", fields: MountTuning.fields,
            [.read: MountTuning.read(auth: false), .write: MountTuning.write(auth: false)]),
        Route("mounts/{path+}", fields: fields, [.read: read, .write: enable, .delete: disable]),
        Route("auth", access: .sudoToChange, fields: [], [.read: { call in listed(authMounts(call)) }]),
        Route(
            "auth/{path*}/tune", access: .sudo, fields: MountTuning.fields,
            [.read: MountTuning.read(auth: true), .write: MountTuning.write(auth: true)]),
        Route(
            "auth/{path*}", access: .sudo, fields: fields,
            [.read: readAuth, .write: enableAuth, .delete: disableAuth]),
        Route("remount", access: .sudo, [.write: remount]),
        Route("remount/status/{id}/", [.read: remountStatus]),
        Route("internal/ui/mounts", access: .open, fields: [], [.read: visibleMounts]),
        Route(
            "internal/ui/mounts/", access: .open, fields: [],
            [.read: Route.missing, .list: Route.missing, .scan: Route.missing]),
        Route("internal/ui/mounts/{path*}", access: .open, fields: [], [.read: preflight]),
    ]

    private static let fields: Set<String> = [
        "config", "description", "external_entropy_access", "local", "options", "path", "plugin_name", "plugin_version",
        "seal_wrap", "type",
    ]

    static let system = Mount(
        path: "sys/", engine: .system, description: "system endpoints used for control, policy and debugging",
        options: nil)

    /// The engines that are always there.
    private static func builtIn(_ call: Call) -> [Mount] {
        [system, CubbyholeRoutes.mount].map { $0.placed(in: call.services.registry.namespace) }
    }

    private static func authMounts(_ call: Call) -> [Mount] {
        call.services.registry.authMounts + [call.services.registry.tokenMount]
    }

    private static let tokenPath = "token/"

    /// The ways to log in that can be enabled, by the type that names them.
    private static let logins: [String: Mount.Engine] = [
        "approle": .approle, "userpass": .userpass, "cert": .cert, "jwt": .jwt, "kubernetes": .kubernetes,
    ]

    // MARK: Rendering

    private static func members(_ mount: Mount) -> [JSON.Member] {
        let isBuiltIn = mount.engine.isBuiltIn
        let type = (isBuiltIn && !mount.namespace.isRoot ? "ns_" : "") + mount.engine.rawValue
        return [.init("accessor", .string(mount.accessor)), .init("config", .object(MountTuning.config(mount)))]
            + (isBuiltIn ? [] : [.init("deprecation_status", "supported")]) + [
                .init("description", .string(mount.description)),
                .init("external_entropy_access", false), .init("local", .bool(mount.engine == .cubbyhole)),
                .init("options", MountTuning.options(mount)), .init("plugin_version", ""),
                .init("running_plugin_version", .string("v\(SystemRoutes.protocolVersion)+builtin.bao")),
                .init("running_sha256", ""), .init("seal_wrap", .bool(mount.engine == .system)),
                .init("type", .string(type)),
                .init("uuid", .string(mount.uuid)),
            ]
    }

    private static func listed(_ mounts: [Mount]) -> VaultResponse {
        .data(mounts.map { .init($0.path, .object(members($0))) }, repeatsData: true)
    }

    static func normalised(_ path: String) -> String {
        path.split(separator: "/").joined(separator: "/") + "/"
    }

    /// The mount of exactly this path; for `sys/` and `auth/token/` what stands for one.
    static func mount(_ call: Call, _ path: String, auth: Bool) -> Mount? {
        let registry = call.services.registry
        if auth { return path == tokenPath ? registry.tokenMount : registry.authMount(named: path) }
        return builtIn(call).first { $0.path == path } ?? registry.mount(named: path)
    }

    // MARK: Secrets engines

    private static let read: Route.Handler = { call in
        let path = normalised(call["path"])
        guard let mount = mount(call, path, auth: false) else {
            throw AirlockError.badRequest("No secret engine mount at \(path)")
        }
        return .data(members(mount), repeatsData: true)
    }

    private static let enable: Route.Handler = { call in
        let path = normalised(call["path"])
        let options =
            try call.fields["options"].map { try Fields(.object([.init("options", $0)])).map("options") } ?? nil
        guard let type = try call.fields.string("type"), !type.isEmpty else {
            throw AirlockError.badRequest("backend type must be specified as a string")
        }
        let withoutOptions: [String: String]? = call.fields.names.contains("options") ? nil : [:]
        var mount = Mount(
            path: path, engine: .kv, description: try call.fields.string("description") ?? "",
            options: options ?? withoutOptions)
        try MountTuning.configure(&mount, call)
        guard !["sys/", "auth/", "cubbyhole/", "identity/"].contains(where: path.hasPrefix) else {
            throw AirlockError.badRequest("cannot mount \"\(path)\"")
        }
        _ = try SecretPath(String(path.dropLast()))
        switch type {
        case "kv", "generic": break
        case "kv-v1": mount.options = ["version": "1"]
        case "kv-v2": mount.options = ["version": "2"]
        case "cubbyhole", "system": throw AirlockError.badRequest("mount type of \"\(type)\" is not mountable")
        default: throw AirlockError.badRequest("plugin not found in the catalog: \(type)")
        }
        if let version = mount.options?["version"], version != "1", version != "2" {
            throw AirlockError.badRequest("unknown version of the key/value engine: use 1 or 2")
        }
        try await call.services.registry.enable(mount)
        return .noContent
    }

    private static let disable: Route.Handler = { call in
        let path = normalised(call["path"])
        guard path != "sys/", path != "cubbyhole/" else { throw AirlockError.badRequest("cannot unmount \"\(path)\"") }
        try await call.services.registry.disable(path)
        return .noContent
    }

    // MARK: Moving

    private static let remount: Route.Handler = { call in
        let (from, to) = (try call.fields.string("from") ?? "", try call.fields.string("to") ?? "")
        guard !from.isEmpty, !to.isEmpty else {
            throw AirlockError.badRequest("both 'from' and 'to' path must be specified as a string")
        }
        guard to.last != " " else { throw AirlockError.badRequest("'to' path cannot contain trailing whitespace") }
        guard !to.contains("//") else {
            throw AirlockError.badRequest(
                "invalid destination mount: path '\(to)/' does not match cleaned path '\(normalised(to))'")
        }
        let id = RandomText.uuid()
        let remount = try Remount(from: normalised(from), to: normalised(to))
        try await call.services.registry.move(remount, id: id, now: call.services.now())
        return .data(
            [.init("migration_id", .string(id))], repeatsData: true,
            warnings: ["The mount has been moved. sys/remount/status and the migration_id tell it for a day."])
    }

    private static let remountStatus: Route.Handler = { call in
        let id = call["id"]
        guard let remount = try Remount.done(id, in: call.services.storage) else { throw AirlockError.absent }
        let info: JSON = [
            "source_mount": .string(remount.source), "target_mount": .string(remount.target), "status": "success",
        ]
        return .data([.init("migration_id", .string(id)), .init("migration_info", info)])
    }

    // MARK: Ways to log in

    private static let readAuth: Route.Handler = { call in
        guard !call["path"].isEmpty else { throw AirlockError.unsupportedPath }
        let path = normalised(call["path"])
        guard let mount = mount(call, path, auth: true) else {
            throw AirlockError.badRequest("No auth engine at \(path)")
        }
        return .data(members(mount), repeatsData: true)
    }

    private static let enableAuth: Route.Handler = { call in
        let path = normalised(call["path"])
        _ = try SecretPath(String(path.dropLast()))
        guard !path.hasPrefix(tokenPath) else {
            throw AirlockError.badRequest("path is already in use at \(tokenPath)")
        }
        guard let type = try call.fields.string("type"), !type.isEmpty else {
            throw AirlockError.badRequest("backend type must be specified as a string")
        }
        guard let engine = logins[type] else {
            throw AirlockError.badRequest("plugin not found in the catalog: \(type)")
        }
        var mount = Mount(
            path: path, engine: engine, description: try call.fields.string("description") ?? "", options: [:])
        try MountTuning.configure(&mount, call)
        try await call.services.registry.enableAuth(mount)
        return .noContent
    }

    private static let disableAuth: Route.Handler = { call in
        let path = normalised(call["path"])
        guard path != tokenPath else {
            throw AirlockError.badRequest("token credential backend cannot be disabled")
        }
        try await call.services.registry.disableAuth(path)
        return .noContent
    }

    // MARK: Preflight

    /// Without a token only what is tuned to be listed so, and that is no error when it is nothing.
    private static let visibleMounts: Route.Handler = { call in
        let (mounts, logins) = (call.services.registry.mounts + builtIn(call), authMounts(call))
        guard let access = call.principal?.access else {
            guard call.request.token == nil else { throw AirlockError.invalidToken }
            func listed(_ mounts: [Mount]) -> JSON {
                .object(
                    mounts.filter { $0.listingVisibility == Mount.unauthenticated }.map { mount in
                        .init(
                            mount.path,
                            [
                                "description": .string(mount.description), "options": MountTuning.options(mount),
                                "type": .string(mount.engine.rawValue),
                            ])
                    })
            }
            return .data([.init("auth", listed(logins)), .init("secret", listed(mounts))])
        }
        func listed(_ mounts: [Mount], below prefix: String) -> JSON {
            .object(
                mounts.filter { access.grantsAnything(below: prefix + $0.path) }
                    .map { .init($0.path, .object(members($0))) })
        }
        return .data([
            .init("auth", listed(logins, below: "auth/")), .init("secret", listed(mounts, below: "")),
        ])
    }

    private static func authMount(_ registry: Registry, below path: String) -> Mount? {
        path.hasPrefix(tokenPath) ? registry.tokenMount : registry.authMount(for: path)
    }

    private static let preflight: Route.Handler = { call in
        // A path may lead into a namespace: what is there is asked there.
        let (registry, path) = call.services.registry.descend(call["path"])
        let services = registry === call.services.registry ? call.services : call.services.within(registry)
        let principal = try services.principal(try call.requirePrincipal().found)
        let way = registry.namespace.path(from: call.services.registry.namespace) ?? ""
        let isAuth = path.hasPrefix("auth/")
        let mount =
            isAuth
            ? authMount(registry, below: normalised(String(path.dropFirst("auth/".count))))
            : builtIn(call).first { normalised(path).hasPrefix($0.path) }
                ?? services.mount(for: path, opening: principal)
        let isDecidedUpstream =
            mount.map { registry.bound[$0.path]?.authorization == .upstream && principal.token.upstream != nil }
            ?? false
        guard let mount,
            isDecidedUpstream || principal.access.grantsAnything(below: (isAuth ? "auth/" : "") + mount.path)
        else {
            throw AirlockError(
                .permissionDenied,
                "preflight capability check returned 403, please ensure client's policies grant access to path \"\(normalised(call["path"]))\""
            )
        }
        return .data(members(mount) + [.init("path", .string(way + mount.path))])
    }
}
