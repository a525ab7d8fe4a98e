package import AirlockCore

extension YAMLNode {
    /// The value as JSON. What versions of YAML read differently (`yes`, `0123`, a date) is text as it is written.
    package func json() throws(YAMLFault) -> JSON {
        switch content {
        case .sequence(let elements):
            var values: [JSON] = []
            for element in elements { values.append(try element.json()) }
            return .array(values)
        case .mapping(let pairs):
            var members: [JSON.Member] = []
            for pair in pairs { members.append(JSON.Member(pair.key.text, try pair.value.json())) }
            return .object(members)
        case .scalar(let scalar):
            switch scalar.kind {
            case .text, .ambiguous: return .string(scalar.text)
            case .null: return .null
            case .bool(let value): return .bool(value)
            case .number: return .number(scalar.text)
            case .mistagged: throw fault("a tag in front of a value of another kind: remove the tag")
            }
        }
    }
}
