import Synchronization

/// When failed logins lock an account, as an operator tunes it. Zero stands for OpenBao's default.
package struct LockoutSettings: Sendable, Codable, Equatable {
    package var threshold = 0
    /// Seconds.
    package var duration = 0
    package var counterReset = 0
    package var isDisabled = false

    package init() {}

    fileprivate var effectiveThreshold: Int { threshold == 0 ? 5 : threshold }
    fileprivate var effectiveDuration: Int { duration == 0 ? 900 : duration }
    fileprivate var effectiveCounterReset: Int { counterReset == 0 ? 900 : counterReset }
}

/// Counts failed logins and locks out who has too many (VAULT-PROTOCOL 7). They are counted by account and by source, so that
/// a stranger cannot lock out those who know the password; only accounts that exist are counted. In memory: a restart
/// forgets them.
package final class LoginFailures: Sendable {
    /// Who tries to be whom, from where.
    package struct Attempt: Sendable, Hashable {
        let mount: String
        let alias: ExactText
        let source: String

        /// - Parameters:
        ///   - alias: the user's name or the role id.
        ///   - source: an address; all of an IPv6 network of 64 bits counts as one.
        package init(mount: Mount, alias: String, source: String?) {
            self.init(accessor: mount.accessor, alias: alias, source: source)
        }

        /// - Parameter accessor: of a way to log in that is no mount.
        package init(accessor: String, alias: String, source: String?) {
            mount = accessor
            self.alias = ExactText(alias)
            let isIPv6 = source?.utf8.contains(UInt8(ascii: ":")) ?? false
            self.source = source.map { isIPv6 ? CIDR($0)?.network(ipv6Bits: 64) ?? $0 : $0 } ?? ""
        }
    }

    private struct Failures {
        var count: Int
        var last: Timestamp
        var settings: LockoutSettings

        func isLocked(at now: Timestamp) -> Bool {
            !settings.isDisabled && count >= settings.effectiveThreshold
                && now < last.adding(seconds: settings.effectiveDuration)
        }

        /// What is over is not counted on.
        func isOver(at now: Timestamp) -> Bool {
            let isComplete = count >= settings.effectiveThreshold
            return last.adding(seconds: isComplete ? settings.effectiveDuration : settings.effectiveCounterReset) <= now
        }
    }

    /// Attempts remembered at most; over it the one that failed longest ago is forgotten.
    static let limit = 10_000

    private let failures = Mutex<[Attempt: Failures]>([:])
    private let now: Now

    package init(now: @escaping Now) { self.now = now }

    var count: Int { failures.withLock { $0.count } }

    /// - Throws: `AirlockError.invalidToken` while the account is locked for this source.
    package func check(_ attempt: Attempt, _ settings: LockoutSettings?) throws {
        let now = now()
        let isLocked = failures.withLock { failures in
            failures[attempt]?.settings = settings ?? LockoutSettings()
            return failures[attempt]?.isLocked(at: now) ?? false
        }
        if isLocked { throw AirlockError.invalidToken }
    }

    /// The account exists and the password was wrong.
    package func failed(_ attempt: Attempt, _ settings: LockoutSettings?) {
        let now = now()
        failures.withLock { failures in
            var found = failures[attempt] ?? Failures(count: 0, last: now, settings: LockoutSettings())
            found.settings = settings ?? LockoutSettings()
            if found.isOver(at: now) { found.count = 0 }
            found.count += 1
            found.last = now
            if failures[attempt] == nil, failures.count >= LoginFailures.limit { LoginFailures.shrink(&failures, now) }
            failures[attempt] = found
        }
    }

    package func succeeded(_ attempt: Attempt) { failures.withLock { $0[attempt] = nil } }

    /// Whatever the source.
    package func unlock(mount: String, alias: String) {
        failures.withLock { failures in
            failures = failures.filter { $0.key.mount != mount || $0.key.alias != ExactText(alias) }
        }
    }

    /// The locked accounts of each mount's accessor, both sorted.
    package func locked() -> [(mount: String, aliases: [String])] {
        let now = now()
        let locked = failures.withLock { $0.filter { $0.value.isLocked(at: now) }.map(\.key) }
        return Dictionary(grouping: locked, by: \.mount).sorted { $0.key < $1.key }
            .map { ($0.key, Set($0.value.map(\.alias.text)).sorted()) }
    }

    private static func shrink(_ failures: inout [Attempt: Failures], _ now: Timestamp) {
        failures = failures.filter { !$0.value.isOver(at: now) }
        guard failures.count >= limit, let oldest = failures.min(by: { $0.value.last < $1.value.last }) else { return }
        failures[oldest.key] = nil
    }
}
