import AirlockCore
import Synchronization

/// What one transaction writes that a reader in memory must hear of.
final class RecordChanges: Sendable {
    private struct State {
        var things: Set<Front.Thing> = []
        var announced: [Front.Thing] = []
    }

    private let state = Mutex(State())

    func note(_ key: RecordKey) {
        switch key.kind {
        case .token: add(.token(digest: key.name))
        case .kvMetadata, .kvVersion, .kvSecret: add(.secret(scope: key.scope, path: key.name))
        default: break
        }
    }

    /// Tokens are never deleted by their scope, which is the same for all.
    func noteAll(_ kind: RecordKind, scope: String) {
        guard [.kvMetadata, .kvVersion, .kvSecret].contains(kind) else { return }
        add(.scope(scope))
    }

    private func add(_ thing: Front.Thing) { state.withLock { _ = $0.things.insert(thing) } }

    /// All that has been noted, once the transaction is about to be committed.
    func announce() -> [Front.Thing] {
        state.withLock { state in
            state.announced = Array(state.things)
            return state.announced
        }
    }

    /// Nothing, when the transaction came to nothing before.
    var announced: [Front.Thing] { state.withLock { $0.announced } }
}
