/// The JWT login of one auth mount (VAULT-PROTOCOL 15).
package struct JWTLogins: Sendable {
    package let records: LoginRecords<JWTRole, JWTConfig>
    private let keys: KeySets
    private let tokens: Tokens
    private let now: Now

    package init(storage: any Storage, mount: Mount, keys: KeySets, now: @escaping Now) {
        records = LoginRecords(storage: storage, mount: mount)
        self.keys = keys
        self.now = now
        tokens = Tokens(storage: storage, namespace: mount.namespace, now: now)
    }

    /// - Parameters:
    ///   - role: empty for the configuration's default.
    ///   - source: the client's address, for roles bound to address blocks.
    package func login(role name: String, jwt: SecretText, source: String?) async throws -> IssuedToken {
        guard let config = try records.config() else { throw AirlockError.badRequest("could not load configuration") }
        let name = (name.isEmpty ? config.defaultRole : name).lowercased()
        guard !name.isEmpty else { throw AirlockError.badRequest("missing role") }
        guard let role = try records.role(name) else {
            throw AirlockError.badRequest("role \"\(name)\" could not be found")
        }
        guard !jwt.revealed.isEmpty else { throw AirlockError.badRequest("missing token") }
        try role.token.checkSource(source)
        let claims = try await claims(jwt, role, config)
        let proved: (name: String, metadata: [String: String])
        do throws(JWTFault) {
            proved = try role.identity(claims)
        } catch {
            throw AirlockError.badRequest(error.reason)
        }
        do throws(JWTFault) {
            try role.boundClaims.check(claims)
        } catch {
            throw AirlockError.badRequest("error validating claims: \(error.reason)")
        }
        guard !proved.name.isEmpty else { throw AirlockError(.vaultServerError, "missing name in alias") }
        var login = Login(mount: records.mount, role: name, settings: role.token, identity: proved.name)
        login.displayName = proved.name
        login.source = source
        login.metadata = proved.metadata.merging(["role": name]) { $1 }
        return try await records.issue(
            login, provedWith: role, config: config, tokens: tokens,
            else: AirlockError.badRequest("role \"\(name)\" could not be found"))
    }

    /// Not optimised: Swift 6.3.1's optimiser crashes over it (while splitting the coroutine).
    @_optimize(none)
    private func claims(_ jwt: SecretText, _ role: JWTRole, _ config: JWTConfig) async throws -> JWTClaims {
        let claims: JWTClaims
        do {
            let token = try await verified(jwt, config)
            claims = token.claims
            try role.expectation(config).check(claims, algorithm: token.algorithm, now: now())
        } catch let error as JWTFault {
            throw AirlockError.badRequest("error validating token: \(error.reason)")
        }
        // A token for somebody else must not be of use here because the role forgot to say for whom it is.
        if claims["aud"] != nil, try !claims.audiences().isEmpty, (role.boundAudiences ?? []).isEmpty {
            throw AirlockError.badRequest("audience claim found in JWT but no audiences bound to the role")
        }
        return claims
    }

    @_optimize(none)
    private func verified(
        _ jwt: SecretText, _ config: JWTConfig
    ) async throws -> (claims: JWTClaims, algorithm: String) {
        do {
            let token = try await keys.verified(jwt, by: config.source)
            guard let claims = token.unverifiedClaims else { throw config.source.noKey }
            return (claims, token.algorithm)
        } catch let error as JWTFault {
            throw JWTFault("error verifying token signature: \(error.reason)")
        }
    }
}
