/// The JSON object that Airflow hands to its `VaultBackend` (`AIRFLOW__SECRETS__BACKEND_KWARGS`): the same keys, defaults
/// and checks, so that what people already have can be used as it is.
/// https://airflow.apache.org/docs/apache-airflow-providers-hashicorp/stable/secrets-backends/hashicorp-vault.html
///
/// Decoding checks each value by itself; what a login needs beside its `auth_type` is checked by `requireCompanions`,
/// because an embedded mount has no login.
package struct BackendKwargs: Sendable {
    // Where secrets are. A `nil` list means that Airflow does not look for that kind at all.
    package var connectionsPaths: [String]? = ["connections"]
    package var variablesPaths: [String]? = ["variables"]
    package var configPaths: [String]? = ["config"]
    package var useTeamSecretsPath = true
    /// Deprecated in the provider: tried last, after the list.
    package var globalSecretsPath: String?
    /// `nil`: the first segment of an id names the mount.
    package var mountPoint: String? = "secret"
    /// `nil` when the JSON does not say: `VaultBackend` then takes 2.
    package var givenKVVersion: Int?
    package var kvVersion: Int { givenKVVersion ?? 2 }

    // The server; no url means an embedded mount (serve) or an address from elsewhere (conn-import).
    package var url: ServerAddress?
    package var namespace: String?
    package var verification: TLSVerification?
    package var clientCertificate: ClientCertificate?
    package var timeout: Duration?
    /// By the target's scheme, "http" or "https". A proxy's url may hold its password.
    package var proxies: [String: SecretText]?
    /// Taken for compatibility; redirects are never followed, for they could take a token elsewhere.
    package var allowRedirects = true

    // The login.
    package var authType = AuthType.token
    /// `nil`: the method's own name.
    package var authMountPoint: String?
    package var token: SecretText?
    package var tokenPath: String?
    package var username: String?
    package var password: SecretText?
    package var keyID: SecretText?
    package var secretID: SecretText?
    /// Airlock's own: a file with the secret id.
    package var secretIDPath: String?
    /// Airlock's own: `secretID`, or what the file holds, is a response-wrapping token with the secret id in it.
    package var secretIDWrapped = false
    package var roleID: String?
    package var region: String?
    package var assumeRoleKwargs: JSON?
    package var kubernetesRole: String?
    package var kubernetesJWTPath: String? = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    package var gcpKeyPath: String?
    package var gcpKeyfile: JSON?
    package var gcpScopes: String?
    package var azureTenantID: String?
    package var azureResource: String?
    package var radiusHost: String?
    package var radiusSecret: SecretText?
    package var radiusPort: Int?
    package var jwtRole: String?
    package var jwtToken: SecretText?
    package var jwtTokenPath: String?
    /// Airlock's own, for `auth_type` cert: which role to log in as; `nil` is whichever the certificate fits.
    package var certRole: String?

    package enum AuthType: String, Sendable, CaseIterable {
        case approle, azure, cert, gcp, github, jwt, kubernetes, ldap, radius, token, userpass
        case awsIAM = "aws_iam"
    }

    /// What is wrong with the JSON. It names the key and the rule, never a value.
    package struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
        /// `nil` when the text is no JSON object.
        package let key: String?
        package let reason: String

        package init(key: String?, reason: String) {
            self.key = key
            self.reason = reason
        }

        package var description: String {
            ["backend kwargs", key, reason].compactMap(\.self).joined(separator: ": ")
        }
    }

    /// `VaultBackend`'s own defaults.
    package init() {}

    package init(parsing text: String) throws(Fault) {
        let json: JSON
        do throws(JSON.SyntaxError) {
            json = try JSON(parsing: text)
        } catch {
            throw Fault(key: nil, reason: "not valid JSON: \(error.reason) at byte \(error.offset)")
        }
        try self.init(json)
    }

    package init(_ json: JSON) throws(Fault) {
        guard let members = json.members else {
            throw Fault(key: nil, reason: "must be a JSON object, such as {\"mount_point\": \"airflow\"}")
        }
        for member in members { try set(member.name, BackendKwargsValue(key: member.name, json: member.value)) }
    }

    /// What `VaultBackend` demands beside `auth_type`, plus what a login cannot do without.
    /// - Parameter hasEnvironmentToken: a token is there from elsewhere, as `VAULT_TOKEN` is for `VaultBackend`.
    package func requireCompanions(hasEnvironmentToken: Bool) throws(Fault) {
        func require(_ keys: String..., when isMissing: Bool) throws(Fault) {
            guard isMissing else { return }
            throw Fault(
                key: "auth_type", reason: "\(authType.rawValue) needs \(keys.joined(separator: " or "))")
        }
        switch authType {
        case .token:
            try require(
                "token", "token_path", "a token in the environment",
                when: token == nil && tokenPath == nil && !hasEnvironmentToken)
        case .github: try require("token", "token_path", when: token == nil && tokenPath == nil)
        case .approle:
            try require("role_id", when: roleID == nil)
            try requireSecretID()
        case .kubernetes:
            try require("kubernetes_role", when: kubernetesRole == nil)
            try require("kubernetes_jwt_path", when: kubernetesJWTPath == nil)
        case .jwt:
            try require("jwt_role", when: jwtRole == nil)
            try require("jwt_token", "jwt_token_path", when: jwtToken == nil && jwtTokenPath == nil)
        case .azure:
            try require("azure_resource", when: azureResource == nil)
            try require("azure_tenant_id", when: azureTenantID == nil)
        case .radius:
            try require("radius_host", when: radiusHost == nil)
            try require("radius_secret", when: radiusSecret == nil)
            try require("username", when: username == nil)
            try require("password", when: password == nil)
        case .gcp:
            try require("gcp_scopes", when: gcpScopes == nil)
            try require("role_id", when: roleID == nil)
        case .userpass, .ldap:
            try require("username", when: username == nil)
            try require("password", when: password == nil)
        case .cert: try require("cert", when: clientCertificate == nil)
        case .awsIAM: break
        }
    }

    private func requireSecretID() throws(Fault) {
        guard secretID == nil || secretIDPath == nil else {
            throw Fault(key: "secret_id_path", reason: "give secret_id or secret_id_path, not both")
        }
        guard !secretIDWrapped || secretID != nil || secretIDPath != nil else {
            throw Fault(key: "secret_id_wrapped", reason: "needs the wrapping token, as secret_id or in secret_id_path")
        }
    }
}

