import AirlockCore
import AirlockUpstream

/// Compares planned items with a mount, and writes them, several at a time.
struct Importer: Sendable {
    let client: VaultClient
    let mount: VaultMount
    let layout: ImportLayout

    enum Action: String, Sendable { case create, update, unchanged }

    enum Outcome: Sendable {
        case done(Action)
        case failed(String)
        /// Left alone, because the server had gone away before.
        case notTried
    }

    /// Enough to hide the round trips, few enough for a small server.
    private static let inFlight = 16

    /// What a write of `item` would do.
    func action(for item: ImportPlan.Item) async throws -> (Action, found: Secret?) {
        let found = try await client.read(try layout.path(of: item.target), in: mount)
        guard let stored = found?.data else { return (.create, found) }
        return (item.content.isSame(as: stored) ? .unchanged : .update, found)
    }

    /// Writes unless it is there already, then reads back what the server has now. On KV version 2 a change by somebody
    /// else in between makes the write fail instead of being lost.
    func apply(_ item: ImportPlan.Item) async throws -> Action {
        let (action, found) = try await action(for: item)
        guard action != .unchanged else { return action }
        let path = try layout.path(of: item.target)
        try await client.write(path, item.content.payload, in: mount, replacing: found)
        guard let stored = try await client.read(path, in: mount)?.data, item.content.isSame(as: stored) else {
            throw UpstreamError(.malformed, "written, but what the server gives back is not the same; check it there")
        }
        return action
    }

    /// Throws what would be wrong with every item, so that it is said once. A right that is missing may be missing for this
    /// one alone.
    func probe(_ item: ImportPlan.Item) async throws {
        do {
            _ = try await client.read(try layout.path(of: item.target), in: mount)
        } catch let error as UpstreamError where error.kind == .denied {}
    }

    /// Runs `work` on all items and gives their outcomes in the same order. After an outage, or when the mount is not there,
    /// nothing new is begun.
    func forAll(
        _ items: [ImportPlan.Item], progress: (() -> Void)? = nil,
        _ work: @escaping @Sendable (ImportPlan.Item) async throws -> Action
    ) async -> [Outcome] {
        var outcomes = [Outcome](repeating: .notTried, count: items.count)
        await withTaskGroup(of: (Int, Outcome, isOutage: Bool).self) { group in
            var next = 0
            var isDown = false
            func begin() {
                guard next < items.count, !isDown else { return }
                let (index, item) = (next, items[next])
                next += 1
                group.addTask {
                    do {
                        return (index, .done(try await work(item)), false)
                    } catch let error as UpstreamError {
                        return (index, .failed(error.message), error.isOutage || error.kind == .noSuchMount)
                    } catch {
                        return (index, .failed("\(type(of: error))"), true)
                    }
                }
            }
            for _ in 0..<Importer.inFlight { begin() }
            while let (index, outcome, isOutage) = await group.next() {
                outcomes[index] = outcome
                isDown = isDown || isOutage
                progress?()
                begin()
            }
        }
        return outcomes
    }
}
