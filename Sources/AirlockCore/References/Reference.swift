/// `{vault://mount/path/field}`: one value of one secret, in the form that Kong gives its references
/// (https://developer.konghq.com/gateway/entities/vault/). Every part is percent-encoded where it holds `/`, `?`, `#`, `%`,
/// `{` or `}`; a plus is a plus. What may follow the field: `?` with options, and `#` with a version.
package struct Reference: Sendable {
    package static let opening = "{vault://"

    /// What messages call it: as it is written but without its options, for a default may be a secret.
    package let name: String
    /// A mount, or a prefix, and what follows up to the field, decoded.
    package let place: [String]
    package let field: String
    /// `nil`: the latest.
    package let version: Int?
    package let options: ReferenceOptions
    /// With its options. What is written in other bytes is another reference, though Swift may call the texts equal.
    private let written: ExactText

    /// - Parameter text: what stands between `{vault://` and `}`.
    /// - Throws: a fault of the kind `malformed`, without any of the text.
    init(_ text: Substring) throws(ReferenceFault) {
        written = ExactText(text)
        let (rest, version) = Reference.halves(text, at: "#")
        let (path, query) = Reference.halves(rest, at: "?")
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control || $0 == "{" }) else {
            throw .malformed("it holds a control character or a '{'; write them percent-encoded, %7B for '{'")
        }
        var parts: [String] = []
        for part in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let decoded = PercentEncoding.decode(Substring(part)) else {
                throw .malformed("its path is not percent-encoded UTF-8; a '%' of its own is %25")
            }
            guard !decoded.isEmpty else { throw .malformed("it has an empty part; write {vault://mount/path/field}") }
            parts.append(decoded)
        }
        guard let field = parts.popLast(), !parts.isEmpty else {
            throw .malformed("it needs a mount or prefix, a path and a field: {vault://mount/path/field}")
        }
        guard (try? SecretPath(parts.joined(separator: "/"))) != nil else {
            throw .malformed("its path has an empty part, '.', '..' or a control character, or is too long")
        }
        (place, self.field) = (parts, field)
        name = Reference.opening + path + (version.map { "#\($0)" } ?? "") + "}"
        self.version = try version.map { text throws(ReferenceFault) in
            guard let number = Int(text), number > 0, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw .malformed("what follows '#' is no version, which is a number from 1")
            }
            return number
        }
        options = try ReferenceOptions(query ?? "")
    }

    private static func halves(_ text: Substring, at mark: Unicode.Scalar) -> (Substring, Substring?) {
        guard let index = text.unicodeScalars.firstIndex(of: mark) else { return (text, nil) }
        return (text[..<index], text[text.unicodeScalars.index(after: index)...])
    }
}

extension Reference: Hashable {
    package static func == (left: Reference, right: Reference) -> Bool { left.written == right.written }
    package func hash(into hasher: inout Hasher) { hasher.combine(written) }
}

/// Its options are not for logs.
extension Reference: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { name }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why a reference has no value. It names the reference and never holds anything of a value.
package struct ReferenceFault: Error, Sendable, Equatable {
    package enum Kind: Sendable {
        /// It says nothing sure.
        case malformed
        /// The token may not read there, or there is nothing to read it from.
        case denied
        /// The server says that there is no such secret or field.
        case absent
        /// There is a value, but not one for this use.
        case unusable
        /// Nobody can say at the moment.
        case unavailable
        case failed
    }

    package let kind: Kind
    package let reason: String
    /// `nil` where it is not known which.
    private(set) package var reference: String?

    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    package static func malformed(_ reason: String) -> ReferenceFault { .init(.malformed, reason) }
    static func absent(_ reason: String) -> ReferenceFault { .init(.absent, reason) }
    static func unusable(_ reason: String) -> ReferenceFault { .init(.unusable, reason) }

    func about(_ reference: Reference) -> ReferenceFault {
        var fault = self
        fault.reference = reference.name
        return fault
    }

    package var message: String { (reference.map { $0 + ": " } ?? "") + reason }
}
