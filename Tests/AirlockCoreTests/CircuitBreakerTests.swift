import AirlockCore
import Logging
import Synchronization
import Testing

/// An upstream that does not answer costs one failure, not one for each request.
struct CircuitBreakerTests {
    /// A breaker whose probes the test lets through one by one.
    private final class Fixture: Sendable {
        private struct State {
            var isUp = false
            var probes = 0
            var pauses = 0
            var paused: CheckedContinuation<Void, Never>?
        }

        /// Shared with the breaker, which must not keep the fixture.
        private final class Memory: Sendable {
            let state = Mutex(State())
        }

        private let memory = Memory()
        private let made = Mutex<CircuitBreaker?>(nil)
        let calls = Mutex(0)

        var breaker: CircuitBreaker { made.withLock { $0! } }
        var probes: Int { memory.state.withLock { $0.probes } }
        var pauses: Int { memory.state.withLock { $0.pauses } }

        init() {
            let breaker = CircuitBreaker(
                logger: Logger(label: "test"), now: { Timestamp(nanoseconds: 7) },
                pause: { [memory] duration in
                    #expect(duration == CircuitBreaker.probeInterval)
                    await withCheckedContinuation { continuation in
                        memory.state.withLock { state in
                            state.pauses += 1
                            state.paused = continuation
                        }
                    }
                },
                probe: { [memory] in
                    let isUp = memory.state.withLock { state in
                        state.probes += 1
                        return state.isUp
                    }
                    if !isUp { throw UpstreamError(.refused, "still down") }
                })
            made.withLock { $0 = breaker }
        }

        func forget() { made.withLock { $0 = nil } }

        func comeBack() { memory.state.withLock { $0.isUp = true } }

        /// Ends the pause that the breaker is in, or gets to.
        func endPause() async {
            await until("a pause") { self.memory.state.withLock { $0.paused != nil } }
            memory.state.withLock { state in
                defer { state.paused = nil }
                return state.paused
            }?.resume()
        }

        /// What a request comes to: its value, or the kind of its failure.
        func run(_ outcome: UpstreamError.Kind?) async -> String {
            do {
                return try await breaker.run {
                    calls.withLock { $0 += 1 }
                    if let outcome { throw UpstreamError(outcome, "why") }
                    return "answer"
                }
            } catch let error as UpstreamError {
                return "\(error.kind) \(error.message)"
            } catch {
                return "\(type(of: error))"
            }
        }
    }

    private static let outages = UpstreamError.Kind.allCases.filter { UpstreamError($0, "").isOutage }
    private static let failures = UpstreamError.Kind.allCases.filter {
        UpstreamError($0, "").isFailure && !UpstreamError($0, "").isOutage
    }
    private static let answers = UpstreamError.Kind.allCases.filter { !UpstreamError($0, "").isFailure }

    private let fixture = Fixture()

    @Test func `Kinds of failure are what they are`() {
        #expect(
            CircuitBreakerTests.outages == [
                .unresolved, .refused, .timeout, .tls, .proxy, .unauthenticated, .unavailable,
            ])
        #expect(CircuitBreakerTests.failures == [.broken, .malformed, .redirect, .failed])
        #expect(CircuitBreakerTests.answers.contains(.denied))
    }

    @Test(arguments: outages)
    func `One outage opens it, and the next request fails at once with the reason`(kind: UpstreamError.Kind) async {
        #expect(await fixture.run(kind) == "\(kind) why")
        #expect(fixture.breaker.state == .open(since: Timestamp(nanoseconds: 7), reason: "why"))
        for _ in 0..<3 { #expect(await fixture.run(nil) == "unavailable why") }
        #expect(fixture.calls.withLock { $0 } == 1)
        await fixture.endPause()
    }

    @Test(arguments: failures)
    func `Three failures in a row open it`(kind: UpstreamError.Kind) async {
        for _ in 0..<2 {
            #expect(await fixture.run(kind) == "\(kind) why")
            #expect(fixture.breaker.state == .closed)
        }
        #expect(await fixture.run(kind) == "\(kind) why")
        #expect(fixture.breaker.state.isOpen)
        await fixture.endPause()
    }

    @Test(arguments: [nil] + answers.map(Optional.init))
    func `An answer in between starts the count anew`(answer: UpstreamError.Kind?) async {
        for _ in 0..<5 {
            for _ in 0..<2 { _ = await fixture.run(.failed) }
            _ = await fixture.run(answer)
        }
        #expect(fixture.breaker.state == .closed)
        #expect(fixture.calls.withLock { $0 } == 15)
    }

    @Test(arguments: answers)
    func `What is an answer, if an unwelcome one, never opens it`(kind: UpstreamError.Kind) async {
        for _ in 0..<20 { #expect(await fixture.run(kind) == "\(kind) why") }
        #expect(fixture.breaker.state == .closed)
        #expect(fixture.pauses == 0)
    }

    @Test func `A cancelled request says nothing about the upstream`() async {
        for _ in 0..<5 {
            await #expect(throws: CancellationError.self) {
                try await fixture.breaker.run { throw CancellationError() }
            }
        }
        #expect(fixture.breaker.state == .closed)
    }

    @Test func `It is asked in the background, a pause apart, until it answers`() async {
        _ = await fixture.run(.refused)
        for round in 0..<3 {
            #expect(fixture.probes == round)
            await fixture.endPause()
            await until("a probe") { fixture.probes == round + 1 }
            #expect(fixture.breaker.state.isOpen)
        }
        await until("a pause") { fixture.pauses == 4 }
        fixture.comeBack()
        #expect(await fixture.run(nil) == "unavailable why")
        await fixture.endPause()
        await until("the breaker to close") { fixture.breaker.state == .closed }
        #expect(await fixture.run(nil) == "answer")
        for _ in 0..<50 { await Task.yield() }
        #expect((fixture.probes, fixture.pauses) == (4, 4))
    }

    @Test func `Closed again, it opens again, and three failures are three again`() async {
        for _ in 0..<2 { _ = await fixture.run(.failed) }
        fixture.comeBack()
        for pauses in 1...2 {
            _ = await fixture.run(.timeout)
            await until("a pause") { fixture.pauses == pauses }
            await fixture.endPause()
            await until("the breaker to close") { fixture.breaker.state == .closed }
        }
        for _ in 0..<2 { _ = await fixture.run(.failed) }
        #expect(fixture.breaker.state == .closed)
    }

    @Test func `Requests that were under way when it opened start no second probe`() async {
        await withTaskGroup { group in
            for _ in 0..<20 { group.addTask { [fixture] in _ = await fixture.run(.timeout) } }
        }
        await until("a pause") { fixture.pauses == 1 }
        for _ in 0..<50 { await Task.yield() }
        #expect(fixture.pauses == 1)
        await fixture.endPause()
    }

    @Test func `Nobody probes for a breaker that is gone`() async {
        _ = await fixture.run(.refused)
        weak let breaker = fixture.breaker
        fixture.forget()
        #expect(breaker == nil)
        await fixture.endPause()
        for _ in 0..<50 { await Task.yield() }
        #expect((fixture.probes, fixture.pauses) == (0, 1))
    }
}
