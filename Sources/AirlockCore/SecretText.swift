/// Text that is a secret. Printing, interpolating, dumping and reflecting it show a placeholder, also from inside the
/// values that hold it, so that a careless log line or error cannot give it away.
package struct SecretText: Sendable, Hashable {
    /// The text itself: for the wire and for comparisons, never for messages.
    package let revealed: String

    package init(_ text: String) { revealed = text }
}

extension SecretText: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "(secret)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
