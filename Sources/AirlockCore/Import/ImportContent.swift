/// What goes into the vault for one candidate, and how to tell that it is there. Only the bytes are kept: an import may hold a
/// hundred thousand of them.
package struct ImportContent: Sendable {
    package let kind: ImportTarget.Kind
    /// The secret's data object as it is written.
    package let payload: SecretPayload

    package static func connection(_ connection: Connection) -> ImportContent {
        ImportContent(kind: .connection, payload: SecretPayload(ConnectionPayload.write(connection)))
    }

    package static func variable(_ variable: Variable) -> ImportContent {
        ImportContent(kind: .variable, payload: SecretPayload(variable.data))
    }

    /// The content as Airflow's workers read it.
    package enum Model: Sendable {
        case connection(Connection)
        case variable(Variable)
    }

    package var model: Model {
        switch kind {
        case .connection: if let found = try? ConnectionPayload.read(payload.bytes) { return .connection(found) }
        case .variable: if let found = try? Variable(data: payload.bytes) { return .variable(found) }
        }
        preconditionFailure("what was written for Airflow is what Airflow reads")
    }

    /// Why a text is no connection, without any of it.
    package struct Refusal: Error, Sendable, Equatable {
        package let reasons: [String]
    }

    package static func read(
        _ candidate: ImportCandidate
    ) -> Result<(content: ImportContent, warnings: [String]), Refusal> {
        switch candidate.target.kind {
        case .variable:
            .success(
                (
                    .variable(Variable(value: candidate.text.revealed, description: candidate.description?.revealed)),
                    []
                ))
        case .connection: connection(candidate)
        }
    }

    /// The text means what Airflow's workers (the Task SDK) read from it. Where another Airflow would read the same text
    /// otherwise, the stored form is one that all of them read alike.
    private static func connection(
        _ candidate: ImportCandidate
    ) -> Result<(content: ImportContent, warnings: [String]), Refusal> {
        let text = candidate.text.revealed
        let findings = ConnectionLint.findings(in: text)
        let errors = findings.filter { $0.severity == .error }
        guard errors.isEmpty else { return .failure(Refusal(reasons: errors.map { said($0, candidate) })) }
        let warnings = findings.filter { !isSettled($0) }.map { said($0, candidate) }
        do throws(ConnectionError) {
            // Airflow would keep a number in a text field, and most hooks fail on it.
            let connection = try ConnectionText.parse(text, dialect: .sdk, numbers: .asText)
            let content = ImportContent.connection(connection)
            let misreadings = content.misreadings(of: connection)
            return misreadings.isEmpty ? .success((content, warnings)) : .failure(Refusal(reasons: misreadings))
        } catch {
            return .failure(Refusal(reasons: [error.description]))
        }
    }

    private static func said(_ finding: Finding, _ candidate: ImportCandidate) -> String {
        // A row's text is put together here, so no byte of it is a place that anybody could look at.
        let isRow = candidate.origin.row != nil
        let field = candidate.keepsLines || isRow ? finding.field.map { "\($0.rawValue): " } ?? "" : ""
        let place = isRow ? "" : " (\(candidate.place(of: finding.offset)))"
        return "\(field)\(finding.message)\(place): \(finding.fix)"
    }

    /// What the text leaves open and the stored form does not: it is the same to every Airflow. And no hook reads a description.
    private static func isSettled(_ finding: Finding) -> Bool {
        switch finding.code {
        case .queryTypedValue, .portAsText, .surroundingBlanks: true
        case .lostInURI: finding.field == .description
        default: false
        }
    }

    /// A connection that some Airflow cannot hold, whatever form it is stored in. An empty password alone is none: two of
    /// the three read it as no password, which is the same to every hook.
    private func misreadings(of connection: Connection) -> [String] {
        var (connection, written) = (connection, payload.bytes)
        if connection.password?.isEmpty == true {
            connection.password = nil
            written = ConnectionPayload.write(connection)
        }
        let dialects = ConnectionPayload.dialectsMisreading(written, as: connection)
        return dialects.map { dialect in
            switch dialect {
            case .sdk: "Airflow 3 workers would read other fields back; give it as JSON"
            case .v2_10: "Airflow 2.10 would read other fields back; give it as JSON"
            case .server:
                "the Airflow 3 API server would refuse it or read other fields back; extra must be a JSON object"
            }
        }
    }

    /// Whether Airflow, each of them, reads the same from what is stored. Its bytes may differ: another member order, or
    /// fields in place of a URI.
    package func isSame(as stored: SecretPayload) -> Bool { changes(from: stored).isEmpty }

    /// What the content would change for Airflow, whichever reads it, in what is stored.
    package func changes(from stored: SecretPayload) -> [ImportChange] {
        if stored == payload { return [] }
        switch kind {
        case .connection: return connectionChanges(from: stored)
        case .variable:
            guard let ours = try? Variable(data: payload.bytes) else { return [.unreadable] }
            guard let theirs = try? Variable(data: stored.bytes) else { return [.unreadable] }
            var changes: [ImportChange] = []
            if !theirs.value.utf8.elementsEqual(ours.value.utf8) { changes.append(ImportChange("value", .changed)) }
            // Airflow looks at no description in a vault: one that is there alone is no reason to write.
            if let new = ours.description, theirs.description != new {
                changes.append(ImportChange("description", theirs.description == nil ? .added : .changed))
            }
            return changes
        }
    }

    private func connectionChanges(from stored: SecretPayload) -> [ImportChange] {
        var changes: [ImportChange] = []
        for dialect in Dialect.allCases {
            guard let ours = try? ConnectionPayload.read(payload.bytes, dialect: dialect),
                let theirs = try? ConnectionPayload.read(stored.bytes, dialect: dialect)
            else { return [.unreadable] }
            if ours == theirs { continue }
            for change in ImportChange.between(theirs, ours) where !changes.contains(change) { changes.append(change) }
        }
        return changes
    }

    /// The same bytes for the same members, in whichever order a server gives them back.
    package static func canonical(_ data: SecretPayload) -> [UInt8] {
        guard let members = (try? JSON(parsing: data.bytes))?.members else { return data.bytes }
        return JSON.object(members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }).bytes
    }
}

