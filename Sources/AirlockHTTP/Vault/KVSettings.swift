import AirlockCore

/// The settings a KV version 2 key or mount can be given; only those sent change (VAULT-PROTOCOL 2.7, 2.8).
struct KVSettings: Sendable {
    private var maxVersions: Int?
    private var casRequired: Bool?
    private var metadataCasRequired: Bool?
    private var deleteVersionAfter: Int64?
    /// A member that is null is to be removed.
    private var customMetadata: [String: String?]?
    private var removesCustomMetadata = false

    /// - Parameter resetsNulls: a member sent as null goes back to its default, as PATCH does.
    init(_ fields: Fields, resetsNulls: Bool, allowsNegative: Bool = false) throws {
        let isReset = { (name: String) in resetsNulls && fields.names.contains(name) && fields[name] == nil }
        maxVersions = try fields.integer("max_versions") ?? (isReset("max_versions") ? 0 : nil)
        casRequired = try fields.flag("cas_required") ?? (isReset("cas_required") ? false : nil)
        metadataCasRequired =
            try fields.flag("metadata_cas_required") ?? (isReset("metadata_cas_required") ? false : nil)
        deleteVersionAfter =
            try fields.duration("delete_version_after") ?? (isReset("delete_version_after") ? 0 : nil)
        guard metadataCasRequired != true else {
            throw AirlockError.badRequest("metadata_cas_required is not enforced by Airlock and therefore refused")
        }
        if let wanted = maxVersions, wanted < 0 {
            throw AirlockError.badRequest("max_versions cannot be negative")
        }
        if let after = deleteVersionAfter, after < 0, !allowsNegative {
            throw AirlockError.badRequest("delete_version_after cannot be negative")
        }
        removesCustomMetadata = isReset("custom_metadata")
        if let members = fields["custom_metadata"] { customMetadata = try KVSettings.customMetadata(members) }
    }

    static let names: Set<String> = [
        "max_versions", "cas_required", "metadata_cas_required", "delete_version_after", "custom_metadata",
    ]

    var isEmpty: Bool {
        maxVersions == nil && casRequired == nil && metadataCasRequired == nil && deleteVersionAfter == nil
            && customMetadata == nil && !removesCustomMetadata
    }

    private static func customMetadata(_ json: JSON) throws -> [String: String?] {
        guard let members = json.members else {
            throw AirlockError.badRequest(
                "error converting input for field \"custom_metadata\": '' expected type 'map[string]interface {}', got unconvertible type '\(json.goType)'"
            )
        }
        var map: [String: String?] = [:]
        for member in members {
            switch member.value {
            case .string(let text), .number(let text): map[member.name] = .some(text)
            case .null: map[member.name] = .some(nil)
            case .bool(let flag): map[member.name] = .some(flag ? "1" : "0")
            default:
                throw AirlockError.badRequest(
                    "custom_metadata validation failed: '' expected type 'string', got unconvertible type '\(member.value.goType)'"
                )
            }
        }
        return map
    }

    /// - Parameter merges: custom metadata is merged member by member (PATCH), not replaced.
    func apply(to metadata: inout KVMetadata, merges: Bool) throws {
        if let maxVersions { metadata.maxVersions = maxVersions }
        if let casRequired { metadata.casRequired = casRequired }
        if let metadataCasRequired { metadata.metadataCasRequired = metadataCasRequired }
        if let deleteVersionAfter { metadata.deleteVersionAfter = deleteVersionAfter }
        if removesCustomMetadata { metadata.customMetadata = nil }
        guard let customMetadata else { return }
        var map = merges ? metadata.customMetadata ?? [:] : [:]
        for (name, value) in customMetadata { map[name] = value }
        try KVSettings.check(map)
        metadata.customMetadata = map
    }

    func apply(to config: inout KVConfig) {
        if let maxVersions { config.maxVersions = maxVersions }
        if let casRequired { config.casRequired = casRequired }
        if let metadataCasRequired { config.metadataCasRequired = metadataCasRequired }
        if let deleteVersionAfter { config.deleteVersionAfter = deleteVersionAfter }
    }

    /// Vault's limits: 64 keys of up to 128 bytes, values of up to 512.
    private static func check(_ map: [String: String]) throws {
        guard map.count <= 64 else {
            throw AirlockError.badRequest(
                "custom_metadata validation failed: payload must contain at most 64 keys, provided \(map.count)")
        }
        for (name, value) in map {
            guard (1...128).contains(name.utf8.count), (1...512).contains(value.utf8.count) else {
                throw AirlockError.badRequest(
                    "custom_metadata validation failed: keys have 1 to 128 bytes, values 1 to 512")
            }
        }
    }
}
