/// An Airflow variable. Like every secret it cannot be printed.
package struct Variable: Sendable {
    package var value: String
    package var description: String?

    package init(value: String, description: String? = nil) {
        self.value = value
        self.description = description
    }

    /// Reads the data object of a vault secret: `{"value": "<string>"}`. Airflow looks at no other member; `description` is
    /// what `data` writes beside it.
    package init(data: some Sequence<UInt8>) throws(ConnectionError) {
        let payload = try ValuePayload(data)
        self.init(value: payload.value, description: payload.description)
    }

    /// The data object of a vault secret.
    package var data: [UInt8] { ValuePayload(value: value, description: description).data }
}

/// Equal means the same code points, as for `Connection`.
extension Variable: Equatable {
    package static func == (one: Variable, other: Variable) -> Bool {
        one.value.utf8.elementsEqual(other.value.utf8)
            && one.description.map { Array($0.utf8) } == other.description.map { Array($0.utf8) }
    }
}

extension Variable: CustomDebugStringConvertible, CustomReflectable, TextOutputStreamable {
    package func write(to target: inout some TextOutputStream) { target.write(debugDescription) }
    package var debugDescription: String { "Variable(redacted)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The value of an Airflow setting that ends in `_secret`, read by `get_config`.
package struct ConfigValue: Sendable {
    package var value: String

    package init(value: String) { self.value = value }

    /// Reads the data object of a vault secret: `{"value": "<string>"}`.
    package init(data: some Sequence<UInt8>) throws(ConnectionError) { value = try ValuePayload(data).value }

    /// The data object of a vault secret.
    package var data: [UInt8] { ValuePayload(value: value, description: nil).data }
}

extension ConfigValue: Equatable {
    package static func == (one: ConfigValue, other: ConfigValue) -> Bool {
        one.value.utf8.elementsEqual(other.value.utf8)
    }
}

extension ConfigValue: CustomDebugStringConvertible, CustomReflectable, TextOutputStreamable {
    package func write(to target: inout some TextOutputStream) { target.write(debugDescription) }
    package var debugDescription: String { "ConfigValue(redacted)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What variables and configs share: the member `value`, which must be a string. Airflow would hand anything else on as it
/// is, to code that expects a string: https://github.com/apache/airflow/issues/71010
private struct ValuePayload {
    var value: String
    var description: String?

    init(value: String, description: String?) {
        self.value = value
        self.description = description
    }

    init(_ data: some Sequence<UInt8>) throws(ConnectionError) {
        let fields = try ConnectionJSON.Fields(Array(data))
        guard let member = fields[.value] else { throw ConnectionError(.missingValue, field: .value) }
        guard case .string(let string) = member.value else {
            throw ConnectionError(.valueNotString, at: member.valueOffset, field: .value)
        }
        guard let text = string.text else {
            throw ConnectionError(.loneSurrogate, at: member.valueOffset, field: .value)
        }
        value = text
        if case .string(let string)? = fields[.description]?.value { description = string.text }
    }

    var data: [UInt8] {
        var members = [JSON.Member("value", .string(value))]
        if let description { members.append(.init("description", .string(description))) }
        return JSON.object(members).bytes
    }
}
