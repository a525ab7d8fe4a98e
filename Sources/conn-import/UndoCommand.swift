import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

/// Puts back what a plan has replaced.
struct UndoCommand: ParsableCommand, Performing {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Put back what a plan has replaced.",
        discussion: """
            On KV version 2 a secret that the plan created is deleted, so that it can still be undeleted, and one that it \
            changed gets its earlier data as a new version. What somebody has changed since is left and named. KV version 1 \
            keeps no earlier value: there only what was created can be undone. Can be run again at any time.
            """)

    @Argument(help: "The file that plan --out has made.")
    var plan: String

    @OptionGroup var target: TargetOptions

    func perform() async throws -> Int32 {
        let document = try PlanFile.read(plan)
        let settings = try ImportSettings(
            target, environment: ProcessInfo.processInfo.environment, planned: document.header)
        guard let key = PlanKey(hex: document.header.key) else {
            throw PlanFile.Fault(message: "\(plan): its key is damaged; make a new plan")
        }
        let server = try settings.server.get()
        let journal = try JournalFile(of: document, at: plan)
        let mount = try await settings.mount(of: document, on: server)
        let undo = Undo(document: document, key: key, mount: mount)
        return try await undo.perform(journal.journal.receipts)
    }
}

private struct Undo: Sendable {
    let document: PlanDocument
    let key: PlanKey
    let mount: ImportMount

    private enum Outcome: Sendable { case deleted, restored }

    func perform(_ receipts: [Int: ImportReceipt]) async throws -> Int32 {
        var left: [Int: String] = [:]
        var steps: [Int: PlannedItem.Undoing] = [:]
        for (item, step) in try await look(receipts) {
            if case .left(let reason) = step { left[item] = reason } else { steps[item] = step }
        }
        var (deleted, restored) = (0, 0)
        var bar = ProgressBar(total: steps.count)
        await mount.inChunks(steps.keys.sorted()) { [steps] chunk in
            await mount.each(chunk) { try await carryOut($0, steps[$0] ?? .nothing) }
        } finished: { chunk, answers in
            bar.advance(by: chunk.count)
            var goesOn = true
            for (item, answer) in zip(chunk, answers) {
                switch answer {
                case .success(.deleted): deleted += 1
                case .success(.restored): restored += 1
                case .failure(let error):
                    left[item] = error.message
                    goesOn = goesOn && !error.isOutage
                }
                steps[item] = nil
            }
            return goesOn
        }
        bar.clear()
        for item in steps.keys { left[item] = "not tried after the failure" }
        Console.complain(each: left.sorted { $0.key < $1.key }.map { (document.items[$0.key].place, $0.value) })
        var text = "deleted \(deleted), restored \(restored)"
        if !left.isEmpty { text += ", left \(left.count)" }
        Console.say(deleted + restored + left.count == 0 ? "nothing of this plan is there" : text)
        return left.isEmpty ? ConnImport.Exit.done : ConnImport.Exit.failed
    }

    /// What is to be done about each item of which something is there.
    private func look(_ receipts: [Int: ImportReceipt]) async throws -> [Int: PlannedItem.Undoing] {
        let written = document.items.indices.filter { document.items[$0].action.writes }
        var steps: [Int: PlannedItem.Undoing] = [:]
        var survey = Survey(mount)
        var bar = ProgressBar(total: written.count)
        defer { bar.clear() }
        try await survey.read(written.map { document.items[$0].path }) { place, answer in
            bar.advance(by: 1)
            let index = written[place]
            let item = document.items[index]
            switch answer {
            case .failure(let error): steps[index] = .left(reason: error.message)
            case .success(let found):
                let step = item.undoing(key.state(of: found, at: item.path, in: mount), noted: receipts[index])
                if step != .nothing { steps[index] = step }
            }
        }
        return steps
    }

    private func carryOut(_ index: Int, _ step: PlannedItem.Undoing) async throws -> Outcome {
        let item = document.items[index]
        guard case .restore(let version, let written) = step else {
            if case .delete(let version) = step { try await mount.delete(item.path, version: version) }
            return .deleted
        }
        let gone = UpstreamError(
            .rejected,
            "version \(version), which this plan replaced, is no longer kept; the vault keeps max_versions of them")
        guard let old = try await mount.read(item.path, version: version)?.data else { throw gone }
        guard key.digest(old, at: item.path) == item.replaces.digest else { throw gone }
        try await mount.write(item.path, old, replacing: written)
        guard let back = try await mount.read(item.path, version: nil)?.data,
            key.digest(back, at: item.path) == item.replaces.digest
        else {
            throw UpstreamError(.malformed, "put back, but what the server gives back is not the same; check it there")
        }
        return .restored
    }
}
