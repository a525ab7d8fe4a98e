import AirlockCore
import HTTPTypes

/// The secrets of one kind, `connections/<id>` or `connections/<team>/<id>`, on one mount of either KV version, reached with
/// a principal's rights on the Vault surface's paths.
struct MountedSecrets: Sendable {
    private let access: AccessControl
    let mount: Mount
    private let shelf: any SecretShelf
    /// The backend refuses what the principal may not do.
    private let isDecidedUpstream: Bool
    let folders: [String]
    private let kind: String
    private let hasTeams: Bool
    private let noteRead: @Sendable (SecretPath) -> Void

    init(
        services: Services, principal: Principal, mountPoint: String, folders: [String], kind: String, hasTeams: Bool
    ) throws {
        self.folders = folders.map { $0.split(separator: "/").joined(separator: "/") }
        self.kind = kind
        self.hasTeams = hasTeams
        access = principal.access
        let path = mountPoint.split(separator: "/").joined(separator: "/") + "/"
        guard let mount = services.mount(for: path, opening: principal), mount.path == path else {
            // Whether a mount exists is told only to those who may reach something in it.
            throw access.allows(.read, on: path + "x")
                ? TypedError(.notFound, "there is no mount \"\(path)\"") : TypedError(.forbidden, "permission denied")
        }
        self.mount = mount
        let embedded = EmbeddedShelf(storage: services.storage, mount: mount, now: services.now)
        if let bound = services.registry.bound[mount.path] {
            let reader = try MountReader(principal, bound, rights: services.upstream?.rights)
            shelf = BoundShelf(bound: bound, embedded: embedded, reader: reader)
            isDecidedUpstream = bound.authorization == .upstream
        } else {
            shelf = embedded
            isDecidedUpstream = false
        }
        let isStored = services.registry.bound[mount.path] == nil
        noteRead = { services.reads.note($0, on: mount, isStored: isStored, by: principal.token) }
    }

    private var isVersioned: Bool { mount.kvVersion == 2 }

