import Testing

@testable import AirlockCore

/// What `airlock config from` makes, decoded as `airlock serve` decodes it.
struct ConvertedSettingsTests {
    private static let canary = "canary-7f3a"

    private struct Result {
        let configuration: JSON
        let converted: ConvertedSettings

        var mounts: [String] { configuration["mounts"]?.members?.map(\.name) ?? [] }

        func mount(_ name: String) throws -> JSON { try #require(configuration["mounts"]?[name]) }

        func vault(_ name: String) throws -> BackendKwargs {
            let kwargs = try BackendKwargs(try #require(try mount(name)["kwargs"]))
            try kwargs.requireCompanions(hasEnvironmentToken: false)
            return kwargs
        }

        func conjur(_ name: String) throws -> ConjurKwargs {
            try ConjurKwargs(try #require(try mount(name)["kwargs"]), environment: [:])
        }

        func content(of path: String?) -> String? { converted.files.first { $0.path == path }?.content?.revealed }

        var lost: [String] { converted.remarks.filter { $0.kind == .notCarriedOver }.map(\.setting) }
        var notes: [String] { converted.remarks.filter { $0.kind == .note }.map(\.setting) }
        func text(of setting: String) -> String? { converted.remarks.first { $0.setting == setting }?.text }
    }

    private func convert(
        _ authorization: Authorization = .local, _ take: (inout ConvertedSettings) throws -> Void
    ) throws -> Result {
        var converted = ConvertedSettings(filesFolder: "/s", authorization: authorization)
        try take(&converted)
        let configuration = converted.configuration()
        // Whatever it is made from, the configuration can be shown to anybody, and so can the report.
        let shown = configuration.indented + converted.remarks.map { $0.setting + $0.text }.joined()
        #expect(converted.secretsInside.isEmpty == !shown.contains(ConvertedSettingsTests.canary))
        #expect(try JSON(parsing: configuration.indented) == configuration)
        return Result(configuration: configuration, converted: converted)
    }

    private func liteLLM(_ environment: [String: String], _ authorization: Authorization = .local) throws -> Result {
        try convert(authorization) { try $0.takeLiteLLM(environment) }
    }

    private func kong(_ vaults: JSON, environment: [String: String] = [:]) throws -> Result {
        try convert { try $0.takeKong(vaults, environment: environment) }
    }

    private func airflow(_ kwargs: String, _ more: [String: String] = [:], _ authorization: Authorization = .local)
        throws -> Result
    {
        var environment = more
        environment["AIRFLOW__SECRETS__BACKEND_KWARGS"] = kwargs
        return try convert(authorization) { try $0.takeAirflow(environment: environment) }
    }

    private func message(_ body: () throws -> Void) throws -> String {
        try #require(try #require(throws: AirlockError.self, performing: body).message)
    }

    private func hcv(_ config: [String: JSON], prefix: String = "hashicorp-vault") -> JSON {
        [
            "name": "hcv", "prefix": .string(prefix),
            "config": .object(config.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) }),
        ]
    }

    // MARK: LiteLLM

    @Test func `LiteLLM's namespace is in the mount's name, and its interval is the ttl`() throws {
        let result = try liteLLM([
            "HCP_VAULT_ADDR": "https://vault.example.com:8200/", "HCP_VAULT_NAMESPACE": "/admin/",
            "HCP_VAULT_MOUNT_NAME": "kv", "HCP_VAULT_PATH_PREFIX": "litellm", "HCP_VAULT_REFRESH_INTERVAL": "600",
            "HCP_VAULT_APPROLE_ROLE_ID": "r", "HCP_VAULT_APPROLE_SECRET_ID": ConvertedSettingsTests.canary,
            "HCP_VAULT_APPROLE_MOUNT_PATH": "apps", "OTHER": "x",
        ])
        #expect(result.mounts == ["admin/kv"])
        let kwargs = try result.vault("admin/kv")
        #expect(kwargs.url?.base == "https://vault.example.com:8200")
        #expect(kwargs.namespace == "admin")
        #expect(kwargs.mountPoint == "kv")
        #expect(kwargs.authType == .approle)
        #expect(kwargs.authMountPoint == "apps")
        #expect(kwargs.secretIDPath == "/s/admin-kv-secret-id")
        #expect(result.content(of: kwargs.secretIDPath) == ConvertedSettingsTests.canary)
        #expect(try result.mount("admin/kv")["ttl"]?.text == "600s")
        #expect(result.lost == [])
        #expect(result.notes.contains("HCP_VAULT_PATH_PREFIX"))
    }

