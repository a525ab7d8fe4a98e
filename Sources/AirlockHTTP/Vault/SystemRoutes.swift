import AirlockCore
import HTTPTypes

/// `sys/`: the state of the server, and the tables of mounts, logins, policies and capabilities.
enum SystemRoutes {
    static let table: [Route] =
        [
            Route("health", access: .state, [.read: health, .head: health]),
            Route("seal-status", access: .state, [.read: sealStatus]),
            Route("leader", access: .state, [.read: { _ in bare(["ha_enabled": false]) }]),
            Route("init", access: .state, [.read: { _ in bare(["initialized": true]) }, .write: initialize]),
            Route("key-status", [.read: keyStatus]),
            Route("host-info/", [.read: hostInfo]),
            Route("rotate", access: .sudo, [.write: rotate]),
        ] + MountRoutes.table + NamespaceRoutes.table + PolicyRoutes.table + CapabilityRoutes.table
        + MetricsRoutes.table + CacheRoutes.table + WrappingRoutes.table + LeaseRoutes.table + ToolRoutes.table
        + LockoutRoutes.table + AuditRoutes.table

    /// The protocol version whose behaviour this surface has; clients switch features on by it.
    static let protocolVersion = "2.7.2"

    // MARK: Namespaces

    /// What each namespace has of its own, by the first part of the path. All else is the whole server's, and refused in a
    /// namespace: one team's administrator is not every team's.
    private static let ofEachNamespace: Set<String> = [
        "auth", "capabilities", "capabilities-accessor", "capabilities-self", "internal", "mounts", "namespaces",
        "policies", "policy", "tools", "wrapping",
    ]

    /// Answered whatever namespace is named, even one that is not there (VAULT-PROTOCOL 11).
    static func isEverywhere(_ path: String) -> Bool { path == "sys/seal-status" || path == "sys/leader" }

    static func isOnlyWithoutNamespace(_ path: String) -> Bool { path == "sys/health" || path == "sys/init" }

    static let unavailable = AirlockError.badRequest("operation unavailable in namespaces")

    /// - Parameter path: below `sys/`.
    static func checkNamespace(_ call: Call, _ path: String) throws {
        guard !call.services.registry.namespace.isRoot, !isEverywhere("sys/" + path),
            !ofEachNamespace.contains(String(path.prefix { $0 != "/" }))
        else { return }
        if path == "key-status" || path == "rotate" { throw AirlockError.badRequest("namespace is not sealable") }
        guard call.request.namespace.isEmpty else { throw unavailable }
        throw AirlockError.badRequest("operation only available in root namespace")
    }

    private static func bare(_ json: JSON) -> VaultResponse { VaultResponse(status: .ok, body: .bare(json)) }

    private static let health: Route.Handler = { call in
        // The codes a client may choose for states that this server is never in are checked and then unused.
        for name in ["standbycode", "sealedcode", "uninitcode"]
        where call.request.query[name].map({ Int($0) == nil }) ?? false {
            throw AirlockError(.badRequest, nil)
        }
        _ = try VaultRequest.flag(call.request.query["standbyok"])
        var status = HTTPResponse.Status.ok
        if let text = call.request.query["activecode"] {
            guard let code = Int(text), (200..<600).contains(code) else { throw AirlockError(.badRequest, nil) }
            status = HTTPResponse.Status(code: code)
        }
        return VaultResponse(
            status: status,
            body: .bare([
                "initialized": true, "sealed": false, "standby": false, "replication_performance_mode": "disabled",
                "replication_dr_mode": "disabled", "server_time_utc": .integer(call.services.now().seconds),
                "version": .string(protocolVersion), "cluster_name": "airlock", "cluster_id": clusterID(call),
            ]))
    }

    /// Stable for one data directory.
    private static func clusterID(_ call: Call) -> JSON {
        .string(RandomText.uuid(fromDigest: call.services.storage.digest("cluster")))
    }

    private static let sealStatus: Route.Handler = { call in
        bare([
            "type": "shamir", "initialized": true, "sealed": false, "t": 1, "n": 1, "progress": 0, "nonce": "",
            "recovery_seal": false, "version": .string(protocolVersion), "migration": false, "cluster_name": "airlock",
            "cluster_id": clusterID(call), "storage_type": "sqlite",
        ])
    }

    private static let keyStatus: Route.Handler = { call in
        let status = try call.services.storage.keyStatus()
        return .data(
            [.init("install_time", .string(status.installed.rfc3339)), .init("term", .integer(status.term))],
            repeatsData: true)
    }

    private static let initialize: Route.Handler = { _ in
        throw AirlockError.badRequest("Vault is already initialized")
    }

    private static let hostInfo: Route.Handler = { call in
        let info = HostInfo.read()
        let now = call.services.now()
        let processors = info.processors.enumerated().map { index, processor -> JSON in
            [
                "cpu": .integer(index), "vendorId": .string(processor.vendor), "modelName": .string(processor.model),
                "mhz": Double(processor.megahertz) == nil ? 0 : .number(processor.megahertz),
            ]
        }
        func bytes(_ name: String) -> JSON { .integer(info.memory[name] ?? 0) }
        let memory: JSON = [
            "total": bytes("MemTotal"), "available": bytes("MemAvailable"), "free": bytes("MemFree"),
            "buffers": bytes("Buffers"), "cached": bytes("Cached"), "swaptotal": bytes("SwapTotal"),
            "swapfree": bytes("SwapFree"),
        ]
        let host: JSON = [
            "hostname": .string(info.hostname), "os": "linux", "kernelVersion": .string(info.kernelVersion),
            "kernelArch": .string(info.architecture), "uptime": .integer(info.uptimeSeconds),
            "bootTime": .integer(now.seconds - info.uptimeSeconds),
        ]
        return .data([
            .init("cpu", .array(processors)), .init("host", host), .init("memory", memory),
            .init("timestamp", .string(now.rfc3339)),
        ])
    }

    private static let rotate: Route.Handler = { call in
        try await call.services.storage.rotateKey()
        return .noContent
    }
}
