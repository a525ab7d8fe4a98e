import Testing

@testable import AirlockCore

struct ConjurKwargsTests {
    private static let base: [String: JSON] = [
        "appliance_url": "https://conjur.example.com/api", "account": "default", "authn_login": "host/airlock",
        "authn_api_key_file": "/run/secrets/key",
    ]

    private func kwargs(_ changes: [String: JSON] = [:], _ environment: [String: String] = [:]) throws -> ConjurKwargs {
        var all = ConjurKwargsTests.base
        for (key, value) in changes { all[key] = value }
        return try ConjurKwargs(.object(all.map { JSON.Member($0.key, $0.value) }), environment: environment)
    }

    private func fault(_ changes: [String: JSON], _ environment: [String: String] = [:]) throws -> BackendKwargs.Fault {
        try #require(throws: BackendKwargs.Fault.self) { _ = try kwargs(changes, environment) }
    }

    private static let noLogin: [String: JSON] = ["authn_login": .null, "authn_api_key_file": .null]

    @Test func `The least that works has Conjur's defaults`() throws {
        let kwargs = try kwargs()
        #expect(kwargs.address.base == "https://conjur.example.com/api")
        #expect(kwargs.authnType == .authn)
        #expect(kwargs.verification == .system)
        #expect(kwargs.policyBranch == "")
        #expect(kwargs.mapping == .variable)
        #expect(kwargs.timeout == nil)
    }

    @Test func `What the kwargs leave out comes from Conjur's own variables`() throws {
        let environment = [
            "CONJUR_APPLIANCE_URL": "http://conjur", "CONJUR_ACCOUNT": "acme", "CONJUR_AUTHN_LOGIN": "admin",
            "CONJUR_AUTHN_API_KEY": "k", "CONJUR_CERT_FILE": "/ca.pem",
        ]
        let kwargs = try ConjurKwargs([:], environment: environment)
        #expect(kwargs.address.base == "http://conjur")
        #expect(kwargs.account == "acme")
        #expect(kwargs.login == "admin")
        #expect(kwargs.apiKey?.revealed == "k")
        #expect(kwargs.verification == .authority(path: "/ca.pem"))
        #expect(try ConjurKwargs(["account": "own"], environment: environment).account == "own")
    }

    @Test func `Who names a login gets no other parts of one from the environment`() throws {
        let environment = [
            "CONJUR_AUTHN_TOKEN_FILE": "/token", "CONJUR_AUTHN_JWT_SERVICE_ID": "ci", "CONJUR_AUTHN_TYPE": "ldap",
            "CONJUR_AUTHN_API_KEY": "k",
        ]
        let named = try kwargs([:], environment)
        #expect(named.tokenPath == nil)
        #expect(named.authnType == .authn)
        #expect(named.serviceID == nil)
        #expect(try kwargs(["authn_api_key_file": .null], environment).apiKey?.revealed == "k")
        #expect(try kwargs(ConjurKwargsTests.noLogin, environment).tokenPath == "/token")
    }

    @Test func `A service id of its own chooses the authenticator as in Conjur's clients`() throws {
        let jwt = try kwargs(
            ConjurKwargsTests.noLogin,
            [
                "CONJUR_AUTHN_JWT_SERVICE_ID": "ci", "CONJUR_AUTHN_JWT_HOST_ID": "host/ci",
                "CONJUR_AUTHN_JWT_TOKEN": "j", "CONJUR_AUTHN_LOGIN": "somebody",
            ])
        #expect((jwt.authnType, jwt.serviceID, jwt.login, jwt.jwt?.revealed) == (.jwt, "ci", "host/ci", "j"))
        let cert = try kwargs(
            ConjurKwargsTests.noLogin,
            [
                "CONJUR_AUTHN_CERT_SERVICE_ID": "vms", "CONJUR_AUTHN_CERT_FILE": "/c.pem",
                "CONJUR_AUTHN_CERT_KEY_FILE": "/k.pem",
            ])
        #expect((cert.authnType, cert.serviceID, cert.login) == (.cert, "vms", nil))
        #expect(cert.clientCertificate == ClientCertificate(certificate: "/c.pem", key: "/k.pem"))
    }

