/// Airflow's settings of its `VaultBackend`: `AIRFLOW__SECRETS__BACKEND_KWARGS`, Astronomer's way, or `[secrets]` of airflow.cfg.
/// https://airflow.apache.org/docs/apache-airflow-providers-hashicorp/stable/secrets-backends/hashicorp-vault.html
extension ConvertedSettings {
    /// `VAULT_`: what hvac reads.
    package static let airflowPrefixes = airflowOwnPrefixes + ["VAULT_"]
    private static let airflowOwnPrefixes = ["AIRFLOW__SECRETS__", "AIRFLOW__WORKERS__SECRETS_"]

    /// - Parameter environment: also the variables that hvac reads where the kwargs say nothing.
    package mutating func takeAirflow(environment: [String: String]) throws {
        var given = GivenSettings(
            environment: environment, prefixes: ConvertedSettings.airflowOwnPrefixes)
        let prefix = "AIRFLOW__SECRETS__"
        let single = prefix + "BACKEND_KWARG__"
        let singles = environment.keys.filter { $0.hasPrefix(single) && $0 != single }.sorted()
        let text = try given.text(prefix + "BACKEND_KWARGS")
        if text == nil, singles.isEmpty {
            let other = ["BACKEND_KWARGS_CMD", "BACKEND_KWARGS_SECRET"].map { prefix + $0 }.first { given.has($0) }
            throw AirlockError.badRequest(
                other.map { "\($0): Airflow gets the kwargs from elsewhere: give them as \(prefix)BACKEND_KWARGS" }
                    ?? "\(prefix)BACKEND_KWARGS is not there")
        }
        try checkBackend(try given.text(prefix + "BACKEND"), prefix + "BACKEND")
        var kwargs = try text.map { try ConvertedSettings.kwargs($0, prefix + "BACKEND_KWARGS") } ?? []
        // One variable a key goes before the same key of the object.
        for name in singles {
            let key = name.dropFirst(single.count).lowercased()
            kwargs.removeAll { $0.name == key }
            kwargs.append(.init(key, .string(try given.text(name) ?? "")))
        }
        try takeAirflow(kwargs, environment: environment)
        for name in ["USE_CACHE", "CACHE_TTL_SECONDS"] where given.has(prefix + name) {
            note(prefix + name, "stays in Airflow: it is about variables while DAGs are parsed")
        }
        let workers = "AIRFLOW__WORKERS__SECRETS_BACKEND"
        lose(given.rest(known: [workers: AirflowSettings.ofWorkers, workers + "_KWARGS": AirflowSettings.ofWorkers]))
    }

    package mutating func takeAirflow(_ file: AirflowConfigFile) throws {
        var given = GivenSettings(try file.section("secrets").mapValues { .string($0) }, place: "[secrets] ")
        guard let text = try given.text("backend_kwargs") else {
            throw given.fault("backend_kwargs", "is not there")
        }
        try checkBackend(try given.text("backend"), "[secrets] backend")
        try takeAirflow(try ConvertedSettings.kwargs(text, "[secrets] backend_kwargs"), environment: [:])
        for name in ["use_cache", "cache_ttl_seconds"] where given.has(name) {
            note("[secrets] \(name)", "stays in Airflow: it is about variables while DAGs are parsed")
        }
        lose(given.rest(known: [:]))
        if file.has("secrets_backend_kwargs", in: "workers") {
            lose("[workers] secrets_backend_kwargs", AirflowSettings.ofWorkers)
        }
    }

    private func checkBackend(_ backend: String?, _ setting: String) throws {
        guard backend.map({ $0.hasSuffix(".VaultBackend") }) ?? true else {
            throw AirlockError.badRequest("\(setting) is another backend than VaultBackend")
        }
    }

    private static func kwargs(_ text: String, _ setting: String) throws -> [JSON.Member] {
        do throws(JSON.SyntaxError) {
            if let members = try JSON(parsing: text.utf8, refusesRepeats: true).members { return members }
        } catch {
            throw AirlockError.badRequest("\(setting) is not valid JSON: \(error.reason) at byte \(error.offset)")
        }
        throw AirlockError.badRequest("\(setting) must be a JSON object")
    }

    // MARK: The kwargs

