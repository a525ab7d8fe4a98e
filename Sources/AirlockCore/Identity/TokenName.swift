/// What the store knows a token by, which no one can make a token from.
///
/// Airlock writes a record for each login. Were they named by digests alone, each would lie at a random place of the database, and
/// writing thousands would change thousands of its pages. So the texts of the tokens that Airlock makes begin with the second
/// they are made in, and so do their accessors and their names: what is made together lies together. The accessor is a keyed
/// digest of the text, and the name one of the accessor: either leads to the record, and no second record is needed.
///
/// A token whose text somebody else has chosen, and one from before this rule, is named by the text's keyed digest alone; a
/// record of its own leads to it from its accessor, which is random.
package enum TokenName {
    private static let prefix = "s."
    /// Letters of a text behind `s.`, and of an accessor: the second, and then 19 letters of 62, which are 113 bits.
    private static let length = 24
    private static let secondLength = 5
    /// 2026-01-01 UTC. Five letters count for 29 years, then anew, which only costs order.
    private static let epoch = 1_767_225_600

    /// A new token's text, its accessor and its name.
    struct Made {
        let text: String
        let accessor: String
        let name: String
    }

    static func make(in namespace: Namespace, now: Timestamp, _ digest: (String) -> String) -> Made {
        let text = prefix + second(now) + RandomText.alphanumeric(length - secondLength) + namespace.suffix
        let accessor = accessor(ofMade: text.utf8.dropFirst(prefix.utf8.count), text, digest)
        return Made(text: text, accessor: accessor, name: name(accessor: accessor, digest))
    }

    static func make(chosen text: String, in namespace: Namespace, _ digest: (String) -> String) -> Made {
        Made(text: text, accessor: RandomText.alphanumeric(length) + namespace.suffix, name: digest(text))
    }

    /// The names that a token of this text may have, the likelier first.
    static func names(text: String, now: Timestamp, _ digest: (String) -> String) -> [String] {
        let (plain, letters) = (digest(text), text.utf8.dropFirst(prefix.utf8.count))
        guard text.hasPrefix(prefix), isMade(letters) else { return [plain] }
        let made = name(accessor: accessor(ofMade: letters, text, digest), digest)
        // A text of somebody else's choice hardly ever begins with a second that has been.
        let isLikely = !second(now).utf8.lexicographicallyPrecedes(letters.prefix(secondLength))
        return isLikely ? [made, plain] : [plain, made]
    }

    /// - Returns: `nil` where only a record leads from the accessor to the token.
    static func name(ofAccessor accessor: String, _ digest: (String) -> String) -> String? {
        isMade(accessor.utf8[...]) ? name(accessor: accessor, digest) : nil
    }

    /// Whether the accessor alone leads to it.
    static func isOfAccessor(_ name: String) -> Bool { name.utf8.dropFirst(secondLength).first == UInt8(ascii: "-") }

    private static func accessor(ofMade letters: Substring.UTF8View, _ text: String, _ digest: (String) -> String)
        -> String
    {
        let (second, suffix) = (letters.prefix(secondLength), letters.dropFirst(length))
        let own = RandomText.alphanumeric(fromDigest: digest("accessor\n" + text), length - secondLength)
        return "\(Substring(second))\(own)\(Substring(suffix))"
    }

    private static func name(accessor: String, _ digest: (String) -> String) -> String {
        "\(Substring(accessor.utf8.prefix(secondLength)))-\(digest(accessor))"
    }

    private static func second(_ now: Timestamp) -> String {
        RandomText.alphanumeric(counting: now.seconds - epoch, secondLength)
    }

    /// Whether what follows `s.` has the form of a made token's, with or without a namespace behind it.
    private static func isMade(_ letters: Substring.UTF8View) -> Bool {
        let end = letters.dropFirst(length).first
        return letters.count >= length && (end == nil || end == UInt8(ascii: "."))
            && letters.prefix(length).allSatisfy(RandomText.isAlphanumeric)
    }
}
