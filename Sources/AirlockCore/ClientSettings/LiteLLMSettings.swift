/// LiteLLM's settings of its two secret managers, in the environment of its process.
/// - https://docs.litellm.ai/docs/secret_managers/hashicorp_vault
/// - https://docs.litellm.ai/docs/secret_managers/cyberark
extension ConvertedSettings {
    package static let liteLLMPrefixes = ["HCP_VAULT_", "CYBERARK_"]

    package mutating func takeLiteLLM(_ environment: [String: String]) throws {
        var vault = GivenSettings(environment: environment, prefixes: ["HCP_VAULT_"])
        var conjur = GivenSettings(environment: environment, prefixes: ["CYBERARK_"])
        guard !vault.isEmpty || !conjur.isEmpty else {
            throw AirlockError.badRequest("there is no setting of LiteLLM's here, HCP_VAULT_* or CYBERARK_*")
        }
        if !vault.isEmpty {
            try takeHashiCorpVault(&vault)
            lose(vault.rest(known: [:]))
        }
        if !conjur.isEmpty {
            try takeCyberArk(&conjur)
            lose(conjur.rest(known: [:]))
        }
        for name in ["SSL_VERIFY", "SSL_CERT_FILE", "SSL_CERTIFICATE"] where environment[name]?.isEmpty == false {
            lose(
                name,
                "write what Airlock is to trust into kwargs: verify for a vault, cert_file or ssl_verify for Conjur")
        }
    }

    // MARK: hashicorp_vault

    private mutating func takeHashiCorpVault(_ given: inout GivenSettings) throws {
        let url = try given.address("HCP_VAULT_ADDR") ?? "http://127.0.0.1:8200"
        let mount = try given.path("HCP_VAULT_MOUNT_NAME") ?? "secret"
        let common = try given.path("HCP_VAULT_NAMESPACE") ?? ""
        let secrets = try given.path("HCP_VAULT_SECRET_NAMESPACE") ?? common
        var logins = try given.path("HCP_VAULT_LOGIN_NAMESPACE") ?? common
        // In the header, by which LiteLLM logs in, it is the name of the root namespace.
        if logins == "root" { logins = "" }
        var login = try vaultLogin(&given)
        // A token is used where the secrets are; a login may happen above.
        var namespace = secrets
        var vaultMount = mount
        let logsIn = login.contains { $0.key == "role_id" || $0.key == "cert" }
        if logsIn, logins != secrets {
            if logins.isEmpty || secrets.hasPrefix(logins + "/") {
                namespace = logins
                vaultMount = String(secrets.dropFirst(logins.isEmpty ? 0 : logins.count + 1)) + "/" + mount
            } else {
                lose(
                    "HCP_VAULT_LOGIN_NAMESPACE",
                    "Airlock logs in where the secrets are, or above: the login is left out; make one there")
                login = []
            }
        }
        var place: [JSON.Member] = [.init("url", .string(url)), .init("mount_point", .string(vaultMount))]
        if !namespace.isEmpty { place.append(.init("namespace", .string(namespace))) }
        // LiteLLM puts the namespace into the path of a secret, and with it the path of Airlock's mount.
        let name = [secrets, mount].filter { !$0.isEmpty }.joined(separator: "/")
        var cache = DraftCache()
        cache.ttl = try given.seconds("HCP_VAULT_REFRESH_INTERVAL") ?? 86_400
        mounts.append(DraftMount(backend: .vault, name: name, place: place, login: login, cache: cache))
        if !secrets.isEmpty {
            note("HCP_VAULT_NAMESPACE", "LiteLLM asks for \(secrets)/\(mount): the mount has that name on Airlock")
        }
        if try given.path("HCP_VAULT_PATH_PREFIX") != nil {
            note("HCP_VAULT_PATH_PREFIX", "stays in LiteLLM, which puts it before each secret's name")
        }
        note(
            "HCP_VAULT_REFRESH_INTERVAL",
            "LiteLLM keeps what it has read for as long again: an answer can be twice as old")
        note("HCP_VAULT_ADDR", "in LiteLLM, write Airlock's address instead")
        noteLogin(of: "LiteLLM", is: login, ["HCP_VAULT_APPROLE_*", "HCP_VAULT_TOKEN"])
    }

