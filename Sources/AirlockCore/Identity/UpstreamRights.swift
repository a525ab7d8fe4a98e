import Synchronization

/// Where an upstream decides: what a client's token may read there, asked once a path and while, and tokens that
/// clients bring along from it.
package struct UpstreamRights: Sendable {
    /// What is remembered of a right: sealed in the store, so that it outlives a restart during an outage.
    private struct Proof: Codable, Sendable { let proven: Timestamp }

    private let server: any UpstreamServer
    private let logins: UpstreamLogins
    private let storage: any Storage
    private let tokens: Tokens
    private let now: Now
    /// Nanoseconds after which a right is asked for again: how long a revocation upstream may take to count.
    private let recheck: Int64
    /// Nanoseconds a proven right lasts while the upstream cannot be asked.
    private let maxStale: Int64
    private let asking = SingleFlight<RecordKey, Bool>()
    private let adopting = SingleFlight<String, Bool>()
    private let refused = RefusedTokens()
    private let proofs = KeptProofs()

    package init(
        server: any UpstreamServer, logins: UpstreamLogins, storage: any Storage, recheck: Int64, maxStale: Int64,
        now: @escaping Now
    ) {
        self.server = server
        self.logins = logins
        self.storage = storage
        self.recheck = recheck
        self.maxStale = maxStale
        self.now = now
        tokens = Tokens(storage: storage, namespace: .root, now: now)
    }

    // MARK: Rights

    /// - Parameters:
    ///   - path: the whole path on the upstream: `airflow/data/connections/pg`.
    ///   - read: a read of the secret with the client's own token, for tokens that may not ask for their capabilities. It
    ///     throws `UpstreamError`.
    /// - Throws: `AirlockError`: `permissionDenied`; `invalidToken` when the upstream no longer knows the token;
    ///   `unavailable` when the right was never proven and cannot be now.
    package func authorizeRead(
        _ grant: UpstreamGrant, path: String, read: @escaping @Sendable () async throws -> Void
    ) async throws {
        let record = key(grant, path)
        let proof = try storage.read { try $0.value(Proof.self, record) }
        let age = proof.map { now().nanoseconds - $0.proven.nanoseconds } ?? .max
        if (0..<recheck).contains(age) { return }
        do {
            let mayRead = try await asking.join(record, { try await prove(grant, path, record, read) }).task.value
            guard mayRead else { throw AirlockError.permissionDenied }
        } catch let error as UpstreamError {
            // A right proven before the outage lasts as long as a value may; none is created.
            if age < maxStale { return }
            throw AirlockError(
                .unavailable, "whether this token may read the path cannot be told: the vault does not answer",
                hint: error.message)
        }
    }

    /// A token's proofs have its digest for their scope, so that they go together.
    private func key(_ grant: UpstreamGrant, _ path: String) -> RecordKey {
        RecordKey(
            .upstreamRight, scope: storage.digest("token \(grant.token.revealed)"), storage.digest("path \(path)"))
    }

    private func prove(
        _ grant: UpstreamGrant, _ path: String, _ record: RecordKey, _ read: @Sendable () async throws -> Void
    ) async throws -> Bool {
        let mayRead = try await ask(grant, path, record.scope, read)
        let proven = now()
        if mayRead, !proofs.mayAdd(record) { return true }
        try await storage.write { [maxStale] transaction in
            guard mayRead else { return try transaction.delete(record) }
            try transaction.put(record, value: Proof(proven: proven), expires: proven.adding(nanoseconds: maxStale))
        }
        return mayRead
    }

    private func ask(
        _ grant: UpstreamGrant, _ path: String, _ scope: String, _ read: @Sendable () async throws -> Void
    ) async throws -> Bool {
        let answer = try await send("POST", "sys/capabilities-self", ["paths": .array([.string(path)])], grant.token)
        if answer.status == 200, let words = (try? JSON(parsing: answer.body.bytes))?[path]?.elements {
            return words.contains { ["read", "root"].contains($0.text) } && !words.contains { $0.text == "deny" }
        }
        // Not allowed to ask, or told about another path: a vault cuts blanks off.
        guard answer.status == 403 || answer.status == 200 else { throw UpstreamRights.noAnswer(answer) }
        do {
            try await read()
            return true
        } catch let error as UpstreamError where error.kind == .denied {
            guard try await isAlive(grant.token) else {
                try await logins.forget(grant)
                // What it once proved counts no longer, not even in an outage.
                try await storage.write { try $0.deleteAll(.upstreamRight, scope: scope) }
                throw AirlockError.invalidToken
            }
            return false
        }
    }

    private func isAlive(_ token: SecretText) async throws -> Bool {
        let answer = try await send("GET", "auth/token/lookup-self", nil, token)
        switch answer.status {
        case 200: return true
        case 403: return false
        default: throw UpstreamRights.noAnswer(answer)
        }
    }

    // MARK: Tokens from the upstream

    /// Makes a token that Airlock does not know one that it knows, if the upstream does.
    /// - Returns: `false` when the upstream does not know it either.
    /// - Throws: `AirlockError.unavailable` when the upstream cannot be asked.
    package func adopt(_ text: String) async throws -> Bool {
        let digest = storage.digest(text)
        guard !refused.contains(digest, at: now()) else { return false }
        do {
            return try await adopting.join(digest) { try await lookUp(text, digest) }.task.value
        } catch let error as UpstreamError {
            throw AirlockError(
                .unavailable, "the token cannot be verified: the vault does not answer", hint: error.message)
        }
    }

    /// Revokes a token that its client brought along, where it came from.
    /// - Throws: `AirlockError.unavailable` when that cannot be done now.
    package func revoke(_ grant: UpstreamGrant) async throws {
        do {
            let answer = try await send("POST", "auth/token/revoke-self", nil, grant.token)
            // A token that is dead already is as revoked as can be.
            guard answer.isSuccess || answer.status == 403 else { throw UpstreamRights.noAnswer(answer) }
        } catch let error as UpstreamError {
            throw AirlockError(
                .unavailable, "the token is not revoked: the vault does not answer", hint: error.message)
        }
    }

    private func lookUp(_ text: String, _ digest: String) async throws -> Bool {
        let answer = try await send("GET", "auth/token/lookup-self", nil, SecretText(text))
        guard answer.status != 403 else {
            refused.add(digest, at: now())
            return false
        }
        guard answer.status == 200, let data = (try? JSON(parsing: answer.body.bytes))?["data"] else {
            throw UpstreamRights.noAnswer(answer)
        }
        var request = TokenRequest()
        request.chosenText = text
        request.policies = [Policy.fallback]
        request.path = "auth/upstream"
        request.displayName = data["display_name"]?.text ?? "upstream"
        request.entityID = data["entity_id"]?.text ?? ""
        // A right is asked for again every few minutes whatever the token's life, so this bounds only an outage.
        let left = data["ttl"]?.integer ?? 0
        let bound = max(1, Int(maxStale / 1_000_000_000))
        request.ttl = left > 0 ? min(left, bound) : bound
        request.renewable = false
        request.upstream = UpstreamGrant(
            token: SecretText(text), policies: (data["policies"]?.elements ?? []).compactMap(\.text), isBrought: true,
            login: nil,
            isCounted: (data["num_uses"]?.integer ?? 0) > 0)
        _ = try await tokens.issue(request)
        return true
    }

    private func send(
        _ method: String, _ path: String, _ body: JSON?, _ token: SecretText
    ) async throws -> ForwardedAnswer {
        try await server.send(
            ForwardedRequest(
                method: method, path: path, query: "", contentType: nil, body: SecretPayload(body?.bytes ?? [])),
            token: token)
    }

    private static func noAnswer(_ answer: ForwardedAnswer) -> UpstreamError {
        UpstreamError(.malformed, "the upstream answered HTTP \(answer.status) to a question about a token")
    }
}