    package mutating func takeAirflow(_ kwargs: [JSON.Member], environment: [String: String] = [:]) throws {
        let given = try completed(kwargs, environment)
        let decoded = try checked(given)
        let mount = decoded.mountPoint ?? "any"
        let isLost = [.awsIAM, .azure, .gcp].contains(decoded.authType)
        if isLost {
            lose(
                "auth_type", "Airlock does not log in by \(decoded.authType.rawValue): write another login into kwargs")
        }
        func has(_ key: String) -> Bool {
            given.contains { $0.name == key && !$0.value.isNull && $0.value.text != "" }
        }
        let replacing = AirflowSettings.files.filter { has($0.key) }
        for (key, file) in replacing where has(file) { lose(file, "\(key) is given, and goes first") }
        var result: [JSON.Member] = []
        var login: DraftMount.Login = []
        for member in given {
            guard AirflowSettings.loginKeys.contains(member.name) else {
                if member.name != "cert" || authorization == .local { result.append(member) }
                continue
            }
            let isReplaced = replacing.values.contains(member.name)
            guard !isLost, authorization == .local, has(member.name), !isReplaced else { continue }
            if let key = replacing[member.name] {
                let name = member.name.replacing("_", with: "-")
                let secret = member.value.text.map { SecretText($0) }
                login.append((key, .file(.content(name: name, setting: member.name, secret))))
            } else {
                login.append((member.name, .plain(member.value)))
                if ["password", "radius_secret"].contains(member.name) { secretsInside.append(member.name) }
            }
        }
        if decoded.proxies?.values.contains(where: { $0.revealed.contains("@") }) == true {
            secretsInside.append("proxies")
        }
        for (key, value) in login { result.append(.init(key, resolved(value, mount: mount))) }
        backendKwargs = result
        note("url", "in Airflow, write Airlock's address instead")
        if authorization == .upstream, decoded.clientCertificate != nil {
            lose(
                "cert", "with authorize upstream Airlock shows the vault no certificate, and a client's ends at Airlock"
            )
        } else if !isLost {
            noteLogin(of: "Airflow", is: login, ["auth_type"])
            try noteWhatLoginLacks(result)
        }
    }

    private mutating func noteWhatLoginLacks(_ kwargs: [JSON.Member]) throws {
        guard authorization == .local else { return }
        do throws(BackendKwargs.Fault) {
            try BackendKwargs(.object(kwargs)).requireCompanions(hasEnvironmentToken: false)
        } catch {
            lose("auth_type", error.reason)
        }
    }

    /// Without what Airlock does not know, and with what hvac takes from its environment.
    private mutating func completed(_ kwargs: [JSON.Member], _ environment: [String: String]) throws -> [JSON.Member] {
        var given: [JSON.Member] = []
        for member in kwargs {
            guard BackendKwargs.knownKeys.contains(member.name) else {
                let near = nearestName(to: member.name, among: BackendKwargs.knownKeys)
                lose(GivenSettings.shown(member.name), "unknown\(near.map { "; did you mean \($0)?" } ?? "")")
                continue
            }
            given.append(member)
        }
        func has(_ key: String) -> Bool {
            given.contains { $0.name == key && !$0.value.isNull && $0.value.text != "" }
        }
        func variable(_ name: String) -> JSON? {
            environment[name].flatMap { $0.isEmpty ? nil : .string($0) }
        }
        if !has("url") {
            // Without one Airlock would serve its own store.
            given.removeAll { $0.name == "url" }
            given.append(.init("url", variable("VAULT_ADDR") ?? "http://localhost:8200"))
            note("url", "not in the kwargs: VAULT_ADDR, or http://localhost:8200 as for Airflow")
        }
        if !has("cert"), let certificate = variable("VAULT_CLIENT_CERT") {
            given.append(.init("cert", variable("VAULT_CLIENT_KEY").map { [certificate, $0] } ?? certificate))
        }
        if !has("verify"), let authority = variable("VAULT_CACERT") ?? variable("VAULT_CAPATH") {
            given.append(.init("verify", authority))
        }
        let isToken = !has("auth_type") || given.contains { $0.name == "auth_type" && $0.value.text == "token" }
        if isToken, !has("token"), !has("token_path"), let token = variable("VAULT_TOKEN") {
            given.append(.init("token", token))
        }
        return given
    }

    /// The decoder of `airlock serve`, before anything is taken apart: its messages name keys.
    private func checked(_ kwargs: [JSON.Member]) throws -> BackendKwargs {
        do throws(BackendKwargs.Fault) {
            return try BackendKwargs(.object(kwargs))
        } catch {
            throw AirlockError.badRequest("\(error)")
        }
    }
}

private enum AirflowSettings {
    static let ofWorkers = "another backend, of the workers: convert it by itself"

    /// Keys of secrets, and the key that names a file instead.
    static let files = ["token": "token_path", "secret_id": "secret_id_path", "jwt_token": "jwt_token_path"]

    /// What has no use where clients' own logins decide.
    static let loginKeys: Set<String> = [
        "auth_type", "auth_mount_point", "token", "token_path", "username", "password", "key_id", "secret_id",
        "secret_id_path", "secret_id_wrapped", "role_id", "region", "assume_role_kwargs", "kubernetes_role",
        "kubernetes_jwt_path", "gcp_key_path", "gcp_keyfile_dict", "gcp_scopes", "azure_tenant_id", "azure_resource",
        "radius_host", "radius_secret", "radius_port", "jwt_role", "jwt_token", "jwt_token_path", "cert_role",
    ]
}
