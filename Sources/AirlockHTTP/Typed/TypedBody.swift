import AirlockCore
import HTTPTypes

/// The typed reading of a body in Airflow's shape. Unknown members are refused, as Airflow does.
struct TypedBody: Sendable {
    private let json: JSON

    init(_ json: JSON?, known: [String]) throws {
        guard let json, let members = json.members else {
            throw TypedError(.unprocessableContent, "the body must be a JSON object")
        }
        for member in members where !known.contains(member.name) {
            let suggestion = nearestName(to: member.name, among: known).map { "did you mean \($0)?" }
            throw TypedError(
                .unprocessableContent, "unknown member; \(suggestion ?? "known are " + known.joined(separator: ", "))")
        }
        self.json = json
    }

    func has(_ name: String) -> Bool { json[name] != nil }

    /// The member's value; `nil` when it is absent or null.
    subscript(name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    func string(_ name: String, atMost limit: Int = .max) throws -> String? {
        guard let value = self[name] else { return nil }
        guard case .string(let text) = value else {
            throw TypedError(.unprocessableContent, "\(name) must be a string")
        }
        guard text.unicodeScalars.count <= limit else {
            throw TypedError(.unprocessableContent, "\(name) has more than \(limit) characters")
        }
        return text
    }

    func required(_ name: String, atMost limit: Int = .max) throws -> String {
        guard let text = try string(name, atMost: limit) else {
            throw TypedError(.unprocessableContent, "\(name) is required")
        }
        return text
    }

    func port() throws -> Int? {
        guard let value = self["port"] else { return nil }
        guard case .number(let text) = value, let port = Int(text), (0...65535).contains(port) else {
            throw TypedError(.unprocessableContent, "port must be an integer from 0 to 65535")
        }
        return port
    }

    /// Team-scoped secrets lie in folders of their own, which this surface does not write yet.
    func refuseTeam() throws {
        guard self["team_name"] == nil else {
            throw TypedError(
                .unprocessableContent, "team_name is not supported here: write the team's path on the Vault surface")
        }
    }
}

/// What stands in an answer for a value that is there but not shown.
enum Masked {
    static let text = "***"

    static func json(_ value: String?) -> JSON { value == nil ? .null : .string(text) }
}