    @Test func `LiteLLM's own defaults are kept where a setting is not there or empty`() throws {
        let result = try liteLLM(["HCP_VAULT_TOKEN": ConvertedSettingsTests.canary, "HCP_VAULT_NAMESPACE": ""])
        let kwargs = try result.vault("secret")
        #expect(kwargs.url?.base == "http://127.0.0.1:8200")
        #expect(kwargs.namespace == nil)
        #expect(result.content(of: kwargs.tokenPath) == ConvertedSettingsTests.canary)
        #expect(try result.mount("secret")["ttl"]?.text == "86400s")
    }

    @Test(arguments: [
        (["HCP_VAULT_APPROLE_ROLE_ID", "HCP_VAULT_APPROLE_SECRET_ID"], BackendKwargs.AuthType.approle),
        (["HCP_VAULT_CLIENT_CERT", "HCP_VAULT_CLIENT_KEY"], .cert), (["HCP_VAULT_TOKEN"], .token),
    ])
    func `LiteLLM's first whole login counts, in its order, and the others are listed`(
        names: [String], type: BackendKwargs.AuthType
    ) throws {
        let order = [
            "HCP_VAULT_APPROLE_ROLE_ID", "HCP_VAULT_APPROLE_SECRET_ID", "HCP_VAULT_CLIENT_CERT", "HCP_VAULT_CLIENT_KEY",
            "HCP_VAULT_TOKEN",
        ]
        let from = try #require(order.firstIndex(of: names[0]))
        var given = Dictionary(uniqueKeysWithValues: order[from...].map { ($0, "/x") })
        given["HCP_VAULT_CERT_ROLE"] = "web"
        let result = try liteLLM(given)
        #expect(try result.vault("secret").authType == type)
        #expect(Set(result.lost) == Set(order[(from + names.count)...]))
        if type == .cert { #expect(try result.vault("secret").certRole == "web") }
        // Half a login is none.
        var half = given
        half[names[0]] = nil
        if names.count == 2 {
            #expect(try liteLLM(half).vault("secret").authType != type)
        } else {
            half["HCP_VAULT_NAMESPACE"] = "x"
            #expect(try liteLLM(half).lost == ["HCP_VAULT_*"])
        }
    }

    @Test(arguments: [
        ("root", "team", "", "team/secret"), ("admin", "admin/team", "admin", "team/secret"),
        ("admin", "admin", "admin", "secret"),
    ])
    func `A login above the secrets is a login there`(
        login: String, secrets: String, namespace: String, mount: String
    ) throws {
        let given = [
            "HCP_VAULT_LOGIN_NAMESPACE": login, "HCP_VAULT_SECRET_NAMESPACE": secrets, "HCP_VAULT_APPROLE_ROLE_ID": "r",
            "HCP_VAULT_APPROLE_SECRET_ID": "s",
        ]
        let result = try liteLLM(given)
        #expect(result.mounts == ["\(secrets)/secret"])
        #expect(try result.vault("\(secrets)/secret").namespace ?? "" == namespace)
        #expect(try result.vault("\(secrets)/secret").mountPoint == mount)
        #expect(result.lost == [])
    }

    @Test func `A login elsewhere is listed and left out`() throws {
        let result = try liteLLM([
            "HCP_VAULT_LOGIN_NAMESPACE": "a", "HCP_VAULT_SECRET_NAMESPACE": "b", "HCP_VAULT_APPROLE_ROLE_ID": "r",
            "HCP_VAULT_APPROLE_SECRET_ID": ConvertedSettingsTests.canary,
        ])
        #expect(result.lost == ["HCP_VAULT_LOGIN_NAMESPACE"])
        #expect(try result.mount("b/secret")["kwargs"]?["auth_type"] == nil)
        #expect(result.converted.files.isEmpty)
    }

    @Test func `LiteLLM's Conjur becomes the mount of the Conjur surface`() throws {
        let result = try liteLLM([
            "CYBERARK_API_BASE": "https://conjur.example.com", "CYBERARK_API_KEY": ConvertedSettingsTests.canary,
            "CYBERARK_SSL_VERIFY": "False", "CYBERARK_REFRESH_INTERVAL": "60",
        ])
        #expect(result.configuration["conjur_mount"]?.text == "conjur")
        let kwargs = try result.conjur("conjur")
        #expect(kwargs.account == "default")
        #expect(kwargs.login == "admin")
        #expect(kwargs.verification == .off)
        #expect(result.content(of: kwargs.apiKeyPath) == ConvertedSettingsTests.canary)
        #expect(try result.mount("conjur")["ttl"]?.text == "60s")
        #expect(try result.mount("conjur")["kv_version"]?.integer == 1)
    }

    @Test func `A certificate alone, and one beside an API key, are logins at Conjur as LiteLLM's are`() throws {
        var given = ["CYBERARK_CLIENT_CERT": "/c.pem", "CYBERARK_CLIENT_KEY": "/k.pem", "CYBERARK_USERNAME": "host/a"]
        let alone = try liteLLM(given).conjur("conjur")
        #expect(alone.authnType == .cert)
        #expect(alone.clientCertificate == ClientCertificate(certificate: "/c.pem", key: "/k.pem"))
        given["CYBERARK_API_KEY"] = "k"
        let both = try liteLLM(given).conjur("conjur")
        #expect(both.authnType == .authn)
        #expect(both.clientCertificate?.certificate == "/c.pem")
        #expect(both.apiKeyPath != nil)
    }

    @Test func `An unknown setting is listed with the name that was meant`() throws {
        let result = try liteLLM(["HCP_VAULT_TOKEN": "t", "HCP_VAULT_REFRESH_INTERVALL": "5", "CYBERARKX": "y"])
        #expect(result.lost == ["HCP_VAULT_REFRESH_INTERVALL"])
        #expect(result.text(of: "HCP_VAULT_REFRESH_INTERVALL") == "unknown; did you mean HCP_VAULT_REFRESH_INTERVAL?")
    }

    @Test func `What cannot be understood is refused by its name`() throws {
        for (name, value) in [
            ("HCP_VAULT_ADDR", "vault"), ("HCP_VAULT_REFRESH_INTERVAL", "1d"), ("HCP_VAULT_REFRESH_INTERVAL", "-1"),
            ("HCP_VAULT_MOUNT_NAME", "a/../b"), ("HCP_VAULT_ADDR", "http://u:\(ConvertedSettingsTests.canary)@h"),
        ] {
            let text = try message { _ = try liteLLM([name: value, "HCP_VAULT_TOKEN": "t"]) }
            #expect(text.hasPrefix(name))
            #expect(!text.contains(ConvertedSettingsTests.canary))
        }
        #expect(try message { _ = try liteLLM(["HOME": "/"]) }.contains("HCP_VAULT_*"))
    }

    @Test func `A variable that takes another one's value is refused, others' are not looked at`() throws {
        var converted = ConvertedSettings(filesFolder: "/s", authorization: .local)
        func read(_ text: String) throws -> [String: String] {
            try converted.environment(ofFile: Array(text.utf8), prefixes: ConvertedSettings.liteLLMPrefixes)
        }
        #expect(try read("X=${Y}\nHCP_VAULT_TOKEN='a$b'\nHCP_VAULT_TOKEN=last\n")["HCP_VAULT_TOKEN"] == "last")
        #expect(try message { _ = try read("\nHCP_VAULT_TOKEN=${OTHER}") }.hasPrefix("HCP_VAULT_TOKEN (line 2)"))
        _ = try read("HCP_VAULT_TOKEN=\"never closed")
        #expect(converted.remarks.map(\.setting) == ["line 1"])
    }

    // MARK: Kong

    @Test func `Kong's intervals are kept, and 0 is never`() throws {
        let given: [String: JSON] = [
            "host": "vault.example.com", "protocol": "https", "port": 8443, "kv": "v2", "mount": "kong/",
            "namespace": "n",
            "token": .string(ConvertedSettingsTests.canary), "ttl": 600, "neg_ttl": 30, "resurrect_ttl": 3600,
        ]
        let result = try kong([hcv(given)])
        let kwargs = try result.vault("kong")
        #expect(kwargs.url?.base == "https://vault.example.com:8443")
        #expect(kwargs.kvVersion == 2)
        #expect(kwargs.namespace == "n")
        #expect(result.content(of: kwargs.tokenPath) == ConvertedSettingsTests.canary)
        let mount = try result.mount("kong")
        #expect(["ttl", "max_stale", "negative_ttl"].map { mount[$0]?.text } == ["600s", "4200s", "30s"])
        #expect(result.lost == [])

        let never = try kong([hcv(["token": "t", "ttl": 0])]).mount("secret")
        let hundredYears = "\(36_500 * 86_400)s"
        #expect(["ttl", "max_stale", "negative_ttl"].map { never[$0]?.text } == [hundredYears, hundredYears, "0s"])
        #expect(GoDuration.parse(hundredYears) == 3_153_600_000_000_000_000)
        #expect(never["kwargs"]?["url"]?.text == "http://127.0.0.1:8200")
        #expect(never["kwargs"]?["kv_engine_version"]?.integer == 1)
    }

    @Test func `Each of Kong's logins becomes Airlock's`() throws {
        let pem = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----"
        let result = try kong([
            hcv([
                "mount": "a", "auth_method": "approle", "approle_role_id": "r", "approle_auth_path": "/apps",
                "approle_secret_id_file": "/run/wrapped", "approle_response_wrapping": true,
            ]),
            hcv(["mount": "b", "auth_method": "kubernetes", "kube_role": "k", "kube_auth_path": "kube"]),
            hcv([
                "mount": "c", "auth_method": "cert", "cert_auth_cert": .string(pem), "cert_auth_cert_key": "/key.pem",
                "cert_auth_role_name": "web",
            ]),
            hcv([
                "mount": "d", "auth_method": "jwt", "jwt_role": "j", "oauth2_client_id": "i",
                "oauth2_token_endpoint": "u",
            ]),
        ])
        let approle = try result.vault("a")
        #expect(approle.secretIDPath == "/run/wrapped")
        #expect(approle.secretIDWrapped)
        #expect(approle.authMountPoint == "apps")
        let kubernetes = try result.vault("b")
        #expect(kubernetes.kubernetesJWTPath == "/run/secrets/kubernetes.io/serviceaccount/token")
        #expect(kubernetes.kubernetesRole == "k")
        #expect(kubernetes.authMountPoint == "kube")
        let cert = try result.vault("c")
        #expect(cert.clientCertificate == ClientCertificate(certificate: "/s/c-cert.pem", key: "/key.pem"))
        #expect(cert.certRole == "web")
        #expect(result.content(of: "/s/c-cert.pem")?.split(separator: "\n").count == 3)
        #expect(try result.vault("d").jwtTokenPath == "/s/d-jwt")
        #expect(result.lost == ["vaults[3].config.oauth2_client_id", "vaults[3].config.oauth2_token_endpoint"])
    }

    @Test func `A cloud login and a vault of another kind are listed`() throws {
        let result = try kong([
            hcv(["auth_method": "gcp_iam", "gcp_auth_role": "g", "token": .string(ConvertedSettingsTests.canary)]),
            ["name": "aws", "config": ["region": "eu"]],
        ])
        #expect(
            result.lost == [
                "vaults[0].config.auth_method", "vaults[0].config.gcp_auth_role", "vaults[0].config.token",
                "vaults[1].name",
            ])
        #expect(try result.mount("secret")["kwargs"]?["auth_type"] == nil)
        #expect(try message { _ = try kong([["name": "env"]]) }.contains("hcv or conjur"))
    }

