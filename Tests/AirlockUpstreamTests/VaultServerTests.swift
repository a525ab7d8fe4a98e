import Logging
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

struct VaultServerTests {
    private let time = ManualTime()

    // MARK: Circuit breaker

    @Test func `After an outage requests fail at once until a probe gets through`() async throws {
        let vault = FakeVault()
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        vault.change { $0.outage = UpstreamError(.timeout, "no answer in time") }
        #expect(try await upstream.failure("a").kind == .timeout)
        let asked = vault.seen.count
        let refused = try await upstream.failure("a")
        #expect(refused == UpstreamError(.unavailable, "no answer in time"))
        #expect(vault.seen.count == asked)
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("probed") { vault.count("GET auth/token/lookup-self") == 1 }
        #expect(upstream.upstream.state.isOpen)
        vault.change { $0.outage = nil }
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("closed") { !upstream.upstream.state.isOpen }
        #expect(try await upstream.read("a") == nil)
    }

    @Test func `A probe logs in again when the token died meanwhile`() async throws {
        let vault = FakeVault()
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        vault.change { $0.outage = UpstreamError(.refused, "down") }
        _ = try await upstream.failure("a")
        vault.change { state in
            state.outage = nil
            state.good = []
        }
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("closed") { !upstream.upstream.state.isOpen }
        #expect(vault.change { $0.logins } == 2)
    }

    @Test func `Where only clients' tokens are used the probe asks for the server's health`() async throws {
        let vault = FakeVault()
        let kwargs = #""auth_type": "approle", "role_id": "r", "namespace": "team""#
        let upstream = try TestUpstream(vault, kwargs, hasOwnLogin: false, time: time)
        let client = Credential.client(SecretText("c"))
        vault.change { $0.outage = UpstreamError(.refused, "down") }
        _ = try await upstream.failure("a", as: client)
        let health = "sys/health?standbyok=true&perfstandbyok=true"
        vault.change { state in
            state.outage = nil
            state.answers[health] = (503, "{}")
        }
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("probed") { vault.count("GET \(health)") == 1 }
        #expect(upstream.upstream.state.isOpen)
        vault.change { $0.answers[health] = nil }
        await time.somebodySleeps(seconds: 1)
        time.advance(seconds: 1)
        await eventually("closed") { !upstream.upstream.state.isOpen }
        // A server answers for its health in the root namespace only.
        let probe = try #require(vault.change { $0.requests.last })
        #expect(probe.headers.map(\.name) == ["X-Vault-Request"])
        #expect(try await upstream.failure("a").kind == .unsupported)
    }

    @Test func `Mounts of one server and identity share it and others do not`() throws {
        let servers = VaultServers(
            environmentToken: nil, metrics: Metrics(), logger: Logger(label: "test"), now: Timestamp.now)
        func server(_ more: String, secretID: String = "s") throws -> VaultServer {
            try servers.server(
                for: try BackendKwargs(
                    parsing: """
                        {"url": "http://vault:8200", "auth_type": "approle", "role_id": "r",
                         "secret_id": "\(secretID)"\(more)}
                        """))
        }
        let first = try server("")
        #expect(try server(#", "mount_point": "other""#) === first)
        #expect(try server(#", "namespace": "team""#) !== first)
        #expect(try server(#", "verify": false"#) !== first)
        #expect(try server("", secretID: "other") !== first)
        #expect(throws: BackendKwargs.Fault.self) { try servers.server(for: BackendKwargs()) }
    }

    // MARK: Line

    @Test func `No more calls run at once than there are connections`() async throws {
        let running = Shared((now: 0, most: 0))
        let open = Shared(false)
        let vault = FakeVault { line in
            guard line.contains("/data/") else { return }
            running.change { count in
                count.now += 1
                count.most = max(count.most, count.now)
            }
            while !open.current { try? await Task.sleep(for: .milliseconds(1)) }
            running.change { $0.now -= 1 }
        }
        let upstream = try TestUpstream(vault, places: 5, time: time)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 { group.addTask { _ = try await upstream.read("\(number)") } }
            await eventually("five are under way") { running.current.now == 5 }
            open.change { $0 = true }
            try await group.waitForAll()
        }
        #expect(running.current.most == 5)
    }

    @Test func `Who waits in line when the circuit opens fails without asking`() async throws {
        let open = Shared(false)
        let vault = FakeVault { line in
            while line.contains("/data/"), !open.current { try? await Task.sleep(for: .milliseconds(1)) }
        }
        let upstream = try TestUpstream(vault, places: 1, time: time)
        let first = Task { try await upstream.failure("first") }
        await eventually("the first is under way") { vault.count("GET airflow/data/first") == 1 }
        let second = Task { try await upstream.failure("second") }
        // The limit of the wait shows that the second one waits.
        await time.somebodySleeps(seconds: 10)
        vault.change { $0.outage = UpstreamError(.timeout, "no answer in time") }
        open.change { $0 = true }
        #expect(try await first.value.kind == .timeout)
        #expect(try await second.value == UpstreamError(.unavailable, "no answer in time"))
        #expect(vault.count("GET airflow/data/second") == 0)
    }

    // MARK: Metrics

    @Test func `Requests and logins are counted by what came of them`() async throws {
        let vault = FakeVault()
        let upstream = try TestUpstream(vault, time: time)
        _ = try await upstream.read("a")
        vault.change { $0.outage = UpstreamError(.tls, "no") }
        _ = try await upstream.failure("a")
        let origin = "http://vault:8200"
        func count(_ counter: Metrics.Counter, _ result: String) -> UInt64? {
            upstream.metrics.counters[.init(name: counter, labels: [origin, result])]
        }
        #expect(count(.upstreamRequests, "2xx") == 1)
        #expect(count(.upstreamRequests, "4xx") == 1)
        #expect(count(.upstreamRequests, "tls") == 1)
        #expect(count(.upstreamLogins, "success") == 1)
        let latency = upstream.metrics.latencies[.init(name: .upstreamRequests, labels: [origin])]
        #expect(latency?.counts.reduce(0, +) == 3)
    }

    @Test func `A refused credential is counted by its name`() async throws {
        let upstream = try TestUpstream(FakeVault(), #""token": "revoked""#, time: time)
        #expect(try await upstream.failure("a").kind == .unauthenticated)
        let series = Metrics.Series<Metrics.Counter>(
            name: .upstreamRequests, labels: ["http://vault:8200", "unauthenticated"])
        #expect(upstream.metrics.counters[series] == 1)
    }
}