    private static func folder(_ folder: String, of team: String?) -> String {
        [folder, team ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
    }

    private func path(_ name: SecretName, in folder: String) throws -> SecretPath {
        let folder = MountedSecrets.folder(folder, of: name.team)
        return try SecretPath(folder.isEmpty ? name.id : "\(folder)/\(name.id)")
    }

    /// - Throws: 403 unless the policies allow it on the Vault surface's path.
    private func authorize(_ capability: Capabilities, _ path: String, endpoint: String = "data") throws {
        guard !isDecidedUpstream else { return }
        let full = mount.path + (isVersioned ? "\(endpoint)/\(path)" : path)
        guard access.allows(capability, on: full) else { throw AirlockError.permissionDenied }
    }

    var absent: TypedError { TypedError(.notFound, "there is no such \(kind)") }
    var exists: TypedError { TypedError(.conflict, "the \(kind) exists already; use PATCH to change it") }

    // MARK: Reading

    /// A secret found, where it lies, and what to tell of where it came from.
    struct Found: Sendable {
        let name: SecretName
        let path: SecretPath
        let data: SecretPayload
        let headers: HTTPFields
        /// `nil`: what was found is for one request alone.
        let validity: Front.Validity?
    }

    /// The first folder that has the secret of that team, or of none.
    private func read(_ name: SecretName) async throws -> Found? {
        for folder in folders {
            let path = try path(name, in: folder)
            try authorize(.read, path.text)
            if let found = try await shelf.read(path), let data = found.data {
                // Where nothing is in an earlier folder, something may be written any time.
                let validity = folder == folders.first ? found.validity : nil
                return Found(name: name, path: path, data: data, headers: found.headers, validity: validity)
            }
        }
        return nil
    }

    /// To be called for an answer that shows the secret itself: it counts as its last read.
    func note(_ found: Found) { noteRead(found.path) }

    /// `nil` also where the principal may not read it.
    func readable(_ name: SecretName) async throws -> Found? { try await ifAllowed { try await read(name) } ?? nil }

    /// In Airflow an id is one team's or nobody's, and its clients ask by the id alone: without a team it is looked for among
    /// those that belong to none, and then among the teams'.
    /// - Throws: 409 when several teams have it.
    func find(_ id: String, team: String?) async throws -> Found? {
        guard team == nil, hasTeams else { return try await read(SecretName(id: id, team: team)) }
        var refusal: AirlockError?
        do {
            if let found = try await read(SecretName(id: id)) { return found }
        } catch let error as AirlockError where error.code == .permissionDenied {
            refusal = error
        }
        var found: [Found] = []
        let teams = try await ifAllowed { try await self.teams() }
        for team in teams ?? [] {
            if let one = try await readable(SecretName(id: id, team: team)) { found.append(one) }
        }
        guard found.count < 2 else {
            throw TypedError(.conflict, "several teams have a \(kind) of this id: name one with ?team_name=")
        }
        if let refusal, found.isEmpty { throw refusal }
        return found.first
    }

    /// What a deleted secret leaves in a version 2 mount's list is among the names: only what can be read counts.
    /// - Parameter team: `nil` is all, teams or not.
    /// - Returns: Sorted by id, then by team, each once.
    func names(team: String?) async throws -> [SecretName] {
        var names: Set<SecretName> = []
        if let team {
            names = try await Set(ids(of: team).map { SecretName(id: $0, team: team) })
        } else {
            names = try await Set(ids(of: nil).map { SecretName(id: $0) })
            for team in try await teams() {
                let ids = try await ifAllowed { try await self.ids(of: team) }
                names.formUnion((ids ?? []).map { SecretName(id: $0, team: team) })
            }
        }
        return names.sorted()
    }

    private func ids(of team: String?) async throws -> Set<String> {
        Set(try await children(of: team).filter { !$0.hasSuffix("/") })
    }

    private func teams() async throws -> [String] {
        guard hasTeams else { return [] }
        let folders = try await children(of: nil).filter { $0.hasSuffix("/") }.map { String($0.dropLast()) }
        return Set(folders).filter(SecretName.isTeam).sorted()
    }

    /// What lies directly in the folders; a subfolder's name ends in `/`.
    private func children(of team: String?) async throws -> [String] {
        var names: [String] = []
        for folder in folders {
            let folder = MountedSecrets.folder(folder, of: team)
            try authorize(.list, folder, endpoint: "metadata")
            names += try await shelf.list(folder.isEmpty ? "" : folder + "/")
        }
        return names
    }

    private func ifAllowed<Value>(_ work: () async throws -> Value) async throws -> Value? {
        do {
            return try await work()
        } catch let error as AirlockError where error.code == .permissionDenied {
            return nil
        }
    }

    // MARK: Writing

    /// - Throws: 403 unless the principal may make it, or change it where it is.
    func authorizeWrite(_ name: SecretName) async throws {
        let path = try path(name, in: folders[0])
        let both: Capabilities = [.create, .update]
        if (try? authorize(both, path.text)) == nil {
            try authorize(try await shelf.exists(path) ? .update : .create, path.text)
        }
    }

    /// Whether a write of `name` would find something.
    func isThere(_ name: SecretName) async throws -> Bool {
        try await shelf.read(try path(name, in: folders[0]))?.data != nil
    }

    /// Writes to the first folder.
    /// - Parameter change: from what is there, `nil` when nothing is, to what shall be; asked again when somebody else wrote
    ///   meanwhile.
    func write(
        _ name: SecretName, _ change: @escaping @Sendable (SecretPayload?) throws -> SecretPayload
    ) async throws {
        try await authorizeWrite(name)
        try await shelf.update(try path(name, in: folders[0]), change)
    }

    func authorize(_ capability: Capabilities, _ found: Found) throws { try authorize(capability, found.path.text) }

    /// Changes what was found, for who may; when somebody else wrote meanwhile, the change is made again on what they wrote.
    func update(
        _ found: Found, _ change: @escaping @Sendable (SecretPayload) throws -> SecretPayload
    ) async throws {
        let absent = absent
        try await shelf.update(found.path) { data in
            guard let data else { throw absent }
            return try change(data)
        }
    }

    /// Deletes what was found, for who may.
    func delete(_ found: Found) async throws { try await shelf.delete(found.path) }
}