    @Test func `Two vaults of Kong's with the same secrets are one mount, with the shorter intervals`() throws {
        let one: [String: JSON] = ["token": "t", "mount": "kv", "ttl": 600, "neg_ttl": 5]
        let result = try kong([
            hcv(one), hcv(one.merging(["ttl": 60, "neg_ttl": 50]) { $1 }, prefix: "certs"),
            hcv(one.merging(["host": "other"]) { $1 }, prefix: "third"),
        ])
        #expect(result.mounts == ["kv", "third/kv"])
        #expect(["ttl", "negative_ttl"].map { try? result.mount("kv")[$0]?.text } == ["60s", "5s"])
        #expect(result.lost == ["vaults[1].config.ttl"])
        #expect(result.notes.contains("vaults[2].config.mount"))
    }

    @Test func `decK's variables are filled in, Kong's own references in secrets become files to write`() throws {
        let given = hcv(["host": "${{ env \"DECK_HOST\" }}", "token": "{vault://env/token}"])
        let result = try kong([given], environment: ["DECK_HOST": "h"])
        #expect(try result.vault("secret").url?.base == "http://h:8200")
        #expect(result.converted.files.map(\.path) == ["/s/secret-token"])
        #expect(result.converted.files[0].content == nil)
        #expect(try message { _ = try kong([given]) }.hasPrefix("host"))
        let hidden = hcv(["host": "{vault://env/host}", "token": "t"])
        #expect(try message { _ = try kong([hidden]) }.hasPrefix("vaults[0].config.host is a reference"))
    }

