import AirlockCore
import AirlockUpstream
import Foundation
import Synchronization

/// Reads the values for an environment in a thread of its own kind, and wakes the main thread when it is done.
final class ReferenceReader: Sendable {
    typealias Outcome = Result<[SecretPayload], any Error>

    private let environment: ReferenceEnvironment
    private let resolver: ReferenceResolver<VaultReferences>
    private let outcome = Mutex<Outcome?>(nil)

    init(environment: ReferenceEnvironment, resolver: ReferenceResolver<VaultReferences>) {
        self.environment = environment
        self.resolver = resolver
    }

    /// To be called by the thread that is to be woken, by `SIGCHLD`.
    func start() {
        let main = pthread_self()
        Task.detached { [self] in
            let new: Outcome
            do {
                new = .success(try environment.filled(try await resolver.values(of: environment.texts)))
            } catch {
                new = .failure(error)
            }
            outcome.withLock { $0 = new }
            pthread_kill(main, SIGCHLD)
        }
    }

    /// What came of the last start; once.
    func finished() -> Outcome? {
        outcome.withLock { outcome in
            defer { outcome = nil }
            return outcome
        }
    }
}
