/// A path with places to fill: `role/{name}/secret-id`, `data/{path*}`. Literals match exactly, `{name}` one segment,
/// `{name:}` one that is a name in OpenBao's sense (letters, digits and `_`, inside also `-` and `.`), `{path*}` everything
/// that is left, slashes included, and `{path+}` the same where something is left.
struct PathTemplate: Sendable {
    private enum Segment: Sendable {
        case literal(String)
        case capture(String)
        case name(String)
        case rest(String, mayBeEmpty: Bool)
    }

    private let segments: [Segment]
    private let ignoresTrailingSlash: Bool

    init(_ pattern: String, ignoresTrailingSlash: Bool = true) {
        self.ignoresTrailingSlash = ignoresTrailingSlash
        segments = pattern.split(separator: "/").map { part in
            guard part.hasPrefix("{") else { return .literal(String(part)) }
            let name = part.dropFirst().dropLast()
            if name.hasSuffix("*") { return .rest(String(name.dropLast()), mayBeEmpty: true) }
            if name.hasSuffix("+") { return .rest(String(name.dropLast()), mayBeEmpty: false) }
            return name.hasSuffix(":") ? .name(String(name.dropLast())) : .capture(String(name))
        }
    }

    /// What stands in the places when the path matches.
    func match(_ path: String) -> [String: String]? {
        var captures: [String: String] = [:]
        var parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        if parts.last == "", !endsInRest {
            guard ignoresTrailingSlash else { return nil }
            parts.removeLast()
        }
        for (index, segment) in segments.enumerated() {
            switch segment {
            case .rest(let name, let mayBeEmpty):
                let following = segments.count - index - 1
                guard parts.count > index + following else { return nil }
                let rest = parts[index..<(parts.count - following)].joined(separator: "/")
                guard mayBeEmpty || !rest.isEmpty else { return nil }
                captures[name] = rest
                parts.replaceSubrange(index..<(parts.count - following), with: [""])
            case .literal(let text):
                guard index < parts.count, parts[index] == text else { return nil }
            case .capture(let name):
                guard index < parts.count, !parts[index].isEmpty else { return nil }
                captures[name] = parts[index]
            case .name(let name):
                guard index < parts.count, PathTemplate.isName(parts[index]) else { return nil }
                captures[name] = parts[index]
            }
        }
        return parts.count == segments.count ? captures : nil
    }

    /// Go's `\w(([\w-.]+)?\w)?`.
    static func isName(_ text: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard let first = text.utf8.first, let last = text.utf8.last, isWord(first), isWord(last) else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    var endsInRest: Bool { if case .rest? = segments.last { true } else { false } }
}
