/// A mount's way from version 1 to version 2: each secret becomes version 1 of its key (VAULT-PROTOCOL 4).
package enum KVUpgrade {
    /// In the transaction that changes the mount, so that there is no moment with some secrets in one version and some in the
    /// other.
    package static func run(_ transaction: any StorageTransaction, _ mount: Mount, now: Timestamp) throws {
        let scope = mount.uuid
        for name in try transaction.names(.kvSecret, scope: scope) {
            let plain = RecordKey(.kvSecret, scope: scope, name)
            guard let data = try transaction.record(plain) else { continue }
            var metadata = KVMetadata(now: now)
            let added = metadata.addVersion(config: KVConfig(), now: now)
            metadata.oldestVersion = added.version
            try transaction.put(
                RecordKey(.kvVersion, scope: scope, name, version: added.version), data, expires: nil)
            try transaction.put(RecordKey(.kvMetadata, scope: scope, name), value: metadata)
            try transaction.delete(plain)
        }
        try transaction.put(KVVersioned.configKey(scope), value: KVConfig())
    }

    /// A call that found the mount in version 1 just before it was changed must neither write where nobody will look, nor take
    /// a secret that has moved for one that is not there. Only version 2 has a configuration, and the change leaves one.
    static func check(_ reader: any StorageReader, scope: String) throws {
        guard try reader.record(KVVersioned.configKey(scope)) == nil else {
            throw AirlockError(
                .unavailable,
                "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."
            )
        }
    }
}
