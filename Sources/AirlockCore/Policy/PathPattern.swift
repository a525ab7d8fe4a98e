/// A policy path with a wildcard: `+` stands for one whole segment, `*` as the last character for any rest
/// (VAULT-PROTOCOL 10.2).
struct PathPattern: Sendable {
    private static let slash = UInt8(ascii: "/")
    private static let plus = [UInt8(ascii: "+")]

    let text: [UInt8]
    /// All segments; without the last one when the pattern ends in `*`.
    private let segments: [[UInt8]]
    /// What the rest of the path must start with, when the pattern ends in `*`.
    private let prefix: [UInt8]?
    /// As OpenBao counts: where a segment after the first begins with `+`, or the first is one, the first `+` of all counts for
    /// a wildcard here, also one that is not. It decides between rules, never what they match.
    private let firstWildcard: Int
    private let wildcardSegments: Int

    /// `nil` for a path without a wildcard.
    init?(_ text: [UInt8]) {
        let isPrefix = text.last == UInt8(ascii: "*")
        var segments = text.split(separator: PathPattern.slash, omittingEmptySubsequences: false).map(Array.init)
        let hasSegmentWildcards =
            segments.first == PathPattern.plus || segments.dropFirst().contains { $0.first == PathPattern.plus[0] }
        guard isPrefix || hasSegmentWildcards else { return nil }
        self.text = text
        firstWildcard = hasSegmentWildcards ? text.firstIndex(of: PathPattern.plus[0])! : text.count - 1
        prefix = isPrefix ? Array(segments.removeLast().dropLast()) : nil
        self.segments = segments
        wildcardSegments = segments.count { $0 == PathPattern.plus }
    }

    /// Without a `+` segment.
    var isPrefixOnly: Bool { prefix != nil && wildcardSegments == 0 }

    func matches(_ path: [UInt8]) -> Bool {
        var rest = path[...]
        for (index, segment) in segments.enumerated() {
            let end = rest.firstIndex(of: PathPattern.slash) ?? rest.endIndex
            guard segment == PathPattern.plus || rest[..<end].elementsEqual(segment) else { return false }
            if index == segments.count - 1 && prefix == nil { return end == rest.endIndex }
            guard end < rest.endIndex else { return false }
            rest = rest[(end + 1)...]
        }
        return rest.starts(with: prefix ?? [])
    }

    /// Whether some path at or below `folder` (ends in `/`) matches.
    func reaches(below folder: [UInt8]) -> Bool {
        var rest = folder[...]
        for segment in segments {
            guard !rest.isEmpty else { return true }
            let end = rest.firstIndex(of: PathPattern.slash) ?? rest.endIndex
            guard segment == PathPattern.plus || rest[..<end].elementsEqual(segment) else { return false }
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
        }
        guard let prefix else { return rest.isEmpty }
        return rest.starts(with: prefix) || prefix.starts(with: rest)
    }

    /// More specific first: the first wildcard further right, then not ending in `*`, then fewer `+` segments, then
    /// longer, then later in byte order.
    static func precedes(_ left: PathPattern, _ right: PathPattern) -> Bool {
        if left.firstWildcard != right.firstWildcard { return left.firstWildcard > right.firstWildcard }
        if (left.prefix == nil) != (right.prefix == nil) { return left.prefix == nil }
        if left.wildcardSegments != right.wildcardSegments { return left.wildcardSegments < right.wildcardSegments }
        if left.text.count != right.text.count { return left.text.count > right.text.count }
        return right.text.lexicographicallyPrecedes(left.text)
    }
}
