import Synchronization

/// What every request asks first, in memory: the mounts, the ways to log in, and the parsed policies. A change is stored
/// durably, then the memory is read anew, one reading at a time, so that it never runs ahead of the store or falls behind it. Each
/// namespace has one; the root's leads to the others.
package final class Registry: Sendable {
    private struct State {
        var mounts: [ExactText: Mount] = [:]
        var authMounts: [ExactText: Mount] = [:]
        var tokenMount = Registry.untunedTokenMount
        var policies: [ExactText: (policy: Policy, rules: [Policy.Rule])] = [:]
        /// Merged rules by the sorted policy names of a token; emptied by each change.
        var accessControls: [[ExactText]: AccessControl] = [:]
    }

    package let namespace: Namespace
    /// The configuration's mounts, all in the root namespace. They hide a stored one of the same path.
    package let bound: BoundMounts
    let storage: any Storage
    let children = Mutex<[ExactText: Child]>([:])
    private let state = Mutex(State())
    /// One reading of the store at a time: the later one is what counts. Requests need not wait for it.
    private let reloading = Mutex(())

    /// Distinct policy combinations remembered at most; over it the memory starts anew.
    private static let accessControlLimit = 1024

    /// The root's, and with it those of all namespaces.
    package convenience init(storage: any Storage, bound: BoundMounts = BoundMounts()) throws {
        try self.init(storage: storage, namespace: .root, bound: bound)
    }

    init(storage: any Storage, namespace: Namespace, bound: BoundMounts = BoundMounts()) throws {
        self.storage = storage
        self.namespace = namespace
        self.bound = bound
        try reload()
        try reloadNamespaces()
    }

    private func key(_ kind: RecordKind, _ name: String) -> RecordKey {
        RecordKey(kind, scope: namespace.uuid, name)
    }

    private func reload() throws {
        try reloading.withLock { _ in
            let fresh = try storage.read(stored)
            state.withLock { $0 = fresh }
        }
        storage.front.configured()
    }

    private func stored(_ reader: any StorageReader) throws -> State {
        var stored = State()
        for (name, mount) in try reader.values(Mount.self, .mount, scope: namespace.uuid) {
            stored.mounts[ExactText(name)] = mount
        }
        for (name, mount) in try reader.values(Mount.self, .authMount, scope: namespace.uuid) {
            if mount.engine == .token { stored.tokenMount = mount } else { stored.authMounts[ExactText(name)] = mount }
        }
        for (name, policy) in try reader.values(Policy.self, .policy, scope: namespace.uuid) {
            stored.policies[ExactText(name)] = (policy, try policy.rules())
        }
        let wrapping = Policy(name: Policy.wrapping, text: Policy.wrappingText)
        stored.policies[ExactText(wrapping.name)] = (wrapping, try wrapping.rules())
        return stored
    }

    // MARK: Secrets engines

    package var mounts: [Mount] {
        let stored = state.withLock { Array($0.mounts.values) }.filter { bound[$0.path] == nil }
        return (stored + bound.all.map(\.mount)).sorted { $0.path < $1.path }
    }

    /// The mount a path lies in. Mounts never nest, so at most one matches.
    package func mount(for path: String) -> Mount? {
        bound.mount(for: path)?.mount ?? state.withLock { Registry.mount(for: path, among: $0.mounts) }
            ?? bound.known(for: path)?.mount
    }

    package func mount(named path: String) -> Mount? {
        bound[path]?.mount ?? state.withLock { $0.mounts[ExactText(path)] }
    }

    /// - Throws: `AirlockError` for a mount that the configuration decides about.
    private func refuseBound(_ path: String) throws {
        guard let known = bound.all.first(where: { $0.mount.path.hasPrefix(path) || path.hasPrefix($0.mount.path) })
        else { return }
        throw AirlockError.badRequest(
            "\(known.mount.path) is set in Airlock's configuration: change it there and start Airlock anew")
    }

    package func enable(_ mount: Mount) async throws {
        try refuseBound(mount.path)
        let placed = mount.placed(in: namespace)
        try await storage.write { [self] transaction in
            try refuseNamespace(mount.path, transaction)
            let taken = try transaction.names(.mount, scope: namespace.uuid).first {
                $0.hasPrefix(mount.path) || mount.path.hasPrefix($0)
            }
            guard taken == nil else { throw AirlockError.badRequest("path is already in use at \(taken ?? "")") }
            try transaction.put(key(.mount, mount.path), value: placed)
        }
        try reload()
    }

    /// Drops the mount and everything in it; no error when there is none.
    package func disable(_ path: String) async throws {
        try refuseBound(path)
        try await storage.write { [self] transaction in
            guard let mount = try transaction.value(Mount.self, key(.mount, path)) else {
                return try refuseNamespace(path, transaction)
            }
            try Registry.drop(transaction, mount)
        }
        try reload()
    }

    static func drop(_ transaction: any StorageTransaction, _ mount: Mount) throws {
        for kind in [RecordKind.kvConfig, .kvMetadata, .kvVersion, .kvSecret, .lastRead] {
            try transaction.deleteAll(kind, scope: mount.uuid)
        }
        try TokenRecords.delete(transaction, below: mount.path, in: mount.namespace)
        try transaction.delete(RecordKey(.mount, scope: mount.namespace.uuid, mount.path))
    }

    /// - Parameter change: may change the mount's records in the same transaction.
    package func tune<Result: Sendable>(
        _ path: String, auth: Bool,
        _ change: @escaping @Sendable (inout Mount, any StorageTransaction) throws -> Result
    ) async throws -> Result {
        if !auth { try refuseBound(path) }
        let key = key(auth ? .authMount : .mount, path)
        let result = try await storage.write { [namespace] transaction in
            let untuned = auth && path == Registry.untunedTokenMount.path ? Registry.untunedTokenMount : nil
            guard var mount = try transaction.value(Mount.self, key) ?? untuned?.placed(in: namespace) else {
                throw AirlockError.badRequest(
                    "tune of path \"\(auth ? "auth/" : "")\(path)\" failed: no mount entry found")
            }
            let result = try change(&mount, transaction)
            try transaction.put(key, value: mount)
            return result
        }
        try reload()
        return result
    }

    /// - Parameter id: what the move is asked about by.
    package func move(_ remount: Remount, id: String, now: Timestamp) async throws {
        if !remount.isAuth {
            try refuseBound(remount.source)
            try refuseBound(remount.target)
        }
        try await storage.write { [self] transaction in
            if !remount.isAuth { try refuseNamespace(remount.target, transaction) }
            try remount.perform(in: transaction, id: id, now: now)
        }
        try reload()
    }

    // MARK: Ways to log in

    /// `auth/token/`: always there, stored once it has been tuned.
    package var tokenMount: Mount { state.withLock { $0.tokenMount }.placed(in: namespace) }

    private static let untunedTokenMount = Mount(
        path: "token/", engine: .token, description: "token based credentials", options: nil)

    package var authMounts: [Mount] { state.withLock { Array($0.authMounts.values) }.sorted { $0.path < $1.path } }

    /// - Parameter path: below `auth/`.
    package func authMount(for path: String) -> Mount? {
        state.withLock { Registry.mount(for: path, among: $0.authMounts) }
    }

    package func authMount(named path: String) -> Mount? { state.withLock { $0.authMounts[ExactText(path)] } }

    package func enableAuth(_ mount: Mount) async throws {
        let placed = mount.placed(in: namespace)
        try await storage.write { [self] transaction in
            guard try namespace.exists(transaction) else { throw Registry.noNamespace }
            let taken = try transaction.names(.authMount, scope: namespace.uuid).first {
                $0.hasPrefix(mount.path) || mount.path.hasPrefix($0)
            }
            guard taken == nil else { throw AirlockError.badRequest("path is already in use at \(taken ?? "")") }
            try transaction.put(key(.authMount, mount.path), value: placed)
        }
        try reload()
    }

    /// Drops the way to log in, its roles and every token issued through it.
    package func disableAuth(_ path: String) async throws {
        try await storage.write { [self] transaction in
            guard let mount = try transaction.value(Mount.self, key(.authMount, path)) else { return }
            try Registry.dropAuth(transaction, mount)
        }
        try reload()
    }

    static func dropAuth(_ transaction: any StorageTransaction, _ mount: Mount) throws {
        for role in try transaction.names(.role, scope: mount.uuid) {
            for kind in loginKinds { try transaction.deleteAll(kind, scope: "\(mount.uuid)/\(role)") }
        }
        for kind in loginKinds { try transaction.deleteAll(kind, scope: mount.uuid) }
        try TokenRecords.delete(transaction, below: "auth/" + mount.path, in: mount.namespace)
        try transaction.delete(RecordKey(.authMount, scope: mount.namespace.uuid, mount.path))
    }

    /// What a way to log in keeps, in the mount's scope or in that of one of its roles.
    private static let loginKinds: [RecordKind] = [.role, .roleID, .secretID, .secretIDAccessor, .loginConfig]

    private static func mount(for path: String, among mounts: [ExactText: Mount]) -> Mount? {
        let path = path.utf8.last == UInt8(ascii: "/") ? path : path + "/"
        return mounts.first { path.utf8.starts(with: $0.key.utf8) }?.value
    }

    // MARK: Policies

    package var policyNames: [String] {
        state.withLock { $0.policies.keys.map(\.text) }.filter { $0 != Policy.wrapping }.sorted()
            + (namespace.isRoot ? [Policy.root] : [])
    }

    package func policy(_ name: String) -> Policy? { state.withLock { $0.policies[ExactText(name)]?.policy } }

    /// - Throws: `AirlockError` when the text is refused (`Policy.rules`).
    package func write(_ policy: Policy) async throws {
        _ = try policy.rules()
        try await storage.write { [self] transaction in
            guard try namespace.exists(transaction) else { throw Registry.noNamespace }
            try transaction.put(key(.policy, policy.name), value: policy)
        }
        try reload()
    }

    /// Policies that change together with other records, of the root namespace.
    /// - Parameter change: gets the transaction, and what puts a policy into it.
    package func change<Result: Sendable>(
        _ change: @escaping @Sendable (any StorageTransaction, (Policy) throws -> Void) throws -> Result
    ) async throws -> Result {
        let result = try await storage.write { [self] transaction in
            try change(transaction) { policy in
                _ = try policy.rules()
                try transaction.put(key(.policy, policy.name), value: policy)
            }
        }
        try reload()
        return result
    }

    package func deletePolicy(_ name: String) async throws {
        try await storage.write { [self] in try $0.delete(key(.policy, name)) }
        try reload()
    }

    /// The rules a token with these policies has now: a token stores names, so an edited policy acts at once.
    package func accessControl(_ names: [String]) -> AccessControl {
        if namespace.isRoot, names.contains(Policy.root) { return .root }
        let names = names.map { ExactText($0) }
        return state.withLock { state in
            if let known = state.accessControls[names] { return known }
            let made = AccessControl(rules: names.flatMap { state.policies[$0]?.rules ?? [] })
            if state.accessControls.count >= Registry.accessControlLimit { state.accessControls = [:] }
            state.accessControls[names] = made
            return made
        }
    }
}
