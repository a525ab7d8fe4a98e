/// What a role demands of a token's claims (VAULT-PROTOCOL 15).
package struct BoundClaims: Sendable, Codable, Equatable {
    package enum Comparison: String, Sendable, Codable {
        case string, glob
    }

    package struct Demand: Sendable, Codable, Equatable {
        /// A name, or a JSON pointer.
        package let claim: String
        /// The JSON text of a value, or of a list of values, one of which must be there.
        package let value: String

        package init(claim: String, value: JSON) {
            self.claim = claim
            self.value = String(decoding: value.bytes, as: UTF8.self)
        }

        package var json: JSON { (try? JSON(parsing: value)) ?? .null }
    }

    package var comparison = Comparison.string
    /// `nil` was never set.
    package var demands: [Demand]?

    package init() {}

    package var isEmpty: Bool { demands?.isEmpty ?? true }

    /// - Throws: for a pattern that is no text.
    package func check() throws(JWTFault) {
        guard comparison == .glob else { return }
        for demand in demands ?? [] {
            guard let wanted = BoundClaims.list(demand.json) else { throw JWTFault("claim is not a string or list") }
            guard wanted.allSatisfy({ $0.text != nil }) else { throw JWTFault("claim is not a string") }
        }
    }

    package func check(_ claims: JWTClaims) throws(JWTFault) {
        for demand in demands ?? [] {
            guard let claim = claims.named(demand.claim) else {
                throw JWTFault("claim \"\(demand.claim)\" is missing")
            }
            guard let given = BoundClaims.list(claim) else {
                throw JWTFault("received claim is not a string, bool, int or list")
            }
            guard let wanted = BoundClaims.list(demand.json) else {
                throw JWTFault("bound claim is not a string, bool, int or list")
            }
            // A number inside a token's list matches nothing, as on OpenBao.
            let comparable = claim.elements == nil ? given : given.filter { !$0.isNumber }
            guard wanted.contains(where: { one in comparable.contains { matches($0, one) } }) else {
                throw JWTFault("claim \"\(demand.claim)\" does not match any associated bound claim values")
            }
        }
    }

    private func matches(_ given: JSON, _ wanted: JSON) -> Bool {
        switch (given, wanted) {
        case (.string(let given), .string(let wanted)):
            comparison == .glob ? Glob.matches(wanted, given) : given.utf8.elementsEqual(wanted.utf8)
        case (.bool(let given), .bool(let wanted)): comparison == .string && given == wanted
        // Digit by digit: OpenBao cuts the token's number off at its decimals, and 1.9 would pass for 1.
        case (.number(let given), .number(let wanted)): comparison == .string && given == wanted
        default: false
        }
    }

    /// A single value is a list of one; `nil` for an object.
    static func list(_ value: JSON) -> [JSON]? {
        switch value {
        case .array(let elements): elements
        case .string, .bool, .number: [value]
        case .null, .object, .verbatim: nil
        }
    }
}

extension JSON {
    fileprivate var isNumber: Bool { if case .number = self { true } else { false } }
}
