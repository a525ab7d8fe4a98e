import Logging

/// The Kubernetes login of one auth mount (VAULT-PROTOCOL 16).
package struct KubernetesLogins: Sendable {
    package let records: LoginRecords<KubernetesRole, KubernetesConfig>
    private let servers: IdentityServers
    private let tokens: Tokens
    private let now: Now

    package init(storage: any Storage, mount: Mount, servers: IdentityServers, now: @escaping Now) {
        records = LoginRecords(storage: storage, mount: mount)
        self.servers = servers
        self.now = now
        tokens = Tokens(storage: storage, namespace: mount.namespace, now: now)
    }

    private static let algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]

    /// - Parameter source: the client's address, for roles bound to address blocks.
    package func login(role name: String, jwt: SecretText, source: String?) async throws -> IssuedToken {
        guard !name.isEmpty else { throw AirlockError.badRequest("missing role") }
        guard !jwt.revealed.isEmpty else { throw AirlockError.badRequest("missing jwt") }
        let unknown = AirlockError.badRequest("invalid role name \"\(name)\"")
        guard let role = try records.role(name) else { throw unknown }
        try role.token.checkSource(source)
        guard let config = try records.config() else {
            throw AirlockError(.vaultServerError, "could not load backend configuration")
        }
        let claims = try await claims(jwt, role, config)
        let account = ServiceAccount(claims)
        do throws(JWTFault) {
            try role.check(account)
        } catch {
            throw AirlockError(.permissionDenied, error.reason)
        }
        if config.offline == nil { try await review(jwt, claims, account, role, config) }
        guard !account.uid.isEmpty else { throw AirlockError.invalidToken }
        var login = Login(
            mount: records.mount, role: name.lowercased(), settings: role.token, identity: role.identity(account))
        login.displayName = "\(account.namespace)-\(account.name)"
        login.source = source
        login.metadata = [
            "role": name, "service_account_name": account.name, "service_account_namespace": account.namespace,
            "service_account_secret_name": account.secretName, "service_account_uid": account.uid,
        ]
        return try await records.issue(login, provedWith: role, config: config, tokens: tokens, else: unknown)
    }

    /// The token's claims, as far as they can be checked here.
    private func claims(_ jwt: SecretText, _ role: KubernetesRole, _ config: KubernetesConfig) async throws -> JWTClaims
    {
        var expected = JWTExpectation()
        expected.algorithms = KubernetesLogins.algorithms
        expected.issuer = config.expectedIssuer
        expected.audiences = role.audience.isEmpty ? [] : [role.audience]
        expected.allowsTimeless = config.offline == nil
        if config.offline != nil {
            // Nobody else is asked, so nobody else would notice a token that was made for another service.
            guard !role.audience.isEmpty else {
                throw AirlockError(.permissionDenied, "without token reviews the role must name its audience")
            }
        }
        let token: CompactJWT
        do throws(JWTFault) {
            if let keys = config.keys {
                token = try await servers.keys.verified(jwt, by: keys)
            } else {
                token = try CompactJWT(jwt)
            }
        } catch {
            servers.logger.debug("a Kubernetes login is refused", metadata: ["reason": "\(error.reason)"])
            throw AirlockError.invalidToken
        }
        guard let claims = token.unverifiedClaims, JWTExpectation.allAlgorithms.contains(token.algorithm) else {
            throw AirlockError.invalidToken
        }
        do throws(JWTFault) {
            try expected.check(claims, algorithm: token.algorithm, now: now())
        } catch {
            throw AirlockError(.permissionDenied, error.reason)
        }
        // Its end is all that ends such a token: nobody is asked whether the account is still there.
        guard config.offline == nil || claims["exp"] != nil else {
            throw AirlockError(.permissionDenied, "without token reviews a token needs an expiration time (exp) claim")
        }
        return claims
    }

    private func review(
        _ jwt: SecretText, _ claims: JWTClaims, _ account: ServiceAccount, _ role: KubernetesRole,
        _ config: KubernetesConfig
    ) async throws {
        do {
            let audiences = role.audience.isEmpty ? try claims.audiences() : [role.audience]
            let review = TokenReview(token: jwt, audiences: audiences)
            let answer = try await servers.fetcher.fetch(
                try review.question(config, mayUsePod: records.mount.namespace.isRoot))
            guard try review.account(answer).isSame(as: account) else {
                throw JWTFault("the cluster names another account than the token")
            }
        } catch {
            let reason = (error as? JWTFault)?.reason ?? (error as? UpstreamError)?.message ?? "it was cut off"
            servers.logger.warning("a Kubernetes login is refused", metadata: ["reason": "\(reason)"])
            throw AirlockError.invalidToken
        }
    }
}
