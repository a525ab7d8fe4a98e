/// The leases of the root namespace's tokens, which are the only ones here: `<path that issued it>/h<keyed digest>` (VAULT-PROTOCOL 13).
package struct Leases: Sendable {
    private let storage: any Storage
    private let now: Now

    package init(storage: any Storage, now: @escaping Now) {
        self.storage = storage
        self.now = now
    }

    /// - Parameter path: what issued the token; the answer to a list that was wrapped ends in `/`.
    static func folder(_ path: String) -> String { path.hasSuffix("/") ? path : path + "/" }

    /// A token that never ends, such as the first root token, has no lease: clearing a prefix does not lock the operator out.
    private static func isLeased(_ token: Token) -> Bool { token.namespace.isRoot && token.expires != nil }

    /// The live token whose lease it is.
    package func token(_ id: String) throws -> Tokens.Found? {
        guard let slash = id.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let (folder, name) = (id[...slash], id[id.utf8.index(after: slash)...])
        guard name.utf8.first == UInt8(ascii: "h") else { return nil }
        let (digest, now) = (String(name.dropFirst()), now())
        guard let token = try storage.read({ try TokenRecords.live($0, digest, now: now) }), Leases.isLeased(token),
            Leases.folder(token.path).utf8.elementsEqual(folder.utf8)
        else { return nil }
        return Tokens.Found(digest: digest, token: token)
    }

    /// What lies directly below a prefix (empty, or ending in `/`): leases, and folders with a trailing `/`, in byte order.
    package func children(below prefix: String) throws -> [String] {
        let now = now()
        let names = try storage.read { reader in
            try reader.names(.token, scope: "").compactMap { digest -> String? in
                guard let token = try TokenRecords.live(reader, digest, now: now), Leases.isLeased(token)
                else { return nil }
                let id = Leases.folder(token.path) + "h" + digest
                guard id.utf8.starts(with: prefix.utf8) else { return nil }
                let rest = Substring(id.utf8.dropFirst(prefix.utf8.count))
                let end = rest.utf8.firstIndex(of: UInt8(ascii: "/"))
                return String(end.map { rest[...$0] } ?? rest)
            }
        }
        return Set(names.map { ExactText($0) }).map(\.text).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Every token whose lease lies below the prefix (ends in `/`) is dead once this returns, and what they had issued.
    package func revoke(below prefix: String) async throws {
        try await storage.write {
            try TokenRecords.delete($0) { token in
                Leases.isLeased(token) && Leases.folder(token.path).utf8.starts(with: prefix.utf8)
            }
        }
    }
}
