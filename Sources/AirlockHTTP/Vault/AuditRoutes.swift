import AirlockCore

/// `sys/audit` and `sys/audit-hash`: what the audit log is, and how to find a value in it. As in OpenBao, it is switched on and
/// off in the configuration alone.
enum AuditRoutes {
    static let table: [Route] = [
        Route("audit", access: .sudo, [.read: list]),
        Route("audit/{path+}", access: .sudo, [.write: enable, .delete: disable]),
        Route("audit-hash/{path*}", [.write: hash]),
    ]

    /// There is at most one, of this type and name.
    private static let device = "file"

    private static func isDevice(_ call: Call) -> Bool {
        call.services.audit != nil && call["path"].split(separator: "/").joined(separator: "/") == device
    }

    private static let list: Route.Handler = { call in
        guard let audit = call.services.audit else { return .data([], repeatsData: true) }
        return .data(
            [
                .init(
                    "\(device)/",
                    [
                        "description": "", "local": false, "options": ["file_path": .string(audit.path)],
                        "path": .string("\(device)/"), "type": .string(device),
                    ])
            ], repeatsData: true)
    }

    private static let enable: Route.Handler = { _ in
        throw AirlockError.badRequest(
            "cannot enable audit device via API; use the setting audit in Airlock's configuration instead")
    }

    private static let disable: Route.Handler = { call in
        guard isDevice(call) else { return .noContent }
        throw AirlockError.badRequest("cannot disable configuration-managed audit device")
    }

    private static let hash: Route.Handler = { call in
        guard let input = try call.fields.string("input"), !input.isEmpty else {
            throw AirlockError.badRequest("the \"input\" parameter is empty")
        }
        guard let audit = call.services.audit, isDevice(call) else {
            throw AirlockError.badRequest("unknown audit backend \"\(call["path"])/\"")
        }
        return .data([.init("hash", .string(audit.hash.text(input)))], repeatsData: true)
    }
}
