/// Where a mount's secrets are in CyberArk Conjur, and how Airlock logs in there. The keys are the names of Conjur's own
/// environment variables in lower case and without `CONJUR_`; what the JSON leaves out comes from that variable
/// (https://github.com/cyberark/conjur-api-go#configuration). What is a secret itself is read from a file or the environment
/// only, never from the configuration.
package struct ConjurKwargs: Sendable {
    package typealias Fault = BackendKwargs.Fault

    /// How Conjur tells who logs in.
    package enum AuthnType: String, Sendable, CaseIterable {
        /// The login's API key.
        case authn
        /// A directory's password.
        case ldap
        case jwt
        /// The client certificate of the connection.
        case cert, k8s
    }

    /// What one secret is in Conjur.
    package enum Mapping: String, Sendable, CaseIterable {
        /// One variable; its raw value is one field.
        case variable
        /// A variable for each field, below the secret's path.
        case fields
    }

    package var address: ServerAddress
    package var account: String
    package var authnType: AuthnType
    package var serviceID: String?
    package var login: String?
    package var apiKey: SecretText?
    package var apiKeyPath: String?
    package var jwt: SecretText?
    package var jwtPath: String?
    /// A file that somebody else keeps a living access token in.
    package var tokenPath: String?
    package var clientCertificate: ClientCertificate?
    package var verification: TLSVerification
    package var timeout: Duration?
    /// Without slashes at its ends; empty is the root policy.
    package var policyBranch: String
    package var mapping: Mapping
    /// Which field a variable's value is, by the folder that a secret lies in; the folder `""` is for what no other fits.
    package var fieldNames: [String: String]

    /// Conjur's name for the policy that all others lie in; ids do not begin with it.
    package static let rootPolicy = "root"
    package static let defaultFieldNames = [
        "connections": "conn_uri", "variables": "value", "config": "value", "": "key",
    ]

    /// - Parameter environment: the process's, of which only Conjur's variables are looked at.
    package init(_ json: JSON, environment: [String: String]) throws(Fault) {
        guard let members = json.members else { throw Fault(key: nil, reason: "must be a JSON object") }
        for member in members { try ConjurKwargs.check(member.name) }
        let given = Given(members, environment)
        guard let address = try given["appliance_url"].address() else {
            throw Fault(
                key: "appliance_url", reason: "is missing: the address of Conjur, here or as CONJUR_APPLIANCE_URL")
        }
        guard let account = try given["account"].text() else {
            throw Fault(key: "account", reason: "is missing: Conjur's account, here or as CONJUR_ACCOUNT")
        }
        self.address = address
        self.account = account
        authnType = try ConjurKwargs.choice(given["authn_type"]) ?? .authn
        serviceID = try given["service_id"].text()
        login = try given["authn_login"].text()
        apiKeyPath = try given["authn_api_key_file"].text()
        apiKey = try given.secret("CONJUR_AUTHN_API_KEY")
        jwtPath = try given["jwt_token_path"].text()
        jwt = try given.secret("CONJUR_AUTHN_JWT_TOKEN")
        tokenPath = try given["authn_token_file"].text()
        let key = try given["authn_cert_key_file"].text()
        clientCertificate = try given["authn_cert_file"].text().map { ClientCertificate(certificate: $0, key: key) }
        guard key == nil || clientCertificate != nil else {
            throw Fault(key: "authn_cert_key_file", reason: "is the key of an authn_cert_file: give that too")
        }
        verification = try given.verification()
        timeout = try given["timeout"].seconds()
        let branch = try given["policy_branch"].path() ?? ""
        policyBranch = branch == ConjurKwargs.rootPolicy ? "" : branch
        mapping = try ConjurKwargs.choice(given["mapping"]) ?? .variable
        fieldNames = try given.fieldNames()
        try requireCompanions(members.filter { !$0.value.isNull }.map(\.name))
    }

    /// What the login cannot do without. What it has no use for is refused where it is named: somebody meant another login.
    private func requireCompanions(_ named: [String]) throws(Fault) {
        let kind = tokenPath == nil ? authnType.rawValue : "authn_token_file"
        func require(_ keys: String, when isMissing: Bool) throws(Fault) {
            if isMissing { throw Fault(key: "authn_type", reason: "\(kind) needs \(keys)") }
        }
        var useful = ["authn_cert_file", "authn_cert_key_file"]
        if tokenPath != nil {
            useful.append("authn_token_file")
        } else {
            let hasService = authnType != .authn
            useful += ["authn_type", "authn_login"] + (hasService ? ["service_id"] : [])
            try require("service_id", when: hasService && authnType != .cert && serviceID == nil)
            switch authnType {
            case .authn, .ldap:
                useful.append("authn_api_key_file")
                try require("authn_login", when: login == nil)
                try require(
                    "authn_api_key_file, or CONJUR_AUTHN_API_KEY in the environment",
                    when: apiKeyPath == nil && apiKey == nil)
            case .jwt:
                useful.append("jwt_token_path")
                try require(
                    "jwt_token_path, or CONJUR_AUTHN_JWT_TOKEN in the environment", when: jwtPath == nil && jwt == nil)
            case .cert, .k8s:
                try require("authn_cert_file", when: clientCertificate == nil)
                // The host is in the certificate only where an authenticator reads it from there.
                try require("authn_login", when: login == nil && (authnType == .k8s || serviceID == nil))
            }
        }
        for key in named where ConjurKwargs.loginVariables.contains(where: { $0.key == key }) && !useful.contains(key) {
            throw Fault(
                key: key, reason: "does not go with \(kind): leave it out, or give the authn_type it belongs to")
        }
    }

    /// The field that is the value of the variable of a secret.
    package func fieldName(of path: SecretPath) -> String { ConjurKwargs.fieldName(of: path, among: fieldNames) }

    package static func fieldName(of path: SecretPath, among fieldNames: [String: String]) -> String {
        let folders = fieldNames.keys.filter { path.text.utf8.starts(with: ($0 + "/").utf8) }
        return fieldNames[folders.max { $0.utf8.count < $1.utf8.count } ?? ""] ?? "key"
    }
}

