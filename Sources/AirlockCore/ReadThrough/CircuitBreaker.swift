package import Logging
import Synchronization

/// Keeps an upstream that does not answer from costing every request a timeout. After a failure that is an outage, or three
/// in a row of any other kind, requests fail at once with the reason, while one probe a second asks in the background.
package final class CircuitBreaker: Sendable {
    package enum State: Sendable, Equatable {
        case closed
        /// - Parameter reason: of the failure that opened it, fit for an operator.
        case open(since: Timestamp, reason: String)

        package var isOpen: Bool { self != .closed }
    }

    private struct Memory {
        var state = State.closed
        var failuresInARow = 0
    }

    private static let toleratedFailures = 3
    package static let probeInterval = Duration.seconds(1)

    private let memory = Mutex(Memory())
    private let logger: Logger
    private let now: Now
    private let pause: @Sendable (Duration) async throws -> Void
    /// Succeeds once the upstream answers again.
    private let probe: @Sendable () async throws -> Void

    /// - Parameter pause: how to wait between two probes, so that a test need not.
    package init(
        logger: Logger, now: @escaping Now,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        probe: @escaping @Sendable () async throws -> Void
    ) {
        self.logger = logger
        self.now = now
        self.pause = pause
        self.probe = probe
    }

    package var state: State { memory.withLock { $0.state } }

    /// Runs `work` unless the circuit is open.
    /// - Throws: `UpstreamError` of kind `unavailable` at once while it is open; otherwise what `work` throws.
    package func run<Value: Sendable>(_ work: () async throws -> Value) async throws -> Value {
        if case .open(_, let reason) = state { throw UpstreamError(.unavailable, reason) }
        do {
            let value = try await work()
            memory.withLock { $0.failuresInARow = 0 }
            return value
        } catch let error as UpstreamError {
            note(error)
            throw error
        }
    }

    private func note(_ error: UpstreamError) {
        let opens = memory.withLock { memory in
            guard error.isFailure else {
                memory.failuresInARow = 0
                return false
            }
            memory.failuresInARow += 1
            guard error.isOutage || memory.failuresInARow >= CircuitBreaker.toleratedFailures, !memory.state.isOpen
            else { return false }
            memory.state = .open(since: now(), reason: error.message)
            return true
        }
        guard opens else { return }
        logger.warning("the upstream cannot be asked: \(error.message)")
        // Ends with this object: nobody is left to answer.
        Task { [weak self, pause] in
            while true {
                try await pause(CircuitBreaker.probeInterval)
                guard let self else { return }
                if await self.isBack() { return }
            }
        }
    }

    private func isBack() async -> Bool {
        do {
            try await probe()
        } catch {
            return false
        }
        memory.withLock { $0 = Memory() }
        logger.notice("the upstream answers again")
        return true
    }
}
