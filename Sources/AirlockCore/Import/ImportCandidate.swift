/// Where an imported value comes from: `prod.env:14`, or `airflow.db: connection pg`.
package struct ImportOrigin: Sendable, Hashable, CustomStringConvertible {
    package let source: String
    /// Rows of a database are counted as if they were lines.
    package let line: Int
    /// What a row is called, where there are no lines to look up.
    package let row: String?

    package init(source: String, line: Int, row: String? = nil) {
        self.source = source
        self.line = line
        self.row = row
    }

    package var description: String { row.map { "\(source): \($0)" } ?? "\(source):\(line)" }
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

    /// `[\w.-]`, as in Airflow's API.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "_.-".unicodeScalars.contains(scalar)
    }
}

/// One connection or variable that a source offers, before anybody has judged it.
package struct ImportCandidate: Sendable {
    package let target: ImportTarget
    package let origin: ImportOrigin
    package let text: SecretText
    package let warnings: [String]

    package init(_ target: ImportTarget, from origin: ImportOrigin, text: SecretText, warnings: [String] = []) {
        self.target = target
        self.origin = origin
        self.text = text
        self.warnings = warnings
    }
}

/// What a file holds for an import. Each kind of file has an initialiser of its own.
package struct ImportSource: Sendable {
    package struct Skipped: Sendable, Equatable {
        package let name: String
        package let origin: ImportOrigin
    }

    package struct Note: Sendable, Equatable, CustomStringConvertible {
        package let origin: ImportOrigin
        package let message: String

        package var description: String { "\(origin): \(message)" }
    }

    package private(set) var candidates: [ImportCandidate] = []
    package private(set) var skipped: [Skipped] = []
    package private(set) var rejected: [Note] = []

    package init(candidates: [ImportCandidate], rejected: [Note]) {
        self.candidates = candidates
        self.rejected = rejected
    }

    /// `AIRFLOW_CONN_<ID>` and `AIRFLOW_VAR_<KEY>` lines. A file with neither is one of `ID=uri` lines, as
    /// `airflow connections import` takes it.
    package init(_ file: EnvFile, named source: String) {
        let hasPrefix = file.entries.contains { ImportSource.target(ofVariable: $0.name) != nil }
        for entry in file.entries {
            let origin = ImportOrigin(source: source, line: entry.line)
            let target =
                hasPrefix ? ImportSource.target(ofVariable: entry.name) : ImportTarget(.connection, id: entry.name)
            guard let target else {
                skipped.append(.init(name: entry.name, origin: origin))
                continue
            }
            let warnings = entry.hasReference ? ["holds ${...} or $(...), which is imported as it stands"] : []
            candidates.append(ImportCandidate(target, from: origin, text: entry.value, warnings: warnings))
        }
        rejected = file.faults.map { Note(origin: .init(source: source, line: $0.line), message: $0.reason) }
    }

    /// Airflow looks a lower- or upper-case id up by its upper-case name, so the name cannot tell which it was; ids are
    /// lower-case by custom.
    static func target(ofVariable name: String) -> ImportTarget? {
        for (prefix, kind) in [("AIRFLOW_CONN_", ImportTarget.Kind.connection), ("AIRFLOW_VAR_", .variable)]
        where name.hasPrefix(prefix) {
            let rest = name.dropFirst(prefix.count).lowercased()
            // AIRFLOW_CONN__<TEAM>___<ID>
            if rest.hasPrefix("_"), let gap = rest.dropFirst().firstRange(of: "___") {
                let (team, id) = (rest.dropFirst()[..<gap.lowerBound], rest[gap.upperBound...])
                if !team.isEmpty, !id.isEmpty { return ImportTarget(kind, team: String(team), id: String(id)) }
            }
            return ImportTarget(kind, id: rest)
        }
        return nil
    }
}
