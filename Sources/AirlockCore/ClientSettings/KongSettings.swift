/// The `vaults` of a Kong declarative configuration, those of HashiCorp Vault (`hcv`) and of Conjur.
/// - https://developer.konghq.com/gateway/entities/vault/hashicorp/
/// - https://developer.konghq.com/gateway/entities/vault/cyberark/
extension ConvertedSettings {
    /// - Parameters:
    ///   - vaults: the list of that name.
    ///   - environment: what decK's `${{ env "NAME" }}` stands for.
    package mutating func takeKong(_ vaults: JSON, environment: [String: String]) throws {
        guard let entities = vaults.elements else { throw AirlockError.badRequest("vaults must be a list") }
        for (index, entity) in entities.enumerated() {
            let place = "vaults[\(index)]"
            guard let members = entity.members else { throw AirlockError.badRequest("\(place) must be an object") }
            var given = GivenSettings(try KongSettings.values(members, environment), place: "\(place).")
            let type = try given.text("name") ?? ""
            let prefix = try given.path("prefix")
            for name in ["id", "description", "tags", "created_at", "updated_at", "_comment"] { _ = given.json(name) }
            guard type == "hcv" || type == "conjur" else {
                lose("\(place).name", "a vault of another kind than hcv and conjur")
                continue
            }
            guard let config = given.json("config")?.members else {
                throw given.fault("config", "must be an object")
            }
            lose(given.rest(known: [:]))
            var settings = GivenSettings(try KongSettings.values(config, environment), place: "\(place).config.")
            if type == "hcv" {
                try takeHCV(&settings, prefix: prefix ?? "hcv")
            } else {
                try takeKongConjur(&settings, prefix: prefix ?? "conjur")
            }
        }
        guard !mounts.isEmpty else {
            throw AirlockError.badRequest("there is no vault of the kind hcv or conjur among vaults")
        }
    }

    // MARK: hcv

    private mutating func takeHCV(_ given: inout GivenSettings, prefix: String) throws {
        // Kong's own defaults.
        let scheme = try given.text("protocol") ?? "http"
        let host = try given.text("host") ?? "127.0.0.1"
        let port = try given.text("port") ?? "8200"
        let url = "\(scheme)://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host):\(port)"
        guard ["http", "https"].contains(scheme), (try? ServerAddress(url)) != nil else {
            throw given.fault("host", "is with protocol and port not the address of a server")
        }
        let mount = try given.path("mount") ?? "secret"
        let version = try given.text("kv") ?? "v1"
        guard version == "v1" || version == "v2" else { throw given.fault("kv", "must be v1 or v2") }
        var place: [JSON.Member] = [
            .init("url", .string(url)), .init("mount_point", .string(mount)),
            .init("kv_engine_version", version == "v1" ? 1 : 2),
        ]
        if let namespace = try given.path("namespace") { place.append(.init("namespace", .string(namespace))) }
        if try given.path("base_path") != nil {
            note("\(given.place)base_path", "stays in Kong, which puts it before each path")
        }
        let method = try given.text("auth_method") ?? "token"
        let login = try hcvLogin(&given, method)
        var draft = DraftMount(backend: .vault, name: mount, place: place, login: login)
        draft.cache = try kongCache(&given)
        lose(given.rest(known: KongSettings.unused(with: method)))
        addHCV(draft, given.place, prefix: prefix)
        note("\(given.place)host", "in Kong, write Airlock's address instead, with its protocol and port")
        noteLogin(of: "Kong", is: login, ["\(given.place)auth_method"])
    }

    /// Airlock has one mount for one place, and one place for one name.
    private mutating func addHCV(_ draft: DraftMount, _ place: String, prefix: String) {
        if let index = mounts.firstIndex(where: { JSON.object($0.place) == .object(draft.place) }) {
            note(place + "mount", "the same secrets as \(mounts[index].name): one mount with the login of the first")
            if mounts[index].cache.members.map(\.value) != draft.cache.members.map(\.value) {
                lose(place + "ttl", "the intervals of both differ, and the shorter ones count")
            }
            mounts[index].cache.tighten(by: draft.cache)
            return
        }
        var draft = draft
        if mounts.contains(where: { $0.name == draft.name }) {
            draft.name = "\(prefix)/\(draft.name)"
            note(place + "mount", "another vault's mount has this name on Airlock: in Kong, write \(draft.name)")
        }
        mounts.append(draft)
    }

