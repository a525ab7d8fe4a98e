/// A role of the AppRole login. Times in seconds, 0 meaning not set (VAULT-PROTOCOL 8.1).
package struct AppRole: Sendable, Codable, Equatable {
    package var roleID: String
    package var bindSecretID = true
    package var secretIDBoundCIDRs: [CIDR] = []
    package var secretIDUses = 0
    package var secretIDTTL = 0
    package var token = TokenSettings()

    package init(roleID: String) { self.roleID = roleID }

    /// - Throws: `AirlockError` with Vault's message when the settings contradict each other.
    package func check() throws {
        guard bindSecretID || !secretIDBoundCIDRs.isEmpty || !token.boundCIDRs.isEmpty else {
            throw AirlockError(
                .vaultServerError, AirlockError.multi("at least one constraint should be enabled on the role"))
        }
        guard token.maxTTL == 0 || token.ttl <= token.maxTTL else {
            throw AirlockError.badRequest("'token_ttl' cannot be greater than 'token_max_ttl'")
        }
    }
}

/// What a login's token is like: the `token_*` fields that every way to log in shares.
package struct TokenSettings: Sendable, Codable, Equatable {
    package var policies: [String] = []
    /// Whether the legacy field `policies` set them: then it is shown too.
    package var policiesAreLegacy = false
    package var ttl = 0
    package var maxTTL = 0
    package var explicitMaxTTL = 0
    package var period = 0
    package var uses = 0
    package var noDefaultPolicy = false
    package var boundCIDRs: [CIDR] = []
    package var type = "default"

    package init() {}
}

/// One secret id of a role, known by its keyed digest.
package struct SecretID: Sendable, Codable, Equatable {
    package let accessor: String
    package let created: Timestamp
    package var updated: Timestamp
    package let expires: Timestamp?
    package let ttl: Int
    /// 0 means any number.
    package var usesLeft: Int
    package let metadata: [String: String]
    package let cidrs: [CIDR]
    package let tokenCIDRs: [CIDR]

    package func isExpired(at now: Timestamp) -> Bool { expires.map { $0 <= now } ?? false }
}
