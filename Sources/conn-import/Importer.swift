import AirlockCore
import AirlockUpstream

/// One secret to be written.
struct ImportJob: Sendable {
    /// Its place in the plan.
    let item: Int
    let path: String
    let content: ImportContent
    let replaces: Int
}

/// What came of one item.
enum ImportOutcome: Sendable {
    case done(ImportAction)
    case failed(String)
    /// Left alone, because the server had gone away before.
    case notTried
}

/// Writes, notes what was written, reads back what the server has now and compares it as Airflow would read it.
struct Importer: Sendable {
    let mount: ImportMount
    let journal: JournalFile?

    /// What a chunk came to.
    private struct Done: Sendable {
        var failures: [Int: String] = [:]
        /// Nothing new is to be begun.
        var isOver = false
    }

    /// - Parameter progress: told how many more are done.
    /// - Returns: why those failed that did, by their places in `jobs`, and how many were begun at all.
    func write(_ jobs: [ImportJob], progress: (Int) -> Void) async -> (failures: [Int: String], begun: Int) {
        var (failures, begun): ([Int: String], Int) = ([:], 0)
        let weights = jobs.map(\.content.payload.bytes.count)
        await mount.inChunks(Array(jobs.indices), weights: weights) { chunk in
            await carryOut(chunk, jobs)
        } finished: { chunk, done in
            failures.merge(done.failures) { $1 }
            begun += chunk.count
            progress(chunk.count)
            return !done.isOver
        }
        return (failures, begun)
    }

    private func carryOut(_ chunk: [Int], _ jobs: [ImportJob]) async -> Done {
        var done = Done()
        let answers = await mount.write(
            chunk.map {
                VaultWrite(path: jobs[$0].path, payload: jobs[$0].content.payload, replacing: jobs[$0].replaces)
            })
        var written: [Int] = []
        var receipts: [(item: Int, receipt: ImportReceipt)] = []
        for (index, answer) in zip(chunk, answers) {
            switch answer {
            case .success(let version):
                written.append(index)
                receipts.append((jobs[index].item, ImportReceipt(version: version)))
            case .failure(let error):
                done.failures[index] = error.message
                done.isOver = done.isOver || error.isOutage || error.kind == .noSuchMount
            }
        }
        do {
            try journal?.append(receipts)
        } catch {
            for index in written { done.failures[index] = "written, but the journal cannot be; see the disk" }
            done.isOver = true
            return done
        }
        for (index, answer) in zip(written, await mount.read(written.map { jobs[$0].path })) {
            switch answer {
            case .success(let found): done.failures[index] = Importer.difference(jobs[index].content, found?.data)
            case .failure(let error):
                done.failures[index] = "written, but cannot be read back: \(error.message)"
                done.isOver = done.isOver || error.isOutage
            }
        }
        return done
    }

    /// What Airflow would not read as it was written; `nil` for nothing.
    static func difference(_ content: ImportContent, _ stored: SecretPayload?) -> String? {
        guard let stored else { return "written, but the server does not give it back; check it there" }
        let changes = content.changes(from: stored)
        guard !changes.isEmpty else { return nil }
        let fields = changes.contains(.unreadable) ? "all of it" : changes.map(\.field).joined(separator: ", ")
        return "written, but what the server gives back is not the same in \(fields); check it there"
    }
}
