import AirlockCore
import AirlockUpstream

/// Many reads and writes of secrets in one mount: several at a time, and many in one request where the server takes them so
/// (Airlock). Which of the two it is makes no difference to what they promise.
struct ImportMount: Sendable {
    private let client: VaultClient
    let mount: VaultMount
    /// The server takes many in one request.
    private(set) var isBatched = false

    var isVersioned: Bool { mount.kvVersion == 2 }

    /// - Parameter probe: read to find out what would be wrong with all of them, so that it is said once.
    init(_ client: VaultClient, _ mount: VaultMount, probing probe: String?) async throws {
        self.client = client
        self.mount = mount
        guard let probe else { return }
        do {
            isBatched = (try? await client.checkAll([probe], in: mount)) != nil
            if !isBatched { _ = try await client.read(probe, in: mount) }
        } catch let error as UpstreamError where error.kind == .denied {
            // A right that is missing may be missing for this one alone.
        }
    }

    /// - Returns: `nil` where this client may not list.
    func list(_ folder: String) async throws -> [String]? {
        do {
            return try await client.list(folder, in: mount)
        } catch let error as UpstreamError where error.kind == .denied {
            return nil
        }
    }

    // MARK: A chunk

    typealias Answers<Value> = [Result<Value, UpstreamError>]

    func read(_ paths: [String]) async -> Answers<Secret?> {
        if let answers = await batched(paths.count, { try await client.checkAll(paths, in: mount) }) { return answers }
        return await each(paths) { try await client.read($0, in: mount) }
    }

    /// - Returns: the new versions, `nil` on KV version 1.
    func write(_ writes: [VaultWrite]) async -> Answers<Int?> {
        if let answers = await batched(writes.count, { try await client.writeAll(writes, in: mount) }) {
            return answers
        }
        return await each(writes) {
            try await client.write($0.path, $0.payload, in: mount, replacing: $0.replaces)
        }
    }

    /// - Returns: `nil` where they are to go one by one.
    private func batched<Value>(_ count: Int, _ ask: () async throws -> Answers<Value>?) async -> Answers<Value>? {
        guard isBatched, count > 0 else { return nil }
        do {
            return try await ask()
        } catch {
            return Answers(repeating: .failure(ImportMount.explained(error)), count: count)
        }
    }

    func read(_ path: String, version: Int?) async throws -> Secret? {
        try await client.read(path, in: mount, version: version)
    }

    func write(_ path: String, _ payload: SecretPayload, replacing version: Int) async throws {
        try await client.write(path, payload, in: mount, replacing: version)
    }

    func delete(_ path: String, version: Int?) async throws {
        try await client.delete(path, version: version, in: mount)
    }

    /// Several at a time, the answers in the order of the questions.
    func each<Question: Sendable, Value: Sendable>(
        _ questions: [Question], _ alone: @escaping @Sendable (Question) async throws -> Value
    ) async -> Answers<Value> {
        await withTaskGroup(of: (Int, Result<Value, UpstreamError>).self) { group in
            var answers = Answers<Value>(
                repeating: .failure(UpstreamError(.broken, "not tried")), count: questions.count)
            var next = 0
            func begin() {
                guard next < questions.count else { return }
                let (index, question) = (next, questions[next])
                next += 1
                group.addTask {
                    do {
                        return (index, .success(try await alone(question)))
                    } catch {
                        return (index, .failure(ImportMount.explained(error)))
                    }
                }
            }
            for _ in 0..<ImportMount.inFlight { begin() }
            while let (index, answer) = await group.next() {
                answers[index] = answer
                begin()
            }
            return answers
        }
    }

    private static func explained(_ error: any Error) -> UpstreamError {
        error as? UpstreamError ?? UpstreamError(.broken, "\(type(of: error))")
    }

    // MARK: Chunks

    /// Enough to hide the round trips, few enough for a small server.
    private static let inFlight = 16
    private static let lanes = 2
    private static let chunkLimit = 64
    /// A secret larger than this goes alone, so that many of them stay below what a server accepts.
    private static let chunkBytes = 256 * 1024

    /// Runs `work` on the items, a chunk at a time and two chunks at once, in their order.
    /// - Parameters:
    ///   - weights: by item, its bytes in a request.
    ///   - finished: told what came of a chunk; says whether to go on.
    func inChunks<Value: Sendable>(
        _ items: [Int], weights: [Int]? = nil, _ work: @escaping @Sendable ([Int]) async -> Value,
        finished: ([Int], Value) -> Bool
    ) async {
        let limit = isBatched ? VaultClient.batchLimit : ImportMount.chunkLimit
        await withTaskGroup(of: ([Int], Value).self) { group in
            var (next, goesOn) = (0, true)
            func begin() {
                guard goesOn, next < items.count else { return }
                var (end, bytes) = (next, 0)
                repeat {
                    bytes += (weights?[items[end]] ?? 0)
                    end += 1
                } while end < items.count && end - next < limit
                    && bytes + (weights?[items[end]] ?? 0) < ImportMount.chunkBytes
                let chunk = Array(items[next..<end])
                next = end
                group.addTask { (chunk, await work(chunk)) }
            }
            for _ in 0..<ImportMount.lanes { begin() }
            while let (chunk, value) = await group.next() {
                goesOn = finished(chunk, value) && goesOn
                begin()
            }
        }
    }
}
