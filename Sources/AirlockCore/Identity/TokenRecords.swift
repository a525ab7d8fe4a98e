/// How tokens stand in the store: by keyed digest, with a second record that leads from the accessor's digest to it.
package enum TokenRecords {
    package static func token(_ reader: any StorageReader, _ digest: String) throws -> Token? {
        try reader.value(Token.self, RecordKey(.token, digest))
    }

    package static func put(
        _ transaction: any StorageTransaction, _ token: Token, digest: String, accessorDigest: String
    ) throws {
        try transaction.put(RecordKey(.token, digest), value: token, expires: token.expires)
        try transaction.put(RecordKey(.tokenAccessor, accessorDigest), Array(digest.utf8), expires: token.expires)
    }

    /// The live token of that digest: there, not expired, not used up, and so are its ancestors (a child dies with its
    /// parent, at once).
    package static func live(_ reader: any StorageReader, _ digest: String, now: Timestamp) throws -> Token? {
        guard let token = try token(reader, digest) else { return nil }
        var current = token
        while true {
            guard !current.isExpired(at: now), current.usesLeft != Token.usedUp else { return nil }
            guard let parent = current.parent else { return token }
            guard let next = try self.token(reader, parent) else { return nil }
            current = next
        }
    }

    /// Deletes every token the condition names. Reads all tokens: for rare administrative calls only.
    package static func deleteAll(
        _ transaction: any StorageTransaction, where isDoomed: (Token) -> Bool
    ) throws {
        for (digest, token) in try transaction.values(Token.self, .token) where isDoomed(token) {
            try transaction.delete(RecordKey(.token, digest))
        }
    }
}
