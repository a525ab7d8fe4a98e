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

/// Patterns in which `*` stands for any text, and nothing else is special.
package enum Glob {
    package static func matches(_ pattern: String, _ text: String) -> Bool {
        let parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
        var rest = Array(text.utf8)[...]
        guard parts.count > 1 else { return rest.elementsEqual(parts[0]) }
        guard rest.starts(with: parts[0]) else { return false }
        rest = rest.dropFirst(parts[0].count)
        for part in parts.dropFirst().dropLast() {
            guard let found = Glob.index(of: part, in: rest) else { return false }
            rest = rest[(found + part.count)...]
        }
        let last = parts[parts.count - 1]
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    private static func index(of part: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= part.count else { return nil }
        return (text.startIndex...(text.endIndex - part.count)).first { text[$0...].starts(with: part) }
    }
}
