/// The forms in which connections and variables leave a mount. What each form cannot carry is refused rather than bent.
package enum ExportFormat: String, CaseIterable, Sendable {
    /// `AIRFLOW_CONN_<ID>='...'` and `AIRFLOW_VAR_<KEY>='...'`, for a shell, python-dotenv and `conn-import`.
    case env
    /// `<id>=<uri>`, as `airflow connections export --file-format env` writes it: connections that every Airflow reads back from a
    /// URI, no others.
    case airflowEnv = "airflow-env"
    /// `{"<id>": {fields}}` as `airflow connections export` has it, or `{"<key>": "value"}` as `airflow variables export`.
    case json
    /// The same as YAML, every text in quotes.
    case yaml
}

/// Connections and variables as the bytes of one file.
package struct ExportFile: Sendable {
    package struct Item: Sendable {
        package let target: ImportTarget
        package let content: ImportContent

        package init(_ target: ImportTarget, _ content: ImportContent) {
            self.target = target
            self.content = content
        }
    }

    /// What the format cannot carry, by name and without any of its value.
    package struct Refusal: Error, Sendable, Equatable {
        package let target: ImportTarget
        package let reason: String
    }

    /// Holds every secret in clear.
    package private(set) var bytes: [UInt8] = []
    package private(set) var refused: [Refusal] = []
    /// Variables whose descriptions the format has no place for. Airflow looks at none in a vault.
    package private(set) var withoutDescription: [ImportTarget] = []

    package init(_ items: [Item], as format: ExportFormat) {
        var written = 0
        if format == .json { bytes += "{".utf8 }
        for item in items {
            do throws(Refusal) {
                let entry = try ExportFile.entry(item, format)
                if format == .json { bytes += (written > 0 ? ",\n  " : "\n  ").utf8 }
                bytes += entry
                written += 1
                if format == .env, case .variable(let variable) = item.content.model, variable.description != nil {
                    withoutDescription.append(item.target)
                }
            } catch {
                refused.append(error)
            }
        }
        if format == .json { bytes += "\n}\n".utf8 }
        if format == .yaml, written == 0 { bytes += "{}\n".utf8 }
    }

    private static func entry(_ item: Item, _ format: ExportFormat) throws(Refusal) -> [UInt8] {
        func refusal(_ reason: String) -> Refusal { Refusal(target: item.target, reason: reason) }
        switch format {
        case .env:
            guard let name = item.target.environmentName else {
                throw refusal("its id does not come back from an environment variable's name; use json or yaml")
            }
            return try Array("\(name)=".utf8) + quoted(item.content.exportText, refusal) + [0x0A]
        case .airflowEnv:
            guard case .connection(let connection) = item.content.model else {
                throw refusal("this format has connections only; use env, json or yaml")
            }
            guard let uri = ConnectionPayload.exactURI(connection) else {
                throw refusal("no URI says it so that every Airflow reads the same back; use env, json or yaml")
            }
            guard item.target.team == nil else { throw refusal("this format has no teams; use env") }
            return Array("\(item.target.id)=\(uri)\n".utf8)
        case .json, .yaml:
            guard item.target.team == nil else { throw refusal("Airflow's files have no teams; use env") }
            return format == .json
                ? JSON.string(item.target.id).bytes + Array(": ".utf8) + item.content.exportJSON.bytes
                : yaml(item)
        }
    }

    // MARK: .env

    /// In single quotes, which a shell and every reader of such files take alike. A carriage return, or a line that might pass
    /// for the next variable, needs double quotes and escapes, as python-dotenv reads them.
    private static func quoted(_ text: String, _ refusal: (String) -> Refusal) throws(Refusal) -> [UInt8] {
        guard !text.utf8.contains(0) else { throw refusal("it has a NUL character; use json or yaml") }
        let lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
        let passesForVariable = lines.dropFirst().contains { line in
            let start = line.drop { $0 == 0x20 || $0 == 0x09 }
            return start.starts(with: "AIRFLOW_".utf8) || start.starts(with: "export AIRFLOW_".utf8)
        }
        guard text.utf8.contains(0x0D) || passesForVariable else {
            return Array(
                "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#))'".utf8)
        }
        var out: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            switch byte {
            case 0x0A: out += "\\n".utf8
            case 0x0D: out += "\\r".utf8
            case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "$"), UInt8(ascii: "`"):
                out += [UInt8(ascii: "\\"), byte]
            default: out.append(byte)
            }
        }
        return out + [UInt8(ascii: "\"")]
    }

    // MARK: YAML

    private static func yaml(_ item: Item) -> [UInt8] {
        var out = yamlText(item.target.id) + [UInt8(ascii: ":")]
        guard let members = item.content.exportJSON.members else {
            return out + [0x20] + yamlScalar(item.content.exportJSON) + [0x0A]
        }
        out.append(0x0A)
        for member in members {
            out += "  \(member.name): ".utf8
            out += yamlScalar(member.value)
            out.append(0x0A)
        }
        return out
    }

    private static func yamlScalar(_ value: JSON) -> [UInt8] {
        if case .string(let text) = value { return yamlText(text) }
        return value.bytes
    }

    /// A double-quoted scalar: what YAML calls not printable is escaped. https://yaml.org/spec/1.2.2/#51-character-set
    private static func yamlText(_ text: String) -> [UInt8] {
        var out: [UInt8] = [UInt8(ascii: "\"")]
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C: out += "\\\(scalar)".utf8
            case 0x0A: out += "\\n".utf8
            case 0x20...0x7E, 0xA0..<0x2028, 0x202A..<0xD800, 0xE000..<0xFEFF, 0xFF00...0xFFFD, 0x10000...:
                out += "\(scalar)".utf8
            default:
                let digits = String(scalar.value, radix: 16)
                out += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
            }
        }
        return out + [UInt8(ascii: "\"")]
    }
}

extension ImportContent {
    /// As an environment variable or one line of a file holds it: a URI where every Airflow reads the same back, else JSON.
    fileprivate var exportText: String {
        switch model {
        case .variable(let variable): variable.value
        case .connection(let connection):
            ConnectionPayload.exactURI(connection) ?? String(decoding: exportJSON.bytes, as: UTF8.self)
        }
    }

    /// As Airflow's own export has it: a connection with all its fields, in Airflow's order; a variable as its text, beside its
    /// description where it has one.
    fileprivate var exportJSON: JSON {
        switch model {
        case .variable(let variable):
            guard let description = variable.description else { return .string(variable.value) }
            return ["value": .string(variable.value), "description": .string(description)]
        case .connection(let connection):
            return [
                "conn_type": .orNull(connection.connType), "description": .orNull(connection.description),
                "login": .orNull(connection.login), "password": .orNull(connection.password),
                "host": .orNull(connection.host), "port": ConnectionPayload.port(connection),
                "schema": .orNull(connection.schema), "extra": .orNull(connection.extra),
            ]
        }
    }
}

extension ImportTarget {
    /// `AIRFLOW_CONN_<ID>`, `AIRFLOW_VAR_<KEY>`, or a team's `AIRFLOW_CONN__<TEAM>___<ID>`; nil where the name would be read
    /// back as another id.
    fileprivate var environmentName: String? {
        let prefix = kind == .connection ? "AIRFLOW_CONN_" : "AIRFLOW_VAR_"
        let name = prefix + (team.map { "_\($0.uppercased())___" } ?? "") + id.uppercased()
        return ImportSource.target(ofVariable: name) == self ? name : nil
    }
}
