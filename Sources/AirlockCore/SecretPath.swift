/// A path below a mount, valid by construction: no empty part, no `.` or `..`, no control character, at most
/// `SecretPath.lengthLimit` bytes. Case-sensitive, already percent-decoded, equal only to the same bytes.
package struct SecretPath: Sendable, Hashable, Comparable {
    package static let lengthLimit = 4096

    package let text: String

    /// - Throws: `AirlockError` with Vault's own message for a path that ends in `/` and for relative paths.
    package init(_ text: String) throws {
        guard !text.isEmpty, text.utf8.last != UInt8(ascii: "/") else {
            throw AirlockError.badRequest("cannot write to a path ending in '/'")
        }
        try SecretPath.check(text)
        self.text = text
    }

    /// - Parameter text: of a path that has been checked.
    init(known text: String) { self.text = text }

    /// The same rules for a folder: empty for the mount's root, otherwise ends in `/`.
    package static func folder(_ text: String) throws -> String {
        if text.isEmpty { return "" }
        try check(text)
        return text.utf8.last == UInt8(ascii: "/") ? text : text + "/"
    }

    package static func == (left: SecretPath, right: SecretPath) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(ExactText(text)) }

    package static func < (left: SecretPath, right: SecretPath) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    private static func check(_ text: String) throws {
        guard text.utf8.count <= lengthLimit else {
            throw AirlockError.badRequest("the path is longer than \(lengthLimit) bytes")
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw AirlockError(.badRequest, nil)
        }
        // Scalars, not characters: a combining mark after a slash must not hide the slash.
        var parts = text.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.last == "" { parts.removeLast() }
        for part in parts {
            guard part != "..", part != "." else { throw AirlockError.badRequest("relative paths not supported") }
            guard !part.isEmpty else { throw AirlockError.badRequest("the path has an empty part ('//')") }
        }
    }
}
