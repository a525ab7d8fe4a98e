/// A role of the AppRole login. Times in seconds, 0 meaning not set (VAULT-PROTOCOL 8.1).
package struct AppRole: Sendable, Codable, Equatable {
    package var roleID: String
    package var bindSecretID = true
    /// Settled when the role is made. With one server it changes nothing.
    package var localSecretIDs = false
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
        try token.check()
    }
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
