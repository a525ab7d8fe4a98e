import AirlockCore
import AirlockUpstream

/// The connections and variables of a KV mount, found where `VaultBackend` with the same kwargs looks for them.
struct MountContents: Sendable {
    let client: VaultClient
    let mount: VaultMount
    let layout: ImportLayout

    /// One secret that Airflow would find under `target`'s name.
    struct Stored: Sendable {
        let target: ImportTarget
        /// Below the mount.
        let path: String
        let data: SecretPayload
    }

    /// Enough to hide the round trips, few enough for a small server.
    private static let inFlight = 16

    /// All of one kind, sorted by name. Of two with one id in different folders Airflow sees the first folder's alone, and so
    /// does this. A secret whose latest version is deleted is not there.
    /// - Throws: `UpstreamError`; a part of a mount would pass for the whole of it.
    func all(_ kind: ImportTarget.Kind) async throws -> [Stored] {
        var paths: [ImportTarget: String] = [:]
        for folder in layout.folders(of: kind) {
            for (target, path) in try await names(kind, in: folder) where paths[target] == nil { paths[target] = path }
        }
        let wanted = paths.sorted { $0.key.name.utf8.lexicographicallyPrecedes($1.key.name.utf8) }
        var found = [Stored?](repeating: nil, count: wanted.count)
        try await withThrowingTaskGroup(of: (Int, Stored?).self) { group in
            var next = 0
            func begin() {
                guard next < wanted.count else { return }
                let (index, (target, path)) = (next, wanted[next])
                next += 1
                group.addTask {
                    let data = try await client.read(path, in: mount)?.data
                    return (index, data.map { Stored(target: target, path: path, data: $0) })
                }
            }
            for _ in 0..<MountContents.inFlight { begin() }
            while let (index, stored) = try await group.next() {
                found[index] = stored
                begin()
            }
        }
        return found.compactMap(\.self)
    }

    /// As a source for an import or an export.
    func source(_ kind: ImportTarget.Kind) async throws -> ImportSource {
        ImportSource(
            try await all(kind).map { stored in
                let origin = ImportOrigin(source: stored.target.printable("\(mount.path)/\(stored.path)"))
                return ImportSource.StoredSecret(stored.target, from: origin, data: stored.data)
            }, named: mount.path)
    }

    /// The ids in a folder and in its teams' folders, and where each lies.
    private func names(_ kind: ImportTarget.Kind, in folder: String) async throws -> [(ImportTarget, path: String)] {
        func below(_ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }
        var found: [(ImportTarget, path: String)] = []
        for name in try await client.list(folder, in: mount) {
            guard name.hasSuffix("/") else {
                found.append((ImportTarget(kind, id: name), below(name)))
                continue
            }
            guard layout.hasTeams else { continue }
            let team = String(name.dropLast())
            for id in try await client.list(below(team), in: mount) where !id.hasSuffix("/") {
                found.append((ImportTarget(kind, team: team, id: id), below(name + id)))
            }
        }
        return found
    }
}
