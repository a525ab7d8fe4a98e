import AirlockCore

/// One identity at Conjur: sends calls with its access token, logs in when it has none or when Conjur no longer accepts it,
/// and gets another before it ends. Concurrent calls share one login.
actor ConjurSession {
    private struct Token {
        let text: SecretText
        /// When a call begins to look for another one, and when no call uses it any more.
        let renewal: Timestamp
        let end: Timestamp

        /// - Parameter lifetime: seconds.
        init(_ text: SecretText, since begun: Timestamp, lifetime: Int) {
            self.text = text
            renewal = begun.adding(seconds: lifetime * 2 / 3)
            end = begun.adding(seconds: lifetime * 15 / 16)
        }
    }

    private struct Refusal {
        let call: ConjurCall
        let count: Int
        let until: Timestamp
        let error: UpstreamError
    }

    private nonisolated let wire: ConjurWire
    private nonisolated let login: ConjurLogin
    private var token: Token?
    private var pendingLogin: Task<Token, any Error>?
    private var refusal: Refusal?

    init(wire: ConjurWire, login: ConjurLogin) {
        self.wire = wire
        self.login = login
    }

    /// The answer to a call made with this identity's token. A 401 leads to one login and one more try; a 403 among the
    /// answers means that the identity is good and may not do this.
    nonisolated func send(_ call: ConjurCall) async throws -> UpstreamResponse {
        let first = try await current()
        let response = try await wire.send(call, token: first.text)
        guard response.status == 401 else { return response }
        let second = try await replacement(for: first)
        let repeated = try await wire.send(call, token: second.text)
        guard repeated.status != 401 else { throw refusedToken }
        return repeated
    }

    private nonisolated var refusedToken: UpstreamError {
        UpstreamError(
            .unauthenticated,
            "\(wire.origin) does not accept \(login.isTokenFile ? "the token in authn_token_file" : "a new token") "
                + "(HTTP 401); check account, and the clocks on both sides")
    }

    // MARK: Token

    private func current() async throws -> Token {
        let now = wire.now()
        guard let token, now < token.end else { return try await logInOnce() }
        // Nobody waits for it while the old one is good, and nobody is told when it fails: the next call tries again.
        if now >= token.renewal, pendingLogin == nil { Task { try? await logInOnce() } }
        return token
    }

    private func replacement(for old: Token) async throws -> Token {
        if let token, token.text != old.text { return token }
        token = nil
        let new = try await logInOnce()
        guard new.text != old.text else { throw refusedToken }
        return new
    }

    private func logInOnce() async throws -> Token {
        if let pendingLogin { return try await pendingLogin.value }
        let task = Task {
            defer { pendingLogin = nil }
            let new = try await logIn()
            token = new
            return new
        }
        pendingLogin = task
        return try await task.value
    }

    private func logIn() async throws -> Token {
        switch try login.step() {
        // Read again at each use: its keeper replaces it.
        case .token(let text): return Token(text, since: wire.now(), lifetime: 0)
        case .request(let call): return try await logIn(call)
        }
    }

    private func logIn(_ call: ConjurCall) async throws -> Token {
        let begun = wire.now()
        if let refusal, refusal.call == call, begun < refusal.until { throw refusal.error }
        do {
            let text = try ConjurShape.login(try await wire.send(call, token: nil), wire.origin)
            refusal = nil
            wire.metrics.add(.upstreamLogins, wire.origin, "success")
            return Token(text, since: begun, lifetime: ConjurShape.lifetime(of: text))
        } catch let error as UpstreamError {
            wire.metrics.add(.upstreamLogins, wire.origin, error.kind.rawValue)
            if error.kind == .unauthenticated {
                let count = (refusal?.call == call ? refusal?.count ?? 0 : 0) + 1
                let until = wire.now().adding(seconds: ConjurLogin.patience(afterRefusals: count))
                refusal = Refusal(call: call, count: count, until: until, error: error)
            }
            throw error
        }
    }
}
