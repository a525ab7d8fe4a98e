/// What is to be done with a field: `?json=/a/0&base64_decode=true&url_encode=true&default=text`.
package struct ReferenceOptions: Sendable {
    /// Into the JSON that the field is or holds as text (https://www.rfc-editor.org/rfc/rfc6901).
    private(set) package var pointer: [String] = []
    private(set) package var isBase64 = false
    /// The value goes into a URL.
    private(set) package var isForURL = false
    /// As it is, where the server says that there is no such secret or field.
    private(set) package var standard: SecretText?

    package static let known = ["json", "base64_decode", "url_encode", "default"]
    /// Kong's, about how long a value is kept.
    private static let freshness = ["ttl", "neg_ttl", "resurrect_ttl"]

    init(_ query: Substring) throws(ReferenceFault) {
        guard !query.isEmpty else { return }
        var seen: Set<String> = []
        for option in query.split(separator: "&", omittingEmptySubsequences: false) {
            let halves = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, let value = PercentEncoding.decode(halves[1]) else {
                throw .malformed("an option is no NAME=VALUE, or not percent-encoded UTF-8")
            }
            let name = String(halves[0])
            guard seen.insert(name).inserted else { throw .malformed("an option is given twice") }
            try set(name, value)
        }
    }

    private mutating func set(_ name: String, _ value: String) throws(ReferenceFault) {
        switch name {
        case "json": pointer = try ReferenceOptions.pointer(value)
        case "base64_decode": isBase64 = try ReferenceOptions.flag(name, value)
        case "url_encode": isForURL = try ReferenceOptions.flag(name, value)
        case "default": standard = SecretText(value)
        case _ where ReferenceOptions.freshness.contains(name):
            throw .malformed("\(name) cannot be honoured; the mount's own settings say how old a value may be")
        default:
            let hint = nearestName(to: name, among: ReferenceOptions.known).map { "did you mean \($0)?" }
            throw .malformed(
                "it has an unknown option; \(hint ?? "known are " + ReferenceOptions.known.joined(separator: ", "))")
        }
    }

    private static func flag(_ name: String, _ value: String) throws(ReferenceFault) -> Bool {
        switch value {
        case "true": return true
        case "false": return false
        default: throw .malformed("\(name) must be true or false")
        }
    }

    private static func pointer(_ text: String) throws(ReferenceFault) -> [String] {
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw .malformed("json must be a JSON pointer, which begins with '/'")
        }
        var parts: [String] = []
        for part in text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            // `~0` last, so that `~01` is `~1` and no slash.
            parts.append(String(Substring(part)).replacing("~1", with: "/").replacing("~0", with: "~"))
        }
        return parts
    }
}
