import Testing

@testable import AirlockCore

struct BackendKwargsTests {
    static let canary = "canary-77b0"

    private func fault(_ json: String) throws -> String {
        let fault = try #require(throws: BackendKwargs.Fault.self) { try BackendKwargs(parsing: json) }
        return fault.description
    }

    @Test func `An empty object has VaultBackend's defaults`() throws {
        let kwargs = try BackendKwargs(parsing: "{}")
        #expect(kwargs.connectionsPaths == ["connections"])
        #expect(kwargs.variablesPaths == ["variables"])
        #expect(kwargs.configPaths == ["config"])
        #expect(kwargs.mountPoint == "secret")
        #expect(kwargs.kvVersion == 2)
        #expect(kwargs.givenKVVersion == nil)
        #expect(kwargs.authType == .token)
        #expect(kwargs.useTeamSecretsPath)
        #expect(kwargs.url == nil)
        #expect(kwargs.kubernetesJWTPath == "/var/run/secrets/kubernetes.io/serviceaccount/token")
    }

    @Test func `The kwargs of Astronomer's guide are understood`() throws {
        let kwargs = try BackendKwargs(
            parsing: """
                {"connections_path": "connections", "variables_path": "variables", "config_path": null,
                 "mount_point": "airflow/", "url": "http://127.0.0.1:8200/", "auth_type": "approle",
                 "role_id": "astro_role", "secret_id": "s", "namespace": "admin"}
                """)
        #expect(kwargs.mountPoint == "airflow")
        #expect(kwargs.configPaths == nil)
        #expect(kwargs.url?.base == "http://127.0.0.1:8200")
        #expect(kwargs.authType == .approle)
        #expect(kwargs.secretID?.revealed == "s")
        #expect(kwargs.namespace == "admin")
        try kwargs.requireCompanions(hasEnvironmentToken: false)
    }

    @Test func `Paths may be a text or a list or null`() throws {
        #expect(try BackendKwargs(parsing: #"{"connections_path": ["a/b", "c"]}"#).connectionsPaths == ["a/b", "c"])
        #expect(try BackendKwargs(parsing: #"{"connections_path": null}"#).connectionsPaths == nil)
        #expect(try BackendKwargs(parsing: #"{"variables_path": ""}"#).variablesPaths == [""])
        #expect(try BackendKwargs(parsing: #"{"mount_point": null}"#).mountPoint == nil)
    }

    @Test func `The keys of the hvac client are understood`() throws {
        let kwargs = try BackendKwargs(
            parsing: """
                {"verify": "/ca.pem", "cert": ["/c.pem", "/k.pem"], "timeout": 2.5, "allow_redirects": false,
                 "proxies": {"https": "http://p:3128"}}
                """)
        #expect(kwargs.verification == .authority(path: "/ca.pem"))
        #expect(kwargs.clientCertificate == ClientCertificate(certificate: "/c.pem", key: "/k.pem"))
        #expect(kwargs.timeout == .milliseconds(2500))
        #expect(kwargs.proxies?["https"]?.revealed == "http://p:3128")
        #expect(try BackendKwargs(parsing: #"{"verify": false}"#).verification == .off)
        #expect(try BackendKwargs(parsing: #"{"cert": "/c.pem"}"#).clientCertificate?.key == nil)
    }

    @Test func `Airlock's own keys are understood`() throws {
        let kwargs = try BackendKwargs(
            parsing: """
                {"auth_type": "cert", "cert": "/c.pem", "cert_role": "web", "secret_id_path": "/s",
                 "secret_id_wrapped": true}
                """)
        #expect(kwargs.authType == .cert)
        #expect(kwargs.certRole == "web")
        #expect(kwargs.secretIDPath == "/s")
        #expect(kwargs.secretIDWrapped)
        try kwargs.requireCompanions(hasEnvironmentToken: false)
    }

