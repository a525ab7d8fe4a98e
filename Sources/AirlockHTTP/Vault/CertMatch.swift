import AirlockCore
import SwiftASN1
import X509

/// The role of the cert login that the certificate on a connection belongs to.
struct CertMatch: Sendable {
    let name: String
    let role: CertRole
    let client: ClientIdentity

    /// The first of `roles` that trusts the certificate and whose constraints it meets.
    /// Bytes.
    private static let serialNumberLimit = 64

    /// - Throws: `AirlockError` with Vault's message about what was wrong (VAULT-PROTOCOL 14).
    static func find(_ shown: [[UInt8]], among roles: [(name: String, role: CertRole)], at now: Timestamp) async throws
        -> CertMatch
    {
        guard let own = shown.first else { throw AirlockError.badRequest("no client certificate found") }
        let refused = AirlockError.badRequest("invalid certificate or no client certificate supplied")
        guard let certificates = try? shown.map({ try Certificate(derEncoded: $0) }) else { throw refused }
        // 20 at most, by RFC 5280, section 4.1.2.2; longer ones make work for who wants to keep Airlock busy.
        guard certificates.allSatisfy({ $0.serialNumber.bytes.count <= serialNumberLimit }) else { throw refused }
        let chain = try ClientChain(certificates, at: now)
        try checkTime(chain.leaf, now)
        guard let client = try? ClientIdentity(chain.leaf, der: own) else { throw refused }
        var (isTrusted, isForOtherUse) = (false, false)
        for (name, role) in roles {
            guard let trusted = try? Certificate.all(inPEM: role.certificate), let first = trusted.first else {
                continue
            }
            if first.isAuthority {
                guard let path = await chain.path(to: trusted) else { continue }
                guard ClientChain.isForClients(path) else {
                    isForOtherUse = true
                    continue
                }
                isTrusted = true
            } else {
                // A client's own certificate: that one, byte for byte. Its key was proved in the handshake.
                guard try first.derBytes() == own else { continue }
            }
            if role.allows(client) { return CertMatch(name: name, role: role, client: client) }
        }
        if isTrusted {
            throw AirlockError.badRequest(
                "no chain matching all constraints could be found for this login certificate")
        }
        throw isForOtherUse ? failure("certificate specifies an incompatible key usage") : refused
    }

    private static func checkTime(_ leaf: Certificate, _ now: Timestamp) throws {
        let (begin, end) = (Timestamp(leaf.notValidBefore), Timestamp(leaf.notValidAfter))
        let moment = Timestamp(nanoseconds: Timestamp.nanoseconds(in: now.seconds))
        guard moment < begin || moment > end else { return }
        let relation = moment < begin ? "before \(begin.rfc3339)" : "after \(end.rfc3339)"
        throw failure("certificate has expired or is not yet valid: current time \(moment.rfc3339) is \(relation)")
    }

    private static func failure(_ reason: String) -> AirlockError {
        AirlockError(.vaultServerError, "failed to verify client's certificate: x509: \(reason)")
    }
}

extension Certificate {
    /// Whether it may sign others; a role's certificate that may not is a client's own.
    var isAuthority: Bool {
        guard let constraints = try? extensions.basicConstraints else { return false }
        if case .isCertificateAuthority = constraints { return true }
        return false
    }
}

extension ClientIdentity {
    init(_ certificate: Certificate, der: [UInt8]) throws {
        self.init()
        self.certificate = der
        for attribute in certificate.subject.flatMap({ $0 }) {
            guard let text = String(attribute.value) else { continue }
            if attribute.type == .RDNAttributeType.commonName { commonName = text }
            if attribute.type == .RDNAttributeType.organizationalUnitName { units.append(text) }
        }
        for name in try certificate.extensions.subjectAlternativeNames ?? SubjectAlternativeNames() {
            switch name {
            case .dnsName(let text): dnsNames.append(text)
            case .rfc822Name(let text): emails.append(text)
            case .uniformResourceIdentifier(let text): uris.append(text)
            default: break
            }
        }
        for present in certificate.extensions {
            extensions["\(present.oid)"] = ClientIdentity.text(Array(present.value))
        }
        serialNumber = ClientIdentity.decimal(certificate.serialNumber.bytes)
        subjectKeyID = ClientIdentity.hex(try certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
        authorityKeyID = ClientIdentity.hex(try certificate.extensions.authorityKeyIdentifier?.keyIdentifier)
    }

    /// What an extension's value says, if it is one of ASN.1's texts.
    private static func text(_ value: [UInt8]) -> String {
        if let text = try? ASN1UTF8String(derEncoded: value) { return String(text) }
        if let text = try? ASN1PrintableString(derEncoded: value) { return String(text) }
        if let text = try? ASN1IA5String(derEncoded: value) { return String(text) }
        return ""
    }

    private static func hex(_ bytes: ArraySlice<UInt8>?) -> String {
        (bytes ?? []).map { withUnsafeBytes(of: $0, Hexadecimal.text) }.joined(separator: ":")
    }

    /// A number of any length, most significant byte first.
    static func decimal(_ bytes: some Sequence<UInt8>) -> String {
        // Least significant digit first.
        var digits: [UInt8] = [0]
        for byte in bytes {
            var carry = Int(byte)
            for index in digits.indices {
                carry += Int(digits[index]) << 8
                digits[index] = UInt8(carry % 10)
                carry /= 10
            }
            while carry > 0 {
                digits.append(UInt8(carry % 10))
                carry /= 10
            }
        }
        return String(digits.reversed().map { Character(Unicode.Scalar($0 + 0x30)) })
    }
}
