import AirlockCore

/// `/api/v2/variables`.
extension Variable: TypedModel {
    static let kind = "variable"
    static let collection = "variables"
    static let idMember = "key"
    static let idLimit = 250
    static let hasTeams = true
    static let members = ["key", "value", "description", "team_name"]
    static let required = ["value"]
    static let orderings = ["key", "id", "team_name", "description", "is_encrypted"]
    static let setting = "variables_path"
    static let pattern = "variable_key"

    static func folders(_ settings: TypedSettings) -> [String]? { settings.variablesPaths }

    static var empty: Variable { Variable(value: "") }

    init(stored: SecretPayload, dialect: Dialect) throws { try self.init(data: stored.bytes) }

    var stored: SecretPayload { SecretPayload(data) }

    /// A value that is no string is stored as its JSON text, digits as they were written.
    mutating func apply(_ body: TypedBody, _ mask: UpdateMask) throws {
        if mask.counts("value", in: body) {
            let sent = body["value"] ?? .null
            if try !mask.keeps(sent.text, "value", in: body) {
                value = sent.text ?? String(decoding: sent.bytes, as: UTF8.self)
            }
        }
        if mask.counts("description", in: body) { description = try body.string("description") }
    }

    func rendered(reveals: Bool) -> [JSON.Member] {
        [
            .init("value", .string(reveals ? value : Masked.text)), .init("description", .orNull(description)),
            .init("is_encrypted", true),
        ]
    }

    func sortKey(_ ordering: String) -> SortKey { ordering == "description" ? .text(description) : .absent }
}
