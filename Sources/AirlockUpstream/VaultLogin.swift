package import AirlockCore
import Foundation

/// How to get a token from a Vault-compatible server: one case for each `auth_type` that works, built from kwargs.
/// Credentials in files are read again at each login, because agents and kubelets replace them.
package struct VaultLogin: Sendable {
    package enum Method: Sendable {
        case token(SecretText)
        case tokenFile(path: String)
        case approle(roleID: String, secretID: SecretText?)
        case userpass(username: String, password: SecretText)
        case jwt(role: String, token: SecretText)
        case jwtFile(role: String, path: String)
        case kubernetes(role: String, path: String)
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
        let method: Method? =
            switch kwargs.authType {
            case .token:
                kwargs.token.map(Method.token) ?? kwargs.tokenPath.map(Method.tokenFile)
                    ?? environmentToken.map(Method.token)
            case .approle: kwargs.roleID.map { .approle(roleID: $0, secretID: kwargs.secretID) }
            case .userpass:
                kwargs.username.flatMap { name in
                    kwargs.password.map { .userpass(username: name, password: $0) }
                }
            case .jwt:
                kwargs.jwtRole.flatMap { role in
                    kwargs.jwtToken.map { .jwt(role: role, token: $0) }
                        ?? kwargs.jwtTokenPath.map { .jwtFile(role: role, path: $0) }
                }
            case .kubernetes:
                kwargs.kubernetesRole.flatMap { role in
                    kwargs.kubernetesJWTPath.map { .kubernetes(role: role, path: $0) }
                }
            case .awsIAM, .azure, .gcp, .github, .ldap, .radius: nil
            }
        guard let method else {
            throw BackendKwargs.Fault(
                key: "auth_type",
                reason: "\(kwargs.authType.rawValue) is not supported yet; "
                    + "use approle, jwt, kubernetes, userpass, or token with token_path")
        }
        self.init(method, mount: kwargs.authMountPoint)
    }

    /// A token that was given stays what it is; only a login gives another one.
    var canRepeat: Bool { if case .token = method { false } else { true } }

    enum Step {
        case token(SecretText)
        case request(path: [String], body: JSON)
    }

    func step() throws(UpstreamError) -> Step {
        switch method {
        case .token(let token): return .token(token)
        case .tokenFile(let path): return .token(try VaultLogin.credential(in: path, key: "token_path"))
        case .approle(let roleID, let secretID):
            var body: [JSON.Member] = [.init("role_id", .string(roleID))]
            if let secretID { body.append(.init("secret_id", .string(secretID.revealed))) }
            return .request(path: ["auth", mount, "login"], body: .object(body))
        case .userpass(let username, let password):
            return .request(path: ["auth", mount, "login", username], body: ["password": .string(password.revealed)])
        case .jwt(let role, let token): return present(token, as: role)
        case .jwtFile(let role, let path):
            return present(try VaultLogin.credential(in: path, key: "jwt_token_path"), as: role)
        case .kubernetes(let role, let path):
            return present(try VaultLogin.credential(in: path, key: "kubernetes_jwt_path"), as: role)
        }
    }

    private func present(_ token: SecretText, as role: String) -> Step {
        .request(path: ["auth", mount, "login"], body: ["role": .string(role), "jwt": .string(token.revealed)])
    }

    /// A file ends in a newline more often than not; a header may not.
    private static func credential(in path: String, key: String) throws(UpstreamError) -> SecretText {
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

extension VaultLogin.Method {
    var defaultMount: String {
        switch self {
        case .token, .tokenFile: "token"
        case .approle: "approle"
        case .userpass: "userpass"
        case .jwt, .jwtFile: "jwt"
        case .kubernetes: "kubernetes"
        }
    }
}
