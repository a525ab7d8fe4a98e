/// One version's record, without its data.
package struct KVVersion: Sendable, Codable, Equatable {
    package var created: Timestamp
    /// When it was or will be soft-deleted.
    package var deletion: Timestamp?
    package var destroyed = false

    package func isDeleted(at now: Timestamp) -> Bool { destroyed || deletion.map { $0 <= now } ?? false }
}

/// A mount's settings for KV version 2.
package struct KVConfig: Sendable, Codable, Equatable {
    package var maxVersions = 0
    package var casRequired = false
    package var metadataCasRequired = false
    /// Nanoseconds; 0 is never.
    package var deleteVersionAfter: Int64 = 0

    package init() {}
}

/// Everything about a KV version 2 key but its data, and the rules of versions: they count up, are never reused, and only
/// deleting the key itself starts again at 1 (VAULT-PROTOCOL 2).
package struct KVMetadata: Sendable, Codable, Equatable {
    package var currentVersion = 0
    package var oldestVersion = 0
    package var metadataVersion = 0
    package var versions: [Int: KVVersion] = [:]
    package var created: Timestamp
    package var updated: Timestamp
    package var maxVersions = 0
    package var casRequired = false
    package var metadataCasRequired = false
    package var deleteVersionAfter: Int64 = 0
    package var customMetadata: [String: String]?

    /// Versions kept when neither the key nor the mount says how many.
    package static let defaultMaxVersions = 10

    package var customMetadataJSON: JSON {
        guard let map = customMetadata, !map.isEmpty else { return .null }
        return .object(map.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    package init(now: Timestamp) {
        created = now
        updated = now
    }

    /// The check-and-set rule: `cas` must be the current version when given, and must be given when required.
    package func check(cas: Int?, config: KVConfig) throws {
        guard let cas else {
            guard casRequired || config.casRequired else { return }
            throw AirlockError.badRequest("check-and-set parameter required for this call")
        }
        guard cas == currentVersion else {
            throw AirlockError.badRequest("check-and-set parameter did not match the current version")
        }
    }

    /// The same for the key's own settings, by the number of their last change; 0 when there is no key yet.
    package func check(metadataCAS: Int?, config: KVConfig) throws {
        guard let metadataCAS else {
            guard metadataCasRequired || config.metadataCasRequired else { return }
            throw AirlockError.badRequest("metadata check-and-set parameter required for this call")
        }
        guard metadataCAS == metadataVersion else {
            throw AirlockError.badRequest("metadata check-and-set parameter does not match the current version")
        }
    }

    /// Adds the next version and says which versions fall off the end.
    package mutating func addVersion(config: KVConfig, now: Timestamp) -> (version: Int, trimmed: [Int]) {
        currentVersion += 1
        versions[currentVersion] = KVVersion(created: now, deletion: deletion(config: config, now: now))
        updated = now
        let oldestKept = currentVersion - effectiveMaxVersions(config) + 1
        let trimmed = versions.keys.filter { $0 < oldestKept }.sorted()
        for version in trimmed { versions[version] = nil }
        oldestVersion = max(oldestVersion, oldestKept)
        return (currentVersion, trimmed)
    }

    /// The larger of the key's and the mount's number; both 0 is 10.
    package func effectiveMaxVersions(_ config: KVConfig) -> Int {
        let limit = max(maxVersions, config.maxVersions)
        return limit == 0 ? KVMetadata.defaultMaxVersions : limit
    }

    /// When a version made now is to be deleted by itself. The shorter of the key's and the mount's setting counts; a
    /// negative setting on the mount switches it off.
    private func deletion(config: KVConfig, now: Timestamp) -> Timestamp? {
        guard config.deleteVersionAfter >= 0 else { return nil }
        let settings = [deleteVersionAfter, config.deleteVersionAfter].filter { $0 > 0 }
        return settings.min().map { now.adding(nanoseconds: $0) }
    }

    /// Soft-deletes versions; unknown and already deleted ones are left as they are. Neither this nor what follows counts as
    /// an update of the key.
    package mutating func delete(_ numbers: [Int], now: Timestamp) {
        for number in numbers {
            guard var version = versions[number], !version.isDeleted(at: now) else { continue }
            version.deletion = now
            versions[number] = version
        }
    }

    /// A version that was not deleted gets a new end too, where versions have one.
    package mutating func undelete(_ numbers: [Int], config: KVConfig, now: Timestamp) {
        let deletion = deletion(config: config, now: now)
        for number in numbers {
            guard var version = versions[number], !version.destroyed else { continue }
            version.deletion = deletion
            versions[number] = version
        }
    }

    /// Marks versions destroyed and says which of them had data to drop.
    package mutating func destroy(_ numbers: [Int]) -> [Int] {
        let known = numbers.filter { versions[$0].map { !$0.destroyed } ?? false }
        for number in known { versions[number]?.destroyed = true }
        return known
    }
}
