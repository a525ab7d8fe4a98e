package import AirlockCore
import Foundation

/// How to get a token from a Vault-compatible server: one case for each `auth_type` that works, built from kwargs.
package struct VaultLogin: Sendable, Hashable {
    package enum Method: Sendable, Hashable {
        case token(Source)
        /// - Parameter isWrapped: what the source holds is a response-wrapping token with the secret id in it.
        case approle(roleID: String, secretID: Source?, isWrapped: Bool)
        case userpass(username: String, password: SecretText)
        case ldap(username: String, password: SecretText)
        case radius(username: String, password: SecretText)
        case github(Source)
        case jwt(role: String, Source)
        case kubernetes(role: String, Source)
        /// The client certificate of the connection is the credential.
        case cert(role: String?)
    }

    /// Where a credential is. A file is read again at each login, because agents and kubelets replace it.
    package enum Source: Sendable, Hashable {
        case given(SecretText)
        /// - Parameter key: the kwargs key that names the file.
        case file(path: String, key: String)
    }

    package let method: Method
    /// Where the method is mounted, below `auth/`.
    package let mount: String

    package init(_ method: Method, mount: String? = nil) {
        self.method = method
        self.mount = mount ?? method.defaultMount
    }

    /// - Parameter environmentToken: used by auth_type `token` when the kwargs name none, as `VAULT_TOKEN` is.
    /// - Throws: `BackendKwargs.Fault`, also for an `auth_type` that is not there yet. There is no fallback from one
    ///   method to another.
    package init(_ kwargs: BackendKwargs, environmentToken: SecretText?) throws(BackendKwargs.Fault) {
        try kwargs.requireCompanions(hasEnvironmentToken: environmentToken != nil)
        guard let method = VaultLogin.method(kwargs, environmentToken) else {
            throw BackendKwargs.Fault(
                key: "auth_type",
                reason: "\(kwargs.authType.rawValue) is not supported yet; "
                    + "use approle, jwt, kubernetes, cert, userpass, or token with token_path")
        }
        self.init(method, mount: kwargs.authMountPoint)
    }

    private static func method(_ kwargs: BackendKwargs, _ environmentToken: SecretText?) -> Method? {
        func source(_ given: SecretText?, _ path: String?, _ key: String) -> Source? {
            given.map(Source.given) ?? path.map { .file(path: $0, key: key) }
        }
        func named(_ make: (String, SecretText) -> Method) -> Method? {
            kwargs.username.flatMap { name in kwargs.password.map { make(name, $0) } }
        }
        let token = source(kwargs.token, kwargs.tokenPath, "token_path")
        switch kwargs.authType {
        case .token: return (token ?? environmentToken.map(Source.given)).map(Method.token)
        case .github: return token.map(Method.github)
        case .approle:
            let secretID = source(kwargs.secretID, kwargs.secretIDPath, "secret_id_path")
            return kwargs.roleID.map {
                .approle(roleID: $0, secretID: secretID, isWrapped: kwargs.secretIDWrapped)
            }
        case .userpass: return named { .userpass(username: $0, password: $1) }
        case .ldap: return named { .ldap(username: $0, password: $1) }
        case .radius: return named { .radius(username: $0, password: $1) }
        case .jwt:
            let token = source(kwargs.jwtToken, kwargs.jwtTokenPath, "jwt_token_path")
            return kwargs.jwtRole.flatMap { role in token.map { .jwt(role: role, $0) } }
        case .kubernetes:
            let token = source(nil, kwargs.kubernetesJWTPath, "kubernetes_jwt_path")
            return kwargs.kubernetesRole.flatMap { role in token.map { .kubernetes(role: role, $0) } }
        case .cert: return .cert(role: kwargs.certRole)
        case .awsIAM, .azure, .gcp: return nil
        }
    }

    /// A token that was given stays what it is; only a login issues another one.
    var issuesTokens: Bool { if case .token = method { false } else { true } }

    /// Whether the next login may give another token than the last one.
    var canChange: Bool { if case .token(.given) = method { false } else { true } }

    /// Seconds for which credentials that were refused are not tried again unchanged. Vault locks a user or a role out after five
    /// refusals no more than 15 minutes apart, for everybody who uses it
    /// (https://openbao.org/docs/concepts/user-lockout/).
    func patience(afterRefusals count: Int) -> Int {
        switch method {
        case .approle, .userpass, .ldap, .radius: count < 4 ? [1, 5, 30][max(1, count) - 1] : 16 * 60
        case .token: 0
        case .github, .jwt, .kubernetes, .cert: min(1 << min(count - 1, 5), 30)
        }
    }
}

// MARK: - What is sent

extension VaultLogin {
    enum Step: Sendable, Equatable {
        /// Nothing to send.
        case token(SecretText)
        case request(path: String, body: JSON)
        /// A wrapping token, to be unwrapped for the secret id.
        case unwrap(SecretText)
    }

    /// The next login, from what the credential files hold now.
    func step() throws(UpstreamError) -> Step {
        switch method {
        case .token(let source): return .token(try source.read())
        case .approle(let roleID, let secretID?, let isWrapped):
            let secret = try secretID.read()
            return isWrapped ? .unwrap(secret) : VaultLogin.approle(mount, roleID, secret)
        case .approle(let roleID, nil, _): return VaultLogin.approle(mount, roleID, nil)
        case .userpass(let username, let password), .ldap(let username, let password),
            .radius(let username, let password):
            return request(["password": .string(password.revealed)], user: username)
        case .github(let source): return request(["token": .string(try source.read().revealed)])
        case .jwt(let role, let source), .kubernetes(let role, let source):
            return request(["role": .string(role), "jwt": .string(try source.read().revealed)])
        case .cert(let role): return request(role.map { ["name": .string($0)] } ?? [:])
        }
    }

    /// The login of an AppRole once its secret id is unwrapped.
    func step(secretID: SecretText) -> Step? {
        if case .approle(let roleID, _, _) = method { VaultLogin.approle(mount, roleID, secretID) } else { nil }
    }

    private func request(_ body: JSON, user: String? = nil) -> Step {
        let path = ["auth", mount, "login"] + [user].compactMap(\.self)
        return .request(path: path.map(VaultCall.encoded).joined(separator: "/"), body: body)
    }

    private static func approle(_ mount: String, _ roleID: String, _ secretID: SecretText?) -> Step {
        var body: [JSON.Member] = [.init("role_id", .string(roleID))]
        if let secretID { body.append(.init("secret_id", .string(secretID.revealed))) }
        return .request(path: VaultCall.encoded("auth/\(mount)/login"), body: .object(body))
    }
}

extension VaultLogin.Source {
    /// A file ends in a newline more often than not; a header may not.
    func read() throws(UpstreamError) -> SecretText {
        switch self {
        case .given(let secret): return secret
        case .file(let path, let key):
            guard let data = FileManager.default.contents(atPath: path) else {
                throw UpstreamError(.unauthenticated, "the file that \(key) names, \(path), cannot be read")
            }
            let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard !text.isEmpty else {
                throw UpstreamError(.unauthenticated, "the file that \(key) names, \(path), is empty")
            }
            return SecretText(text)
        }
    }
}

extension VaultLogin.Method {
    var defaultMount: String {
        switch self {
        case .token: "token"
        case .approle: "approle"
        case .userpass: "userpass"
        case .ldap: "ldap"
        case .radius: "radius"
        case .github: "github"
        case .jwt: "jwt"
        case .kubernetes: "kubernetes"
        case .cert: "cert"
        }
    }
}