    @Test func `Kong's Conjur is served to it, and a second one is listed`() throws {
        func conjur(_ prefix: String, _ host: String) -> JSON {
            [
                "name": "conjur", "prefix": .string(prefix),
                "config": [
                    "endpoint_url": .string("https://\(host)"), "account": "acme", "login": "host/kong",
                    "api_key": .string(ConvertedSettingsTests.canary), "auth_method": "api_key", "base64_decode": true,
                    "keyring": 1,
                ],
            ]
        }
        let result = try kong([conjur("one", "a"), conjur("two", "b")])
        #expect(result.configuration["conjur_mount"]?.text == "one")
        #expect(try result.conjur("one").login == "host/kong")
        #expect(result.content(of: try result.conjur("two").apiKeyPath) == ConvertedSettingsTests.canary)
        #expect(
            result.lost == ["vaults[0].config.keyring", "vaults[1].config.keyring", "vaults[1].config.endpoint_url"])
    }

    // MARK: ZenML

    @Test(arguments: [[], ["secrets_store"], ["store", "secrets_store"]])
    func `ZenML's secrets store is found where its configuration has it`(folders: [String]) throws {
        var json: JSON = [
            "type": "hashicorp", "vault_addr": "https://v:8200", "vault_namespace": "admin", "mount_point": "zen",
            "auth_method": "app_role", "auth_mount_point": "apps", "app_role_id": "r",
            "app_secret_id": .string(ConvertedSettingsTests.canary), "max_versions": 3, "colour": "red",
        ]
        for folder in folders.reversed() { json = .object([.init(folder, json), .init("url", "sqlite:///x")]) }
        let result = try convert { try $0.takeZenML(json) }
        let kwargs = try result.vault("zen")
        #expect(kwargs.namespace == "admin")
        #expect(kwargs.authMountPoint == "apps")
        #expect(result.content(of: kwargs.secretIDPath) == ConvertedSettingsTests.canary)
        #expect(result.lost == ["colour"])
        #expect(result.notes.contains("max_versions"))
    }