    @Test(arguments: [
        (#"{"token": 5}"#, "token: must be a string"), (#"{"kv_engine_version": "2"}"#, "the number 1 or 2"),
        (#"{"kv_engine_version": 3}"#, "the number 1 or 2"), (#"{"verify": "False"}"#, "without quotes"),
        (#"{"auth_type": "app_role"}"#, "did you mean approle?"), (#"{"tokn": "canary-77b0"}"#, "did you mean token?"),
        (#"{"canary-77b0": 1}"#, "unknown key"), (#"{"url": "http://u:canary-77b0@h"}"#, "url: not the address"),
        (#"{"url": "h:8200"}"#, "http://"), (#"{"url": "http://h:8200/v1"}"#, "leave out the /v1"),
        (#"{"token": "canary-77b0\n"}"#, "control character"), (#"{"mount_point": "a/../b"}"#, "is no path"),
        (#"{"connections_path": {"canary-77b0": 1}}"#, "a list of strings"), (#"["canary-77b0"]"#, "a JSON object"),
        (#"{"token": "canary-77b0"#, "not valid JSON"), (#"{"timeout": -1}"#, "seconds"),
        (#"{"radius_port": 99999}"#, "65535"), (#"{"cert": ["canary-77b0"]}"#, "certificate and key"),
        (#"{"proxies": {"ftp": "canary-77b0"}}"#, "its keys are"), (#"{"use_team_secrets_path": 1}"#, "true or false"),
        (#"{"url": "unix://vault.sock"}"#, "absolute path"), (#"{"secret_id_wrapped": "yes"}"#, "true or false"),
    ])
    func `A wrong value is told by its key and the rule and never by the value`(json: String, expected: String) throws {
        let said = try fault(json)
        #expect(said.contains(expected))
        #expect(!said.contains(BackendKwargsTests.canary))
    }

    @Test(arguments: [
        (#"{}"#, "token or token_path"), (#"{"auth_type": "approle", "secret_id": "s"}"#, "role_id"),
        (#"{"auth_type": "kubernetes"}"#, "kubernetes_role"), (#"{"auth_type": "github"}"#, "token or token_path"),
        (#"{"auth_type": "kubernetes", "kubernetes_role": "r", "kubernetes_jwt_path": null}"#, "kubernetes_jwt_path"),
        (#"{"auth_type": "jwt", "jwt_role": "r"}"#, "jwt_token or jwt_token_path"),
        (#"{"auth_type": "azure", "azure_resource": "r"}"#, "azure_tenant_id"),
        (#"{"auth_type": "radius", "radius_host": "h"}"#, "radius_secret"),
        (#"{"auth_type": "gcp", "gcp_scopes": "s"}"#, "role_id"),
        (#"{"auth_type": "userpass", "username": "u"}"#, "password"),
        (#"{"auth_type": "radius", "radius_host": "h", "radius_secret": "s"}"#, "username"),
        (#"{"auth_type": "cert"}"#, "cert"),
        (#"{"auth_type": "approle", "role_id": "r", "secret_id_wrapped": true}"#, "wrapping token"),
        (#"{"auth_type": "approle", "role_id": "r", "secret_id": "s", "secret_id_path": "/s"}"#, "not both"),
    ])
    func `Each login names the companions it lacks`(json: String, missing: String) throws {
        let kwargs = try BackendKwargs(parsing: json)
        let fault = try #require(throws: BackendKwargs.Fault.self) {
            try kwargs.requireCompanions(hasEnvironmentToken: false)
        }
        #expect(fault.reason.contains(missing))
    }

    @Test func `A token in the environment is enough for auth_type token`() throws {
        try BackendKwargs().requireCompanions(hasEnvironmentToken: true)
    }

    @Test func `Every known key is accepted with null or its own kind of value`() throws {
        for key in BackendKwargs.knownKeys where key != "auth_type" {
            _ = try BackendKwargs(.object([.init(key, .null)]))
        }
    }

    @Test func `Kwargs cannot be printed`() throws {
        let canary = BackendKwargsTests.canary
        let kwargs = try BackendKwargs(
            parsing: #"{"token": "\#(canary)", "password": "\#(canary)", "gcp_keyfile_dict": {"a": "\#(canary)"}}"#)
        var dumped = ""
        dump([kwargs], to: &dumped)
        for text in ["\(kwargs)", String(reflecting: kwargs), dumped] { #expect(!text.contains(canary)) }
    }
}