/// Most of what it holds is credentials, so none of it is for logs.
extension BackendKwargs: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "BackendKwargs(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

// MARK: - One key, one line

extension BackendKwargs {
    package static let knownKeys = [
        "connections_path", "variables_path", "config_path", "use_team_secrets_path", "global_secrets_path", "url",
        "auth_type", "auth_mount_point", "mount_point", "kv_engine_version", "token", "token_path", "username",
        "password", "key_id", "secret_id", "role_id", "assume_role_kwargs", "region", "kubernetes_role",
        "kubernetes_jwt_path", "gcp_key_path", "gcp_keyfile_dict", "gcp_scopes", "azure_tenant_id", "azure_resource",
        "radius_host", "radius_secret", "radius_port", "jwt_role", "jwt_token", "jwt_token_path", "namespace",
        "verify", "cert", "timeout", "proxies", "allow_redirects", "secret_id_path", "secret_id_wrapped", "cert_role",
    ]

    private mutating func set(_ key: String, _ value: BackendKwargsValue) throws(Fault) {
        switch key {
        case "connections_path": connectionsPaths = try value.paths()
        case "variables_path": variablesPaths = try value.paths()
        case "config_path": configPaths = try value.paths()
        case "use_team_secrets_path": useTeamSecretsPath = try value.flag() ?? true
        case "global_secrets_path": globalSecretsPath = try value.path()
        case "mount_point": mountPoint = try value.mount()
        case "kv_engine_version": givenKVVersion = try value.kvVersion()
        case "url": url = try value.address()
        case "namespace": namespace = try value.text()
        case "verify": verification = try value.verification()
        case "cert": clientCertificate = try value.certificate()
        case "timeout": timeout = try value.seconds()
        case "proxies": proxies = try value.proxies()
        case "allow_redirects": allowRedirects = try value.flag() ?? true
        case "auth_type": authType = try value.authType()
        case "auth_mount_point": authMountPoint = try value.mount()
        default: try setLogin(key, value)
        }
    }

    private mutating func setLogin(_ key: String, _ value: BackendKwargsValue) throws(Fault) {
        switch key {
        case "token": token = try value.secret()
        case "token_path": tokenPath = try value.text()
        case "username": username = try value.text()
        case "password": password = try value.secret()
        case "key_id": keyID = try value.secret()
        case "secret_id": secretID = try value.secret()
        case "secret_id_path": secretIDPath = try value.text()
        case "secret_id_wrapped": secretIDWrapped = try value.flag() ?? false
        case "role_id": roleID = try value.text()
        case "region": region = try value.text()
        case "assume_role_kwargs": assumeRoleKwargs = try value.object()
        case "kubernetes_role": kubernetesRole = try value.text()
        case "kubernetes_jwt_path": kubernetesJWTPath = try value.text()
        case "gcp_key_path": gcpKeyPath = try value.text()
        case "gcp_keyfile_dict": gcpKeyfile = try value.object()
        case "gcp_scopes": gcpScopes = try value.text()
        case "azure_tenant_id": azureTenantID = try value.text()
        case "azure_resource": azureResource = try value.text()
        case "radius_host": radiusHost = try value.text()
        case "radius_secret": radiusSecret = try value.secret()
        case "radius_port": radiusPort = try value.port()
        case "jwt_role": jwtRole = try value.text()
        case "jwt_token": jwtToken = try value.secret()
        case "jwt_token_path": jwtTokenPath = try value.text()
        case "cert_role": certRole = try value.text()
        default: throw BackendKwargs.unknown(key)
        }
    }

    /// A key is quoted only when it looks like one: a mixed-up object could have a secret in its place.
    private static func unknown(_ key: String) -> Fault {
        guard let near = nearestName(to: key, among: knownKeys) else {
            let looksLikeKey = key.count <= 30 && key.utf8.allSatisfy { (97...122).contains($0) || $0 == 95 }
            return Fault(
                key: looksLikeKey ? key : nil,
                reason: "unknown key; the known ones are \(knownKeys.joined(separator: ", "))")
        }
        return Fault(key: key, reason: "unknown key; did you mean \(near)?")
    }
}
