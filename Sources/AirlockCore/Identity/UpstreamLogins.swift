import Foundation

/// Logins that an upstream verifies. A login that it has verified is not verified again for a while: the same credentials
/// from the same address get a new token of Airlock's own, mapped to the one upstream token.
package struct UpstreamLogins: Sendable {
    package enum Outcome: Sendable {
        case issued(IssuedToken)
        /// The upstream's own answer: a refusal.
        case refused(ForwardedAnswer)
    }

    /// One verified login.
    private struct Verified: Codable, Sendable {
        let grant: UpstreamGrant
        let displayName: String
        let meta: [String: String]?
        let entityID: String
        let verified: Timestamp
        /// When the upstream's token ends.
        let expires: Timestamp
        /// When the credentials themselves end (a JWT's `exp`).
        let credentialsExpire: Timestamp?
    }

    private enum Answer: Sendable {
        case verified(Verified)
        case refused(ForwardedAnswer)
    }

    private let server: any UpstreamServer
    private let storage: any Storage
    private let tokens: Tokens
    private let metrics: Metrics
    private let now: Now
    /// Nanoseconds.
    private let recheck: Int64
    /// One login to the upstream for all who send the same one at the same time.
    private let underway = SingleFlight<String, Answer>()

    package init(
        server: any UpstreamServer, storage: any Storage, recheck: Int64, metrics: Metrics, now: @escaping Now
    ) {
        self.server = server
        self.storage = storage
        self.recheck = recheck
        self.metrics = metrics
        self.now = now
        tokens = Tokens(storage: storage, namespace: .root, now: now)
    }

    /// - Parameters:
    ///   - request: `auth/<mount>/login...`, as it came.
    ///   - body: the same body, parsed.
    ///   - source: the client's address, to which the upstream may bind what it gives.
    /// - Throws: `AirlockError.unavailable` when the login cannot be verified; never a refusal that the upstream did not say.
    package func login(_ request: ForwardedRequest, body: JSON, source: String?) async throws -> Outcome {
        guard UpstreamLogins.isShared(request, body) else {
            switch try await ask(request, body, key: nil) {
            case .refused(let answer): return .refused(answer)
            case .verified(let login): return .issued(try await issue(login))
            }
        }
        let key = storage.digest(
            ["login", server.identity, request.path, source ?? "", UpstreamLogins.canonical(body)]
                .map { "\($0.utf8.count):\($0)" }.joined())
        let known = try verified(key)
        if let known, isRecent(known) { return .issued(try await issue(known)) }
        let flight = underway.join(key) {
            // The one under way may have ended between the look above and now.
            if let known = try verified(key), isRecent(known) { return .verified(known) }
            return try await ask(request, body, key: key)
        }
        do {
            switch try await flight.task.value {
            case .verified(let login): return .issued(try await issue(login))
            case .refused(let answer):
                try await storage.write { try $0.delete(RecordKey(.upstreamLogin, key)) }
                return .refused(answer)
            }
        } catch let error as AirlockError where error.code == .unavailable {
            // Verified before, and what it gave still lives: during an outage that is as good as it gets.
            guard let known, known.expires > now(), known.credentialsExpire.map({ $0 > now() }) ?? true else {
                throw error
            }
            return .issued(try await issue(known))
        }
    }

    /// The upstream no longer accepts the token of this login.
    package func forget(_ grant: UpstreamGrant) async throws {
        guard let key = grant.login else { return }
        try await storage.write { transaction in
            let record = RecordKey(.upstreamLogin, key)
            guard try transaction.value(Verified.self, record)?.grant.token == grant.token else { return }
            try transaction.delete(record)
        }
    }

    // MARK: Which logins are shared

    /// AppRole, JWT and Kubernetes logins say everything in the body. Passwords may be wrong tomorrow with the upstream's
    /// lock-out counting, and a certificate is not in the body at all.
    private static func isShared(_ request: ForwardedRequest, _ body: JSON) -> Bool {
        guard request.path.hasSuffix("/login"), request.query.isEmpty else { return false }
        return body["role_id"]?.text != nil || body["jwt"]?.text != nil
    }

    /// The same credentials give the same text, in whatever order and spacing they were written.
    private static func canonical(_ body: JSON) -> String {
        let members = (body.members ?? []).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return String(decoding: JSON.object(members).bytes, as: UTF8.self)
    }

    private func verified(_ key: String) throws -> Verified? {
        try storage.read { try $0.value(Verified.self, RecordKey(.upstreamLogin, key)) }
    }

    private func isRecent(_ login: Verified) -> Bool {
        isGood(login) && now().nanoseconds - login.verified.nanoseconds < recheck
    }

    /// Not about to end: who logs in now wants to work with the token for a while.
    private func isGood(_ login: Verified) -> Bool {
        let lease = login.expires.nanoseconds - login.verified.nanoseconds
        guard login.expires.adding(nanoseconds: -lease / 10) > now() else { return false }
        return login.credentialsExpire.map { $0 > now() } ?? true
    }

    // MARK: Asking

    private func ask(_ request: ForwardedRequest, _ body: JSON, key: String?) async throws -> Answer {
        let answer: ForwardedAnswer
        do {
            answer = try await server.send(request, token: nil)
        } catch let error as UpstreamError {
            throw AirlockError(
                .unavailable, "the login cannot be verified: the vault does not answer", hint: error.message)
        }
        metrics.add(.upstreamLogins, server.origin, "client \(answer.status / 100)xx")
        guard answer.isSuccess else {
            // What is no answer of a vault is no refusal: a login must not fail because a gateway is broken.
            guard (400..<500).contains(answer.status), answer.status != 429, UpstreamLogins.isRefusal(answer) else {
                throw AirlockError(
                    .unavailable, "the login cannot be verified: the vault does not answer",
                    hint: "the upstream answered a login with HTTP \(answer.status)")
            }
            return .refused(answer)
        }
        guard let auth = (try? JSON(parsing: answer.body.bytes))?["auth"],
            let login = UpstreamLogins.verified(auth, body, key: key, now: now())
        else {
            throw AirlockError(
                .unavailable, "the login cannot be verified: the vault's answer has no token in it",
                hint: "the upstream answered a login with HTTP \(answer.status) in an unknown shape")
        }
        if let key, !login.grant.isCounted {
            try await storage.write { transaction in
                try transaction.put(RecordKey(.upstreamLogin, key), value: login, expires: login.expires)
            }
        }
        return .verified(login)
    }

    private static func isRefusal(_ answer: ForwardedAnswer) -> Bool {
        (try? JSON(parsing: answer.body.bytes))?["errors"]?.elements != nil
    }

    private static func verified(_ auth: JSON, _ body: JSON, key: String?, now: Timestamp) -> Verified? {
        guard let token = auth["client_token"]?.text, !token.isEmpty else { return nil }
        let uses = auth["num_uses"]?.integer ?? 0
        let lease = auth["lease_duration"]?.integer ?? 0
        return Verified(
            grant: UpstreamGrant(
                token: SecretText(token), policies: (auth["policies"]?.elements ?? []).compactMap(\.text),
                isBrought: false, login: uses > 0 ? nil : key, isCounted: uses > 0),
            displayName: auth["display_name"]?.text ?? "upstream",
            meta: auth["metadata"]?.members.map { members in
                Dictionary(members.compactMap { m in m.value.text.map { (m.name, $0) } }) { $1 }
            },
            entityID: auth["entity_id"]?.text ?? "", verified: now,
            // A token without an end is taken for what a login gives at most.
            expires: now.adding(seconds: lease > 0 ? lease : Mount.systemLeaseTTL),
            credentialsExpire: body["jwt"]?.text.flatMap(UpstreamLogins.expiry))
    }

    /// The `exp` of a JWT, not verified: the upstream did that (RFC 7519, section 4.1.4).
    private static func expiry(ofJWT text: String) -> Timestamp? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var base64 = String(parts[1]).replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.count % 4) % 4)
        guard let claims = Data(base64Encoded: base64), let seconds = (try? JSON(parsing: claims))?["exp"]?.integer
        else { return nil }
        return Timestamp(nanoseconds: Timestamp.nanoseconds(in: seconds))
    }

    private func issue(_ login: Verified) async throws -> IssuedToken {
        var request = TokenRequest()
        // Airlock's own policy of that name: looking oneself up, and revoking oneself.
        request.policies = [Policy.fallback]
        request.path = "auth/upstream"
        request.displayName = login.displayName
        request.meta = login.meta
        request.entityID = login.entityID
        // Clients log in all the time and leave their tokens behind: none is kept for longer than a login is good for.
        request.ttl = max(1, min(login.expires.seconds(after: now()), Int(recheck / 1_000_000_000)))
        request.renewable = false
        request.upstream = login.grant
        return try await tokens.issue(request)
    }
}
