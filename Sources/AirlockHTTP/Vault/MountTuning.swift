import AirlockCore

/// A mount's settings: `sys/mounts/<mount>/tune`, `sys/auth/<mount>/tune`, and `config` when it is made (VAULT-PROTOCOL 4, 5).
enum MountTuning {
    /// What Airlock would not honour. Taken and ignored, each would promise something.
    private static let unsupported = [
        "allowed_response_headers", "audit_non_hmac_request_keys", "audit_non_hmac_response_keys", "force_no_cache",
        "passthrough_request_headers", "plugin_version",
    ]

    static let fields = Set(unsupported).union([
        "default_lease_ttl", "description", "listing_visibility", "max_lease_ttl", "options", "path", "token_type",
        "user_lockout_config",
    ])

    private static let texts = [
        "default_lease_ttl", "description", "listing_visibility", "max_lease_ttl", "plugin_version", "token_type",
    ]

    // MARK: Reading

    /// The settings as the mount has them.
    static func config(_ mount: Mount) -> [JSON.Member] {
        var members: [JSON.Member] = [
            .init("default_lease_ttl", .integer(mount.defaultLeaseTTL)), .init("force_no_cache", false),
            .init("max_lease_ttl", .integer(mount.maxLeaseTTL)),
        ]
        if mount.engine == .system { members.append(.init("passthrough_request_headers", .strings(["Accept"]))) }
        if let lockout = mount.lockout {
            members.append(.init("user_lockout_config", .object(LockoutFields.members(lockout))))
        }
        return members + optional(mount)
    }

