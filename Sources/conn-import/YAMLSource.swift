import AirlockCore
import AirlockYAML

extension ImportSource {
    /// A file that is one YAML mapping of ids, as `airflow connections export` writes it and `LocalFilesystemBackend` reads it.
    init(yaml bytes: [UInt8], named source: String, reading: ImportReading) {
        self.init(named: source, reading: reading)
        if let fault = SourceText.fault(bytes) {
            rejectAll(.init(source: source, line: 1), fault)
            return
        }
        var reader = YAMLReader(
            SourceText.withoutMark(bytes), weightLimit: ImportCandidate.sizeLimit,
            entries: "a line `ID:` for each connection or variable")
        do throws(YAMLFault) {
            try reader.forEachPair { pair, column in
                var values = YAMLValues()
                let value = reading.readsVariables ? values.variable(pair.value) : values.connection(pair.value)
                var lines: [Int] = []
                if case .mapping(let pairs) = pair.value.content { lines = pairs.map(\.line) }
                add(
                    ImportEntry(
                        id: pair.key.text, line: pair.line, column: column, value: value, memberLines: lines,
                        flaws: values.flaws, warnings: values.warnings))
            }
        } catch {
            rejectAll(
                .init(source: source, line: error.line, column: error.column),
                "\(error.reason); nothing of this file is imported")
        }
    }
}

/// What a node means to Airflow, as JSON. Where a text belongs a plain scalar is text as it is written, whatever YAML makes of
/// it: `login: yes`, `password: 0123`.
struct YAMLValues {
    private(set) var flaws: [String] = []
    private(set) var warnings: [String] = []

    /// The members of a connection that may be other than text.
    private static let typed: Set<String> = ["port", "extra", "extra_dejson", "extras"]

    mutating func connection(_ node: YAMLNode) -> JSON {
        switch node.content {
        case .scalar(let scalar): return text(scalar, node.line)
        case .sequence(let elements): return .array(elements.map { connection($0) })
        case .mapping(let pairs):
            return .object(
                pairs.map { pair in
                    if case .scalar(let scalar) = pair.value.content, !YAMLValues.typed.contains(pair.key.text) {
                        return JSON.Member(pair.key.text, text(scalar, pair.value.line))
                    }
                    return JSON.Member(pair.key.text, value(pair.value))
                })
        }
    }

    mutating func variable(_ node: YAMLNode) -> JSON {
        switch node.content {
        case .scalar(let scalar):
            if case .ambiguous = scalar.kind {
                warnings.append(
                    "stored as it is written, which Airflow's own reader takes for something else than text: "
                        + "put quotes around it")
            }
            return text(scalar, node.line)
        case .mapping(let pairs) where pairs.contains { $0.key.text == "value" }:
            return .object(
                pairs.map { pair in
                    if case .scalar(let scalar) = pair.value.content {
                        return JSON.Member(pair.key.text, text(scalar, pair.value.line))
                    }
                    return JSON.Member(pair.key.text, value(pair.value))
                })
        case .sequence, .mapping: return value(node)
        }
    }

    /// Text, unless nothing is there or a tag asks for something else.
    private mutating func text(_ scalar: YAMLScalar, _ line: Int) -> JSON {
        switch scalar.kind {
        case .null: return .null
        case .mistagged: return flaw(YAMLValues.mistagged, line)
        case .text, .bool, .number, .ambiguous: return .string(scalar.text)
        }
    }

    /// Inside `extra` and inside a variable's object: typed, as JSON is.
    private mutating func value(_ node: YAMLNode) -> JSON {
        switch node.content {
        case .sequence(let elements): return .array(elements.map { value($0) })
        case .mapping(let pairs):
            return .object(
                pairs.map { pair in
                    if !pair.key.isName {
                        _ = flaw("a name that YAML does not take for text: put quotes around it", pair.line)
                    }
                    return JSON.Member(pair.key.text, value(pair.value))
                })
        case .scalar(let scalar):
            switch scalar.kind {
            case .text: return .string(scalar.text)
            case .null: return .null
            case .bool(let value): return .bool(value)
            case .number: return .number(scalar.text)
            case .mistagged: return flaw(YAMLValues.mistagged, node.line)
            case .ambiguous:
                return flaw(
                    "a value that YAML 1.1, which Airflow reads, and YAML 1.2 take for different things: put quotes "
                        + "around it, or write true, false or a number as JSON has it",
                    node.line)
            }
        }
    }

    private static let mistagged = "a tag in front of a value of another kind: remove the tag"

    private mutating func flaw(_ reason: String, _ line: Int) -> JSON {
        flaws.append("\(reason) (line \(line))")
        return .null
    }
}
