/// Where the public keys of a login come from. Stored with its configuration.
package enum KeySource: Sendable, Codable, Hashable {
    /// Public keys or certificates as PEM.
    case pem([String])
    /// A key set in a file of the folder that the operator set aside for it.
    case file(String)
    /// A key set at a URL; `authority` as in `LoginQuestion`.
    case url(String, authority: String)
    /// The key set that an issuer's discovery document names (OpenID Connect Discovery 1.0, 4).
    case discovery(issuer: String, authority: String)

    /// Beginning of the message about a token that cannot be read at all: OpenBao has two readers.
    var malformedPrefix: String { if case .pem = self { "" } else { "oidc: malformed jwt: " } }

    var noKey: JWTFault {
        if case .pem = self { return JWTFault("no known key successfully validated the token signature") }
        return JWTFault("failed to verify id token signature")
    }
}

/// One public key. The cryptography lies outside the core.
package protocol VerificationKey: Sendable {
    /// Empty when it has none.
    var id: String { get }
    /// Whether this key signed the token, with the algorithm that the token names and that is one of this key's own.
    func signed(_ token: CompactJWT) -> Bool
}

package protocol KeyReading: Sendable {
    /// - Returns: `nil` when the text holds no public key and no certificate of a kind that signs tokens.
    func key(pem: String) -> (any VerificationKey)?
    /// The keys of a set (RFC 7517, 5) that sign tokens; others are left out.
    /// - Returns: `nil` when the bytes are no key set.
    func keys(set: [UInt8]) -> [any VerificationKey]?
    /// Whether the text is one or more certificates as PEM and nothing else.
    func isAuthority(pem: String) -> Bool
}
