import AirlockCore

/// A token and what its issuer said about its life.
struct VaultLease: Sendable, Equatable {
    let token: SecretText
    /// When it was issued, renewed, or looked up last.
    let since: Timestamp
    /// Seconds from then; 0 never ends. `nil` is not known: nobody was asked about a token that was given.
    let duration: Int?
    /// Seconds it was issued for at first.
    let full: Int
    /// For how many requests it is good; 0 is any number.
    let uses: Int
    let isRenewable: Bool

    init(
        token: SecretText, since: Timestamp, duration: Int? = nil, full: Int? = nil, uses: Int = 0,
        isRenewable: Bool = false
    ) {
        self.token = token
        self.since = since
        self.duration = duration
        self.full = full ?? duration ?? 0
        self.uses = uses
        self.isRenewable = isRenewable
    }

    var expires: Timestamp? {
        duration.flatMap { $0 > 0 ? since.adding(seconds: $0) : nil }
    }

    /// Two thirds of its life: late enough to be cheap, and early enough for several tries.
    var attention: Timestamp? {
        guard let duration else { return since }
        return duration > 0 ? since.adding(nanoseconds: Timestamp.nanoseconds(in: duration) / 3 * 2) : nil
    }

    /// A renewal that gives less than the token had at first is cut by its greatest life, which no renewal extends.
    var isNearItsEnd: Bool { duration.map { $0 < full } ?? false }
}
