/// Answers kept for whoever brings the token for them, once (VAULT-PROTOCOL 9). The wrapping token's own record says where the
/// answer came from and until when it is kept; the answer lies beside it and goes with it.
package struct Wrapping: Sendable {
    private let storage: any Storage
    private let namespace: Namespace
    private let tokens: Tokens
    private let now: Now

    package init(storage: any Storage, namespace: Namespace, now: @escaping Now) {
        self.storage = storage
        self.namespace = namespace
        self.now = now
        tokens = Tokens(storage: storage, namespace: namespace, now: now)
    }

    private static func contentKey(_ digest: String) -> RecordKey { RecordKey(.wrapped, digest) }

    /// What a token that wraps an answer is like.
    private static func request(path: String, displayName: String, ttl: Int) -> TokenRequest {
        var request = TokenRequest()
        request.policies = [Policy.wrapping]
        request.path = path
        request.displayName = displayName
        (request.ttl, request.maxTTL, request.explicitMaxTTL) = (ttl, ttl, ttl)
        request.uses = 1
        request.renewable = false
        return request
    }

    /// - Parameters:
    ///   - path: the path of the request that is answered.
    ///   - ttl: seconds.
    package func wrap(_ content: SecretPayload, path: String, displayName: String, ttl: Int) async throws -> IssuedToken
    {
        try await storage.write { transaction in
            try put(content, Wrapping.request(path: path, displayName: displayName, ttl: ttl), in: transaction)
        }
    }

    private func put(_ content: SecretPayload, _ request: TokenRequest, in transaction: any StorageTransaction) throws
        -> IssuedToken
    {
        guard try namespace.exists(transaction) else { throw Registry.noNamespace }
        let made = try tokens.issued(request)
        let digest = transaction.digest(String(decoding: made.text.bytes, as: UTF8.self))
        try TokenRecords.put(transaction, made.token, digest: digest)
        try transaction.put(Wrapping.contentKey(digest), content.bytes, expires: made.token.expires)
        return made
    }

    /// The record of a wrapping token whose answer can still be had.
    package func lookup(_ text: String) throws -> Token? {
        let digest = storage.digest(text)
        return try storage.read { try find($0, digest)?.token }
    }

    private func find(_ reader: any StorageReader, _ digest: String) throws -> (token: Token, content: SecretPayload)? {
        guard let content = try reader.record(Wrapping.contentKey(digest)),
            let token = try TokenRecords.live(reader, digest, now: now()), token.namespace.path(from: namespace) != nil
        else { return nil }
        return (token, SecretPayload(content))
    }

    /// The answer, which from now on nobody gets again.
    package func unwrap(_ text: String) async throws -> SecretPayload? {
        try await storage.write { transaction in try take(text, in: transaction)?.content }
    }

    /// The same answer behind a new token; the one before is dead.
    /// - Parameter ttl: seconds; `nil` takes what it had.
    package func rewrap(_ text: String, ttl: Int?) async throws -> IssuedToken? {
        try await storage.write { transaction in
            guard let taken = try take(text, in: transaction) else { return nil }
            let request = Wrapping.request(
                path: taken.token.path, displayName: taken.token.displayName, ttl: ttl ?? taken.token.creationTTL)
            return try put(taken.content, request, in: transaction)
        }
    }

    private func take(_ text: String, in transaction: any StorageTransaction) throws
        -> (token: Token, content: SecretPayload)?
    {
        let digest = transaction.digest(text)
        guard let found = try find(transaction, digest) else { return nil }
        try TokenRecords.delete(transaction, found.token, digest: digest)
        return found
    }
}
