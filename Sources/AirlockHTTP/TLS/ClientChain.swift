import AirlockCore
import Foundation
import SwiftASN1
@_spi(FixedExpiryValidationTime) import X509

/// The certificates that a client has shown, its own first, and whom they lead to. The handshake has proved that it holds the
/// first one's key, and nothing else.
struct ClientChain: Sendable {
    let leaf: Certificate
    private let intermediates: [Certificate]
    private let moment: Timestamp

    /// More than any real chain has; a longer one is not looked into.
    private static let lengthLimit = 10

    /// - Parameter shown: at least one.
    init(_ shown: [Certificate], at moment: Timestamp) throws {
        guard let leaf = shown.first, shown.count <= ClientChain.lengthLimit else {
            throw AirlockError.badRequest("invalid certificate or no client certificate supplied")
        }
        self.leaf = leaf
        intermediates = Array(shown.dropFirst())
        self.moment = moment
    }

    private var date: Date { Date(timeIntervalSince1970: Double(moment.nanoseconds) / 1e9) }

    /// The way from the leaf to one of `roots`, both ends included; `nil` when there is none that RFC 5280 allows now.
    func path(to roots: [Certificate]) async -> [Certificate]? {
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
            RFC5280Policy(fixedExpiryValidationTime: date)
            IssuersMaySign()
        }
        let result = await verifier.validate(leaf: leaf, intermediates: CertificateStore(intermediates))
        guard case .validCertificate(let path) = result else { return nil }
        return Array(path)
    }

    /// Whether every certificate that says what it is for says it is for clients.
    static func isForClients(_ path: [Certificate]) -> Bool {
        path.allSatisfy { certificate in
            guard let present = certificate.extensions[oid: .X509ExtensionID.extendedKeyUsage] else { return true }
            guard let usages = try? ExtendedKeyUsage(present) else { return false }
            return usages.contains(.clientAuth) || usages.contains(.any)
        }
    }

    func isTrusted(by roots: [Certificate]) async -> Bool {
        guard let path = await path(to: roots) else { return false }
        return ClientChain.isForClients(path)
    }
}

/// What RFC5280Policy leaves out: that each issuer's key is meant for signing certificates.
private struct IssuersMaySign: VerifierPolicy {
    /// Names and usages may be critical: a login's constraints and `isForClients` look at them.
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.keyUsage,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) async -> PolicyEvaluationResult {
        for issuer in chain.dropFirst() {
            guard let present = issuer.extensions[oid: .X509ExtensionID.keyUsage] else { continue }
            guard let usage = try? KeyUsage(present), usage.keyCertSign else {
                return .failsToMeetPolicy(reason: "the key of an issuer is not for signing certificates")
            }
        }
        return .meetsPolicy
    }
}

extension Certificate {
    /// DER.
    func derBytes() throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return serializer.serializedBytes
    }

    /// Every certificate in a PEM text; what stands between them, and blocks of other kinds, is passed over.
    static func all(inPEM text: String) throws -> [Certificate] {
        try PEMDocument.parseMultiple(pemString: text).filter { $0.discriminator == defaultPEMDiscriminator }
            .map { try Certificate(derEncoded: $0.derBytes) }
    }
}
