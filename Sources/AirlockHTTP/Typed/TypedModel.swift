import AirlockCore
import HTTPTypes

/// One kind of secret that the typed surface serves, in the shape that clients know from Airflow's REST API.
protocol TypedModel: Sendable {
    /// As in "there is no such connection".
    static var kind: String { get }
    /// Of the collection, in its path and in its answer.
    static var collection: String { get }
    /// The member that holds the id.
    static var idMember: String { get }
    /// Characters.
    static var idLimit: Int { get }
    /// Whether `<id>` of a team lies at `<team>/<id>`.
    static var hasTeams: Bool { get }
    /// What a body may hold, and what a new one must.
    static var members: [String] { get }
    static var required: [String] { get }
    /// What a list can be ordered by, besides the id and the team.
    static var orderings: [String] { get }

    /// What configures the folders.
    static var setting: String { get }
    /// What Airflow calls the id in its filters.
    static var pattern: String { get }

    /// The configured folders; `nil` when the kind is switched off.
    static func folders(_ settings: TypedSettings) -> [String]?

    /// Without anything in it.
    static var empty: Self { get }
    /// - Throws: `ConnectionError` when Airflow cannot read it.
    init(stored: SecretPayload, dialect: Dialect) throws
    var stored: SecretPayload { get }
    /// Takes over what `body` sends and `mask` counts.
    mutating func apply(_ body: TypedBody, _ mask: UpdateMask) throws
    /// All but the id and the team.
    /// - Parameter reveals: secrets are shown; otherwise only that they are there.
    func rendered(reveals: Bool) -> [JSON.Member]
    func sortKey(_ ordering: String) -> SortKey
}

extension TypedModel {
    /// What every call about one secret knows of the query.
    static var placeQuery: [String] { hasTeams ? ["mount_point", "team_name"] : ["mount_point"] }

    static var listQuery: [String] {
        placeQuery + ["limit", "offset", "order_by", "\(pattern)_pattern", "\(pattern)_prefix_pattern"]
    }

    static func json(_ name: SecretName, _ model: Self, reveals: Bool, error: String? = nil) -> JSON {
        var members = [JSON.Member(idMember, .string(name.id))] + model.rendered(reveals: reveals)
        if hasTeams { members.append(.init("team_name", .orNull(name.team))) }
        if let error { members.append(.init("error", .string(error))) }
        return .object(members)
    }

    static func read(_ data: SecretPayload, _ dialect: Dialect = .sdk) throws -> Self {
        do {
            return try Self(stored: data, dialect: dialect)
        } catch let error as ConnectionError {
            throw TypedError(.unprocessableContent, "Airflow cannot read this \(kind): \(error)", at: ["stored"])
        }
    }

    /// - Throws: 422 about a body that lacks something, or has something wrong.
    static func made(from body: TypedBody, keepsMasked: Bool = false) throws -> Self {
        for name in required where !body.has(name) { throw body.invalid(name, "is required") }
        var model = empty
        try model.apply(body, UpdateMask(names: [], keepsMasked: keepsMasked))
        return model
    }

    /// The id that a body names.
    static func id(_ body: TypedBody) throws -> String {
        let id = try body.required(idMember)
        try checkID(id, at: body.location + [idMember])
        return id
    }

    static func checkID(_ id: String, at location: [String]) throws {
        guard SecretName.isID(id, atMost: idLimit) else {
            throw TypedError(
                .unprocessableContent, "an id has 1 to \(idLimit) letters, digits, underscores, dots and hyphens",
                at: location)
        }
    }

    /// The team that a body names.
    static func team(_ body: TypedBody) throws -> String? {
        guard let team = try body.string("team_name") else { return nil }
        guard SecretName.isTeam(team) else { throw body.invalid("team_name", SecretName.teamRule) }
        return team
    }
}

/// A secret's id, and the team that has it.
struct SecretName: Sendable, Hashable, Comparable {
    let id: String
    var team: String?

    /// Two spellings of one letter are two ids, as they are two paths.
    private var key: [ExactText] { [ExactText(id), ExactText(team ?? "")] }

    static func == (one: SecretName, other: SecretName) -> Bool { one.key == other.key }
    func hash(into hasher: inout Hasher) { hasher.combine(key) }

    static func < (one: SecretName, other: SecretName) -> Bool {
        one.key.lexicographicallyPrecedes(other.key) { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static let teamRule = "has 1 to 50 letters, digits, underscores and hyphens"

    /// Airflow's REST API allows this of ids: `^[\w.-]+$`.
    static func isID(_ text: String, atMost limit: Int) -> Bool {
        let isMadeOfWords = text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || "_.-".unicodeScalars.contains(scalar)
        }
        return isMadeOfWords && !text.isEmpty && text.unicodeScalars.count <= limit && text != "." && text != ".."
    }

    static func isTeam(_ text: String) -> Bool {
        let isMadeOfWords = text.utf8.allSatisfy { byte in
            let scalar = Unicode.Scalar(byte)
            return scalar.isASCII && (scalar.properties.isAlphabetic || (48...57).contains(byte))
                || "_-".utf8.contains(byte)
        }
        return isMadeOfWords && (1...50).contains(text.utf8.count)
    }
}

/// Which members of a body count.
struct UpdateMask: Sendable {
    /// Empty counts all that were sent.
    let names: [String]
    /// A client that sends back a value as it was shown, masked, means no change.
    let keepsMasked: Bool

    func counts(_ name: String, in body: TypedBody) -> Bool {
        body.has(name) && (names.isEmpty || names.contains(name))
    }

    /// - Returns: whether `text`, sent as `name`, means no change.
    /// - Throws: 422 about a mask where there is nothing behind it.
    func keeps(_ text: String?, _ name: String, in body: TypedBody) throws -> Bool {
        guard text == Masked.text else { return false }
        guard keepsMasked else {
            throw body.invalid(name, "is \(Masked.text), which answers show in place of a value: send the value")
        }
        return true
    }
}

/// What a list is ordered by; what is absent comes first.
enum SortKey: Sendable, Comparable {
    case absent
    case number(Int)
    case text(String)

    static func text(_ text: String?) -> SortKey { text.map(SortKey.text) ?? .absent }

    static func < (one: SortKey, other: SortKey) -> Bool {
        switch (one, other) {
        case (.absent, .absent): false
        case (.absent, _): true
        case (.number(let one), .number(let other)): one < other
        case (.text(let one), .text(let other)): one.utf8.lexicographicallyPrecedes(other.utf8)
        case (.number, .text): true
        default: false
        }
    }

    static func == (one: SortKey, other: SortKey) -> Bool { !(one < other) && !(other < one) }
}
