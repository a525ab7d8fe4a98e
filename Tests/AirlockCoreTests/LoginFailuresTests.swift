import Synchronization
import Testing

@testable import AirlockCore

/// VAULT-PROTOCOL 7. What changes with time stands in the transcripts.
struct LoginFailuresTests {
    private let failures = LoginFailures(now: { Timestamp(nanoseconds: 0) })
    private let mount = Mount(path: "userpass/", engine: .userpass, description: "", options: nil)

    private func isLocked(_ alias: String, _ source: String?, _ settings: LockoutSettings? = nil) -> Bool {
        let attempt = LoginFailures.Attempt(mount: mount, alias: alias, source: source)
        return (try? failures.check(attempt, settings)) == nil
    }

    private func fail(_ alias: String, _ source: String?, times: Int = 5) {
        for _ in 0..<times { failures.failed(.init(mount: mount, alias: alias, source: source), nil) }
    }

    @Test func `A stranger locks out himself, not the account`() {
        fail("airflow", "198.51.100.7")
        #expect(isLocked("airflow", "198.51.100.7"))
        #expect(!isLocked("airflow", "10.0.0.1"))
        #expect(!isLocked("airflow", nil))
        #expect(!isLocked("other", "198.51.100.7"))
        #expect(failures.locked().map(\.aliases) == [["airflow"]])
    }

    @Test func `Another address of the same IPv6 network is the same source`() {
        fail("airflow", "2001:db8:1:2::1", times: 3)
        fail("airflow", "2001:db8:1:2:ffff::9", times: 2)
        #expect(isLocked("airflow", "2001:db8:1:2:3:4:5:6"))
        #expect(!isLocked("airflow", "2001:db8:1:3::1"))
        fail("mapped", "::ffff:192.0.2.1")
        #expect(!isLocked("mapped", "::ffff:192.0.2.2"))
    }

    @Test func `An account locked from several sources is listed once, and unlocked for all`() {
        fail("airflow", "10.0.0.1")
        fail("airflow", "10.0.0.2")
        fail("other", "10.0.0.2")
        #expect(failures.locked().map(\.aliases) == [["airflow", "other"]])
        failures.unlock(mount: mount.accessor, alias: "airflow")
        #expect(failures.locked().map(\.aliases) == [["other"]])
        #expect(!isLocked("airflow", "10.0.0.1"))
    }

    @Test func `Where locking is switched off, nobody is locked`() {
        var settings = LockoutSettings()
        settings.isDisabled = true
        fail("airflow", "10.0.0.1")
        #expect(!isLocked("airflow", "10.0.0.1", settings))
        #expect(isLocked("airflow", "10.0.0.1", nil), "switched on again")
    }

    @Test func `A flood from many sources takes no more than so much memory, and locks go last`() {
        let seconds = Mutex(0)
        let failures = LoginFailures(now: { Timestamp(nanoseconds: 0).adding(seconds: seconds.withLock { $0 }) })
        func attempt(_ number: Int) -> LoginFailures.Attempt {
            LoginFailures.Attempt(
                mount: mount, alias: "airflow", source: "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)")
        }
        for number in 0..<LoginFailures.limit { failures.failed(attempt(number), nil) }
        #expect(failures.count == LoginFailures.limit)
        seconds.withLock { $0 = 1 }
        for _ in 0..<5 { failures.failed(attempt(LoginFailures.limit), nil) }
        #expect(failures.count == LoginFailures.limit)
        seconds.withLock { $0 = 2 }
        failures.failed(attempt(LoginFailures.limit + 1), nil)
        #expect(failures.count == LoginFailures.limit)
        #expect(throws: AirlockError.invalidToken) { try failures.check(attempt(LoginFailures.limit), nil) }
    }
}
