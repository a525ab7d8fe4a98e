import Foundation
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct VaultSessionTests {
    private let time = ManualTime()
    private let vault = FakeVault()

    private func file(_ text: String) throws -> String {
        let path = NSTemporaryDirectory() + "airlock-credential-\(UUID().uuidString)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    // MARK: One login

    @Test func `A hundred reads at once make one login`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { _ = try await upstream.read("connections/\(number)") } }
            try await group.waitForAll()
        }
        #expect(vault.change { $0.logins } == 1)
        #expect(vault.seen.first == "POST auth/approle/login")
        #expect(vault.seen.count == 101)
    }

    @Test func `A hundred reads with a token that has died make one login more`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        vault.change { $0.good = [] }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { _ = try await upstream.read("connections/\(number)") } }
            try await group.waitForAll()
        }
        #expect(vault.change { $0.logins } == 2)
    }

    @Test func `A token past its end by the clock is not even tried`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        vault.change { $0.renewal = (503, 0) }
        _ = try await upstream.read("a")
        time.advance(seconds: 3601)
        _ = try await upstream.read("b")
        #expect(Set(vault.tokens.suffix(1)) == ["login-2"])
        #expect(vault.count("GET airflow/data/b") == 1)
    }

    // MARK: What a 403 means

    @Test func `A missing right is denied without another login`() async throws {
        vault.change { $0.denied = ["airflow/data/a"] }
        let upstream = try TestUpstream(vault, time: time)
        for _ in 0..<3 { #expect(try await upstream.failure("a").kind == .denied) }
        #expect(vault.change { $0.logins } == 1)
        #expect(!upstream.upstream.state.isOpen)
    }

    @Test func `A token that may not ask about itself costs a login a second at most`() async throws {
        vault.change { state in
            state.denied = ["airflow/data/a"]
            state.refusesLookups = true
        }
        let upstream = try TestUpstream(vault, time: time)
        for _ in 0..<10 { #expect(try await upstream.failure("a").kind == .denied) }
        #expect(vault.change { $0.logins } == 2)
        time.advance(seconds: 2)
        for _ in 0..<10 { #expect(try await upstream.failure("a").kind == .denied) }
        #expect(vault.change { $0.logins } == 3)
        #expect(try await upstream.read("b") == nil)
    }

    @Test func `A token that is used up at once is a refused credential and not a missing right`() async throws {
        vault.change { state in
            state.denied = ["airflow/data/a"]
            state.refusesLookups = true
            state.uses = 1
        }
        let error = try await TestUpstream(vault, time: time).failure("a")
        #expect(error.kind == .unauthenticated)
        #expect(error.message.contains("token_num_uses"))
    }

    @Test func `A given token without the right to ask about itself is told apart once it has worked`() async throws {
        vault.change { state in
            state.good = ["given"]
            state.denied = ["airflow/data/a"]
            state.answers["airflow/data/b"] = (200, #"{"data":{"data":{},"metadata":{"version":1}}}"#)
            state.refusesLookups = true
        }
        let upstream = try TestUpstream(vault, #""token": "given""#, time: time)
        _ = try await upstream.read("b")
        await eventually("the token was asked about") { vault.count("GET auth/token/lookup-self") == 1 }
        _ = try await upstream.read("b")
        #expect(try await upstream.failure("a").kind == .rejected)
        #expect(!upstream.upstream.state.isOpen)
    }

    // MARK: Life of a token

    @Test func `A token is renewed at two thirds of its life and goes on being used`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        for round in 1...3 {
            await time.somebodySleeps(seconds: 2400)
            time.advance(seconds: 2399)
            #expect(vault.count("POST auth/token/renew-self") == round - 1)
            time.advance(seconds: 1)
            await eventually("renewed") { vault.count("POST auth/token/renew-self") == round }
        }
        await time.somebodySleeps(seconds: 2400)
        _ = try await upstream.read("b")
        #expect(vault.change { $0.logins } == 1)
        #expect(vault.tokens.last == "login-1")
    }

    @Test func `A token near its greatest life is replaced while it still works`() async throws {
        vault.change { $0.renewal = (200, 600) }
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        await time.somebodySleeps(seconds: 2400)
        time.advance(seconds: 2400)
        await time.somebodySleeps(seconds: 400)
        time.advance(seconds: 400)
        await eventually("logged in anew") { vault.change { $0.logins } == 2 }
        await time.somebodySleeps(seconds: 2400)
        #expect(vault.count("POST auth/token/renew-self") == 1)
        _ = try await upstream.read("b")
        #expect(vault.tokens.last == "login-2")
    }

    @Test(arguments: [400, 403, 500])
    func `A renewal that is refused leads to a login`(status: Int) async throws {
        vault.change { $0.renewal = (status, 0) }
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        await time.somebodySleeps(seconds: 2400)
        time.advance(seconds: 2400)
        await eventually("logged in anew") { vault.change { $0.logins } == 2 }
    }

    @Test func `A token that cannot be renewed is replaced before it ends`() async throws {
        vault.change { $0.isRenewable = false }
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        await time.somebodySleeps(seconds: 2400)
        time.advance(seconds: 2400)
        await eventually("logged in anew") { vault.change { $0.logins } == 2 }
        #expect(vault.count("POST auth/token/renew-self") == 0)
    }

    @Test func `A renewal during an outage is tried again until it works`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        await time.somebodySleeps(seconds: 2400)
        vault.change { $0.outage = UpstreamError(.refused, "down") }
        time.advance(seconds: 2400)
        await time.somebodySleeps(seconds: 60)
        vault.change { $0.outage = nil }
        time.advance(seconds: 60)
        await time.somebodySleeps(seconds: 2400)
        #expect(vault.count("POST auth/token/renew-self") == 2)
        #expect(vault.change { $0.logins } == 1)
    }

    @Test func `A given token is looked up and renewed too`() async throws {
        vault.change { state in
            state.good = ["given"]
            state.duration = 900
            state.renewal = (200, 900)
        }
        let upstream = try TestUpstream(vault, #""token": "given""#, time: time)
        _ = try await upstream.read("a")
        for round in 1...2 {
            await time.somebodySleeps(seconds: 600)
            time.advance(seconds: 600)
            await eventually("renewed") { vault.count("POST auth/token/renew-self") == round }
        }
        #expect(vault.change { $0.logins } == 0)
        #expect(upstream.metrics.counters.keys.allSatisfy { $0.name != .upstreamLogins })
    }

    @Test func `A token that has died is not looked after any longer`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        await time.somebodySleeps(seconds: 2400)
        vault.change { state in
            state.good = []
            state.refusesLogins = true
        }
        #expect(try await upstream.failure("a").kind == .unauthenticated)
        await eventually("only the probe of the circuit breaker is waited for") {
            time.wakeUps == [time.now.adding(seconds: 1)]
        }
    }

    @Test func `A session that is gone renews nothing`() async throws {
        do { _ = try await TestUpstream(vault, time: time).read("a") }
        await eventually("nobody pauses") { time.wakeUps.isEmpty }
        #expect(vault.count("POST auth/token/renew-self") == 0)
    }

    // MARK: Credentials that are refused or replaced

    @Test func `A revoked token recovers by itself when its file holds another`() async throws {
        let path = try file("first\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        vault.change { $0.good = ["first"] }
        let upstream = try TestUpstream(vault, #""token_path": "\#(path)""#, time: time)
        _ = try await upstream.read("a")
        vault.change { $0.good = ["second"] }
        let error = try await upstream.failure("a")
        #expect(error.kind == .unauthenticated)
        #expect(error.isOutage)
        #expect(upstream.upstream.state.isOpen)
        await time.somebodySleeps(seconds: 1)
        try "second\n".write(toFile: path, atomically: true, encoding: .utf8)
        time.advance(seconds: 1)
        await eventually("closed") { !upstream.upstream.state.isOpen }
        #expect(try await upstream.read("a") == nil)
        #expect(vault.tokens.last == "second")
    }

    @Test func `Refused credentials are not tried until the role is locked out`() async throws {
        vault.change { $0.refusesLogins = true }
        let upstream = try TestUpstream(vault, time: time)
        #expect(try await upstream.failure("a").kind == .unauthenticated)
        for second in 0..<900 {
            if second == 30 { #expect(vault.count("POST auth/approle/login") == 3) }
            await time.somebodySleeps(seconds: 1)
            time.advance(seconds: 1)
        }
        #expect(vault.count("POST auth/approle/login") == 4)
        vault.change { $0.refusesLogins = false }
        await eventually("closed") {
            time.advance(seconds: 1)
            return !upstream.upstream.state.isOpen
        }
        #expect(try await upstream.read("a") == nil)
    }

    @Test func `A gateway's 403 is no refusal of a credential`() async throws {
        let upstream = try TestUpstream(vault, time: time)
        vault.change { $0.gateway = (403, "<html>Forbidden</html>") }
        for _ in 0..<10 { #expect(try await upstream.failure("a").kind != .unauthenticated) }
        vault.change { $0.gateway = nil }
        if upstream.upstream.state.isOpen {
            await time.somebodySleeps(seconds: 1)
            time.advance(seconds: 1)
            await eventually("closed") { !upstream.upstream.state.isOpen }
        }
        #expect(try await upstream.read("a") == nil)
        vault.change { $0.gateway = (403, "<html>Forbidden</html>") }
        #expect(try await upstream.failure("a").kind == .malformed)
        #expect(vault.change { $0.logins } == 1)
    }

    @Test func `Credentials that were replaced are tried at once`() async throws {
        let path = try file("old")
        defer { try? FileManager.default.removeItem(atPath: path) }
        vault.change { $0.refusesLogins = true }
        let upstream = try TestUpstream(
            vault, #""auth_type": "approle", "role_id": "r", "secret_id_path": "\#(path)""#, time: time)
        #expect(try await upstream.failure("a").kind == .unauthenticated)
        vault.change { $0.refusesLogins = false }
        try "new".write(toFile: path, atomically: true, encoding: .utf8)
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("closed") { !upstream.upstream.state.isOpen }
        let body = vault.change { $0.requests.last { $0.url.hasSuffix("/login") }?.body } ?? []
        #expect(String(decoding: body, as: UTF8.self).contains(#""secret_id":"new""#))
    }

    // MARK: A secret id that is wrapped

    @Test func `A wrapped secret id is unwrapped once and serves later logins`() async throws {
        vault.change { $0.wrapped = ["wrapping": "inner"] }
        let upstream = try TestUpstream(
            vault, #""auth_type": "approle", "role_id": "r", "secret_id": "wrapping", "secret_id_wrapped": true"#,
            time: time)
        _ = try await upstream.read("a")
        vault.change { $0.good = [] }
        _ = try await upstream.read("a")
        #expect(vault.count("POST sys/wrapping/unwrap") == 1)
        #expect(vault.tokens.first == "wrapping")
        let bodies = vault.change { $0.requests.filter { $0.url.hasSuffix("/login") }.map { $0.body ?? [] } }
        #expect(bodies == [[UInt8]](repeating: Array(#"{"role_id":"r","secret_id":"inner"}"#.utf8), count: 2))
    }

    @Test func `A wrapping token that somebody else used is told as such`() async throws {
        let upstream = try TestUpstream(
            vault, #""auth_type": "approle", "role_id": "r", "secret_id": "wrapping", "secret_id_wrapped": true"#,
            time: time)
        let error = try await upstream.failure("a")
        #expect(error.kind == .unauthenticated)
        #expect(error.message.contains("somebody else"))
        #expect(!error.message.contains("wrapping\""))
        #expect(vault.count("POST auth/approle/login") == 0)
    }

    @Test func `A file with another wrapping token is unwrapped anew and a file that is gone changes nothing`()
        async throws
    {
        let path = try file("one")
        defer { try? FileManager.default.removeItem(atPath: path) }
        vault.change { $0.wrapped = ["one": "inner-1", "two": "inner-2"] }
        let upstream = try TestUpstream(
            vault, #""auth_type": "approle", "role_id": "r", "secret_id_path": "\#(path)", "secret_id_wrapped": true"#,
            time: time)
        _ = try await upstream.read("a")
        try "two".write(toFile: path, atomically: true, encoding: .utf8)
        vault.change { $0.good = [] }
        _ = try await upstream.read("a")
        try FileManager.default.removeItem(atPath: path)
        vault.change { $0.good = [] }
        _ = try await upstream.read("a")
        let bodies = vault.change { $0.requests.filter { $0.url.hasSuffix("/login") }.map { $0.body ?? [] } }
        let secretIDs = bodies.compactMap { (try? JSON(parsing: $0))?["secret_id"]?.text }
        #expect(secretIDs == ["inner-1", "inner-2", "inner-2"])
        #expect(vault.count("POST sys/wrapping/unwrap") == 2)
    }
}
