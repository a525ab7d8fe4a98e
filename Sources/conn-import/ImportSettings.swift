import AirlockCore
import AirlockUpstream

/// What the options, the kwargs and the environment come to.
struct ImportSettings {
    let layout: ImportLayout
    let mountPath: String
    let givenKVVersion: Int?
    /// What is missing for a connection to a server; `--dry-run` can do without.
    let server: Result<Server, ConnImport.UsageError>

    struct Server {
        let address: ServerAddress
        let client: VaultClient
    }

    init(_ options: TargetOptions, environment: [String: String]) throws {
        let environment = environment.filter { !$0.value.isEmpty }
        var kwargs = try options.backendKwargs.map { try BackendKwargs(parsing: $0) } ?? BackendKwargs()
        if let mount = options.mountPoint {
            kwargs.mountPoint = try BackendKwargs(["mount_point": .string(mount)]).mountPoint
        }
        guard let mount = kwargs.mountPoint else {
            throw ConnImport.UsageError(
                message: "mount_point is null, so each id would name its own mount; choose one by --mount-point")
        }
        layout = ImportLayout(kwargs)
        mountPath = mount
        givenKVVersion = kwargs.givenKVVersion
        do {
            server = .success(try ImportSettings.server(options, kwargs, environment))
        } catch let error as ConnImport.UsageError {
            server = .failure(error)
        }
    }

    /// The mount as the server has it: the wrong KV version would read and write where Airflow does not look.
    func mount(on server: Server) async throws -> VaultMount {
        let found = try await server.client.kvVersion(ofMount: mountPath)
        if let found, let given = givenKVVersion, found != given {
            throw UpstreamError(
                .noSuchMount, "the mount \(mountPath)/ is KV version \(found), but kv_engine_version says \(given)")
        }
        return VaultMount(path: mountPath, kvVersion: found ?? givenKVVersion ?? 2)
    }

    private static func server(
        _ options: TargetOptions, _ kwargs: BackendKwargs, _ environment: [String: String]
    ) throws -> Server {
        let (address, place) = try address(options, kwargs, environment)
        let token = (environment["AIRLOCK_TOKEN"] ?? environment["VAULT_TOKEN"]).map { SecretText($0) }
        let login = try login(options, kwargs, token)
        var curl = CurlClient.Options()
        curl.userAgent = "conn-import"
        curl.unixSocket = address.unixSocket
        curl.clientCertificate = kwargs.clientCertificate
        if let timeout = kwargs.timeout { curl.timeout = timeout }
        if let proxies = kwargs.proxies { curl.proxies = .byScheme(proxies) }
        // Settings of the vault command belong to the vault that VAULT_ADDR names, to no other server.
        let vaults = place == "VAULT_ADDR" ? environment : [:]
        let authority = place == "AIRLOCK_ADDR" ? environment["AIRLOCK_CACERT"] : vaults["VAULT_CACERT"]
        if options.tlsSkipVerify {
            curl.verification = .off
        } else if let path = options.caCertificate {
            curl.verification = .authority(path: path)
        } else if let verification = kwargs.verification {
            curl.verification = verification
        } else if let path = authority {
            curl.verification = .authority(path: path)
        }
        return Server(
            address: address,
            client: VaultClient(
                address: address, namespace: options.namespace ?? kwargs.namespace ?? vaults["VAULT_NAMESPACE"],
                login: login, transport: CurlClient(options: curl)))
    }

    private static func address(
        _ options: TargetOptions, _ kwargs: BackendKwargs, _ environment: [String: String]
    ) throws -> (ServerAddress, place: String) {
        let places = [
            ("--url", options.url), ("AIRLOCK_ADDR", environment["AIRLOCK_ADDR"]),
            ("VAULT_ADDR", environment["VAULT_ADDR"]),
        ]
        if options.url == nil, let url = kwargs.url { return (url, "--backend-kwargs") }
        guard let (name, text) = places.first(where: { $0.1 != nil }), let text else {
            throw ConnImport.UsageError(
                message: "no server: give --url, \"url\" in --backend-kwargs, or AIRLOCK_ADDR in the environment")
        }
        do throws(ServerAddress.Fault) {
            return (try ServerAddress(text), name)
        } catch {
            throw ConnImport.UsageError(message: "\(name) is not the address of a server: \(error.reason)")
        }
    }

    private static func login(
        _ options: TargetOptions, _ kwargs: BackendKwargs, _ environmentToken: SecretText?
    ) throws -> VaultLogin {
        if let token = options.token, !token.isEmpty { return VaultLogin(.token(.given(SecretText(token)))) }
        if kwargs.authType == .token, kwargs.token == nil, kwargs.tokenPath == nil, environmentToken == nil {
            throw ConnImport.UsageError(
                message: "no token: set AIRLOCK_TOKEN (or VAULT_TOKEN), give --token, or a login in --backend-kwargs")
        }
        return try VaultLogin(kwargs, environmentToken: environmentToken)
    }
}
