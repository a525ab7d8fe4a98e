import AirlockCore
import HTTPTypes

/// The secrets of one kind, `connections/<id>` or `variables/<id>`, on one mount of either KV version, reached with a
/// principal's rights on the Vault surface's paths.
struct MountedSecrets: Sendable {
    private let services: Services
    private let access: AccessControl
    private let mount: Mount
    private let folders: [String]
    private let kind: String

    /// Airflow's REST API allows this of ids: `^[\w.-]+$`, at most 200 characters.
    private static let idLimit = 200

    init(services: Services, principal: Principal, mountPoint: String, folders: [String], kind: String) throws {
        self.services = services
        self.folders = folders.map { $0.split(separator: "/").joined(separator: "/") }
        self.kind = kind
        access = principal.access
        let path = mountPoint.split(separator: "/").joined(separator: "/") + "/"
        guard let mount = services.registry.mount(named: path) else {
            // Whether a mount exists is told only to those who may reach something in it.
            throw access.allows(.read, on: path + "x")
                ? TypedError(.notFound, "there is no mount \"\(path)\"") : TypedError(.forbidden, "permission denied")
        }
        self.mount = mount
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
    private var versioned: KVVersioned { KVVersioned(storage: services.storage, mount: mount, now: services.now) }
    private var plain: KVPlain { KVPlain(storage: services.storage, mount: mount) }

    private func path(_ id: String, in folder: String) throws -> SecretPath {
        try SecretPath(folder.isEmpty ? id : "\(folder)/\(id)")
    }

    /// - Throws: 403 unless the policies allow it on the Vault surface's path.
    private func authorize(_ capability: Capabilities, _ path: String, endpoint: String = "data") throws {
        let full = mount.path + (isVersioned ? "\(endpoint)/\(path)" : path)
        guard access.allows(capability, on: full) else { throw AirlockError.permissionDenied }
    }

    /// A secret found, where it lies, and what a write over it must name to be sure that nobody else wrote meanwhile.
    struct Found: Sendable {
        let folder: String
        let data: SecretPayload
    }

    /// The first folder that has the secret.
    func read(_ id: String) throws -> Found? {
        for folder in folders {
            let path = try path(id, in: folder)
            try authorize(.read, path.text)
            let data = isVersioned ? try versioned.read(path, version: nil)?.data : try plain.read(path)
            if let data { return Found(folder: folder, data: data) }
        }
        return nil
    }

    /// Ids of what the principal may read in every folder, sorted, each once. Subfolders hold other teams' secrets and are
    /// not among them.
    func ids() throws -> [String] {
        var ids: Set<String> = []
        for folder in folders {
            try authorize(.list, folder, endpoint: "metadata")
            let prefix = folder.isEmpty ? "" : folder + "/"
            let names = try isVersioned ? versioned.list(folder: prefix) : plain.list(folder: prefix)
            ids.formUnion(names.filter { !$0.hasSuffix("/") && (try? authorize(.read, prefix + $0)) != nil })
        }
        return ids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Writes a secret that must not be there yet.
    /// - Throws: 409 when it is.
    func create(_ id: String, _ data: SecretPayload) async throws {
        let exists = TypedError(.conflict, "the \(kind) exists already; use PATCH to change it")
        let folder = folders[0]
        let path = try path(id, in: folder)
        guard isVersioned else {
            let isThere = try plain.read(path) != nil
            try authorize(isThere ? .update : .create, path.text)
            try await plain.update(path) { found in
                guard found == nil else { throw exists }
                return data
            }
            return
        }
        let metadata = try versioned.metadata(path)
        try authorize(metadata == nil ? .create : .update, path.text)
        if try versioned.read(path, version: nil)?.data != nil { throw exists }
        do {
            _ = try await versioned.write(path, data: data, cas: metadata?.currentVersion ?? 0)
        } catch let error as AirlockError where error.code == .badRequest {
            throw exists
        }
    }

    /// Changes a secret; when somebody else wrote meanwhile, the change is made again on what they wrote.
    func update(_ id: String, _ change: @escaping @Sendable (SecretPayload) throws -> SecretPayload) async throws {
        for _ in 0..<8 {
            guard let found = try read(id) else { throw absent }
            let path = try path(id, in: found.folder)
            try authorize(.update, path.text)
            guard isVersioned else {
                let absent = absent
                return try await plain.update(path) { data in
                    guard let data else { throw absent }
                    return try change(data)
                }
            }
            guard let stored = try versioned.read(path, version: nil), let data = stored.data else { throw absent }
            do {
                _ = try await versioned.write(path, data: try change(data), cas: stored.version)
                return
            } catch let error as AirlockError where error.message?.hasPrefix("check-and-set") ?? false {
                continue
            }
        }
        throw TypedError(.conflict, "others kept changing the \(kind); try again")
    }

    func delete(_ id: String) async throws {
        guard let found = try read(id) else { throw absent }
        let path = try path(id, in: found.folder)
        try authorize(.delete, path.text)
        if isVersioned { try await versioned.delete(path, versions: nil) } else { try await plain.delete(path) }
    }

    var absent: TypedError { TypedError(.notFound, "there is no such \(kind)") }
}
