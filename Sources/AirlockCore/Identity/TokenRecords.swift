/// How tokens stand in the store: by their names (`TokenName`), and where the name does not come from the accessor with a second
/// record that leads from the accessor's digest to it.
package enum TokenRecords {
    package static func token(_ reader: any StorageReader, _ digest: String) throws -> Token? {
        try reader.value(Token.self, RecordKey(.token, digest))
    }

    package static func put(_ transaction: any StorageTransaction, _ token: Token, digest: String) throws {
        try transaction.put(RecordKey(.token, digest), value: token, expires: token.expires)
        if TokenName.isOfAccessor(digest) { return }
        let accessor = transaction.digest(token.accessor)
        try transaction.put(RecordKey(.tokenAccessor, accessor), Array(digest.utf8), expires: token.expires)
    }

    package static func delete(_ transaction: any StorageTransaction, _ token: Token, digest: String) throws {
        try transaction.delete(RecordKey(.token, digest))
        try transaction.delete(RecordKey(.wrapped, digest))
        if !TokenName.isOfAccessor(digest) {
            try transaction.delete(RecordKey(.tokenAccessor, transaction.digest(token.accessor)))
        }
        try Cubbyhole.deleteAll(transaction, of: token)
    }

    /// The live token with this text.
    package static func live(_ reader: any StorageReader, text: String, now: Timestamp) throws -> Tokens.Found? {
        for name in TokenName.names(text: text, now: now, reader.digest) {
            if let token = try live(reader, name, now: now) { return Tokens.Found(digest: name, token: token) }
        }
        return nil
    }

    /// The live token with this accessor.
    package static func live(_ reader: any StorageReader, accessor: String, now: Timestamp) throws -> Tokens.Found? {
        if let name = TokenName.name(ofAccessor: accessor, reader.digest), let token = try live(reader, name, now: now)
        {
            return Tokens.Found(digest: name, token: token)
        }
        let record = try reader.record(RecordKey(.tokenAccessor, reader.digest(accessor)))
        guard let name = record.map({ String(decoding: $0, as: UTF8.self) }),
            let token = try live(reader, name, now: now)
        else { return nil }
        return Tokens.Found(digest: name, token: token)
    }

    /// The live token of that digest: there, not expired, not used up, and so are its ancestors (a child dies with its
    /// parent, at once). A later token of a parent's text is not that parent.
    package static func live(_ reader: any StorageReader, _ digest: String, now: Timestamp) throws -> Token? {
        guard let token = try token(reader, digest) else { return nil }
        var current = token
        while true {
            guard !current.isExpired(at: now), current.usesLeft != Token.usedUp else { return nil }
            guard let link = current.parent else { return token }
            guard let parent = try self.token(reader, link.digest), parent.accessor == link.accessor else { return nil }
            current = parent
        }
    }

    /// From parent to root; `nil` when one is gone.
    static func ancestors(_ reader: any StorageReader, of token: Token) throws -> [(digest: String, token: Token)]? {
        var ancestors: [(digest: String, token: Token)] = []
        var current = token
        while let link = current.parent {
            guard let parent = try self.token(reader, link.digest), parent.accessor == link.accessor else { return nil }
            ancestors.append((link.digest, parent))
            current = parent
        }
        return ancestors
    }

    /// Deletes every token the condition names. Reads all tokens: for rare administrative calls only.
    package static func delete(_ transaction: any StorageTransaction, where isDoomed: (Token) -> Bool) throws {
        for (digest, token) in try transaction.values(Token.self, .token) where isDoomed(token) {
            try delete(transaction, token, digest: digest)
        }
    }

    /// The same for the tokens of a namespace that came from below a path (ends in `/`): those made there, and those that
    /// wrap an answer.
    package static func delete(
        _ transaction: any StorageTransaction, below path: String, in namespace: Namespace
    ) throws {
        try delete(transaction) {
            $0.namespace.uuid == namespace.uuid && Leases.folder($0.path).utf8.starts(with: path.utf8)
        }
    }

    /// Deletes a token and everything made with it, directly or not.
    package static func deleteTree(_ transaction: any StorageTransaction, _ root: Token, digest: String) throws {
        try delete(transaction, root, digest: digest)
        guard root.hasChildren else { return }
        let all = try transaction.values(Token.self, .token)
        var doomed: Set<String> = [root.accessor]
        var grown = true
        while grown {
            grown = false
            for (digest, token) in all where !doomed.contains(token.accessor) {
                guard let parent = token.parent, doomed.contains(parent.accessor) else { continue }
                doomed.insert(token.accessor)
                try delete(transaction, token, digest: digest)
                grown = true
            }
        }
    }
}