    @Test func `The certificate authority is a file, a text, or not asked for`() throws {
        let text = ["CONJUR_SSL_CERTIFICATE": "PEM", "CONJUR_CERT_FILE": "/env.pem"]
        #expect(try kwargs([:], text).verification == .authorityText("PEM"))
        #expect(try kwargs(["cert_file": "/own.pem"], text).verification == .authority(path: "/own.pem"))
        #expect(try kwargs(["ssl_verify": false], text).verification == .off)
        #expect(try kwargs(["ssl_verify": true]).verification == .system)
    }

    @Test(arguments: [
        ("connections/pg", "conn_uri"), ("variables/a/b", "value"), ("config/x", "value"), ("other/x", "key"),
        ("top", "key"), ("connectionsx/a", "key"), ("team/a", "token"), ("team/deep/a", "pin"), ("connections", "key"),
    ])
    func `The longest folder that a path lies in names its field`(path: String, field: String) throws {
        let kwargs = try kwargs(["fields": ["team": "token", "team/deep/": "pin"]])
        #expect(kwargs.fieldName(of: try SecretPath(path)) == field)
    }

    @Test func `The branch named root is the root policy`() throws {
        #expect(try kwargs(["policy_branch": "root"]).policyBranch == "")
        #expect(try kwargs(["policy_branch": "/prod/airflow/"]).policyBranch == "prod/airflow")
        #expect(try kwargs(["fields": ["": "secret"]]).fieldName(of: try SecretPath("x/y")) == "secret")
    }

    @Test(
        arguments: [
            (["acount": "x"], "acount", "did you mean account?"),
            (["authn_api_key": "canary"], "authn_api_key", "authn_api_key_file"),
            (["authn_jwt_token": "canary"], "authn_jwt_token", "jwt_token_path"),
            (["authn_token": "canary"], "authn_token", "authn_token_file"),
            (["account": .null], "account", "CONJUR_ACCOUNT"),
            (["appliance_url": .null], "appliance_url", "CONJUR_APPLIANCE_URL"),
            (["appliance_url": "canary"], "appliance_url", "http://"),
            (["authn_login": .null], "authn_type", "authn_login"),
            (["authn_api_key_file": .null], "authn_type", "authn_api_key_file"),
            (["authn_type": "canary"], "authn_type", "authn, ldap, jwt, cert, k8s"),
            (["authn_type": "jwt"], "authn_type", "service_id"), (["authn_type": "ldap"], "authn_type", "service_id"),
            (["authn_type": "jwt", "service_id": "s"], "authn_type", "jwt_token_path"),
            (["authn_type": "cert"], "authn_type", "authn_cert_file"),
            (
                ["authn_type": "k8s", "service_id": "s", "authn_login": .null, "authn_cert_file": "/c"],
                "authn_type", "authn_login"
            ),
            (["authn_type": "cert", "authn_login": .null, "authn_cert_file": "/c"], "authn_type", "authn_login"),
            (["service_id": "s"], "service_id", "does not go with authn"),
            (["jwt_token_path": "/j"], "jwt_token_path", "does not go with authn"),
            (
                ["authn_token_file": "/t", "authn_login": .null], "authn_api_key_file",
                "does not go with authn_token_file"
            ),
            (["authn_cert_key_file": "/k"], "authn_cert_key_file", "authn_cert_file"),
            (["mapping": "canary"], "mapping", "variable, fields"), (["fields": ["canary"]], "fields", "folders"),
            (["fields": ["a": 1]], "fields", "folders"), (["fields": "canary"], "fields", "folders"),
            (["policy_branch": "a/../b"], "policy_branch", "path"), (["timeout": 0], "timeout", "seconds"),
            (["ssl_verify": false, "cert_file": "/ca.pem"], "ssl_verify", "cert_file"),
            (["ssl_verify": "no"], "ssl_verify", "true or false"),
        ] as [([String: JSON], String, String)])
    func `What cannot be meant is refused and not repeated`(
        changes: [String: JSON], key: String, words: String
    ) throws {
        let fault = try fault(changes)
        #expect(fault.key == key)
        #expect(fault.reason.contains(words))
        #expect(!fault.description.contains("canary"))
    }

    @Test func `Printing kwargs shows none of them`() throws {
        let kwargs = try kwargs([:], ["CONJUR_AUTHN_API_KEY": "canary"])
        #expect(!"\(kwargs) \(String(reflecting: kwargs))".contains("canary"))
        var dumped = ""
        dump(kwargs, to: &dumped)
        #expect(!dumped.contains("canary"))
    }
}
