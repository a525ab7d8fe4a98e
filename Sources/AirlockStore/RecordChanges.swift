import AirlockCore
import Synchronization

/// What one transaction writes that a reader in memory must hear of, at the latest when it is written.
final class RecordChanges: Sendable {
    private let front: Front
    private let noted = Mutex<Set<Front.Thing>>([])

    init(_ front: Front) { self.front = front }

    func note(_ key: RecordKey) {
        if key.kind == .token { add(.token(digest: key.name)) }
        if [.kvMetadata, .kvVersion, .kvSecret].contains(key.kind) { add(.secret(scope: key.scope, path: key.name)) }
        if key.kind.isRemembered { add(.record(key)) }
    }

    /// Tokens are never deleted by their scope, which is the same for all.
    func noteAll(_ kind: RecordKind, scope: String) {
        if [.kvMetadata, .kvVersion, .kvSecret].contains(kind) { add(.scope(scope)) }
        if kind.isRemembered { add(.records(kind, scope: scope)) }
    }

    private func add(_ thing: Front.Thing) {
        guard noted.withLock({ $0.insert(thing).inserted }) else { return }
        front.changing([thing])
    }

    /// Once the transaction is committed or given up.
    func finish() { front.changed(noted.withLock { Array($0) }) }
}
