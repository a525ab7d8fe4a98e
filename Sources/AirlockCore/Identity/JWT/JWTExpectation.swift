/// What a verified JWT must say to be accepted, checked in OpenBao's order (VAULT-PROTOCOL 15).
package struct JWTExpectation: Sendable {
    /// Empty: any issuer; the same for the subject and the audiences.
    package var issuer = ""
    package var subject = ""
    package var audiences: [String] = []
    package var algorithms = JWTExpectation.allAlgorithms
    /// Seconds; 0 stands for the default, a negative number for none.
    package var expirationLeeway = 0
    package var notBeforeLeeway = 0
    package var clockSkewLeeway = 0
    /// Accept a token that says nothing about time.
    package var allowsTimeless = false

    package init() {}

    /// Signatures with a public key only: a key that everybody knows must never count as a shared secret.
    package static let allAlgorithms = [
        "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA",
    ]

    private static let defaultLeeway = 150
    private static let defaultSkew = 60

    private static func effective(_ leeway: Int, default fallback: Int) -> Int {
        leeway == 0 ? fallback : max(0, leeway)
    }

    package func check(_ claims: JWTClaims, algorithm: String, now: Timestamp) throws(JWTFault) {
        guard algorithms.contains(algorithm) else {
            throw JWTFault("invalid algorithm (alg) header parameter: token signed with unexpected algorithm")
        }
        // The types of all come before the values of any.
        let (issuer, subject) = (try claims.text("iss"), try claims.text("sub"))
        _ = try claims.text("jti")
        let audiences = try claims.audiences()
        var times = (
            issued: try claims.seconds("iat"), expires: try claims.seconds("exp"), begins: try claims.seconds("nbf")
        )
        guard self.issuer.isEmpty || self.issuer.utf8.elementsEqual(issuer.utf8) else {
            throw JWTFault("invalid issuer (iss) claim")
        }
        guard self.subject.isEmpty || self.subject.utf8.elementsEqual(subject.utf8) else {
            throw JWTFault("invalid subject (sub) claim")
        }
        let known = Set(audiences.map { ExactText($0) })
        guard self.audiences.isEmpty || self.audiences.contains(where: { known.contains(ExactText($0)) }) else {
            throw JWTFault("invalid audience (aud) claim: audience claim does not match any expected audience")
        }
        if times == (0, 0, 0) {
            if allowsTimeless { return }
            throw JWTFault("no issued at (iat), not before (nbf), or expiration time (exp) claims in token")
        }
        if times.expires == 0 {
            times.expires =
                max(times.issued, times.begins)
                + JWTExpectation.effective(expirationLeeway, default: JWTExpectation.defaultLeeway)
        }
        if times.begins == 0 {
            times.begins =
                times.issued != 0
                ? times.issued
                : times.expires - JWTExpectation.effective(notBeforeLeeway, default: JWTExpectation.defaultLeeway)
        }
        try check(times, now: now)
    }

    private func check(_ times: (issued: Int, expires: Int, begins: Int), now: Timestamp) throws(JWTFault) {
        let skew = JWTExpectation.effective(clockSkewLeeway, default: JWTExpectation.defaultSkew)
        let moment = Double(now.nanoseconds) / 1e9
        guard moment + Double(skew) >= Double(times.begins) else {
            throw JWTFault("invalid not before (nbf) claim: token not yet valid")
        }
        guard moment - Double(skew) <= Double(times.expires) else {
            throw JWTFault("invalid expiration time (exp) claim: token is expired")
        }
        guard moment + Double(skew) >= Double(times.issued) else {
            throw JWTFault("invalid issued at (iat) claim: token issued in the future")
        }
    }
}