/// One field that an import changes, by its name alone: a value that was stored wrongly may hold a password in any field.
package struct ImportChange: Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case added, removed, changed
        /// Airflow cannot read what is stored.
        case unreadable
    }

    package let field: String
    package let kind: Kind

    package init(_ field: String, _ kind: Kind) {
        self.field = field
        self.kind = kind
    }

    package static let unreadable = ImportChange("*", .unreadable)

    /// `+port`, `-extra`, `~password`.
    package var description: String {
        switch kind {
        case .added: "+\(field)"
        case .removed: "-\(field)"
        case .changed: "~\(field)"
        case .unreadable: "unreadable"
        }
    }

    package var json: JSON { ["field": .string(field), "change": .string(kind.rawValue)] }

    static func between(_ old: Connection, _ new: Connection) -> [ImportChange] {
        typealias Field = ConnectionError.Field
        let texts: [(Field, String?, String?)] = [
            (.connType, old.connType, new.connType), (.description, old.description, new.description),
            (.host, old.host, new.host), (.login, old.login, new.login), (.password, old.password, new.password),
            (.schema, old.schema, new.schema), (.port, old.port.map(String.init), new.port.map(String.init)),
            (.extra, old.extra, new.extra),
        ]
        return texts.compactMap { field, old, new in
            switch (old, new) {
            case (nil, nil): nil
            case (nil, _): ImportChange(field.rawValue, .added)
            case (_, nil): ImportChange(field.rawValue, .removed)
            case (let old?, let new?):
                old.utf8.elementsEqual(new.utf8) ? nil : ImportChange(field.rawValue, .changed)
            }
        }
    }
}
