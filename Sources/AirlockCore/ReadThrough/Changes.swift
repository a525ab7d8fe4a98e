import Synchronization

/// What puts an end to cached answers before their time.
extension ReadThrough {
    /// A write or delete went through: nothing asked before it may be kept or answered from here on, also when the upstream
    /// answers from a replica that lags.
    /// - Parameter written: the body of the upstream's answer to a write, which names the new version (KV version 2).
    package func changed(_ path: SecretPath, written: SecretPayload? = nil) async {
        let newest = written.flatMap(Secret.init(written:)) ?? cache.entry(key(path))?.secret
        if let newest { floors.raise(path, to: newest) }
        generations.bump(.path(mount: mount, path))
        await cache.remove(.path(mount: mount, path))
    }

    /// Something may have changed: ask before answering again, but keep what there is for an outage.
    /// - Returns: how many entries are marked.
    @discardableResult
    package func invalidate(_ scope: CacheScope) async -> Int {
        generations.bump(scope)
        let marked = await cache.expire(scope)
        if marked > 0 { metrics.add(.invalidations, mount, by: UInt64(marked)) }
        return marked
    }

    /// Forgets, versions included: also what an operator does after a vault was restored from a backup.
    /// - Returns: how many entries are gone.
    package func purge(_ scope: CacheScope) async -> Int {
        floors.forget(scope)
        generations.bump(scope)
        return await cache.remove(scope)
    }
}

/// The version that a path is known to have had when what was cached of it had to go. An older one is not believed.
final class VersionFloors: Sendable {
    /// Paths remembered at most; over it the memory starts anew.
    private static let limit = 10_000

    private let floors = Mutex<[SecretPath: Secret]>([:])

    /// Only the version and its time are kept.
    func raise(_ path: SecretPath, to secret: Secret) {
        guard secret.version != nil else { return }
        let floor = Secret(data: nil, version: secret.version, created: secret.created)
        floors.withLock { floors in
            if let known = floors[path], floor.isOlder(than: known) { return }
            if floors.count >= VersionFloors.limit { floors = [:] }
            floors[path] = floor
        }
    }

    func forget(_ scope: CacheScope) {
        floors.withLock { floors in
            if case .path(_, let path) = scope { floors[path] = nil } else { floors = [:] }
        }
    }

    func floor(of path: SecretPath) -> Secret? { floors.withLock { $0[path] } }
}

extension Secret {
    /// The version that an upstream's answer to a write names, without its data; `nil` when it names none.
    fileprivate init?(written answer: SecretPayload) {
        guard let data = (try? JSON(parsing: answer.bytes))?["data"], let version = data["version"]?.integer else {
            return nil
        }
        self.init(
            data: nil, version: version, created: data["created_time"]?.text.flatMap(Timestamp.init(rfc3339:)))
    }
}
