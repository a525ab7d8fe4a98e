import Synchronization

/// The answer to a plain read: the latest version of a secret, to a token whose policies allow it.
package struct Hit: Sendable {
    package let kept: Front.Kept
    package let reader: Front.KnownToken
    /// Whole seconds since a vault said so; `nil` for what lies in the embedded store.
    package let age: Int?
}

extension Front {
    /// May this token read this, and is it here? The one place that says so for hits. Synchronous, and asks nobody.
    /// - Parameters:
    ///   - token: its text.
    ///   - target: of the request, without a query. One that is not spelled as its secret's own name is not here.
    /// - Returns: `nil`, which says nothing: the ordinary way knows.
    package func hit(token: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, now: Timestamp) -> Hit? {
        let (tokenHash, targetHash) = (Front.hash(token), Front.hash(target))
        let found = state.withLock { state -> (reader: KnownToken, kept: Kept)? in
            guard let reader = state.tokens[tokenHash],
                let kept = state.shards[Front.shard(targetHash)][targetHash],
                kept.place.confirmed.load(ordering: .relaxed) >= state.configured
            else { return nil }
            return (reader, kept)
        }
        guard let (reader, kept) = found, reader.isPresented(as: token), kept.isFor(target),
            reader.isAlive(at: now), kept.validity.holds(at: now), reader.mayRead(kept)
        else { return nil }
        kept.use(at: now)
        return Hit(kept: kept, reader: reader, age: kept.validity.fetched.map { now.seconds(after: $0) })
    }

    /// Which surface's answer it is: each has its own form around the same secret.
    package enum Surface: Sendable {
        case vault, typed
    }

    /// How a target names a mount's secrets: `prefix`, and what stands after `folder` in the secret's path.
    struct Way: Equatable {
        let prefix: String
        let folder: String

        func target(_ path: String) -> [UInt8]? {
            guard path.utf8.starts(with: folder.utf8) else { return nil }
            return Array(prefix.utf8) + path.utf8.dropFirst(folder.utf8.count)
        }
    }

    /// For how long an answer stays the same, if nothing changes it.
    package struct Validity: Sendable {
        // Without optionals, which would take as much again in each answer.
        private let begin: Timestamp
        private let end: Timestamp

        /// - Parameters:
        ///   - fetched: when a vault said so; `nil` for what lies in the embedded store.
        ///   - until: from then on the ordinary way decides.
        package init(fetched: Timestamp?, until: Timestamp?) {
            begin = fetched ?? .distantPast
            end = until ?? Timestamp(nanoseconds: .max)
        }

        package var fetched: Timestamp? { begin == .distantPast ? nil : begin }

        /// A clock that was set back makes an answer come from the future: no reason to trust it for longer.
        func holds(at now: Timestamp) -> Bool { begin <= now && now < end }
    }

    package struct Answer: Sendable {
        /// Rendered: the envelope's `data`, or the whole body, as the surface has it.
        package let data: SecretPayload
        /// Of the envelope.
        package let leaseDuration: Int
        package let validity: Validity

        package init(data: SecretPayload, leaseDuration: Int = 0, validity: Validity) {
            (self.data, self.leaseDuration, self.validity) = (data, leaseDuration, validity)
        }
    }

    /// What the ordinary way read for one plain request.
    package struct Reading: Sendable {
        /// The token's text.
        let presented: SecretPayload
        let token: Token
        /// In the root namespace.
        let access: AccessControl
        let line: TokenLine
        let mount: Mount
        let hits: Metrics.Count?
        let path: SecretPath
        package let surface: Surface
        let way: Way
        /// The one spelling that the reading is kept for.
        package let target: [UInt8]
        let answer: Answer

        /// - Parameters:
        ///   - hits: counts them; `nil` for a mount that has no backend but the embedded store.
        ///   - folder: the start of the secret's path, for which `prefix` stands in a target.
        ///   - prefix: of a target of the typed surface; `nil` is the Vault surface.
        package init(
            presented: SecretPayload, token: Token, access: AccessControl, line: TokenLine, mount: Mount,
            hits: Metrics.Count?, path: SecretPath, typed: (prefix: String, folder: String)? = nil, answer: Answer
        ) {
            self.presented = presented
            self.token = token
            self.access = access
            self.line = line
            self.mount = mount
            self.hits = hits
            self.path = path
            surface = typed == nil ? .vault : .typed
            way =
                typed.map { Way(prefix: $0.prefix, folder: $0.folder) }
                ?? Way(prefix: "/v1/" + mount.readPath, folder: "")
            target = way.target(path.text) ?? []
            self.answer = answer
        }

        var scope: String { hits == nil ? mount.uuid : Front.scope(ofCached: mount.path) }

        var policyPath: [UInt8] { Array(mount.readPath.utf8) + path.text.utf8 }

        /// So is whatever lies in a namespace of its own looked at each time.
        var isKept: Bool { token.mayBeKept && mount.namespace.isRoot && !target.isEmpty }
    }
}

extension Token {
    /// One that is counted, bound to addresses or decided about by a vault is looked at each time.
    var mayBeKept: Bool {
        usesLeft == 0 && boundCIDRs.isEmpty && upstream == nil && namespace.isRoot && isSmall
    }
}

/// A token's digest and those of its ancestors, with whom it dies, and when the first of them does.
package struct TokenLine: Sendable {
    package private(set) var digests: [String]
    package private(set) var expires: Timestamp?

    /// Each token in memory holds its whole line: from a longer one thousands would hold millions.
    private static let ancestorLimit = 32

    /// - Returns: `nil` when an ancestor is gone already, or the line is too long to be kept.
    package init?(_ found: Tokens.Found, in storage: any Storage) throws {
        (digests, expires) = ([found.digest], found.token.expires)
        guard found.token.parent != nil else { return }
        let ancestors = try storage.read { try TokenRecords.ancestors($0, of: found.token) }
        guard let ancestors, ancestors.count <= TokenLine.ancestorLimit else { return nil }
        for (digest, ancestor) in ancestors {
            digests.append(digest)
            if let end = ancestor.expires { expires = min(expires ?? end, end) }
        }
    }

    /// - Returns: `nil` for a token that has a parent.
    init?(of issued: IssuedToken) {
        guard issued.token.parent == nil else { return nil }
        (digests, expires) = ([issued.digest], issued.token.expires)
    }

    func isAlive(at now: Timestamp) -> Bool { expires.map { now < $0 } ?? true }
}
