/// A text as a key, equal only to the same bytes. Swift's `String` takes canonically equivalent texts for equal (`Å` and
/// `A` with a ring above): as a key to a mount or a policy that would be a way round a rule.
package struct ExactText: Sendable, Hashable {
    package let utf8: [UInt8]

    package init(_ text: some StringProtocol) { utf8 = Array(text.utf8) }

    package var text: String { String(decoding: utf8, as: UTF8.self) }
}