    @Test func `ZenML's secrets store from the environment, its secrets manager, and its logins that are none`() throws
    {
        let store = try convert {
            try $0.takeZenML(environment: [
                "ZENML_SECRETS_STORE_TYPE": "hashicorp", "ZENML_SECRETS_STORE_VAULT_ADDR": "http://v:8200",
                "ZENML_SECRETS_STORE_VAULT_TOKEN": ConvertedSettingsTests.canary, "ZENML_STORE_URL": "x",
            ])
        }
        #expect(store.content(of: try store.vault("secret").tokenPath) == ConvertedSettingsTests.canary)
        #expect(store.lost == [])
        let manager = try convert {
            try $0.takeZenML([
                "flavor": "vault",
                "configuration": [
                    "url": "http://v:8200", "token": .string(ConvertedSettingsTests.canary), "mount_point": "zen",
                    "scope": "namespace", "namespace": "team-a", "cert": "/c", "verify": .null,
                ],
            ])
        }
        #expect(manager.content(of: try manager.vault("zen").tokenPath) == ConvertedSettingsTests.canary)
        #expect(try manager.vault("zen").namespace == nil)
        #expect(manager.lost == ["cert"])
        let aws = try convert { try $0.takeZenML(["vault_addr": "http://v", "auth_method": "aws", "aws_role": "x"]) }
        #expect(aws.lost == ["auth_method", "aws_role"])
        #expect(
            try message { _ = try convert { try $0.takeZenML(["vault_addr": "http://v"]) } }.hasPrefix("vault_token"))
    }

    // MARK: Airflow

    @Test func `Airflow's kwargs stay what they are, but for their secrets`() throws {
        let result = try airflow(
            """
            {"connections_path": ["a", "b"], "variables_path": null, "mount_point": "airflow", "url": "https://v:8200",
            "auth_type": "approle", "role_id": "astro_role", "secret_id": "\(ConvertedSettingsTests.canary)",
            "namespace": "admin", "kv_engine_version": 1, "timeout": 7, "session": "s"}
            """, ["AIRFLOW__SECRETS__BACKEND": "airflow.providers.hashicorp.secrets.vault.VaultBackend"])
        let kwargs = try BackendKwargs(try #require(result.configuration["backend_kwargs"]))
        #expect(kwargs.connectionsPaths == ["a", "b"])
        #expect(kwargs.variablesPaths == nil)
        #expect(kwargs.kvVersion == 1)
        #expect(kwargs.namespace == "admin")
        #expect(kwargs.timeout == .seconds(7))
        #expect(kwargs.secretID == nil)
        #expect(result.content(of: kwargs.secretIDPath) == ConvertedSettingsTests.canary)
        #expect(result.lost == ["session"])
        try kwargs.requireCompanions(hasEnvironmentToken: false)
    }

    @Test func `With authorize upstream no login and no certificate is in the configuration`() throws {
        let text = #"{"url": "http://v", "auth_type": "cert", "cert": ["/c", "/k"], "mount_point": "airflow"}"#
        let result = try airflow(text, [:], .upstream)
        #expect(result.configuration["authorize"]?.text == "upstream")
        #expect(
            result.configuration["backend_kwargs"]?.members?.map(\.name) == ["url", "mount_point"])
        #expect(result.lost == ["cert"])
        let litellm = try liteLLM(
            ["HCP_VAULT_TOKEN": ConvertedSettingsTests.canary, "CYBERARK_API_KEY": "k"], .upstream)
        #expect(try litellm.mount("secret")["authorize"]?.text == "upstream")
        #expect(try litellm.mount("secret")["kwargs"]?["token_path"] == nil)
        #expect(try litellm.mount("conjur")["authorize"] == nil)
        #expect(litellm.lost == ["--authorize upstream"])
    }

    @Test func `What hvac takes from the environment is written out, and one variable goes before the object`() throws {
        let result = try airflow(
            #"{"token": "x", "mount_point": "m"}"#,
            [
                "VAULT_ADDR": "http://from-environment", "VAULT_CACERT": "/ca", "VAULT_CLIENT_CERT": "/c",
                "VAULT_CLIENT_KEY": "/k", "AIRFLOW__SECRETS__BACKEND_KWARG__TOKEN": ConvertedSettingsTests.canary,
                "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": "{}", "AIRFLOW__SECRETS__USE_CACHE": "True",
            ])
        let kwargs = try BackendKwargs(try #require(result.configuration["backend_kwargs"]))
        #expect(kwargs.url?.base == "http://from-environment")
        #expect(kwargs.verification == .authority(path: "/ca"))
        #expect(kwargs.clientCertificate == ClientCertificate(certificate: "/c", key: "/k"))
        #expect(result.content(of: kwargs.tokenPath) == ConvertedSettingsTests.canary)
        #expect(result.lost == ["AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS"])
        #expect(try airflow("{}").configuration["backend_kwargs"]?["url"]?.text == "http://localhost:8200")
        #expect(try airflow("{}").lost == ["auth_type"])
    }

    @Test func `A password that Airlock reads from no file is said to be in the configuration`() throws {
        let result = try airflow(
            #"{"url":"http://v","auth_type":"userpass","username":"u","password":"\#(ConvertedSettingsTests.canary)"}"#)
        #expect(result.converted.secretsInside == ["password"])
        #expect(result.converted.files.isEmpty)
    }

    @Test func `A login that Airlock does not know is left out whole`() throws {
        let result = try airflow(
            #"{"url":"http://v","auth_type":"gcp","gcp_scopes":"s","role_id":"r","gcp_keyfile_dict":{"k":"\#(ConvertedSettingsTests.canary)"}}"#
        )
        #expect(result.configuration["backend_kwargs"]?.members?.map(\.name) == ["url"])
        #expect(result.lost == ["auth_type"])
    }

    @Test func `airflow cfg is read as Python reads it`() throws {
        let text = """
            # a comment
            [core]
            backend_kwargs = {"url": "http://wrong"}
            [secrets]
            backend = airflow.providers.hashicorp.secrets.vault.VaultBackend
            ; another
            Backend_Kwargs = {"url": "http://v:8200", "token": "50%%\(ConvertedSettingsTests.canary)",
                # in between
              "mount_point": "airflow"}
            cache_ttl_seconds: 900
            [workers]
            secrets_backend_kwargs = {}
            """
        #expect(AirflowConfigFile.isLikely(text))
        let result = try convert { try $0.takeAirflow(AirflowConfigFile(parsing: text)) }
        let kwargs = try BackendKwargs(try #require(result.configuration["backend_kwargs"]))
        #expect(kwargs.mountPoint == "airflow")
        #expect(result.content(of: kwargs.tokenPath) == "50%" + ConvertedSettingsTests.canary)
        #expect(result.lost == ["[workers] secrets_backend_kwargs"])
        #expect(result.notes.contains("[secrets] cache_ttl_seconds"))
        let single = AirflowConfigFile(parsing: "[secrets]\nbackend_kwargs = {\"token\": \"%(name)s\"}")
        #expect(
            try message { _ = try convert { try $0.takeAirflow(single) } }.hasPrefix(
                "[secrets] backend_kwargs: a single %"))
        let other = AirflowConfigFile(parsing: "[secrets]\nbackend = a.B\nbackend_kwargs = {}")
        #expect(try message { _ = try convert { try $0.takeAirflow(other) } }.contains("another backend"))
    }
}
