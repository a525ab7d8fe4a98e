import AirlockCore
import Logging

/// One identity at a Vault-compatible server: sends calls with its token, logs in when it has none or when the server no
/// longer accepts it, and keeps the token alive. Concurrent calls share one login.
actor VaultSession {
    /// What keeps a token alive in a program that stays up. A program that ends soon does without.
    struct Upkeep: Sendable {
        let logger: Logger
        let pause: Pause
    }

    private struct Refusal {
        let step: VaultLogin.Step
        let count: Int
        let until: Timestamp
        let error: UpstreamError
    }

    private enum Standing {
        case good, refused
        /// Refused, but it would be refused too if it were good.
        case unclear
    }

    private nonisolated let wire: VaultWire
    private nonisolated let login: VaultLogin
    private let upkeep: Upkeep?
    private var lease: VaultLease?
    private var pendingLogin: Task<VaultLease, any Error>?
    private var refusal: Refusal?
    private var unwrapped: (wrapping: SecretText, secretID: SecretText)?
    private var upkeepTask: Task<Void, Never>?
    private var attention: Timestamp?
    /// A token that was refused when it asked about itself.
    private var refusedLookup: SecretText?
    /// Tokens of this identity may not ask about themselves: their policies leave out `default`.
    private var isBlind = false

    init(wire: VaultWire, login: VaultLogin, upkeep: Upkeep? = nil) {
        self.wire = wire
        self.login = login
        self.upkeep = upkeep
    }

    deinit { upkeepTask?.cancel() }

    /// The answer to a call made with this identity's token. A 403 among the answers means that the identity is good and may
    /// not do this; a 403 for a token that has died leads to one login and one more try.
    nonisolated func send(_ call: VaultCall) async throws -> UpstreamResponse {
        let first = try await current()
        let response = try await wire.send(call, token: first.token)
        guard response.status == 403, VaultShape.isRefusal(response) else {
            await noteSuccess(response, first)
            return response
        }
        if try await standing(of: first) == .good { return response }
        let second = try await replacement(for: first)
        let repeated = try await wire.send(call, token: second.token)
        if repeated.status == 403, try await standing(of: second, isFresh: true) != .good { throw refusedToken }
        await noteSuccess(repeated, second)
        return repeated
    }

    /// Whether the server answers and accepts this identity, after a new login if need be.
    nonisolated func check() async throws {
        let first = try await current()
        guard try await standing(of: first) == .refused else { return }
        let second = try await replacement(for: first)
        guard !login.issuesTokens, try await standing(of: second) == .refused else { return }
        throw refusedToken
    }

    // MARK: What a 403 means

    /// Vault answers 403 both for a bad token and for a missing right; only a token's question about itself tells them apart.
    /// - Parameter isFresh: this very call has caused the login that issued the token.
    private func standing(of lease: VaultLease, isFresh: Bool = false) async throws -> Standing {
        let response = try await wire.send(.lookupSelf, token: lease.token)
        if response.status == 200 {
            isBlind = false
            return .good
        }
        guard response.status == 403, VaultShape.isRefusal(response) else {
            _ = try VaultShape.checked(response, wire.origin)
            throw VaultShape.noVaultAnswer
        }
        refusedLookup = lease.token
        guard login.issuesTokens else { return isBlind ? .unclear : .refused }
        // A token with a limited number of uses may be used up at once.
        guard lease.uses == 0 else { return .refused }
        if isFresh { isBlind = true }
        // Without the right to ask, only a login shows that a token has died; not more than one a second.
        let isYoung = wire.now() < lease.since.adding(seconds: 1)
        return isBlind && (isFresh || isYoung) ? .good : .refused
    }

    private func noteSuccess(_ response: UpstreamResponse, _ lease: VaultLease) {
        guard (200..<300).contains(response.status), refusedLookup == lease.token else { return }
        isBlind = true
    }

    private nonisolated var refusedToken: UpstreamError {
        UpstreamError(
            .unauthenticated,
            "\(wire.origin) does not accept \(login.issuesTokens ? "a new" : "the") token (HTTP 403); "
                + (login.issuesTokens ? "see token_num_uses and token_bound_cidrs of its role" : "get a new one"))
    }

    private nonisolated var undecidable: UpstreamError {
        UpstreamError(
            .rejected,
            "\(wire.origin) refused the request (HTTP 403), and the token may not read auth/token/lookup-self, "
                + "which would tell whether it is the token or a missing right; give it the policy default")
    }

    // MARK: Token

    private func current() async throws -> VaultLease {
        if let lease, !login.issuesTokens || lease.expires.map({ wire.now() < $0 }) ?? true { return lease }
        return try await logInOnce()
    }

    private func replacement(for old: VaultLease) async throws -> VaultLease {
        if let lease, lease.token != old.token { return lease }
        lease = nil
        restartUpkeep()
        let new = try await logInOnce()
        guard new.token != old.token else { throw isBlind ? undecidable : refusedToken }
        return new
    }

    private func logInOnce() async throws -> VaultLease {
        if let pendingLogin { return try await pendingLogin.value }
        let task = Task {
            defer { pendingLogin = nil }
            let new = try await logIn()
            lease = new
            restartUpkeep()
            return new
        }
        pendingLogin = task
        return try await task.value
    }

    private func logIn() async throws -> VaultLease {
        let step = try nextStep()
        if case .token(let token) = step { return VaultLease(token: token, since: wire.now()) }
        if let refusal, refusal.step == step, wire.now() < refusal.until { throw refusal.error }
        do {
            let new = try await perform(step)
            refusal = nil
            wire.metrics.add(.upstreamLogins, wire.origin, "success")
            return new
        } catch let error as UpstreamError {
            wire.metrics.add(.upstreamLogins, wire.origin, error.kind.rawValue)
            if error.kind == .unauthenticated {
                let count = (refusal?.step == step ? refusal?.count ?? 0 : 0) + 1
                let until = wire.now().adding(seconds: login.patience(afterRefusals: count))
                refusal = Refusal(step: step, count: count, until: until, error: error)
            }
            throw error
        }
    }

    private func nextStep() throws(UpstreamError) -> VaultLogin.Step {
        do throws(UpstreamError) {
            return try login.step()
        } catch {
            // A file that is gone after its one use was read.
            if let unwrapped { return .unwrap(unwrapped.wrapping) }
            throw error
        }
    }

    private func perform(_ step: VaultLogin.Step) async throws -> VaultLease {
        switch step {
        case .token(let token): return VaultLease(token: token, since: wire.now())
        case .request(let path, let body):
            let response = try await wire.send(VaultCall("POST", path, json: body), token: nil)
            return try VaultShape.login(response, wire.origin, mount: login.mount, at: wire.now())
        case .unwrap(let wrapping):
            if unwrapped?.wrapping != wrapping {
                let response = try await wire.send(VaultCall("POST", "sys/wrapping/unwrap", json: [:]), token: wrapping)
                unwrapped = (wrapping, try VaultShape.unwrapped(response, wire.origin))
            }
            guard let secretID = unwrapped?.secretID, let next = login.step(secretID: secretID) else {
                throw VaultShape.noVaultAnswer
            }
            return try await perform(next)
        }
    }

    // MARK: Upkeep

    private func restartUpkeep() {
        upkeepTask?.cancel()
        attention = lease?.attention
        guard let pause = upkeep?.pause, attention != nil else { return }
        upkeepTask = Task { [weak self] in
            while !Task.isCancelled, let wait = await self?.untilAttention() {
                if wait > .zero { try? await pause(wait) }
                if Task.isCancelled { return }
                await self?.attend()
            }
        }
    }

    private func untilAttention() -> Duration? {
        attention.map { .nanoseconds(max(0, $0.nanoseconds - wire.now().nanoseconds)) }
    }

    /// Keeps the token alive, or gets another while it still is.
    private func attend() async {
        guard let old = lease, let attention, wire.now() >= attention else { return }
        do {
            if old.duration == nil {
                try await learn(about: old)
            } else if try await !renew(old) {
                self.attention = nil
                if login.canChange { _ = try await logInOnce() }
            }
        } catch let error as UpstreamError {
            guard lease?.token == old.token else { return }
            upkeep?.logger.warning("the token for \(wire.origin) could not be renewed: \(error.message)")
            self.attention = nextTry(for: old)
        } catch {
            // Only who has replaced the token cancels this, and sees to the new one.
            if !Task.isCancelled { self.attention = nil }
        }
    }

    /// `nil` after its end: then the next call logs in.
    private func nextTry(for lease: VaultLease) -> Timestamp? {
        let now = wire.now()
        guard let expires = lease.expires else { return now.adding(seconds: 10) }
        let left = expires.seconds(after: now)
        return left > 0 ? now.adding(seconds: min(60, max(1, left / 4))) : nil
    }

    /// - Returns: false when the server will not renew it.
    private func renew(_ old: VaultLease) async throws -> Bool {
        guard old.isRenewable, !login.issuesTokens || !old.isNearItsEnd else { return false }
        let response = try await wire.send(.renewSelf, token: old.token)
        do throws(UpstreamError) {
            let new = try VaultShape.renewed(response, wire.origin, old, at: wire.now())
            adopt(new, for: old)
            return true
        } catch {
            if error.isOutage { throw error }
            return false
        }
    }

    private func learn(about old: VaultLease) async throws {
        let response = try await wire.send(.lookupSelf, token: old.token)
        if response.status == 403, VaultShape.isRefusal(response) {
            refusedLookup = old.token
            attention = nil
        } else {
            adopt(try VaultShape.lookedUp(response, wire.origin, old, at: wire.now()), for: old)
        }
    }

    private func adopt(_ new: VaultLease, for old: VaultLease) {
        guard lease?.token == old.token else { return }
        lease = new
        // Renewals that give next to nothing must not follow one another without a pause.
        attention = new.attention.map { max($0, wire.now().adding(seconds: 1)) }
    }
}
