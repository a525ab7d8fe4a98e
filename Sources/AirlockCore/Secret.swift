/// Secret bytes: a JSON object exactly as its writer sent it, or a token. Unprintable by construction: `print`, `dump`,
/// string interpolation and reflection show a placeholder, also from inside an enclosing value.
package struct SecretPayload: Sendable, Equatable {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The bytes as JSON to be spliced into an answer untouched.
    package var json: JSON { .verbatim(bytes) }
}

extension SecretPayload: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SecretPayload(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
