/// A role of the JWT login. Times in seconds (VAULT-PROTOCOL 15).
package struct JWTRole: Sendable, Codable, Equatable {
    /// Whose value names the one who logs in.
    package var userClaim = ""
    package var userClaimIsPointer = false
    package var groupsClaim = ""
    package var boundSubject = ""
    /// `nil` was never set, here and below; it reads as null.
    package var boundAudiences: [String]?
    package var boundClaims = BoundClaims()
    /// Metadata names by claim.
    package var claimMappings: [String: String]?
    package var expirationLeeway = 0
    package var notBeforeLeeway = 0
    package var clockSkewLeeway = 0
    package var browser = BrowserSettings()
    package var token = TokenSettings()

    /// What only logins through a browser would heed; kept because clients send it and read it back.
    package struct BrowserSettings: Sendable, Codable, Equatable {
        package var allowedRedirectURIs: [String]?
        package var scopes: [String]?
        package var metadata: [String]?
        package var callbackMode = "client"
        package var pollInterval = 0
        package var maxAge = 0
        package var disableConfirmation = false
    }

    package init() {}

    private static let reservedMetadata = "role"

    /// - Throws: `AirlockError` with OpenBao's message for the first thing that is wrong.
    package func check(_ mount: Mount) throws {
        try token.check()
        guard token.period <= mount.effectiveMaxTTL else {
            throw AirlockError.badRequest(
                "'period' of '\"\(GoDuration.format(seconds: token.period))\"' is greater than the backend's maximum lease TTL of '\"\(GoDuration.format(seconds: mount.effectiveMaxTTL))\"'"
            )
        }
        do throws(JWTFault) { try boundClaims.check() } catch { throw AirlockError.badRequest(error.reason) }
        var targets: Set<ExactText> = []
        for target in (claimMappings ?? [:]).values.sorted() {
            guard target != JWTRole.reservedMetadata else {
                throw AirlockError.badRequest(
                    "metadata key \"\(target)\" is reserved and may not be a mapping destination")
            }
            guard targets.insert(ExactText(target)).inserted else {
                throw AirlockError.badRequest("multiple keys are mapped to metadata key \"\(target)\"")
            }
        }
        guard !userClaim.isEmpty else { throw AirlockError.badRequest("a user claim must be defined on the role") }
    }

    /// A token that an issuer signed is not enough by itself: it must be meant for this role in some way.
    package func checkBounds() throws {
        guard
            !(boundAudiences ?? []).isEmpty || !token.boundCIDRs.isEmpty || !boundSubject.isEmpty
                || !boundClaims.isEmpty
        else {
            throw AirlockError.badRequest("must have at least one bound constraint when creating/updating a role")
        }
    }

    package func expectation(_ config: JWTConfig) -> JWTExpectation {
        var expected = JWTExpectation()
        expected.issuer = config.boundIssuer
        expected.subject = boundSubject
        expected.audiences = boundAudiences ?? []
        if !config.supportedAlgorithms.isEmpty { expected.algorithms = config.supportedAlgorithms }
        expected.expirationLeeway = expirationLeeway
        expected.notBeforeLeeway = notBeforeLeeway
        expected.clockSkewLeeway = clockSkewLeeway
        return expected
    }

    /// Who the claims say has come, and the metadata the role takes from them.
    package func identity(_ claims: JWTClaims) throws(JWTFault) -> (name: String, metadata: [String: String]) {
        let claim = userClaimIsPointer ? claims.named(userClaim) : claims[userClaim]
        guard let claim else { throw JWTFault("claim \"\(userClaim)\" not found in token") }
        guard let name = claim.text else { throw JWTFault("claim \"\(userClaim)\" could not be converted to string") }
        var metadata: [String: String] = [:]
        for (source, target) in (claimMappings ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let value = claims.named(source) else { continue }
            guard let text = value.text, source != "aud" else {
                throw JWTFault("error converting claim '\(source)' to string")
            }
            metadata[target] = text
        }
        try checkGroups(claims)
        return (name, metadata)
    }

    /// Groups have no meaning here, but a role that names their claim is for tokens that have it.
    private func checkGroups(_ claims: JWTClaims) throws(JWTFault) {
        guard !groupsClaim.isEmpty else { return }
        guard let claim = claims.named(groupsClaim) else {
            throw JWTFault("failed to fetch groups: \"\(groupsClaim)\" claim not found in token")
        }
        guard let groups = BoundClaims.list(claim) else {
            throw JWTFault("\"\(groupsClaim)\" claim could not be converted to string list")
        }
        guard groups.allSatisfy({ $0.text != nil }) else {
            throw JWTFault("a value in groups claim could not be parsed as string")
        }
    }
}

/// What the JWT login of one mount trusts.
package struct JWTConfig: Sendable, Codable, Equatable {
    package var source: KeySource
    /// Empty: any.
    package var boundIssuer = ""
    /// For logins that name no role.
    package var defaultRole = ""
    /// Empty: all that verify with a public key.
    package var supportedAlgorithms: [String] = []
    package var namespaceInState = true

    package init(source: KeySource) { self.source = source }

    package func check() throws {
        for name in supportedAlgorithms where !JWTExpectation.allAlgorithms.contains(name) {
            throw AirlockError.badRequest("invalid jwt_supported_algs: unsupported signing algorithm \"\(name)\"")
        }
    }
}
