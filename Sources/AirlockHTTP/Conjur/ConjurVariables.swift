import AirlockCore
import HTTPTypes

/// The mount's secrets as variables, with a principal's rights on the Vault surface's paths. A variable is there when a policy
/// declared it, or when the mount has a secret at its id; its value is one field of that secret.
struct ConjurVariables: Sendable {
    let mount: Mount
    private let account: ConjurAccount
    private let access: AccessControl
    private let shelf: any SecretShelf
    private let noteRead: @Sendable (SecretPath) -> Void

    init(_ call: ConjurCall) throws {
        let (services, principal) = (call.services, try call.requirePrincipal())
        let mount = try call.account.mount()
        self.mount = mount
        account = call.account
        access = principal.access
        let embedded = EmbeddedShelf(storage: services.storage, mount: mount, now: services.now)
        let bound = services.registry.bound[mount.path]
        if let bound {
            shelf = BoundShelf(
                bound: bound, embedded: embedded,
                reader: try MountReader(principal, bound, rights: services.upstream?.rights))
        } else {
            shelf = embedded
        }
        noteRead = { services.reads.note($0, on: mount, isStored: bound == nil, by: principal.token) }
    }

    private static func field(_ path: SecretPath) -> String {
        ConjurKwargs.fieldName(of: path, among: ConjurKwargs.defaultFieldNames)
    }

    // MARK: Rights

    func allows(_ capability: Capabilities, _ path: SecretPath) -> Bool {
        access.allows(capability, on: ConjurRules.path(ofValue: path.text, on: mount))
    }

    /// What nobody gave a right to is not there, for Conjur's clients.
    func isVisible(_ path: SecretPath) -> Bool {
        if [Capabilities.read, .update, .create].contains(where: { allows($0, path) }) { return true }
        return ConjurRules.path(ofMetadata: path.text, on: mount).map { access.allows(.read, on: $0) } ?? false
    }

    // MARK: Values

    private func isDeclared(_ id: String) throws -> Bool { try account.record(ConjurID(.variable, id)) != nil }

    /// - Returns: `nil` when it is not there, or not for the principal to see.
    func path(of id: String) async throws -> SecretPath? {
        guard let path = try? SecretPath(id), isVisible(path) else { return nil }
        if try isDeclared(id) { return path }
        return try await shelf.exists(path) ? path : nil
    }

    /// - Throws: 404 also for a variable that has no value, and for what the principal may not see; 403 for what it may.
    func value(of id: String, version: Int? = nil) async throws -> (value: SecretPayload, headers: HTTPFields) {
        guard let path = try? SecretPath(id), isVisible(path) else { throw ConjurError.absent(id) }
        guard allows(.read, path) else {
            guard try await self.path(of: id) != nil else { throw ConjurError.absent(id) }
            throw AirlockError.permissionDenied
        }
        guard version == nil || mount.kvVersion == 2 else {
            throw ConjurError(.unprocessableContent, "argument_error", "the mount keeps no versions")
        }
        guard let found = try await shelf.read(path, version: version), let data = found.data,
            let value = try JSON(parsing: data.bytes)[ConjurVariables.field(path)], !value.isNull
        else { throw ConjurError.absent(id) }
        noteRead(path)
        return (SecretPayload(value.text.map { Array($0.utf8) } ?? value.bytes), found.headers)
    }

    /// Other fields of the secret stay.
    func set(_ id: String, to bytes: [UInt8]) async throws {
        guard let path = try? SecretPath(id), isVisible(path) else { throw ConjurError.absent(id) }
        let isThere = try await shelf.exists(path)
        guard try isThere || isDeclared(id) else { throw ConjurError.absent(id) }
        guard allows(isThere ? .update : .create, path) else { throw AirlockError.permissionDenied }
        guard let value = String(validating: bytes, as: UTF8.self) else {
            throw ConjurError(.unprocessableContent, "argument_error", "'value' must be UTF-8 text")
        }
        guard value.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw ConjurError(.unprocessableContent, "argument_error", "'value' may not be empty")
        }
        let change: JSON = .object([.init(ConjurVariables.field(path), .string(value))])
        try await shelf.update(path) { data in
            SecretPayload(try JSONMerge.apply(change, to: data?.bytes ?? Array("{}".utf8)))
        }
    }

    // MARK: All of them

    /// Ids that the principal may see, sorted. Folders without a right in them are not looked into.
    func all() async throws -> [String] {
        var ids = Set(try account.records(.variable).map(\.id.name))
        var folders = [""]
        while let folder = folders.popLast() {
            for name in try await shelf.list(folder) {
                let child = folder + name
                if child.utf8.last == UInt8(ascii: "/") {
                    // A backend that lists folders without end comes to names that are too long.
                    if mayReach(into: child), (try? SecretPath.folder(child)) != nil { folders.append(child) }
                } else {
                    ids.insert(ExactText(child))
                }
            }
        }
        return ids.map(\.text).filter { id in (try? SecretPath(id)).map(isVisible) ?? false }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private func mayReach(into folder: String) -> Bool {
        access.grantsAnything(below: ConjurRules.path(ofValue: folder, on: mount))
            || ConjurRules.path(ofMetadata: folder, on: mount).map(access.grantsAnything) ?? false
    }

    // MARK: Removing

    /// - Throws: 403 unless the principal may delete it with all its versions.
    func authorizeRemoval(_ path: SecretPath) throws {
        let place =
            ConjurRules.path(ofMetadata: path.text, on: mount) ?? ConjurRules.path(ofValue: path.text, on: mount)
        guard access.allows(.delete, on: place) else { throw AirlockError.permissionDenied }
    }

    func remove(_ path: SecretPath) async throws { try await shelf.remove(path) }
}
