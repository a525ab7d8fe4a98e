import AirlockCore

/// The typed reading of a request's fields, as lenient as Vault's: numbers may be strings, lists may be comma-separated,
/// durations may be seconds or Go's notation (VAULT-PROTOCOL 1.4). A field that is absent or null reads as `nil`.
struct Fields: Sendable {
    private let json: JSON

    init(_ json: JSON) { self.json = json }

    subscript(name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    func replacing(_ name: String, with value: JSON) -> Fields {
        Fields(.object((json.members ?? []).filter { $0.name != name } + [.init(name, value)]))
    }

    var names: [String] { json.members?.map(\.name) ?? [] }

    /// Whether the field is there and asks for something.
    func isSet(_ name: String) -> Bool {
        switch self[name] {
        case nil, .bool(false)?, .string("")?: false
        case .array(let elements)?: !elements.isEmpty
        case .object(let members)?: !members.isEmpty
        default: true
        }
    }

    /// The wording of what OpenBao checks before it calls a handler.
    static func validated<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as AirlockError {
            guard let message = error.message, message.hasPrefix("error converting input") else { throw error }
            throw AirlockError.badRequest("Field validation failed: \(message)")
        }
    }

    private func mismatch(_ name: String, _ value: JSON, expected: String) -> AirlockError {
        .badRequest(
            "error converting input for field \"\(name)\": '' expected type '\(expected)', got unconvertible type '\(value.goType)'"
        )
    }

    func string(_ name: String) throws -> String? {
        guard let value = self[name] else { return nil }
        switch value {
        case .string(let text), .number(let text): return text
        case .bool(let flag): return flag ? "1" : "0"
        default: throw mismatch(name, value, expected: "string")
        }
    }

    func integer(_ name: String) throws -> Int? {
        guard let value = self[name] else { return nil }
        switch value {
        case .number(let text), .string(let text):
            if text.isEmpty { return 0 }
            guard let number = Int(text) else {
                throw AirlockError.badRequest(
                    "error converting input for field \"\(name)\": '' cannot parse value as 'int': strconv.ParseInt: invalid syntax"
                )
            }
            return number
        case .bool(let flag): return flag ? 1 : 0
        default: throw mismatch(name, value, expected: "int")
        }
    }

    func flag(_ name: String) throws -> Bool? {
        guard let value = self[name] else { return nil }
        switch value {
        case .bool(let flag): return flag
        case .string(let text), .number(let text):
            switch text {
            case "true", "1", "t", "T", "TRUE", "True": return true
            case "false", "0", "f", "F", "FALSE", "False", "": return false
            default:
                throw AirlockError.badRequest(
                    "error converting input for field \"\(name)\": '' cannot parse value as 'bool': strconv.ParseBool: invalid syntax"
                )
            }
        default: throw mismatch(name, value, expected: "bool")
        }
    }

    /// Nanoseconds.
    func duration(_ name: String) throws -> Int64? {
        guard let value = self[name] else { return nil }
        guard case .string(let text) = value.numberAsText else {
            throw mismatch(name, value, expected: "string")
        }
        guard let nanoseconds = GoDuration.parse(text) else {
            throw AirlockError.badRequest("error converting input for field \"\(name)\": time: invalid duration")
        }
        return nanoseconds
    }

    /// Whole seconds, never negative.
    func seconds(_ name: String) throws -> Int? {
        guard let nanoseconds = try duration(name) else { return nil }
        guard nanoseconds >= 0 else {
            throw AirlockError.badRequest("error converting input for field \"\(name)\": a duration cannot be negative")
        }
        return Int(nanoseconds / 1_000_000_000)
    }

    /// A JSON array of strings, or one string split at commas; without the blanks around them.
    func list(_ name: String) throws -> [String]? {
        guard let value = self[name] else { return nil }
        switch value {
        case .string(let text):
            return text.split(separator: ",").map { String($0).trimmingBlanks }.filter { !$0.isEmpty }
        case .array(let elements):
            return try elements.map { element in
                switch element {
                case .string(let text), .number(let text): return text.trimmingBlanks
                default: throw mismatch(name, element, expected: "string")
                }
            }
        case .number(let text): return [text]
        default: throw mismatch(name, value, expected: "[]string")
        }
    }

    func object(_ name: String) throws -> [JSON.Member]? {
        guard let value = self[name] else { return nil }
        guard let members = value.members else {
            throw mismatch(name, value, expected: "map[string]interface {}")
        }
        return members
    }

    /// A map of strings; numbers and booleans become text.
    func map(_ name: String) throws -> [String: String]? {
        guard let value = self[name] else { return nil }
        guard let members = value.members else { throw mismatch(name, value, expected: "map[string]string") }
        var map: [String: String] = [:]
        for member in members {
            switch member.value {
            case .string(let text), .number(let text): map[member.name] = text
            case .bool(let flag): map[member.name] = flag ? "1" : "0"
            default: throw mismatch(name, member.value, expected: "string")
            }
        }
        return map
    }

    func cidrs(_ name: String) throws -> [CIDR]? {
        try list(name)?.map { text in
            guard let block = CIDR(text) else {
                throw AirlockError.badRequest("\"\(name)\" holds something that is no CIDR block")
            }
            return block
        }
    }
}

extension JSON {
    /// A number in the shape of the string that says the same.
    fileprivate var numberAsText: JSON { if case .number(let text) = self { .string(text) } else { self } }
}
