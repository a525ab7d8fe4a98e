/// Where an imported value comes from: `prod.env:14`, `prod.json:3:5`, `airflow.db: connection pg`.
package struct ImportOrigin: Sendable, Hashable, CustomStringConvertible {
    package let source: String
    /// Counted from 1; 0 where the source has no lines. Rows of a database are counted as if they were lines.
    package let line: Int
    /// Counted from 1; 0 where a line can hold one value only.
    package let column: Int
    /// What a row is called, where there are no lines to look up.
    package let row: String?

    package init(source: String, line: Int = 0, column: Int = 0, row: String? = nil) {
        self.source = source
        self.line = line
        self.column = column
        self.row = row
    }

    package var description: String {
        if let row { return "\(source): \(row)" }
        return [source, line > 0 ? String(line) : nil, column > 0 ? String(column) : nil].compactMap(\.self)
            .joined(separator: ":")
    }
}

/// What a connection or variable will be called in the vault.
package struct ImportTarget: Sendable, Hashable {
    package enum Kind: String, Sendable { case connection, variable }

    package let kind: Kind
    package let team: String?
    package let id: String

    package init(_ kind: Kind, team: String? = nil, id: String) {
        self.kind = kind
        self.team = team
        self.id = id
    }

    /// "pg", or "sales/pg" for a team.
    package var name: String { team.map { "\($0)/\(id)" } ?? id }

    /// Why Airflow's REST API, or a path in a vault, would not take the name; nil when both do.
    package var fault: String? {
        for part in [team, id].compactMap(\.self) {
            if part.isEmpty { return "the id is empty" }
            if part == "." || part == ".." { return "the id '\(part)' means a folder in a path" }
            if part.unicodeScalars.count > 200 { return "the id is longer than 200 characters" }
            guard part.unicodeScalars.allSatisfy(ImportTarget.isAllowed) else {
                return "the id has a character other than letters, digits, '_', '.' and '-'"
            }
        }
        return nil
    }

    /// A text that holds the name, for people to read: a database or a vault has any text as an id, also such as a terminal obeys.
    package func printable(_ text: String) -> String {
        if fault == nil { return text }
        return "\"" + text.unicodeScalars.prefix(250).map { $0.escaped(asASCII: true) }.joined() + "\""
    }

    /// `[\w.-]`, as in Airflow's API.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "_.-".unicodeScalars.contains(scalar)
    }
}

/// One connection or variable that a source offers, before anybody has judged it.
package struct ImportCandidate: Sendable {
    package let target: ImportTarget
    package let origin: ImportOrigin
    /// What Airflow would be given: a URI, a JSON object of fields, or a variable's value.
    package let text: SecretText
    /// A variable's.
    package let description: SecretText?
    /// The text's lines are lines of the source.
    package let keepsLines: Bool
    package let warnings: [String]

    /// The Raft storage of OpenBao and Vault takes no larger entry:
    /// https://openbao.org/docs/configuration/storage/raft/ (`max_entry_size`).
    package static let sizeLimit = 1 << 20
    static let tooLarge = "the value is larger than 1 MiB, which vaults do not store"

    package init(
        _ target: ImportTarget, from origin: ImportOrigin, text: SecretText, description: SecretText? = nil,
        keepsLines: Bool = false, warnings: [String] = []
    ) {
        self.target = target
        self.origin = origin
        self.text = text
        self.description = description
        self.keepsLines = keepsLines
        self.warnings = warnings
    }

    /// `line 17`, or `byte 5 of the value` where the value has no lines of the source's.
    func place(of offset: Int) -> String {
        guard keepsLines else { return "byte \(offset) of the value" }
        return "line \(origin.line + text.revealed.utf8.prefix(offset).count { $0 == 10 })"
    }
}
