import AirlockCore
import HTTPTypes

/// The secrets of one kind, `connections/<id>` or `variables/<id>`, on one mount of either KV version, reached with a
/// principal's rights on the Vault surface's paths.
struct MountedSecrets: Sendable {
    private let access: AccessControl
    private let mount: Mount
    private let shelf: any SecretShelf
    /// The backend refuses what the principal may not do.
    private let isDecidedUpstream: Bool
    private let folders: [String]
    private let kind: String
    private let noteRead: @Sendable (SecretPath) -> Void

    /// Airflow's REST API allows this of ids: `^[\w.-]+$`, at most 200 characters.
    private static let idLimit = 200

    init(services: Services, principal: Principal, mountPoint: String, folders: [String], kind: String) throws {
        self.folders = folders.map { $0.split(separator: "/").joined(separator: "/") }
        self.kind = kind
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

    static func checkID(_ id: String) throws {
        let isValid = id.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || "_.-".unicodeScalars.contains(scalar)
        }
        guard isValid, !id.isEmpty, id.unicodeScalars.count <= idLimit, id != ".", id != ".." else {
            throw TypedError(
                .unprocessableContent, "an id has 1 to \(idLimit) letters, digits, underscores, dots and hyphens")
        }
    }

    private var isVersioned: Bool { mount.kvVersion == 2 }

    private func path(_ id: String, in folder: String) throws -> SecretPath {
        try SecretPath(folder.isEmpty ? id : "\(folder)/\(id)")
    }

    /// - Throws: 403 unless the policies allow it on the Vault surface's path.
    private func authorize(_ capability: Capabilities, _ path: String, endpoint: String = "data") throws {
        guard !isDecidedUpstream else { return }
        let full = mount.path + (isVersioned ? "\(endpoint)/\(path)" : path)
        guard access.allows(capability, on: full) else { throw AirlockError.permissionDenied }
    }

    /// A secret found, where it lies, and what to tell of where it came from.
    struct Found: Sendable {
        let folder: String
        let data: SecretPayload
        let headers: HTTPFields
    }

    /// The first folder that has the secret.
    func read(_ id: String) async throws -> Found? {
        for folder in folders {
            let path = try path(id, in: folder)
            try authorize(.read, path.text)
            if let found = try await shelf.read(path), let data = found.data {
                return Found(folder: folder, data: data, headers: found.headers)
            }
        }
        return nil
    }

    /// As `read`, for an answer that shows the secret itself: it counts as its last read.
    func reveal(_ id: String) async throws -> Found? {
        guard let found = try await read(id) else { return nil }
        noteRead(try path(id, in: found.folder))
        return found
    }

    /// Ids of what the principal may read in every folder, sorted, each once. Subfolders hold other teams' secrets and are
    /// not among them.
    func ids() async throws -> [String] {
        var ids: Set<String> = []
        for folder in folders {
            try authorize(.list, folder, endpoint: "metadata")
            let prefix = folder.isEmpty ? "" : folder + "/"
            let names = try await shelf.list(prefix)
            ids.formUnion(names.filter { !$0.hasSuffix("/") && (try? authorize(.read, prefix + $0)) != nil })
        }
        return ids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Every secret that the principal may read. A deleted secret's name stays in a version 2 mount's list: only what is
    /// read counts.
    func all() async throws -> [(id: String, data: SecretPayload)] {
        var all: [(id: String, data: SecretPayload)] = []
        for id in try await ids() {
            do {
                if let found = try await read(id) { all.append((id, found.data)) }
            } catch let error as AirlockError where error.code == .permissionDenied && isDecidedUpstream {
                continue
            }
        }
        return all
    }

    /// Writes a secret that must not be there yet.
    /// - Throws: 409 when it is.
    func create(_ id: String, _ data: SecretPayload) async throws {
        let exists = TypedError(.conflict, "the \(kind) exists already; use PATCH to change it")
        let path = try path(id, in: folders[0])
        let both: Capabilities = [.create, .update]
        if (try? authorize(both, path.text)) == nil {
            try authorize(try await shelf.exists(path) ? .update : .create, path.text)
        }
        try await shelf.update(path) { found in
            guard found == nil else { throw exists }
            return data
        }
    }

    /// Changes a secret; when somebody else wrote meanwhile, the change is made again on what they wrote.
    func update(_ id: String, _ change: @escaping @Sendable (SecretPayload) throws -> SecretPayload) async throws {
        guard let found = try await read(id) else { throw absent }
        let path = try path(id, in: found.folder)
        try authorize(.update, path.text)
        let absent = absent
        try await shelf.update(path) { data in
            guard let data else { throw absent }
            return try change(data)
        }
    }

    func delete(_ id: String) async throws {
        guard let found = try await read(id) else { throw absent }
        let path = try path(id, in: found.folder)
        try authorize(.delete, path.text)
        try await shelf.delete(path)
    }

    var absent: TypedError { TypedError(.notFound, "there is no such \(kind)") }
}
