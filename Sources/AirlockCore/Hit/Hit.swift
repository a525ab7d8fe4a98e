import Synchronization

/// The answer to a plain read: the latest version of a secret, to a token whose policies allow it.
package struct Hit: Sendable {
    package let answer: Front.Answer
    /// Whole seconds since a vault said so; `nil` for what lies in the embedded store.
    package let age: Int?
    package let mount: Mount
    package let isStored: Bool
    package let path: SecretPath
    package let token: Token
}

extension Front {
    /// May this token read this, and is it here? The one place that says so for hits. Synchronous, and asks nobody.
    /// - Parameters:
    ///   - presented: the text of the token.
    ///   - target: of the request: from `/v1/`, without a query. One that is not spelled as its secret's own name is not here.
    /// - Returns: `nil`, which says nothing: the ordinary way knows.
    package func hit(_ presented: PresentedToken, target: [UInt8], now: Timestamp) -> Hit? {
        let found = state.withLock { state -> (known: KnownToken, place: Place, value: Value)? in
            guard let known = state.tokens[presented] else { return nil }
            for (prefix, number) in state.prefixes where target.starts(with: prefix) {
                let key = Key(place: number, path: Array(target.dropFirst(prefix.count)))
                let shard = Front.shard(key)
                guard let index = state.shards[shard].index(forKey: key), let place = state.places[number] else {
                    return nil
                }
                if !place.isStored { state.shards[shard].values[index].used = now }
                return (known, place, state.shards[shard].values[index])
            }
            return nil
        }
        guard let (known, place, value) = found, known.line.isAlive(at: now), value.answer.isGood(at: now),
            known.access.allows(.read, on: target.dropFirst(Reading.root.count))
        else { return nil }
        return Hit(
            answer: value.answer, age: value.answer.fetched.map { now.seconds(after: $0) }, mount: place.mount,
            isStored: place.isStored, path: value.path, token: known.token)
    }

    /// What is answered, and for how long.
    package struct Answer: Sendable {
        /// The envelope's `data`, rendered.
        package let data: SecretPayload
        package let leaseDuration: Int
        /// When a vault said so; `nil` for what lies in the embedded store.
        package let fetched: Timestamp?
        /// From then on the ordinary way decides.
        package let until: Timestamp?

        package init(data: SecretPayload, leaseDuration: Int, fetched: Timestamp?, until: Timestamp?) {
            self.data = data
            self.leaseDuration = leaseDuration
            self.fetched = fetched
            self.until = until
        }

        func isGood(at now: Timestamp) -> Bool {
            // A clock that was set back makes an answer come from the future: no reason to trust it for longer.
            (fetched.map { $0 <= now } ?? true) && (until.map { now < $0 } ?? true)
        }
    }

    /// What the ordinary way read for one plain request.
    package struct Reading: Sendable {
        package static let root = Array("/v1/".utf8)

        let presented: PresentedToken
        let token: Token
        /// In the root namespace.
        let access: AccessControl
        let line: TokenLine
        let mount: Mount
        let isStored: Bool
        let path: SecretPath
        let answer: Answer

        /// - Parameter isStored: the mount has no backend but the embedded store.
        package init(
            presented: PresentedToken, token: Token, access: AccessControl, line: TokenLine, mount: Mount,
            isStored: Bool, path: SecretPath, answer: Answer
        ) {
            self.presented = presented
            self.token = token
            self.access = access
            self.line = line
            self.mount = mount
            self.isStored = isStored
            self.path = path
            self.answer = answer
        }

        /// Of the target of each read on the mount.
        var prefix: [UInt8] { Reading.root + (mount.path + (mount.kvVersion == 2 ? "data/" : "")).utf8 }

        /// The one spelling that the reading is kept for.
        package var target: [UInt8] { prefix + path.text.utf8 }

        /// A token that is counted, bound to addresses or decided about by a vault is looked at each time; so is whatever lies
        /// in a namespace of its own.
        var isKept: Bool {
            token.usesLeft == 0 && token.boundCIDRs.isEmpty && token.upstream == nil && token.namespace.isRoot
                && mount.namespace.isRoot
        }
    }
}

/// A token's digest and those of its ancestors, with whom it dies, and when the first of them does.
package struct TokenLine: Sendable {
    package private(set) var digests: [String]
    package private(set) var expires: Timestamp?

    /// - Returns: `nil` when an ancestor is gone already.
    package init?(_ found: Tokens.Found, in storage: any Storage) throws {
        (digests, expires) = ([found.digest], found.token.expires)
        guard found.token.parent != nil else { return }
        let ancestors = try storage.read { try TokenRecords.ancestors($0, of: found.token) }
        guard let ancestors else { return nil }
        for (digest, ancestor) in ancestors {
            digests.append(digest)
            if let end = ancestor.expires { expires = min(expires ?? end, end) }
        }
    }

    func isAlive(at now: Timestamp) -> Bool { expires.map { now < $0 } ?? true }
}

/// A token's text as a key. The hash has a seed of this process, and what has the same hash is compared in constant time: no
/// answer's time tells how much of a text is right.
package struct PresentedToken: Sendable, Hashable {
    private let text: SecretPayload

    package init(_ bytes: [UInt8]) { text = SecretPayload(bytes) }

    package static func == (left: PresentedToken, right: PresentedToken) -> Bool {
        let (left, right) = (left.text.bytes, right.text.bytes)
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(text.bytes) }
}