/// It may hold credentials, so none of it is for logs.
extension ConjurKwargs: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "ConjurKwargs(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

// MARK: - Keys and variables

extension ConjurKwargs {
    /// Key, and the environment variable for it where Conjur has one.
    private static let variables: [(key: String, variable: String?)] = [
        ("appliance_url", "CONJUR_APPLIANCE_URL"), ("account", "CONJUR_ACCOUNT"), ("cert_file", "CONJUR_CERT_FILE"),
        ("ssl_verify", nil), ("timeout", nil), ("policy_branch", nil), ("mapping", nil), ("fields", nil),
    ]
    private static let loginVariables: [(key: String, variable: String?)] = [
        ("authn_type", "CONJUR_AUTHN_TYPE"), ("service_id", "CONJUR_SERVICE_ID"),
        ("authn_login", "CONJUR_AUTHN_LOGIN"), ("authn_api_key_file", nil),
        ("authn_token_file", "CONJUR_AUTHN_TOKEN_FILE"), ("jwt_token_path", "JWT_TOKEN_PATH"),
        ("authn_cert_file", "CONJUR_AUTHN_CERT_FILE"), ("authn_cert_key_file", "CONJUR_AUTHN_CERT_KEY_FILE"),
    ]
    /// Where a secret is wanted but must not be written, and what to write instead.
    private static let secrets = [
        "authn_api_key": "authn_api_key_file, or CONJUR_AUTHN_API_KEY in the environment",
        "authn_jwt_token": "jwt_token_path, or CONJUR_AUTHN_JWT_TOKEN in the environment",
        "authn_token": "authn_token_file",
    ]

    package static let knownKeys = (variables + loginVariables).map(\.key)

    private static func check(_ key: String) throws(Fault) {
        if let instead = secrets[key] {
            throw Fault(key: key, reason: "a secret does not belong into the configuration: give \(instead)")
        }
        guard !knownKeys.contains(key) else { return }
        let near = nearestName(to: key, among: knownKeys).map { "did you mean \($0)?" }
        throw Fault(
            key: key, reason: "unknown key; \(near ?? "the known ones are " + knownKeys.joined(separator: ", "))")
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(
        _ value: BackendKwargsValue
    ) throws(Fault) -> Choice? where Choice.RawValue == String {
        guard let text = try value.text() else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw Fault(key: value.key, reason: "must be one of \(known)")
        }
        return choice
    }

    /// The JSON, and behind it the environment. Whoever names a login in the JSON gets none from the environment, but for
    /// its secret: parts of two logins are no login.
    private struct Given {
        private var values: [String: BackendKwargsValue] = [:]
        private let environment: [String: String]

        init(_ members: [JSON.Member], _ environment: [String: String]) {
            self.environment = environment.filter { !$0.value.isEmpty }
            let keys = loginVariables.map(\.key)
            let namesLogin = members.contains { keys.contains($0.name) && !$0.value.isNull }
            for (key, variable) in variables + (namesLogin ? [] : loginVariables) { take(key, variable) }
            // They choose an authenticator by themselves (conjur-api-go, `mergeEnv`).
            for type in namesLogin ? [] : ["jwt", "cert"] {
                let prefix = "CONJUR_AUTHN_\(type.uppercased())_"
                guard self.environment[prefix + "SERVICE_ID"] != nil else { continue }
                values["authn_type"] = BackendKwargsValue(key: "authn_type", json: .string(type))
                values["authn_login"] = nil
                take("service_id", prefix + "SERVICE_ID")
                take("authn_login", prefix + "HOST_ID")
                break
            }
            for member in members where !member.value.isNull {
                values[member.name] = BackendKwargsValue(key: member.name, json: member.value)
            }
        }

        private mutating func take(_ key: String, _ variable: String?) {
            guard let variable, let text = environment[variable] else { return }
            values[key] = BackendKwargsValue(key: variable, json: .string(text))
        }

        subscript(key: String) -> BackendKwargsValue { values[key] ?? BackendKwargsValue(key: key, json: .null) }

        func secret(_ variable: String) throws(Fault) -> SecretText? {
            try BackendKwargsValue(key: variable, json: .orNull(environment[variable])).secret()
        }

        func verification() throws(Fault) -> TLSVerification {
            let authority = self["cert_file"]
            let isGiven = authority.key == "cert_file" && !authority.json.isNull
            if try self["ssl_verify"].flag() == false {
                guard !isGiven else {
                    throw Fault(
                        key: "ssl_verify", reason: "false, with a cert_file to verify by: leave one of them out")
                }
                return .off
            }
            if !isGiven, let text = environment["CONJUR_SSL_CERTIFICATE"] { return .authorityText(text) }
            return try authority.text().map { .authority(path: $0) } ?? .system
        }

        func fieldNames() throws(Fault) -> [String: String] {
            var names = ConjurKwargs.defaultFieldNames
            let given = self["fields"]
            if given.json.isNull { return names }
            let fault = Fault(
                key: "fields",
                reason: #"must be an object of folders and fields: {"connections": "conn_uri", "": "key"}"#)
            guard let members = given.json.members else { throw fault }
            for member in members {
                guard let name = member.value.text, !name.isEmpty else { throw fault }
                names[try BackendKwargsValue(key: "fields", json: .string(member.name)).path() ?? ""] = name
            }
            return names
        }
    }
}