    /// AppRole before certificate before token, as in LiteLLM; half of one is none.
    private mutating func vaultLogin(_ given: inout GivenSettings) throws -> DraftMount.Login {
        var found: [(names: [String], login: DraftMount.Login)] = []
        let role = try given.text("HCP_VAULT_APPROLE_ROLE_ID")
        let secret = try given.secret("HCP_VAULT_APPROLE_SECRET_ID", file: "secret-id")
        let path = try given.path("HCP_VAULT_APPROLE_MOUNT_PATH")
        if let role, let secret {
            var login: DraftMount.Login = [("auth_type", .plain("approle")), ("role_id", .plain(.string(role)))]
            if let path { login.append(("auth_mount_point", .plain(.string(path)))) }
            found.append((["HCP_VAULT_APPROLE_ROLE_ID"], login + [("secret_id_path", .file(secret))]))
        } else if role != nil || secret != nil {
            lose("HCP_VAULT_APPROLE_*", "role id and secret id go together; LiteLLM does not use one alone either")
        }
        let certificate = try given.text("HCP_VAULT_CLIENT_CERT")
        let key = try given.text("HCP_VAULT_CLIENT_KEY")
        let certRole = try given.text("HCP_VAULT_CERT_ROLE")
        if let certificate, let key {
            var login: DraftMount.Login = [
                ("auth_type", .plain("cert")), ("cert", .plain([.string(certificate), .string(key)])),
            ]
            if let certRole { login.append(("cert_role", .plain(.string(certRole)))) }
            found.append((["HCP_VAULT_CLIENT_CERT", "HCP_VAULT_CLIENT_KEY"], login))
        } else if certificate != nil || key != nil {
            lose("HCP_VAULT_CLIENT_*", "certificate and key go together; LiteLLM does not use one alone either")
        }
        if let token = try given.secret("HCP_VAULT_TOKEN", file: "token") {
            found.append((["HCP_VAULT_TOKEN"], [("auth_type", .plain("token")), ("token_path", .file(token))]))
        }
        guard let first = found.first else {
            lose("HCP_VAULT_*", "no whole login is among them: write one into kwargs")
            return []
        }
        for other in found.dropFirst() {
            for name in other.names {
                lose(name, "LiteLLM logs in with \(first.names[0]) before it, and so does Airlock")
            }
        }
        return first.login
    }

    // MARK: cyberark

    private mutating func takeCyberArk(_ given: inout GivenSettings) throws {
        let url = try given.address("CYBERARK_API_BASE") ?? "http://127.0.0.1:8080"
        let account = try given.text("CYBERARK_ACCOUNT") ?? "default"
        let user = try given.text("CYBERARK_USERNAME") ?? "admin"
        var place: [JSON.Member] = [.init("appliance_url", .string(url)), .init("account", .string(account))]
        if let verify = try given.text("CYBERARK_SSL_VERIFY")?.lowercased() {
            if verify == "false" {
                place.append(.init("ssl_verify", false))
            } else if verify != "true" {
                lose("CYBERARK_SSL_VERIFY", "neither true nor false, which LiteLLM takes for true")
            }
        }
        var login: DraftMount.Login = [("authn_login", .plain(.string(user)))]
        let key = try given.secret("CYBERARK_API_KEY", file: "api-key")
        if let key { login.append(("authn_api_key_file", .file(key))) }
        let certificate = try given.text("CYBERARK_CLIENT_CERT")
        let certificateKey = try given.text("CYBERARK_CLIENT_KEY")
        if let certificate, let certificateKey {
            if key == nil { login.insert(("authn_type", .plain("cert")), at: 0) }
            login.append(("authn_cert_file", .plain(.string(certificate))))
            login.append(("authn_cert_key_file", .plain(.string(certificateKey))))
        } else if certificate != nil || certificateKey != nil {
            lose("CYBERARK_CLIENT_*", "certificate and key go together; LiteLLM does not use one alone either")
        }
        if key == nil, certificate == nil || certificateKey == nil {
            // An API key that is still to be written is a login; none at all is no configuration.
            lose("CYBERARK_API_KEY", "is missing")
            let missing = DraftMount.LoginFile.content(name: "api-key", setting: "CYBERARK_API_KEY", nil)
            login.append(("authn_api_key_file", .file(missing)))
        }
        var cache = DraftCache()
        cache.ttl = try given.seconds("CYBERARK_REFRESH_INTERVAL") ?? 300
        mounts.append(DraftMount(backend: .conjur, name: "conjur", place: place, login: login, cache: cache))
        conjurMount = "conjur"
        note("CYBERARK_API_BASE", "in LiteLLM, write Airlock's address instead")
        noteConjurClient(["CYBERARK_ACCOUNT", "CYBERARK_USERNAME", "CYBERARK_API_KEY"])
    }
}

extension ConvertedSettings {
    /// How the client is to log in from now on.
    mutating func noteLogin(of client: String, is login: DraftMount.Login, _ settings: [String]) {
        let names = settings.joined(separator: ", ")
        guard authorization == .upstream else {
            note(names, "Airlock logs in with it; make \(client) a login of Airlock's (docs/config-from.md)")
            return
        }
        if login.contains(where: { $0.key == "cert" }) {
            lose(
                names,
                "a client's certificate ends at Airlock, so with authorize upstream \(client) needs another login")
        } else {
            note(names, "stays in \(client), which logs in with it through Airlock")
        }
    }

    mutating func noteConjurClient(_ settings: [String]) {
        note(
            settings.joined(separator: ", "),
            "Airlock logs in with it; clients of its Conjur surface have the account default, and admin or a host with an API key of Airlock's (docs/conjur.md)"
        )
        if authorization == .upstream {
            lose("--authorize upstream", "not for Conjur, whose mount has authorize local")
        }
    }
}