    private mutating func hcvLogin(_ given: inout GivenSettings, _ method: String) throws -> DraftMount.Login {
        var login: DraftMount.Login = [("auth_type", .plain(.string(method)))]
        func add(_ key: String, _ text: String?) {
            if let text { login.append((key, .plain(.string(text)))) }
        }
        func need(_ name: String, isMissing: Bool) throws {
            if isMissing { throw given.fault(name, "is missing: auth_method \(method) needs it") }
        }
        switch method {
        case "token":
            let token = try given.secret("token", file: "token")
            try need("token", isMissing: token == nil)
            if let token { login.append(("token_path", .file(token))) }
        case "approle":
            let role = try given.text("approle_role_id")
            try need("approle_role_id", isMissing: role == nil)
            add("role_id", role)
            let file = try given.text("approle_secret_id_file").map(DraftMount.LoginFile.path)
            let secret = try given.secret("approle_secret_id", file: "secret-id")
            try need("approle_secret_id", isMissing: file == nil && secret == nil)
            if let secret = secret ?? file { login.append(("secret_id_path", .file(secret))) }
            if secret != nil, file != nil {
                lose("\(given.place)approle_secret_id_file", "approle_secret_id is given, and goes first")
            }
            add("auth_mount_point", try given.path("approle_auth_path"))
            if try given.flag("approle_response_wrapping") == true {
                login.append(("secret_id_wrapped", .plain(true)))
                note(
                    "\(given.place)approle_response_wrapping",
                    "a wrapping token can be unwrapped once: give Airlock one of its own")
            }
        case "kubernetes":
            let role = try given.text("kube_role")
            try need("kube_role", isMissing: role == nil)
            add("kubernetes_role", role)
            add(
                "kubernetes_jwt_path",
                try given.text("kube_api_token_file") ?? "/run/secrets/kubernetes.io/serviceaccount/token")
            add("auth_mount_point", try given.path("kube_auth_path"))
        case "cert":
            let certificate = try given.pem("cert_auth_cert", file: "cert.pem")
            let key = try given.pem("cert_auth_cert_key", file: "cert-key.pem")
            try need("cert_auth_cert", isMissing: certificate == nil)
            try need("cert_auth_cert_key", isMissing: key == nil)
            if let certificate, let key { login.append(("cert", .files(certificate, key))) }
            add("cert_role", try given.text("cert_auth_role_name"))
        case "jwt":
            // Kong fetches the token from an OAuth2 server; Airlock reads it from a file.
            var role = try given.text("jwt_role")
            if let other = try given.text("oauth2_role_name") { role = role ?? other }
            try need("jwt_role", isMissing: role == nil)
            add("jwt_role", role)
            let file = DraftMount.LoginFile.content(name: "jwt", setting: "\(given.place)oauth2_token_endpoint", nil)
            login.append(("jwt_token_path", .file(file)))
        default:
            lose(
                "\(given.place)auth_method",
                "Airlock does not log in by \(GivenSettings.shown(method)): write another login into kwargs")
            return []
        }
        return login
    }

    // MARK: conjur

