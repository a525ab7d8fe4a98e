import AirlockCore

/// The settings a KV version 2 key or mount can be given; only those sent change, and null sets one back to its default,
/// but for `delete_version_after`, which it leaves (VAULT-PROTOCOL 2.7, 2.8).
struct KVSettings: Sendable {
    private var maxVersions: Int?
    private var casRequired: Bool?
    private var metadataCasRequired: Bool?
    private var deleteVersionAfter: Int64?
    /// A member that is null is to be removed.
    private var customMetadata: [String: String?]?
    private var removesCustomMetadata = false

    init(_ fields: Fields, allowsNegative: Bool = false) throws {
        let isReset = { (name: String) in fields.names.contains(name) && fields[name] == nil }
        maxVersions = try fields.integer("max_versions") ?? (isReset("max_versions") ? 0 : nil)
        casRequired = try fields.flag("cas_required") ?? (isReset("cas_required") ? false : nil)
        metadataCasRequired =
            try fields.flag("metadata_cas_required") ?? (isReset("metadata_cas_required") ? false : nil)
        deleteVersionAfter = try fields.duration("delete_version_after")
        if let wanted = maxVersions, !(0...KVSettings.versionLimit).contains(wanted) {
            throw AirlockError.badRequest("max_versions must be between 0 and \(KVSettings.versionLimit)")
        }
        if let after = deleteVersionAfter, after < 0, !allowsNegative {
            throw AirlockError.badRequest("delete_version_after cannot be negative")
        }
        removesCustomMetadata = isReset("custom_metadata")
        customMetadata = try fields.object("custom_metadata").map(KVSettings.customMetadata)
    }

    /// OpenBao keeps the number in 32 bits.
    private static let versionLimit = Int(UInt32.max)

    static let mountFields: Set<String> = [
        "max_versions", "cas_required", "metadata_cas_required", "delete_version_after",
    ]
    static let keyFields = mountFields.union(["custom_metadata", "metadata_cas"])

    var isEmpty: Bool {
        maxVersions == nil && casRequired == nil && metadataCasRequired == nil && deleteVersionAfter == nil
            && customMetadata == nil && !removesCustomMetadata
    }

    /// What was asked of a key and does not count, because its mount demands otherwise.
    func overruled(by config: KVConfig) -> [String] {
        var names: [String] = []
        if casRequired == false, config.casRequired { names.append("cas_required") }
        if metadataCasRequired == false, config.metadataCasRequired { names.append("metadata_cas_required") }
        return names.map {
            "\"\($0)\" set to false, but is mandated by backend config. This value will be ignored."
        }
    }

    private static func customMetadata(_ members: [JSON.Member]) throws -> [String: String?] {
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

    /// - Parameter merges: custom metadata is merged member by member (PATCH), not replaced; only there null is no value, and
    ///   a `delete_version_after` of 0 changes nothing, as in OpenBao.
    func apply(to metadata: inout KVMetadata, merges: Bool) throws {
        if let maxVersions { metadata.maxVersions = maxVersions }
        if let casRequired { metadata.casRequired = casRequired }
        if let metadataCasRequired { metadata.metadataCasRequired = metadataCasRequired }
        if let deleteVersionAfter, !merges || deleteVersionAfter != 0 {
            metadata.deleteVersionAfter = deleteVersionAfter
        }
        if removesCustomMetadata { metadata.customMetadata = nil }
        guard let customMetadata else { return }
        var map = merges ? metadata.customMetadata ?? [:] : [:]
        for (name, value) in customMetadata { map[name] = value ?? (merges ? nil : "") }
        try KVSettings.check(map)
        metadata.customMetadata = map
    }

    func apply(to config: inout KVConfig) {
        if let maxVersions { config.maxVersions = maxVersions }
        if let casRequired { config.casRequired = casRequired }
        if let metadataCasRequired { config.metadataCasRequired = metadataCasRequired }
        // Any negative one says never, and is kept as this one.
        if let deleteVersionAfter { config.deleteVersionAfter = max(deleteVersionAfter, -1_000_000_000) }
    }

    /// What can be said before the key is looked at.
    func check(merges: Bool) throws {
        guard let customMetadata else { return }
        try KVSettings.check(customMetadata.compactMapValues { $0 ?? (merges ? nil : "") })
    }

    /// Vault's limits: 64 keys of up to 128 bytes, values of up to 512, and nothing that cannot be shown. Each name that is
    /// wrong is told, no value is.
    private static func check(_ map: [String: String]) throws {
        guard map.count <= 64 else {
            throw refused(["payload must contain at most 64 keys, provided \(map.count)"])
        }
        var reasons: [String] = []
        for (name, value) in map.sorted(by: { $0.key < $1.key }) {
            let (key, length) = (name.utf8.count, value.utf8.count)
            if !(1...128).contains(key) {
                reasons.append("length of key \"\(name)\" is \(key) but must be 0 < len(key) <= 128")
            }
            if !(1...512).contains(length) {
                reasons.append(
                    "length of value for key \"\(name)\" is \(length) but must be 0 < len(value) <= 512")
            }
            if !isPrintable(name) { reasons.append("a key contains unprintable characters") }
            if !isPrintable(value) {
                reasons.append("value for key \"\(name)\" contains unprintable characters")
            }
        }
        guard reasons.isEmpty else { throw refused(reasons) }
    }

    private static func refused(_ reasons: [String]) -> AirlockError {
        .badRequest(AirlockError.multi(reasons.map { "custom_metadata validation failed: \($0)" }))
    }

    /// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and of the blanks only the ordinary one.
    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
            case .spaceSeparator: scalar == " "
            default: true
            }
        }
    }
}
