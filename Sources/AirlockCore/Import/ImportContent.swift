/// What goes into the vault for one candidate, and how to tell that it is there.
package enum ImportContent: Sendable {
    case connection(Connection)
    case variable(Variable)

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
            let content = ImportContent.connection(try ConnectionText.parse(text, dialect: .sdk, numbers: .asText))
            let misreadings = content.misreadings
            return misreadings.isEmpty ? .success((content, warnings)) : .failure(Refusal(reasons: misreadings))
        } catch {
            return .failure(Refusal(reasons: [error.description]))
        }
    }

    private static func said(_ finding: Finding, _ candidate: ImportCandidate) -> String {
        let field = candidate.keepsLines ? finding.field.map { "\($0.rawValue): " } ?? "" : ""
        return "\(field)\(finding.message) (\(candidate.place(of: finding.offset))): \(finding.fix)"
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
    private var misreadings: [String] {
        guard case .connection(var connection) = self else { return [] }
        if connection.password?.isEmpty == true { connection.password = nil }
        let dialects = ConnectionPayload.dialectsMisreading(ConnectionPayload.write(connection), as: connection)
        return dialects.map { dialect in
            switch dialect {
            case .sdk: "Airflow 3 workers would read other fields back; give it as JSON"
            case .v2_10: "Airflow 2.10 would read other fields back; give it as JSON"
            case .server:
                "the Airflow 3 API server would refuse it or read other fields back; extra must be a JSON object"
            }
        }
    }

    package var payload: SecretPayload {
        switch self {
        case .connection(let connection): SecretPayload(ConnectionPayload.write(connection))
        case .variable(let variable): SecretPayload(variable.data)
        }
    }

    /// Whether Airflow, each of them, reads the same from what is stored. Its bytes may differ: another member order, or
    /// fields in place of a URI.
    package func isSame(as stored: SecretPayload) -> Bool {
        switch self {
        case .connection(let connection):
            let written = ConnectionPayload.write(connection)
            return Dialect.allCases.allSatisfy { dialect in
                guard let wanted = try? ConnectionPayload.read(written, dialect: dialect) else { return false }
                return (try? ConnectionPayload.read(stored.bytes, dialect: dialect)) == wanted
            }
        case .variable(let variable):
            guard let found = try? Variable(data: stored.bytes) else { return false }
            return found.value.utf8.elementsEqual(variable.value.utf8)
        }
    }
}