    private mutating func takeKongConjur(_ given: inout GivenSettings, prefix: String) throws {
        guard let url = try given.address("endpoint_url") else { throw given.fault("endpoint_url", "is missing") }
        guard let account = try given.text("account") else { throw given.fault("account", "is missing") }
        guard let user = try given.text("login") else { throw given.fault("login", "is missing") }
        guard let key = try given.secret("api_key", file: "api-key") else { throw given.fault("api_key", "is missing") }
        let method = try given.text("auth_method") ?? "api_key"
        guard method == "api_key" else { throw given.fault("auth_method", "must be api_key") }
        var draft = DraftMount(
            backend: .conjur, name: prefix,
            place: [.init("appliance_url", .string(url)), .init("account", .string(account))],
            login: [("authn_login", .plain(.string(user))), ("authn_api_key_file", .file(key))])
        draft.cache = try kongCache(&given)
        lose(given.rest(known: KongSettings.unused(with: method)))
        if let other = mounts.first(where: { JSON.object($0.place) == .object(draft.place) }) {
            lose("\(given.place)endpoint_url", "the same secrets as \(other.name), whose login and intervals count")
            return
        }
        mounts.append(draft)
        if let conjurMount {
            lose(
                "\(given.place)endpoint_url",
                "clients of Conjur get one mount, \(conjurMount): \(prefix) is read as a KV mount")
        } else {
            conjurMount = prefix
        }
        note("\(given.place)endpoint_url", "in Kong, write Airlock's address instead")
        noteConjurClient([given.place + "login"])
    }

    // MARK: Intervals

    /// Kong: after `ttl` a secret is fetched anew, 0 is never; for `resurrect_ttl` more it serves while that fails.
    private mutating func kongCache(_ given: inout GivenSettings) throws -> DraftCache {
        if try given.flag("base64_decode") == true {
            note("\(given.place)base64_decode", "stays in Kong, which decodes what it has read")
        }
        let ttl = try given.seconds("ttl") ?? 0
        let resurrect = try given.seconds("resurrect_ttl") ?? 100_000_000
        if ttl == 0 {
            note(
                "\(given.place)ttl",
                "0, never rotate: kept for a hundred years, or until `airlock cache refresh` or `purge`")
        } else {
            note("\(given.place)ttl", "Kong keeps what it has read for as long again: an answer can be twice as old")
        }
        var cache = DraftCache()
        cache.ttl = ttl == 0 ? DraftCache.forever : ttl
        cache.maxStale = min((cache.ttl ?? 0) + resurrect, DraftCache.forever)
        cache.negativeTTL = try given.seconds("neg_ttl") ?? 0
        return cache
    }
}

private enum KongSettings {
    /// decK's `${{ env "NAME" }}` in a text (https://developer.konghq.com/deck/gateway/sensitive-data/).
    static func values(_ members: [JSON.Member], _ environment: [String: String]) throws -> [String: JSON] {
        var values: [String: JSON] = [:]
        for member in members {
            var value = member.value
            if let text = value.text { value = .string(try substituted(text, member.name, environment)) }
            values[member.name] = value
        }
        return values
    }

    private static func substituted(_ text: String, _ name: String, _ environment: [String: String]) throws -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            let words = rest[start.upperBound..<end.lowerBound].split { $0 == " " || $0 == "\"" || $0 == "'" }
            guard words.count == 2, words[0] == "env", let value = environment[String(words[1])] else {
                throw AirlockError.badRequest(
                    "\(GivenSettings.shown(name)) takes a variable that is not in the environment: set it, as for decK")
            }
            result += rest[..<start.lowerBound] + value
            rest = rest[end.upperBound...]
        }
        return result + rest
    }

    /// Settings that Kong knows, and has no use for with another way to log in.
    static func unused(with method: String) -> [String: String] {
        var known = [
            "oauth2_token_endpoint":
                "Airlock asks no OAuth2 server: let something keep a JWT in a file (jwt_token_path)"
        ]
        for name in ["oauth2_client_id", "oauth2_client_secret", "oauth2_audiences"] {
            known[name] = "Airlock asks no OAuth2 server"
        }
        let logins = [
            "token", "kube_role", "kube_auth_path", "kube_api_token_file", "approle_auth_path", "approle_role_id",
            "approle_secret_id", "approle_secret_id_file", "approle_response_wrapping", "cert_auth_role_name",
            "cert_auth_cert", "cert_auth_cert_key", "jwt_role", "oauth2_role_name", "gcp_auth_role", "gcp_login_path",
            "gcp_service_account", "gcp_jwt_exp", "azure_auth_role", "azure_login_path", "aws_auth_role",
            "aws_login_path", "aws_auth_region", "aws_auth_nonce",
        ]
        for name in logins { known[name] = "not used with auth_method \(GivenSettings.shown(method))" }
        return known
    }
}
