import Foundation

/// Why a JWT is refused, in OpenBao's words where it has some. It never holds any of the token.
package struct JWTFault: Error, Equatable {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }
}

/// A signed JWT in its compact form (RFC 7515, 3.1), taken apart but not yet believed.
package struct CompactJWT: Sendable {
    package let algorithm: String
    /// Empty when the token names none.
    package let keyID: String
    /// What the signature is over.
    package let signed: SecretPayload
    package let signature: [UInt8]
    /// The header demands something that is not understood here; such a token is never verified (RFC 7515, 4.1.11).
    package let isCritical: Bool
    private let payload: SecretPayload

    package init(_ text: SecretText) throws(JWTFault) {
        let bytes = text.revealed.utf8.filter { !CompactJWT.blanks.contains($0) }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw JWTFault("go-jose/go-jose: compact JWS format must have three parts") }
        guard let header = CompactJWT.decoded(parts[0]), let payload = CompactJWT.decoded(parts[1]),
            let signature = CompactJWT.decoded(parts[2])
        else { throw JWTFault("illegal base64 data") }
        // A repeated name could say one thing here and another elsewhere.
        guard let json = try? JSON(parsing: header, refusesRepeats: true), json.members != nil else {
            throw JWTFault("the header is not a JSON object")
        }
        algorithm = json["alg"]?.text ?? ""
        keyID = json["kid"]?.text ?? ""
        isCritical = json["crit"] != nil || json["b64"] != nil
        signed = SecretPayload(Array(parts[0] + [UInt8(ascii: ".")] + parts[1]))
        self.payload = SecretPayload(payload)
        self.signature = signature
    }

    /// What the token says, whoever signed it; `nil` when that is no JSON object.
    package var unverifiedClaims: JWTClaims? { JWTClaims(payload.bytes) }

    private static let blanks: Set = [UInt8(ascii: " "), 0x09, 0x0A, 0x0D]

    /// Base64 with the alphabet of URLs, padded or not.
    package static func decoded(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var standard: [UInt8] = []
        for byte in text {
            switch byte {
            case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"): return nil
            default: standard.append(byte)
            }
        }
        while standard.last == UInt8(ascii: "=") { standard.removeLast() }
        standard += [UInt8](repeating: UInt8(ascii: "="), count: (4 - standard.count % 4) % 4)
        return Data(base64Encoded: Data(standard)).map { Array($0) }
    }
}