/// Tokens that the upstream did not know a moment ago, so that a client with a wrong one cannot wear it out.
private final class RefusedTokens: Sendable {
    /// Nanoseconds.
    private static let memory = Timestamp.nanoseconds(in: 15)
    private static let limit = 10_000

    private let digests = Mutex<[String: Timestamp]>([:])

    func contains(_ digest: String, at now: Timestamp) -> Bool {
        digests.withLock { digests in
            guard let refused = digests[digest] else { return false }
            return (0..<RefusedTokens.memory).contains(now.nanoseconds - refused.nanoseconds)
        }
    }

    func add(_ digest: String, at now: Timestamp) {
        digests.withLock { digests in
            if digests.count >= RefusedTokens.limit { digests = [:] }
            digests[digest] = now
        }
    }
}

/// How many proofs are kept for each token: a client that asks for ever new names must not fill the disk. Beyond that its
/// rights are asked for each time.
private final class KeptProofs: Sendable {
    private static let limit = 10_000
    private static let tokenLimit = 10_000

    private let counts = Mutex<[String: Int]>([:])

    func mayAdd(_ record: RecordKey) -> Bool {
        counts.withLock { counts in
            if counts.count >= KeptProofs.tokenLimit, counts[record.scope] == nil { counts = [:] }
            let count = counts[record.scope, default: 0]
            counts[record.scope] = count + 1
            return count < KeptProofs.limit
        }
    }
}