    static func options(_ mount: Mount) -> JSON {
        guard let options = mount.options else { return .null }
        return .object(options.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    private static func optional(_ mount: Mount) -> [JSON.Member] {
        var members: [JSON.Member] = []
        if let visibility = mount.listingVisibility { members.append(.init("listing_visibility", .string(visibility))) }
        if mount.engine.isAuth { members.append(.init("token_type", .string(mount.tokenType))) }
        return members
    }

    /// The settings as they take effect.
    static func read(auth: Bool) -> Route.Handler {
        { call in
            let path = MountRoutes.normalised(call["path"])
            guard let mount = MountRoutes.mount(call, path, auth: auth) else {
                throw AirlockError.badRequest("cannot fetch sysview for path \"\(auth ? "auth/" : "")\(path)\"")
            }
            var members: [JSON.Member] = [
                .init("default_lease_ttl", .integer(mount.effectiveDefaultTTL)),
                .init("description", .string(mount.description)), .init("force_no_cache", false),
                .init("max_lease_ttl", .integer(mount.effectiveMaxTTL)),
            ]
            if !(mount.options ?? [:]).isEmpty { members.append(.init("options", options(mount))) }
            if let lockout = mount.lockout { members += LockoutFields.members(lockout) }
            return .data(members + optional(mount), repeatsData: true)
        }
    }

    // MARK: Changing

    /// What is set when the mount is made.
    static func configure(_ mount: inout Mount, _ call: Call) throws {
        let fields = Fields(.object(try Fields.validated { try call.fields.object("config") } ?? []))
        try applyLifetimes(fields, to: &mount)
        try apply(fields, to: &mount)
        if mount.engine.isAuth { try applyTokenType(fields, to: &mount) }
        if mount.maxLeaseTTL == 0, mount.defaultLeaseTTL > Mount.systemLeaseTTL {
            throw AirlockError.badRequest(
                "given default lease TTL greater than system max lease TTL of \(Mount.systemLeaseTTL)")
        }
        guard mount.maxLeaseTTL == 0 || mount.defaultLeaseTTL <= mount.maxLeaseTTL else {
            throw AirlockError.badRequest("given default lease TTL greater than given max lease TTL")
        }
    }

    static func write(auth: Bool) -> Route.Handler {
        { call in
            let fields = call.fields
            // Whether there is such a mount is asked afterwards.
            try call.checkTypes {
                for name in texts { _ = try fields.string(name) }
                _ = try fields.map("options")
                _ = try fields.object("user_lockout_config")
            }
            let path = MountRoutes.normalised(call["path"])
            if !auth, path == "sys/" || path == CubbyholeRoutes.mount.path {
                guard let name = fields.names.sorted().first(where: fields.isSet) else { return .noContent }
                throw AirlockError.badRequest("cannot tune parameter \(name) of \(path)")
            }
            let (options, description) = (try fields.map("options") ?? [:], try fields.string("description") ?? "")
            let now = call.services.now()
            let isUpgrade = try await call.services.registry.tune(path, auth: auth) { mount, transaction in
                if fields.names.contains("description") { mount.description = description }
                // In OpenBao's order, so that of two mistakes the same one is told.
                try applyLifetimes(fields, to: &mount)
                guard mount.maxLeaseTTL == 0 || mount.defaultLeaseTTL <= mount.maxLeaseTTL else {
                    throw AirlockError.badRequest(
                        "backend max lease TTL of \(mount.maxLeaseTTL) would be less than backend default lease TTL of \(mount.defaultLeaseTTL)"
                    )
                }
                try apply(fields, to: &mount)
                if fields.isSet("token_type") {
                    guard auth else {
                        throw AirlockError.badRequest("'token_type' can only be modified on auth mounts")
                    }
                    guard mount.engine != .token else {
                        throw AirlockError.badRequest(
                            "'token_type' cannot be set for 'token' or 'ns_token' auth mounts")
                    }
                    try applyTokenType(fields, to: &mount)
                }
                let wasPlain = mount.kvVersion == 1
                if !auth, let version = options["version"] { try checkVersion(version, of: mount) }
                if !options.isEmpty { mount.options = (mount.options ?? [:]).merging(options) { $1 } }
                guard !auth, wasPlain, mount.kvVersion == 2 else { return false }
                try KVUpgrade.run(transaction, mount, now: now)
                return true
            }
            guard isUpgrade else { return .noContent }
            return .warning(
                """
                Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will \
                resume service shortly.
                """)
        }
    }

    private static func checkVersion(_ version: String, of mount: Mount) throws {
        guard version == "1" || version == "2" else {
            throw AirlockError.badRequest("invalid version provided: use 1 or 2")
        }
        guard version == "2" || mount.kvVersion == 1 else {
            throw AirlockError.badRequest("cannot downgrade mount from version 2")
        }
    }

    private static func apply(_ fields: Fields, to mount: inout Mount) throws {
        if let name = unsupported.first(where: fields.isSet) {
            throw AirlockError.badRequest("\(name) is not supported: leave it out")
        }
        try LockoutFields.apply(fields, to: &mount)
        switch try fields.string("listing_visibility") {
        case nil: break
        case "": mount.listingVisibility = nil
        case let visibility? where visibility == Mount.unauthenticated || visibility == "hidden":
            mount.listingVisibility = visibility
        default: throw AirlockError.badRequest("invalid listing_visibility: use unauth, hidden or nothing")
        }
    }

    private static func applyTokenType(_ fields: Fields, to mount: inout Mount) throws {
        guard let type = try fields.string("token_type"), !type.isEmpty else { return }
        switch type {
        case "default-service", "service": mount.tokenType = type
        case "default-batch", "batch": throw AirlockError.noBatchTokens
        default: throw AirlockError.badRequest("invalid value for 'token_type'")
        }
    }

    private static func applyLifetimes(_ fields: Fields, to mount: inout Mount) throws {
        if let seconds = try lifetime(fields, "default_lease_ttl") { mount.defaultLeaseTTL = seconds }
        if let seconds = try lifetime(fields, "max_lease_ttl") { mount.maxLeaseTTL = seconds }
    }

    /// Seconds; 0, also written `system`, stands for the system's own. `nil` changes nothing.
    private static func lifetime(_ fields: Fields, _ name: String) throws -> Int? {
        switch fields[name] {
        case .string("")?: nil
        case .string("system")?: 0
        default: try fields.seconds(name)
        }
    }
}
