/// The claims of a JWT.
package struct JWTClaims: Sendable {
    private let json: JSON

    /// `nil` when the bytes are no JSON object, or one that says something twice.
    init?(_ bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes, refusesRepeats: true), json.members != nil else { return nil }
        self.json = json
    }

    /// The claim of exactly this name; a null counts as none.
    package subscript(name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    /// The claim that a role names: a JSON pointer (RFC 6901) when it begins with "/".
    package func named(_ name: String) -> JSON? {
        guard name.hasPrefix("/") else { return self[name] }
        var value: JSON? = json
        for part in name.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let key = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
            if let elements = value?.elements {
                value = Int(key).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            } else {
                value = value?[key]
            }
        }
        return value.flatMap { $0.isNull ? nil : $0 }
    }

    // MARK: Registered claims (RFC 7519, 4.1)

    func text(_ name: String) throws(JWTFault) -> String {
        guard let value = self[name] else { return "" }
        guard let text = value.text else {
            throw JWTFault("json: cannot unmarshal \(value.kind) into Go struct field Claims.\(name) of type string")
        }
        return text
    }

    package func audiences() throws(JWTFault) -> [String] {
        guard let value = self["aud"] else { return [] }
        if let text = value.text { return [text] }
        let texts = value.elements?.compactMap(\.text)
        guard let texts, texts.count == value.elements?.count else {
            throw JWTFault("go-jose/go-jose/jwt: expected string or array value to unmarshal to Audience")
        }
        return texts
    }

    /// Whole seconds since 1970; 0 when the token does not say.
    func seconds(_ name: String) throws(JWTFault) -> Int {
        guard let value = self[name] else { return 0 }
        // A century is enough for any token, and far from where adding a leeway could overflow.
        guard case .number(let digits) = value, let number = Double(digits), abs(number) < 1e16 else {
            throw JWTFault("go-jose/go-jose/jwt: expected number value to unmarshal NumericDate")
        }
        return Int(number)
    }
}

extension JSON {
    /// As Go's decoder names the kinds in its errors.
    fileprivate var kind: String {
        switch self {
        case .null: "nil"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object, .verbatim: "object"
        }
    }
}
