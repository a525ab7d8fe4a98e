import AirlockCore

/// How to get an access token from Conjur
/// (https://docs.cyberark.com/conjur-open-source/latest/en/content/developer/conjur_api_authenticate.htm).
struct ConjurLogin: Sendable, Hashable {
    enum Credential: Sendable, Hashable {
        /// An API key, or at authn-ldap a password: the body as it is.
        case key(VaultLogin.Source)
        case jwt(VaultLogin.Source)
        /// The client certificate of the connection.
        case certificate
    }

    enum Method: Sendable, Hashable {
        /// - Parameter authenticator: `authn`, or `authn-jwt/<service id>` and the like.
        /// - Parameter login: `nil` where the credential itself tells who it is.
        case authenticate(authenticator: String, account: String, login: String?, Credential)
        /// Somebody else logs in and keeps the file fresh, as the authenticator client does beside a Kubernetes pod.
        case tokenFile(VaultLogin.Source)
    }

    let method: Method

    init(_ kwargs: ConjurKwargs) throws(BackendKwargs.Fault) {
        func source(_ given: SecretText?, _ path: String?, _ key: String) -> VaultLogin.Source? {
            path.map { .file(path: $0, key: key) } ?? given.map(VaultLogin.Source.given)
        }
        if let file = source(nil, kwargs.tokenPath, "authn_token_file") {
            method = .tokenFile(file)
            return
        }
        let type = kwargs.authnType
        var credential: Credential? = .certificate
        switch type {
        case .authn, .ldap:
            credential = source(kwargs.apiKey, kwargs.apiKeyPath, "authn_api_key_file").map(Credential.key)
        case .jwt: credential = source(kwargs.jwt, kwargs.jwtPath, "jwt_token_path").map(Credential.jwt)
        case .cert, .k8s: break
        }
        guard let credential else { throw BackendKwargs.Fault(key: "authn_type", reason: "its credential is missing") }
        let authenticator = kwargs.serviceID.flatMap { type == .authn ? nil : "authn-\(type.rawValue)/\($0)" }
        method = .authenticate(
            authenticator: authenticator ?? "authn", account: kwargs.account, login: kwargs.login, credential)
    }

    enum Step: Sendable {
        /// Nothing to send.
        case token(SecretText)
        case request(ConjurCall)
    }

    /// The next login, from what the credential files hold now.
    func step() throws(UpstreamError) -> Step {
        switch method {
        case .tokenFile(let source): return .token(try ConjurShape.token(Array(try source.read().revealed.utf8)))
        case .authenticate(let authenticator, let account, let login, let credential):
            let parts = [account, login, "authenticate"].compactMap(\.self).map(ConjurCall.encoded)
            let target = [VaultCall.encoded(authenticator)] + parts
            var call = ConjurCall("POST", target.joined(separator: "/"))
            switch credential {
            case .key(let source):
                call.body = Array(try source.read().revealed.utf8)
                call.contentType = "text/plain"
            case .jwt(let source):
                call.body = Array("jwt=\(VaultCall.encoded(try source.read().revealed))".utf8)
                call.contentType = "application/x-www-form-urlencoded"
            case .certificate: call.body = []
            }
            return .request(call)
        }
    }

    /// Whether each use reads the token anew.
    var isTokenFile: Bool { if case .tokenFile = method { true } else { false } }

    /// Seconds for which credentials that were refused are not tried again unchanged.
    static func patience(afterRefusals count: Int) -> Int { min(1 << min(count - 1, 5), 30) }
}
