/// Percent-encoding in paths and queries (https://www.rfc-editor.org/rfc/rfc3986#section-2.1).
package enum PercentEncoding {
    /// The decoded text; `nil` for a broken escape or for bytes that are no UTF-8. `+` stays a plus in a path.
    package static func decode(_ text: some StringProtocol, plusIsBlank: Bool = false) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(Hexadecimal.value),
                    let low = rest.popFirst().flatMap(Hexadecimal.value)
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsBlank: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// For a query's name or value: everything but letters, digits and `-._~` is escaped.
    package static func encode(_ text: String) -> String { encode(text.utf8) }

    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var out = ""
        for byte in bytes {
            let scalar = Unicode.Scalar(byte)
            if byte < 0x80,
                scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || "-._~".unicodeScalars.contains(scalar)
            {
                out.unicodeScalars.append(scalar)
            } else {
                out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }

    /// More fields than any call has.
    private static let fieldLimit = 100

    /// A query's fields in their order; `nil` when one does not decode, or when there are too many.
    package static func query(_ text: some StringProtocol) -> [(name: String, value: String)]? {
        var fields: [(name: String, value: String)] = []
        // Go's parser gives up at 10,000 parts and then sees none (https://pkg.go.dev/net/url#ParseQuery).
        guard text.utf8.count(where: { $0 == UInt8(ascii: "&") }) < fieldLimit else { return nil }
        for part in text.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(pair[0], plusIsBlank: true),
                let value = pair.count == 2 ? decode(pair[1], plusIsBlank: true) : ""
            else { return nil }
            fields.append((name, value))
        }
        return fields
    }
}
