import Dispatch
import GRDB
import Synchronization

/// One writer, and one disk flush for all the writes that wait: those queued while a commit is on its way to the disk go
/// into the next one together. Each still fails or succeeds alone (a savepoint each), and none is answered before the
/// commit that holds it is durable.
final class GroupCommit: Sendable {
    private struct Job: Sendable {
        let isDurable: Bool
        /// Runs inside the open transaction.
        let run: @Sendable (Database) -> Void
        /// Called once the transaction has ended, with the error that undid it, if one did.
        let finish: @Sendable ((any Error)?) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var isRunning = false
    }

    private let database: DatabasePool
    /// Called once a transaction has ended, before anybody is answered: with whether it was committed.
    private let ended: @Sendable (Bool) -> Void
    private let queue = DispatchQueue(label: "airlock.store.writer")
    private let state = Mutex(State())

    init(_ database: DatabasePool, ended: @escaping @Sendable (Bool) -> Void = { _ in }) {
        self.database = database
        self.ended = ended
    }

    /// - Parameter isDurable: on the disk when this returns, also in a database that leaves that to the next checkpoint
    ///   (`synchronous=NORMAL`, https://www.sqlite.org/pragma.html#pragma_synchronous).
    func write<T: Sendable>(
        isDurable: Bool = false, _ body: @escaping @Sendable (Database) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let outcome = Outcome<T>()
            enqueue(
                Job(
                    isDurable: isDurable,
                    run: { database in outcome.result.withLock { $0 = GroupCommit.inSavepoint(database, body) } },
                    finish: { error in
                        let result = outcome.result.withLock { $0 }
                        if let error, case .success? = result {
                            continuation.resume(throwing: error)
                        } else {
                            continuation.resume(with: result ?? .failure(error ?? CancellationError()))
                        }
                    }))
        }
    }

    /// As `write`, for what nobody waits for. Its turn is kept all the same.
    func enqueue(
        _ body: @escaping @Sendable (Database) throws -> Void, failed: @escaping @Sendable (any Error) -> Void
    ) {
        let outcome = Outcome<Void>()
        enqueue(
            Job(
                isDurable: false,
                run: { database in outcome.result.withLock { $0 = GroupCommit.inSavepoint(database, body) } },
                finish: { error in
                    let result = outcome.result.withLock { $0 }
                    if case .failure(let own)? = result { failed(own) } else if let error { failed(error) }
                }))
    }

    private final class Outcome<T: Sendable>: Sendable {
        let result = Mutex<Result<T, any Error>?>(nil)
    }

    private static func inSavepoint<T>(_ database: Database, _ body: (Database) throws -> T) -> Result<T, any Error> {
        Result {
            // SQLite gives up a whole transaction when the disk fails: what came now would be one of its own.
            guard database.isInsideTransaction else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
            // Prepared once, where GRDB's own savepoints are parsed each time.
            try database.cachedStatement(sql: "SAVEPOINT job").execute()
            do {
                let value = try body(database)
                try database.cachedStatement(sql: "RELEASE job").execute()
                return value
            } catch {
                if database.isInsideTransaction {
                    try database.execute(sql: "ROLLBACK TO job")
                    try database.execute(sql: "RELEASE job")
                }
                throw error
            }
        }
    }

    private func enqueue(_ job: Job) {
        let mustStart = state.withLock { state in
            state.waiting.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { queue.async { self.drain() } }
    }

    private func drain() {
        while true {
            let jobs = state.withLock { state in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isRunning = false }
                return state.waiting
            }
            guard !jobs.isEmpty else { return }
            var failure: (any Error)?
            do {
                try database.writeWithoutTransaction { database in
                    try GroupCommit.flushing(jobs.contains(where: \.isDurable), database) {
                        try database.inTransaction(.immediate) {
                            for job in jobs { job.run(database) }
                            return .commit
                        }
                    }
                }
            } catch {
                failure = error
            }
            ended(failure == nil)
            for job in jobs { job.finish(failure) }
        }
    }

    private static func flushing(_ isWanted: Bool, _ database: Database, _ body: () throws -> Void) throws {
        guard isWanted, let before = try Int.fetchOne(database, sql: "PRAGMA synchronous") else { return try body() }
        try database.execute(sql: "PRAGMA synchronous = FULL")
        defer { try? database.execute(sql: "PRAGMA synchronous = \(before)") }
        try body()
    }
}
