import AirlockCore

/// `sys/locked-users`: whom too many failed logins lock out (VAULT-PROTOCOL 7).
enum LockoutRoutes {
    static let table: [Route] = [
        Route("locked-users", [.read: list]),
        Route("locked-users/{accessor}/unlock/{alias*}", [.write: unlock]),
    ]

    private static let list: Route.Handler = { call in
        let accessors = Set(call.services.registry.authMounts.map(\.accessor))
        var locked = call.services.failures.locked().filter { accessors.contains($0.mount) }
        let asked = try call.fields.string("mount_accessor") ?? call.request.query["mount_accessor"] ?? ""
        if !asked.isEmpty {
            locked = locked.filter { $0.mount == asked }
            if locked.isEmpty { locked = [(asked, [])] }
        }
        let total = locked.reduce(0) { $0 + $1.aliases.count }
        let mounts = locked.map { mount, aliases -> JSON in
            [
                "mount_accessor": .string(mount), "counts": .integer(aliases.count),
                "alias_identifiers": aliases.isEmpty ? .null : .strings(aliases),
            ]
        }
        return .data([
            .init(
                "by_namespace",
                .array([
                    [
                        "namespace_id": "root", "namespace_path": "", "counts": .integer(total),
                        "mount_accessors": .array(mounts),
                    ]
                ])),
            .init("total", .integer(total)),
        ])
    }

    private static let unlock: Route.Handler = { call in
        call.services.failures.unlock(mount: call["accessor"], alias: call["alias"])
        return .noContent
    }
}

/// `user_lockout_config` of a way to log in.
enum LockoutFields {
    static func apply(_ fields: Fields, to mount: inout Mount) throws {
        guard let value = fields["user_lockout_config"], value.members?.isEmpty != true else { return }
        guard mount.engine == .userpass || mount.engine == .approle else {
            throw AirlockError.badRequest(
                "tuning of user lockout configuration for auth type \"\(mount.engine.rawValue)\" not allowed")
        }
        let config = Fields(.object(try Fields.validated { try fields.object("user_lockout_config") } ?? []))
        let known: Set = [
            "lockout_threshold", "lockout_duration", "lockout_counter_reset", "lockout_counter_reset_duration",
            "lockout_disable",
        ]
        if let unknown = config.names.first(where: { !known.contains($0) }) {
            let nearest = nearestName(to: unknown, among: known.sorted()).map { ": did you mean \($0)?" } ?? ""
            throw AirlockError.badRequest("user_lockout_config has an unknown field\(nearest)")
        }
        var lockout = mount.lockout ?? LockoutSettings()
        if let threshold = try config.integer("lockout_threshold") {
            guard threshold >= 0 else { throw AirlockError.badRequest("unable to parse user lockout threshold") }
            lockout.threshold = threshold
        }
        if let seconds = try config.seconds("lockout_duration") { lockout.duration = seconds }
        let reset = try config.seconds("lockout_counter_reset_duration") ?? config.seconds("lockout_counter_reset")
        if let reset { lockout.counterReset = reset }
        if let isDisabled = try config.flag("lockout_disable") { lockout.isDisabled = isDisabled }
        mount.lockout = lockout
    }

    static func members(_ lockout: LockoutSettings) -> [JSON.Member] {
        [
            .init("user_lockout_counter_reset_duration", .integer(lockout.counterReset)),
            .init("user_lockout_disable", .bool(lockout.isDisabled)),
            .init("user_lockout_duration", .integer(lockout.duration)),
            .init("user_lockout_threshold", .integer(lockout.threshold)),
        ]
    }
}
