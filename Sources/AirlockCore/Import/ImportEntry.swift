/// One id of a JSON or YAML file and what stands behind it.
package struct ImportEntry {
    package let id: String
    package let line: Int
    package let column: Int
    package let value: JSON
    /// The lines of an object's members, one for each, or none at all where they are not known.
    package let memberLines: [Int]
    /// Why the value does not say what it seems to say.
    package var flaws: [String]
    package var warnings: [String]

    package init(
        id: String, line: Int, column: Int, value: JSON, memberLines: [Int] = [], flaws: [String] = [],
        warnings: [String] = []
    ) {
        self.id = id
        self.line = line
        self.column = column
        self.value = value
        self.memberLines = memberLines
        self.flaws = flaws
        self.warnings = warnings
    }
}

extension ImportSource {
    package mutating func add(_ entry: ImportEntry) {
        let origin = ImportOrigin(source: name, line: entry.line, column: entry.column)
        for flaw in entry.flaws { reject(origin, flaw) }
        guard entry.flaws.isEmpty else { return }
        if reading.readsVariables {
            addVariable(entry, origin)
        } else {
            addConnection(entry.value, entry.memberLines, entry, origin)
        }
    }

    // MARK: Connections

    private static let noConnection =
        "a connection is a URI or an object of its fields; files of variables are read with --variables"

    private mutating func addConnection(
        _ value: JSON, _ lines: [Int], _ entry: ImportEntry, _ origin: ImportOrigin
    ) {
        let target = ImportTarget(.connection, id: entry.id)
        switch value {
        case .string(let text):
            guard text.contains("://") || ConnectionText.opensLikeObject(text) || text.first == "\u{FEFF}" else {
                return reject(origin, "there is no `://` in the value: " + ImportSource.noConnection)
            }
            offer(ImportCandidate(target, from: origin, text: SecretText(text), warnings: entry.warnings))
        case .object(let members):
            guard members.contains(where: { ConnectionObject.isName($0.name) }) else {
                return reject(origin, "there is no field of a connection: " + ImportSource.noConnection)
            }
            let members = members.enumerated().map { index, member in
                ConnectionObject.Member(
                    name: member.name, line: index < lines.count ? lines[index] : origin.line, value: member.value)
            }
            let object = ConnectionObject(members, id: entry.id, reading: reading, isFile: true)
            offer(object, as: target, from: origin, entry.warnings)
        // `LocalFilesystemBackend` takes a list of one.
        case .array(let elements):
            guard let only = elements.first, elements.count == 1, only.elements == nil else {
                return reject(origin, "a list stands for several connections of one id: write one without the list")
            }
            addConnection(only, [], entry, origin)
        default: reject(origin, ImportSource.noConnection)
        }
    }

    // MARK: Variables

    /// What `airflow variables import` would store: a text as it is, anything else as JSON. Airflow 3 takes an object with
    /// `value` for the value and its description:
    /// https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/cli/commands/variable_command.py
    private mutating func addVariable(_ entry: ImportEntry, _ origin: ImportOrigin) {
        var (value, warnings) = (entry.value, entry.warnings)
        var description: String?
        if let members = value.members, let inner = value["value"] {
            let comment = value["description"]
            guard members.allSatisfy({ $0.name == "value" || $0.name == "description" }),
                comment.map({ $0.isNull || $0.text != nil }) ?? true
            else {
                return reject(
                    origin,
                    "an object with `value` and other members: Airflow 3 would drop those, Airflow 2 keep all; "
                        + "write {\"value\": {...}, \"description\": null} around the whole")
            }
            if comment == nil {
                warnings.append(
                    "an object with `value` alone is read as Airflow 3 reads it: only what `value` holds is kept")
            }
            (value, description) = (inner, comment?.text)
        }
        if value.isNull { warnings.append("there is no value, for which Airflow stores the text null") }
        offer(
            ImportCandidate(
                ImportTarget(.variable, id: entry.id), from: origin, text: SecretText(VariableText.stored(value)),
                description: description.map { SecretText($0) }, warnings: warnings))
    }
}

/// A variable's value as `airflow variables import` stores it: `json.dumps(value, indent=2)` of what is no text, except that
/// numbers keep their digits.
enum VariableText {
    static func stored(_ value: JSON) -> String {
        if let text = value.text { return text }
        var out: [UInt8] = []
        write(value, indent: 0, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func write(_ value: JSON, indent: Int, to out: inout [UInt8]) {
        switch value {
        case .string(let text): PythonString.dump(Array(text.utf8), into: &out)
        case .array(let elements):
            write("[]", elements.count, indent, to: &out) { index, out in
                write(elements[index], indent: indent + 1, to: &out)
            }
        case .object(let members):
            write("{}", members.count, indent, to: &out) { index, out in
                PythonString.dump(Array(members[index].name.utf8), into: &out)
                out += ": ".utf8
                write(members[index].value, indent: indent + 1, to: &out)
            }
        case .null, .bool, .number, .verbatim: value.write(to: &out)
        }
    }

    private static func write(
        _ brackets: String, _ count: Int, _ indent: Int, to out: inout [UInt8], _ element: (Int, inout [UInt8]) -> Void
    ) {
        guard count > 0 else {
            out += brackets.utf8
            return
        }
        out += brackets.prefix(1).utf8
        for index in 0..<count {
            out += (index > 0 ? ",\n" : "\n").utf8
            out += repeatElement(UInt8(ascii: " "), count: 2 * (indent + 1))
            element(index, &out)
        }
        out.append(10)
        out += repeatElement(UInt8(ascii: " "), count: 2 * indent)
        out += brackets.suffix(1).utf8
    }
}
