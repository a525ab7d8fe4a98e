/// A role of the cert login: which certificates log in to it, and what they get (VAULT-PROTOCOL 14). A list that was never set
/// is `nil`, and reads back so.
package struct CertRole: Sendable, Codable, Equatable {
    /// PEM: authorities, or one client's own certificate.
    package var certificate = ""
    /// Empty stands for the role's name.
    package var displayName = ""
    package var allowedNames: [String]?
    package var allowedCommonNames: [String]?
    package var allowedDNSNames: [String]?
    package var allowedEmails: [String]?
    package var allowedURIs: [String]?
    package var allowedUnits: [String]?
    /// `OID:value`
    package var requiredExtensions: [String]?
    /// Extensions whose value goes into the token's metadata.
    package var metadataExtensions: [String]?
    package var token = TokenSettings()

    package init() {}

    /// - Throws: `AirlockError` for a constraint that could never be met, or settings that contradict each other.
    package func check() throws {
        for entry in requiredExtensions ?? [] {
            let parts = entry.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.allSatisfy({ (0x2E...0x39).contains($0) }) else {
                throw AirlockError.badRequest("required_extensions must be of the form OID:value, such as 1.2.3.4:web*")
            }
        }
        try token.check()
    }

    /// Whether the certificate meets every constraint that is set.
    package func allows(_ client: ClientIdentity) -> Bool {
        func meets(_ allowed: [String]?, _ found: [String]) -> Bool {
            guard let allowed, !allowed.isEmpty else { return true }
            return allowed.contains { pattern in found.contains { Glob.matches(pattern, $0) } }
        }
        return meets(allowedNames, [client.commonName] + client.dnsNames + client.emails)
            && meets(allowedCommonNames, [client.commonName])
            && meets(allowedDNSNames, client.dnsNames)
            && meets(allowedEmails, client.emails)
            && meets(allowedURIs, client.uris)
            && meets(allowedUnits, client.units)
            && (requiredExtensions ?? []).allSatisfy { entry in
                let parts = entry.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                return parts.count == 2 && client.extensions[parts[0]].map { Glob.matches(parts[1], $0) } ?? false
            }
    }
}

/// What a client's certificate says about the client.
package struct ClientIdentity: Sendable {
    /// The last one, where there are several.
    package var commonName = ""
    package var units: [String] = []
    package var dnsNames: [String] = []
    package var emails: [String] = []
    package var uris: [String] = []
    /// Text by dotted OID; empty for a value that is no text.
    package var extensions: [String: String] = [:]
    /// Decimal.
    package var serialNumber = ""
    /// Hexadecimal with colons; empty when the certificate has none.
    package var subjectKeyID = ""
    package var authorityKeyID = ""
    /// The whole certificate in DER.
    package var certificate: [UInt8] = []

    package init() {}
}
