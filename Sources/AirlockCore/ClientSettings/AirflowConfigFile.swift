/// `airflow.cfg` as Python's configparser reads it, as far as one section goes: `#` and `;` begin a comment line, a value goes on
/// in lines that are indented, `%%` is a percent sign.
/// https://docs.python.org/3/library/configparser.html#supported-ini-file-structure
package struct AirflowConfigFile {
    private var sections: [String: [String: String]] = [:]

    /// Whether a text has the shape: its first line that says something is a section's name.
    package static func isLikely(_ text: String) -> Bool {
        let first = text.split(whereSeparator: \.isNewline).first { !isComment($0) }
        return first.map { $0.hasPrefix("[") && $0.contains("]") } ?? false
    }

    package init(parsing text: String) {
        var section = ""
        var key: String?
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if AirflowConfigFile.isComment(line) { continue }
            let content = AirflowConfigFile.trimmed(line)
            if let key, line.first == " " || line.first == "\t" {
                sections[section, default: [:]][key, default: ""] += "\n" + content
            } else if content.hasPrefix("["), let end = content.firstIndex(of: "]") {
                section = String(content[content.index(after: content.startIndex)..<end])
                key = nil
            } else if let mark = content.firstIndex(where: { $0 == "=" || $0 == ":" }) {
                let name = AirflowConfigFile.trimmed(content[..<mark]).lowercased()
                sections[section, default: [:]][name] = AirflowConfigFile.trimmed(
                    content[content.index(after: mark)...])
                key = name
            }
        }
    }

    func has(_ key: String, in section: String) -> Bool { sections[section]?[key]?.isEmpty == false }

    /// - Throws: `AirlockError` for a value that takes others' (`%(name)s`).
    package func section(_ name: String) throws -> [String: String] {
        var values: [String: String] = [:]
        for (key, value) in sections[name] ?? [:] {
            let parts = value.split(separator: "%%", omittingEmptySubsequences: false)
            guard !parts.contains(where: { $0.contains("%") }) else {
                throw AirlockError.badRequest(
                    "[\(name)] \(GivenSettings.shown(key)): a single % stands for another value: write the value out, and % as %%"
                )
            }
            values[key] = parts.joined(separator: "%")
        }
        return values
    }

    private static func isComment(_ line: Substring) -> Bool {
        let text = line.drop { $0 == " " || $0 == "\t" }
        return text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";")
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        var rest = text.drop(while: blank)
        while let last = rest.last, blank(last) { rest = rest.dropLast() }
        return String(rest)
    }
}
