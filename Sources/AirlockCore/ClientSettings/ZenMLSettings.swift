/// ZenML's settings of its HashiCorp secrets store (0.44 and newer) or of its Vault secrets manager (older): the object that the
/// classes `HashiCorpVaultSecretsStoreConfiguration` and `VaultSecretsManagerConfig` are made of.
extension ConvertedSettings {
    package static let zenMLPrefixes = ["ZENML_SECRETS_STORE_"]

    /// - Parameter json: the object, or one that has it as `secrets_store`, `store.secrets_store`, `configuration` or `config`.
    package mutating func takeZenML(_ json: JSON) throws {
        var json = json
        let folders = ["store", "secrets_store", "configuration", "config"]
        while let inner = folders.compactMap({ json[$0] }).first(where: { $0.members != nil }) { json = inner }
        guard let members = json.members else { throw AirlockError.badRequest("ZenML's settings must be an object") }
        try takeZenML(members.map { ($0.name, $0.value) })
    }

    package mutating func takeZenML(environment: [String: String]) throws {
        let given = GivenSettings(environment: environment, prefixes: ConvertedSettings.zenMLPrefixes)
        guard !given.isEmpty else {
            throw AirlockError.badRequest(
                "there is no setting of ZenML's here: give a file, or set ZENML_SECRETS_STORE_*")
        }
        let prefix = ConvertedSettings.zenMLPrefixes[0]
        try takeZenML(
            environment.filter { $0.key.hasPrefix(prefix) && !$0.value.isEmpty }.map {
                ($0.key.dropFirst(prefix.count).lowercased(), .string($0.value))
            })
    }

    private mutating func takeZenML(_ values: [(String, JSON)]) throws {
        var given = GivenSettings(Dictionary(values) { $1 })
        if given.has("vault_addr") {
            try takeSecretsStore(&given)
        } else if given.has("url") {
            try takeSecretsManager(&given)
        } else {
            throw AirlockError.badRequest("neither vault_addr (a secrets store) nor url (a secrets manager) is there")
        }
    }

    private mutating func takeSecretsStore(_ given: inout GivenSettings) throws {
        if let type = try given.text("type"), type != "hashicorp" {
            throw given.fault("type", "must be hashicorp: other secrets stores of ZenML's have no vault behind them")
        }
        let url = try given.address("vault_addr") ?? ""
        let namespace = try given.path("vault_namespace")
        let mount = try given.path("mount_point") ?? "secret"
        let path = try given.path("auth_mount_point")
        let token = try given.secret("vault_token", file: "token")
        let role = try given.text("app_role_id")
        let secret = try given.secret("app_secret_id", file: "secret-id")
        let method = try given.text("auth_method") ?? "token"
        var login: DraftMount.Login = []
        switch method {
        case "token":
            guard let token else { throw given.fault("vault_token", "is missing: auth_method token needs it") }
            login = [("auth_type", .plain("token")), ("token_path", .file(token))]
            for (name, isGiven) in [("app_role_id", role != nil), ("app_secret_id", secret != nil)] where isGiven {
                lose(name, "not used with auth_method token")
            }
        case "app_role":
            guard let role, let secret else {
                throw given.fault("app_role_id", "and app_secret_id go together: auth_method app_role needs both")
            }
            login = [("auth_type", .plain("approle")), ("role_id", .plain(.string(role)))]
            if let path { login.append(("auth_mount_point", .plain(.string(path)))) }
            login.append(("secret_id_path", .file(secret)))
            if token != nil { lose("vault_token", "not used with auth_method app_role") }
        case "aws":
            lose("auth_method", "Airlock does not log in by aws: write another login into kwargs")
        default: throw given.fault("auth_method", "must be token, app_role or aws")
        }
        var place: [JSON.Member] = [.init("url", .string(url)), .init("mount_point", .string(mount))]
        if let namespace { place.append(.init("namespace", .string(namespace))) }
        mounts.append(DraftMount(backend: .vault, name: mount, place: place, login: login))
        if given.has("max_versions") {
            note("max_versions", "stays in ZenML, which sets it on the mount at its start, through Airlock")
        }
        note("vault_addr", "in ZenML, write Airlock's address instead")
        noteLogin(of: "ZenML", is: login, ["auth_method"])
        let aws = "for auth_method aws, which Airlock does not log in by"
        lose(
            given.rest(known: [
                "aws_role": aws, "aws_header_value": aws, "class_path": "for secrets stores of one's own",
            ]))
    }

    private mutating func takeSecretsManager(_ given: inout GivenSettings) throws {
        let url = try given.address("url") ?? ""
        guard let mount = try given.path("mount_point") else { throw given.fault("mount_point", "is missing") }
        guard let token = try given.secret("token", file: "token") else { throw given.fault("token", "is missing") }
        let login: DraftMount.Login = [("auth_type", .plain("token")), ("token_path", .file(token))]
        let place: [JSON.Member] = [.init("url", .string(url)), .init("mount_point", .string(mount))]
        mounts.append(DraftMount(backend: .vault, name: mount, place: place, login: login))
        for name in ["scope", "namespace"] where given.has(name) {
            note(name, "stays in ZenML, which puts it into its paths")
        }
        for name in ["name", "flavor", "type"] { _ = given.json(name) }
        note("url", "in ZenML, write Airlock's address instead")
        noteLogin(of: "ZenML", is: login, ["token"])
        let unused = "ZenML does not use it either: write it into kwargs if the vault needs it"
        lose(given.rest(known: ["cert": unused, "verify": unused]))
    }
}
