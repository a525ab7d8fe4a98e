import AirlockCore
import Crypto
import CryptoExtras
import Foundation
import SwiftASN1
import X509

/// Public keys that sign JWTs. The key decides which algorithms count, never the token alone: one that names another is not
/// signed by the key, whatever its bytes (RFC 8725, 3.1).
struct SignatureKey: VerificationKey {
    private enum Kind: Sendable {
        case rsa(_RSA.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
    }

    let id: String
    private let kind: Kind
    /// The only one its key set allows; empty: all that the kind of key can do.
    private let algorithm: String

    func signed(_ token: CompactJWT) -> Bool {
        guard algorithm.isEmpty || algorithm == token.algorithm else { return false }
        let (bytes, signature) = (token.signed.bytes, token.signature)
        switch (kind, token.algorithm) {
        case (.p256(let key), "ES256"):
            return (try? P256.Signing.ECDSASignature(rawRepresentation: signature)).map {
                key.isValidSignature($0, for: SHA256.hash(data: bytes))
            } ?? false
        case (.p384(let key), "ES384"):
            return (try? P384.Signing.ECDSASignature(rawRepresentation: signature)).map {
                key.isValidSignature($0, for: SHA384.hash(data: bytes))
            } ?? false
        case (.p521(let key), "ES512"):
            return (try? P521.Signing.ECDSASignature(rawRepresentation: signature)).map {
                key.isValidSignature($0, for: SHA512.hash(data: bytes))
            } ?? false
        case (.ed25519(let key), "EdDSA"): return key.isValidSignature(signature, for: bytes)
        case (.rsa(let key), let algorithm): return SignatureKey.signed(key, algorithm, bytes, signature)
        default: return false
        }
    }

    private static func signed(
        _ key: _RSA.Signing.PublicKey, _ algorithm: String, _ bytes: [UInt8], _ signature: [UInt8]
    ) -> Bool {
        let padding: _RSA.Signing.Padding = algorithm.hasPrefix("PS") ? .PSS : .insecurePKCS1v1_5
        let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
        return switch algorithm {
        case "RS256", "PS256": key.isValidSignature(signature, for: SHA256.hash(data: bytes), padding: padding)
        case "RS384", "PS384": key.isValidSignature(signature, for: SHA384.hash(data: bytes), padding: padding)
        case "RS512", "PS512": key.isValidSignature(signature, for: SHA512.hash(data: bytes), padding: padding)
        default: false
        }
    }

    // MARK: Reading

    /// - Returns: `nil` when the text is no public key and no certificate, or of a kind that signs no tokens.
    init?(pem: String) {
        let certificate = try? Certificate(pemEncoded: pem)
        guard let key = certificate?.publicKey ?? (try? Certificate.PublicKey(pemEncoded: pem)) else { return nil }
        if let key = _RSA.Signing.PublicKey(key) {
            kind = .rsa(key)
        } else if let key = P256.Signing.PublicKey(key) {
            kind = .p256(key)
        } else if let key = P384.Signing.PublicKey(key) {
            kind = .p384(key)
        } else if let key = P521.Signing.PublicKey(key) {
            kind = .p521(key)
        } else if let key = Curve25519.Signing.PublicKey(key) {
            kind = .ed25519(key)
        } else {
            return nil
        }
        (id, algorithm) = ("", "")
    }

    /// - Parameter jwk: one member of a key set (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2).
    /// - Returns: `nil` when it is not a key that signs tokens.
    init?(jwk: JSON) {
        func bytes(_ name: String) -> [UInt8]? { jwk[name]?.text.flatMap { CompactJWT.decoded($0.utf8) } }
        if let use = jwk["use"]?.text, use != "sig" { return nil }
        if let uses = jwk["key_ops"]?.elements, !uses.contains(where: { $0.text == "verify" }) { return nil }
        switch (jwk["kty"]?.text, jwk["crv"]?.text) {
        case ("RSA", _):
            guard let n = bytes("n"), let e = bytes("e"), let key = try? _RSA.Signing.PublicKey(n: n, e: e) else {
                return nil
            }
            kind = .rsa(key)
        case ("EC", let curve):
            guard let x = bytes("x"), let y = bytes("y"), let found = SignatureKey.point(curve, x, y) else {
                return nil
            }
            kind = found
        case ("OKP", "Ed25519"):
            guard let x = bytes("x"), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x) else {
                return nil
            }
            kind = .ed25519(key)
        default: return nil
        }
        id = jwk["kid"]?.text ?? ""
        algorithm = jwk["alg"]?.text ?? ""
    }

    private static func point(_ curve: String?, _ x: [UInt8], _ y: [UInt8]) -> Kind? {
        switch curve {
        case "P-256": (try? P256.Signing.PublicKey(rawRepresentation: x + y)).map { .p256($0) }
        case "P-384": (try? P384.Signing.PublicKey(rawRepresentation: x + y)).map { .p384($0) }
        case "P-521": (try? P521.Signing.PublicKey(rawRepresentation: x + y)).map { .p521($0) }
        default: nil
        }
    }
}

struct SignatureKeyReader: KeyReading {
    /// A login may have to try each of them.
    private static let limit = 128

    func key(pem: String) -> (any VerificationKey)? { SignatureKey(pem: pem) }

    func keys(set: [UInt8]) -> [any VerificationKey]? {
        guard let json = try? JSON(parsing: set), json.members != nil else { return nil }
        let members = json["keys"]?.elements ?? []
        guard members.count <= SignatureKeyReader.limit else { return nil }
        return members.compactMap { SignatureKey(jwk: $0) }
    }

    func isAuthority(pem: String) -> Bool {
        guard let documents = try? PEMDocument.parseMultiple(pemString: pem), !documents.isEmpty else { return false }
        return documents.allSatisfy { (try? Certificate(pemDocument: $0)) != nil }
    }
}
