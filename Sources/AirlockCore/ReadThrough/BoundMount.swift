import Synchronization

/// Who decides what a client may read on a mount.
package enum Authorization: String, Sendable, CaseIterable {
    /// Airlock's own policies; one login of Airlock's own serves everybody.
    case local
    /// The upstream, asked with each client's own token.
    case upstream
}

/// A mount whose secrets do not live in the embedded store alone.
package struct BoundMount: Sendable {
    package let mount: Mount
    package let readThrough: ReadThrough
    /// Takes writes and whatever else is not a read of a secret. `nil` when the first backend is the embedded store.
    package let upstream: (any Upstream)?
    package let authorization: Authorization
    /// The vault's namespace that the mount lies in, without slashes at its ends; empty is the root.
    package let namespace: String

    package init(
        mount: Mount, readThrough: ReadThrough, upstream: (any Upstream)?, authorization: Authorization = .local,
        namespace: String = ""
    ) {
        self.mount = mount
        self.readThrough = readThrough
        self.upstream = upstream
        self.authorization = authorization
        self.namespace = namespace
    }

    /// In the order they are asked.
    package var backends: [any Backend] { (readThrough.backend as? FallbackBackend)?.backends ?? [readThrough.backend] }

    package var upstreams: [any Upstream] { backends.compactMap { $0 as? any Upstream } }

    package var cacheStatus: CacheStatus { readThrough.cache.status(mount: mount.path) }
}

/// The mounts of the configuration, by path. They come from it at each start and are nowhere stored.
package final class BoundMounts: Sendable {
    private let named: [ExactText: BoundMount]
    /// Makes a mount for any first segment (`mount_point: null`: an id's first segment names the mount).
    private let open: (@Sendable (String) -> BoundMount)?
    private let opened = Mutex<[ExactText: BoundMount]>([:])

    /// Mounts opened by name at most; whoever may read below any name could ask for all of them.
    private static let openLimit = 4096

    /// What is no mount of secrets. Below a name they would be too: a vault takes the name for a namespace.
    private static let reserved: Set<String> = ["sys", "auth", "cubbyhole", "identity"]

    package init(_ mounts: [BoundMount] = [], open: (@Sendable (String) -> BoundMount)? = nil) {
        named = Dictionary(uniqueKeysWithValues: mounts.map { (ExactText($0.mount.path), $0) })
        self.open = open
    }

    /// Sorted by path; those opened by name are not among them.
    package var all: [BoundMount] { named.values.sorted { $0.mount.path < $1.mount.path } }

    package subscript(mountPath: String) -> BoundMount? {
        named[ExactText(mountPath)] ?? opened.withLock { $0[ExactText(mountPath)] }
    }

    /// The mount a path lies in.
    package func mount(for path: String) -> BoundMount? {
        let path = path.utf8.last == UInt8(ascii: "/") ? path : path + "/"
        return named.first { path.utf8.starts(with: $0.key.utf8) }?.value
    }

    /// As `mount(for:)`, those opened by name included; none is made.
    package func known(for path: String) -> BoundMount? {
        mount(for: path) ?? path.split(separator: "/").first.flatMap { self[$0 + "/"] }
    }

    /// Whether a path below a mount that was opened by name could lead somewhere else on the vault.
    package static func isReserved(_ path: String) -> Bool {
        path.split(separator: "/").contains { reserved.contains(String($0)) }
    }

    /// Whether the mount was opened by name.
    package func isOpened(_ mountPath: String) -> Bool { named[ExactText(mountPath)] == nil && self[mountPath] != nil }

    /// The mount named by a path's first segment, made now if it was not there.
    package func opened(for path: String) -> BoundMount? {
        guard let open, let segment = path.split(separator: "/").first, (try? SecretPath(String(segment))) != nil,
            !BoundMounts.isReserved(path)
        else { return nil }
        let name = String(segment) + "/"
        return opened.withLock { opened in
            if let known = opened[ExactText(name)] { return known }
            guard opened.count < BoundMounts.openLimit else { return nil }
            let made = open(name)
            opened[ExactText(name)] = made
            return made
        }
    }
}
