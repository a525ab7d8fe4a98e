import AirlockCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// The typed reading of a body in Airflow's shape. Unknown members are refused, as Airflow does.
struct TypedBody: Sendable {
    private let json: JSON
    /// Of the object, as errors tell it: `body`, and the way from there.
    let location: [String]

    init(_ json: JSON?, known: [String], at location: [String] = ["body"]) throws {
        guard let json, let members = json.members else {
            throw TypedError(
                .unprocessableContent,
                location.count == 1 ? "the body must be a JSON object" : "must be a JSON object", at: location)
        }
        for member in members where !known.contains(member.name) {
            let suggestion = nearestName(to: member.name, among: known).map { "did you mean \($0)?" }
            throw TypedError(
                .unprocessableContent, "unknown member; \(suggestion ?? "known are " + known.joined(separator: ", "))",
                at: location)
        }
        self.json = json
        self.location = location
    }

    static func bytes(of request: Request, limit: Int) async throws -> [UInt8] {
        let tooLarge = TypedError(.contentTooLarge, "the body is larger than \(limit) bytes")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
        do {
            return Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    static func parsed(_ bytes: [UInt8]) throws -> JSON {
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw TypedError(.unprocessableContent, "the body is not JSON: \(error.reason) at offset \(error.offset)")
        }
    }

    func has(_ name: String) -> Bool { json[name] != nil }

    /// The member's value; `nil` when it is absent or null.
    subscript(name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    func invalid(_ name: String, _ reason: String) -> TypedError {
        TypedError(.unprocessableContent, "\(name) \(reason)", at: location + [name])
    }

    func string(_ name: String, atMost limit: Int = .max) throws -> String? {
        guard let value = self[name] else { return nil }
        guard case .string(let text) = value else { throw invalid(name, "must be a string") }
        guard text.unicodeScalars.count <= limit else { throw invalid(name, "has more than \(limit) characters") }
        return text
    }

    func required(_ name: String, atMost limit: Int = .max) throws -> String {
        guard let text = try string(name, atMost: limit) else { throw invalid(name, "is required") }
        return text
    }

    func port() throws -> Int? {
        guard let value = self["port"] else { return nil }
        guard case .number(let text) = value, let port = Int(text), (0...65535).contains(port) else {
            throw invalid("port", "must be an integer from 0 to 65535")
        }
        return port
    }

    /// One of an enumeration's names; `standard` when it is absent or null.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ standard: Choice? = nil
    ) throws -> Choice where Choice.RawValue == String {
        guard let text = try string(name) else {
            guard let standard else { throw invalid(name, "is required") }
            return standard
        }
        guard let choice = Choice(rawValue: text) else {
            throw invalid(name, "must be one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return choice
    }
}

/// What stands in an answer for a value that is there but not shown.
enum Masked {
    static let text = "***"

    static func json(_ value: String?) -> JSON { value == nil ? .null : .string(text) }
}
