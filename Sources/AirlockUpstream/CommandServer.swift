package import AirlockCore
package import Logging

/// The server that a command asks, and its login there, as options, kwargs and the environment name them.
package struct CommandServer: Sendable {
    package let address: ServerAddress
    package let namespace: String?
    package let client: VaultClient

    /// What the command line says, besides kwargs.
    package struct Options: Sendable {
        package var url: String?
        package var token: String?
        package var namespace: String?
        package var caCertificate: String?
        package var skipsVerification = false
        package var userAgent = "airlock"
        /// See `VaultClient.init`.
        package var upkeep: Logger?

        package init() {}
    }

    /// What is missing or wrong, for whoever typed the command.
    package struct Fault: Error, Sendable { package let message: String }

    /// - Parameter fallbackNamespace: where nothing else names one.
    /// - Throws: `Fault`, or `BackendKwargs.Fault`.
    package init(
        _ options: Options, _ kwargs: BackendKwargs, environment: [String: String], fallbackNamespace: String? = nil
    ) throws {
        let (address, place) = try CommandServer.address(options, kwargs, environment)
        let token = (environment["AIRLOCK_TOKEN"] ?? environment["VAULT_TOKEN"]).map { SecretText($0) }
        let login = try CommandServer.login(options, kwargs, token)
        var curl = CurlClient.Options()
        curl.userAgent = options.userAgent
        curl.unixSocket = address.unixSocket
        curl.clientCertificate = kwargs.clientCertificate
        if let timeout = kwargs.timeout { curl.timeout = timeout }
        if let proxies = kwargs.proxies { curl.proxies = .byScheme(proxies) }
        // Settings of the vault command belong to the vault that VAULT_ADDR names, to no other server.
        let vaults = place == "VAULT_ADDR" ? environment : [:]
        let authority = place == "AIRLOCK_ADDR" ? environment["AIRLOCK_CACERT"] : vaults["VAULT_CACERT"]
        if options.skipsVerification {
            curl.verification = .off
        } else if let path = options.caCertificate {
            curl.verification = .authority(path: path)
        } else if let verification = kwargs.verification {
            curl.verification = verification
        } else if let path = authority {
            curl.verification = .authority(path: path)
        }
        let namespace = options.namespace ?? kwargs.namespace ?? vaults["VAULT_NAMESPACE"] ?? fallbackNamespace
        self.address = address
        self.namespace = namespace
        client = VaultClient(
            address: address, namespace: namespace, login: login, transport: CurlClient(options: curl),
            upkeep: options.upkeep)
    }

    private static func address(
        _ options: Options, _ kwargs: BackendKwargs, _ environment: [String: String]
    ) throws -> (ServerAddress, place: String) {
        let places = [
            ("--url", options.url), ("AIRLOCK_ADDR", environment["AIRLOCK_ADDR"]),
            ("VAULT_ADDR", environment["VAULT_ADDR"]),
        ]
        if options.url == nil, let url = kwargs.url { return (url, "--backend-kwargs") }
        guard let (name, text) = places.first(where: { $0.1 != nil }), let text else {
            throw Fault(
                message: "no server: give --url, \"url\" in --backend-kwargs, or AIRLOCK_ADDR in the environment")
        }
        do throws(ServerAddress.Fault) {
            return (try ServerAddress(text), name)
        } catch {
            throw Fault(message: "\(name) is not the address of a server: \(error.reason)")
        }
    }

    private static func login(
        _ options: Options, _ kwargs: BackendKwargs, _ environmentToken: SecretText?
    ) throws -> VaultLogin {
        if let token = options.token, !token.isEmpty { return VaultLogin(.token(.given(SecretText(token)))) }
        if kwargs.authType == .token, kwargs.token == nil, kwargs.tokenPath == nil, environmentToken == nil {
            throw Fault(
                message: "no token: set AIRLOCK_TOKEN (or VAULT_TOKEN), or give a login in --backend-kwargs")
        }
        return try VaultLogin(kwargs, environmentToken: environmentToken)
    }
}
