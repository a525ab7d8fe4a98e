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
        try TokenRecords.put(transaction, made.token, digest: made.digest)
        try transaction.put(Wrapping.contentKey(made.digest), content.bytes, expires: made.token.expires)
        return made
    }

    /// The record of a wrapping token whose answer can still be had.
    package func lookup(_ text: String) throws -> Token? {
        try storage.read { try find($0, text)?.found.token }
    }

    private func find(_ reader: any StorageReader, _ text: String) throws
        -> (found: Tokens.Found, content: SecretPayload)?
    {
        guard let found = try TokenRecords.live(reader, text: text, now: now()),
            found.token.namespace.path(from: namespace) != nil,
            let content = try reader.record(Wrapping.contentKey(found.digest))
        else { return nil }
        return (found, SecretPayload(content))
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
        guard let (found, content) = try find(transaction, text) else { return nil }
        try TokenRecords.delete(transaction, found.token, digest: found.digest)
        return (found.token, content)
    }
}
