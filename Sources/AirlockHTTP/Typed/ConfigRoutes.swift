import AirlockCore

/// `/api/v2/config-values`: what Airflow reads for its settings whose names end in `_secret`. `/api/v2/config` is taken: it is
/// Airflow's own, and shows the settings themselves. Teams have none of their own.
extension ConfigValue: TypedModel {
    static let kind = "config value"
    static let collection = "config_values"
    static let idMember = "key"
    static let idLimit = 200
    static let hasTeams = false
    static let members = ["key", "value"]
    static let required = ["value"]
    static let orderings = ["key", "id"]
    static let setting = "config_path"
    static let pattern = "config_key"

    static func folders(_ settings: TypedSettings) -> [String]? { settings.configPaths }

    static var empty: ConfigValue { ConfigValue(value: "") }

    init(stored: SecretPayload, dialect: Dialect) throws { try self.init(data: stored.bytes) }

    var stored: SecretPayload { SecretPayload(data) }

    mutating func apply(_ body: TypedBody, _ mask: UpdateMask) throws {
        guard mask.counts("value", in: body) else { return }
        let sent = try body.required("value")
        if try !mask.keeps(sent, "value", in: body) { value = sent }
    }

    func rendered(reveals: Bool) -> [JSON.Member] { [.init("value", .string(reveals ? value : Masked.text))] }

    func sortKey(_ ordering: String) -> SortKey { .absent }
}
