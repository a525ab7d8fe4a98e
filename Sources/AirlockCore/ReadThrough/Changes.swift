/// What puts an end to cached answers before their time.
extension ReadThrough {
    /// A write or delete went through: nothing asked before it may be kept or answered from here on.
    package func changed(_ path: SecretPath) async { _ = await purge(.path(mount: mount, path)) }

    /// Something may have changed: ask before answering again, but keep what there is for an outage.
    /// - Returns: how many entries are marked.
    @discardableResult
    package func invalidate(_ scope: CacheScope) async -> Int {
        generations.bump(scope)
        let marked = await cache.expire(scope)
        if marked > 0 { metrics.add(.invalidations, mount, by: UInt64(marked)) }
        return marked
    }

    /// - Returns: how many entries are gone.
    package func purge(_ scope: CacheScope) async -> Int {
        generations.bump(scope)
        return await cache.remove(scope)
    }
}
