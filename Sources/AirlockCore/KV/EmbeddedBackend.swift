/// A mount of the embedded store as one of several backends.
package struct EmbeddedBackend: Backend {
    private let storage: any Storage
    private let mount: Mount
    private let now: Now

    package init(storage: any Storage, mount: Mount, now: @escaping Now) {
        self.storage = storage
        self.mount = mount
        self.now = now
    }

    package var identity: String { "embedded \(mount.uuid)" }

    package func read(_ path: SecretPath, version: Int?, as credential: Credential) async throws -> Secret? {
        guard mount.kvVersion == 2 else {
            let data = try KVPlain(storage: storage, mount: mount).read(path)
            return data.map { Secret(data: $0, leaseDuration: mount.effectiveDefaultTTL) }
        }
        let stored = try KVVersioned(storage: storage, mount: mount, now: now).read(path, version: version)
        return stored.map { stored in
            Secret(
                data: stored.data, metadata: SecretPayload(JSON.object(stored.members).bytes), version: stored.version,
                created: stored.state.created)
        }
    }

    package func list(_ folder: String, as credential: Credential) async throws -> [String] {
        guard mount.kvVersion == 2 else { return try KVPlain(storage: storage, mount: mount).list(folder: folder) }
        return try KVVersioned(storage: storage, mount: mount, now: now).list(folder: folder)
    }
}
