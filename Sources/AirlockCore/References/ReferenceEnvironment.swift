/// The environment of a command, with references in it: what is inherited, then what files say, the later of two winning.
/// Settings of Airlock, Vault and OpenBao stay behind: a command that gets its secrets needs no way to get at others.
package struct ReferenceEnvironment: Sendable {
    /// What stands in the way of starting the command, by the variable's name.
    package struct Unresolved: Error, Sendable {
        package let faults: [(variable: String, fault: ReferenceFault)]
    }

    private enum Value: Sendable {
        case plain(SecretPayload)
        case text(ReferenceText)
    }

    private struct Variable: Sendable {
        let name: [UInt8]
        let value: Value
    }

    private static let removed = ["AIRLOCK_", "VAULT_", "BAO_"]

    private let variables: [Variable]

    /// - Parameters:
    ///   - inherited: `NAME=VALUE` each; bytes, for they need not be UTF-8.
    ///   - files: what the files hold, in their order.
    /// - Throws: `Unresolved` where what looks like a reference cannot be read as one.
    package init(inherited: [[UInt8]], files: [EnvFile.Entry]) throws(Unresolved) {
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        var places: [[UInt8]: Int] = [:]
        let given =
            inherited.map { entry in
                let name = Array(entry.prefix { $0 != UInt8(ascii: "=") })
                return (name: name, value: Array(entry.dropFirst(name.count + 1)))
            } + files.map { (name: Array($0.name.utf8), value: Array($0.value.revealed.utf8)) }
        for pair in given where !ReferenceEnvironment.removed.contains(where: { pair.name.starts(with: $0.utf8) }) {
            if let place = places[pair.name] { pairs[place] = pair } else { pairs.append(pair) }
            places[pair.name] = places[pair.name] ?? pairs.count - 1
        }
        var faults: [(variable: String, fault: ReferenceFault)] = []
        var variables: [Variable] = []
        for (name, value) in pairs {
            do throws(ReferenceFault) {
                variables.append(Variable(name: name, value: try ReferenceEnvironment.value(of: value)))
            } catch {
                faults.append((String(decoding: name, as: UTF8.self), error))
            }
        }
        guard faults.isEmpty else { throw Unresolved(faults: faults) }
        self.variables = variables
    }

    private static func value(of bytes: [UInt8]) throws(ReferenceFault) -> Value {
        guard bytes.firstRange(of: Array(Reference.opening.utf8)) != nil else { return .plain(SecretPayload(bytes)) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("it holds a reference, and is not UTF-8")
        }
        return .text(try ReferenceText(text))
    }

    /// The variables that hold references.
    package var texts: [ReferenceText] {
        variables.compactMap { if case .text(let text) = $0.value { text } else { nil } }
    }

    /// `NAME=VALUE` of each variable.
    /// - Parameter values: what came of `texts`, in their order.
    package func filled(
        _ values: [Result<SecretPayload, ReferenceFault>]
    ) throws(Unresolved) -> [SecretPayload] {
        var faults: [(variable: String, fault: ReferenceFault)] = []
        var filled: [SecretPayload] = []
        var values = values[...]
        for variable in variables {
            do throws(ReferenceFault) {
                let value =
                    switch variable.value {
                    case .plain(let bytes): bytes
                    case .text: try ReferenceEnvironment.usable(values.popFirst())
                    }
                filled.append(SecretPayload(variable.name + [UInt8(ascii: "=")] + value.bytes))
            } catch {
                faults.append((String(decoding: variable.name, as: UTF8.self), error))
            }
        }
        guard faults.isEmpty else { throw Unresolved(faults: faults) }
        return filled
    }

    private static func usable(
        _ value: Result<SecretPayload, ReferenceFault>?
    ) throws(ReferenceFault) -> SecretPayload {
        guard let value = try value?.get() else { throw ReferenceFault(.failed, "it was not read") }
        guard !value.bytes.contains(0) else {
            throw .unusable("the value holds a NUL byte, which no environment variable can")
        }
        return value
    }
}
