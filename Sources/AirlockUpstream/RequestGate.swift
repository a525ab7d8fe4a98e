import AirlockCore
import Synchronization

/// How to wait, so that a test need not.
package typealias Pause = @Sendable (Duration) async throws -> Void

/// Lets so many in at once, in the order they came: libcurl counts the time that a transfer waits for a free connection
/// into its timeout, and takes a long queue for a server that does not answer.
final class RequestGate: Sendable {
    private struct Line {
        var free: Int
        var waiting: [UInt64: CheckedContinuation<Void, any Error>] = [:]
        var first: UInt64 = 0
        var next: UInt64 = 0
    }

    private let line: Mutex<Line>
    private let limit: Duration
    private let full: UpstreamError
    private let pause: Pause

    /// - Parameter limit: how long to wait at most.
    /// - Parameter full: what is thrown after that.
    init(places: Int, limit: Duration, full: UpstreamError, pause: @escaping Pause) {
        line = Mutex(Line(free: places))
        self.limit = limit
        self.full = full
        self.pause = pause
    }

    /// Each return is to be followed by one `leave`.
    /// - Throws: `full`, or `CancellationError`.
    func enter() async throws {
        let hasPlace = line.withLock { line in
            guard line.free > 0 else { return false }
            line.free -= 1
            return true
        }
        if !hasPlace { try await wait() }
    }

    func leave() {
        let next = line.withLock { line -> CheckedContinuation<Void, any Error>? in
            while line.first < line.next {
                defer { line.first += 1 }
                if let next = line.waiting.removeValue(forKey: line.first) { return next }
            }
            line.free += 1
            return nil
        }
        next?.resume()
    }

    var waitingCount: Int { line.withLock { $0.waiting.count } }

    private func wait() async throws {
        let id = line.withLock { line in
            defer { line.next += 1 }
            return line.next
        }
        var timer: Task<Void, any Error>?
        defer { timer?.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if let result = settle(id, continuation) {
                    continuation.resume(with: result)
                } else {
                    timer = Task { [limit, full, pause] in
                        try await pause(limit)
                        give(up: id, full)
                    }
                }
            }
        } onCancel: {
            give(up: id, CancellationError())
        }
    }

    /// - Returns: `nil` when the continuation has to wait.
    private func settle(_ id: UInt64, _ continuation: CheckedContinuation<Void, any Error>) -> Result<Void, any Error>?
    {
        line.withLock { line in
            if Task.isCancelled { return .failure(CancellationError()) }
            // Somebody may have left meanwhile.
            if line.free > 0 {
                line.free -= 1
                return .success(())
            }
            line.waiting[id] = continuation
            line.first = min(line.first, id)
            return nil
        }
    }

    private func give(up id: UInt64, _ error: any Error) {
        line.withLock { $0.waiting.removeValue(forKey: id) }?.resume(throwing: error)
    }
}
