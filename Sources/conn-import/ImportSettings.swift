import AirlockCore
import AirlockUpstream

/// What the options, the kwargs and the environment come to.
struct ImportSettings {
    let layout: ImportLayout
    let mountPath: String
    let givenKVVersion: Int?
    /// What is missing for a connection to a server; `--dry-run` can do without.
    let server: Result<CommandServer, ConnImport.UsageError>

    /// - Parameter planned: the plan that is to be carried out; what is given beside it must agree with it.
    init(
        _ options: TargetOptions, environment: [String: String], planned: PlanDocument.Header? = nil
    ) throws {
        let environment = environment.filter { !$0.value.isEmpty }
        var kwargs = try options.backendKwargs.map { try BackendKwargs(parsing: $0) } ?? BackendKwargs()
        if let mount = options.mountPoint {
            kwargs.mountPoint = try BackendKwargs(["mount_point": .string(mount)]).mountPoint
        }
        if let planned {
            let isGiven = options.mountPoint != nil || options.backendKwargs != nil
            guard !isGiven || kwargs.mountPoint == planned.mount else {
                throw ConnImport.UsageError(
                    message: "the plan is for the mount \(planned.mount)/; give it by --mount-point, or make a new plan"
                )
            }
            kwargs.mountPoint = planned.mount
        }
        guard let mount = kwargs.mountPoint else {
            throw ConnImport.UsageError(
                message: "mount_point is null, so each id would name its own mount; choose one by --mount-point")
        }
        layout = ImportLayout(kwargs)
        mountPath = mount
        givenKVVersion = kwargs.givenKVVersion
        do {
            let found = try ImportSettings.server(options, kwargs, environment, planned)
            if let planned { try ImportSettings.check(found, planned) }
            server = .success(found)
        } catch let error as ConnImport.UsageError {
            server = .failure(error)
        }
    }

    /// The mount as the server has it: the wrong KV version would read and write where Airflow does not look.
    func mount(on server: CommandServer) async throws -> VaultMount {
        let found = try await server.client.kvVersion(ofMount: mountPath)
        if let found, let given = givenKVVersion, found != given {
            throw UpstreamError(
                .noSuchMount, "the mount \(mountPath)/ is KV version \(found), but kv_engine_version says \(given)")
        }
        return VaultMount(path: mountPath, kvVersion: found ?? givenKVVersion ?? 2)
    }

    /// A plan says what is written, but not where a token is sent.
    private static func check(_ server: CommandServer, _ planned: PlanDocument.Header) throws {
        guard server.address.named == planned.address else {
            throw ConnImport.UsageError(message: "the plan is for \(planned.address), not for \(server.address.named)")
        }
        guard server.namespace == planned.namespace else {
            throw ConnImport.UsageError(
                message: "the plan is for the namespace \(planned.namespace ?? "root"); name it by --namespace")
        }
    }

    private static func server(
        _ options: TargetOptions, _ kwargs: BackendKwargs, _ environment: [String: String],
        _ planned: PlanDocument.Header?
    ) throws -> CommandServer {
        var given = CommandServer.Options()
        given.url = options.url
        given.token = options.token
        given.namespace = options.namespace
        given.caCertificate = options.caCertificate
        given.skipsVerification = options.tlsSkipVerify
        given.userAgent = "conn-import"
        do {
            return try CommandServer(
                given, kwargs, environment: environment, fallbackNamespace: planned?.namespace)
        } catch let fault as CommandServer.Fault {
            throw ConnImport.UsageError(message: fault.message)
        }
    }
}

extension ServerAddress {
    /// As a person would write it.
    fileprivate var named: String { unixSocket.map { "unix://" + $0 } ?? base }
}

// MARK: The mount

extension ImportSettings {
    func planning(_ plan: ImportPlan, on server: CommandServer, _ choices: PlanChoices) async throws -> Planning {
        let probe = try plan.items.first.map { try layout.path(of: $0.target) }
        let mount = try await ImportMount(server.client, try await mount(on: server), probing: probe)
        return try await Planning(plan, layout, mount, rule: choices.onConflict, key: PlanKey())
    }

    func mount(of document: PlanDocument, on server: CommandServer) async throws -> ImportMount {
        let mount = try await ImportMount(
            server.client, try await mount(on: server), probing: document.items.first?.path)
        guard mount.mount.kvVersion == document.header.kvVersion else {
            throw UpstreamError(
                .noSuchMount,
                "the mount \(mountPath)/ was KV version \(document.header.kvVersion) when the plan was made, "
                    + "and is \(mount.mount.kvVersion) now; make a new plan")
        }
        return mount
    }

    func address(of server: CommandServer) -> String { server.address.named }

    /// The target as a report names it.
    func json(of mount: ImportMount, on server: CommandServer) -> JSON {
        [
            "address": .string(server.address.named), "namespace": .orNull(server.namespace),
            "mount": .string(mount.mount.path), "kv_version": .integer(mount.mount.kvVersion),
        ]
    }
}
