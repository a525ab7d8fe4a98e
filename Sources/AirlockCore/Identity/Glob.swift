/// Patterns in which `*` stands for any text; every other character, and its case, counts.
package enum Glob {
    package static func matches(_ pattern: String, _ text: String) -> Bool {
        var parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        guard parts.count > 1 else { return ExactText(pattern) == ExactText(text) }
        var rest = Substring(text).utf8
        let (head, tail) = (parts.removeFirst(), parts.removeLast())
        guard rest.count >= head.count + tail.count, rest.starts(with: head),
            rest.reversed().starts(with: tail.reversed())
        else { return false }
        rest = rest.dropFirst(head.count).dropLast(tail.count)
        for part in parts where !part.isEmpty {
            // The first place is always the best one: it leaves the most for what follows.
            while !rest.starts(with: part) {
                guard rest.count > part.count else { return false }
                rest = rest.dropFirst()
            }
            rest = rest.dropFirst(part.count)
        }
        return true
    }
}
