import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

/// Does exactly what a plan says, or nothing.
struct ApplyCommand: ParsableCommand, Performing {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Do exactly what a plan says.",
        discussion: """
            Reads the plan's sources again, and writes nothing when one of them or the target has changed since. Each write \
            is read back, compared, and noted in PLAN.journal: a run that was interrupted is gone on with by the same \
            command, and after the last one it only compares. Name the server and the login as for plan.
            """)

    @Argument(help: "The file that plan --out has made.")
    var plan: String

    @OptionGroup(title: "Sources, where they are not as the plan names them") var sources: SourceOptions
    @OptionGroup var target: TargetOptions

    func perform() async throws -> Int32 {
        let document = try PlanFile.read(plan)
        let settings = try ImportSettings(
            target, environment: ProcessInfo.processInfo.environment, planned: document.header)
        guard let key = PlanKey(hex: document.header.key) else {
            throw PlanFile.Fault(message: "\(plan): its key is damaged; make a new plan")
        }
        let server = try settings.server.get()
        let contents = try await contents(of: document, key)
        let journal = try JournalFile(of: document, at: plan)
        let mount = try await settings.mount(of: document, on: server)
        var standing = Standing(document, contents, journal.journal.receipts)
        try await standing.look(mount, key)
        guard standing.isAsPlanned else {
            Console.complain(
                each: standing.moved.map { (document.items[$0].place, "has changed since the plan was made") })
            let more = journal.journal.receipts.isEmpty ? "Nothing" : "Nothing more"
            Console.complain("\(more) was written: the target is not what the plan was made for. Make a new plan.")
            return ConnImport.Exit.failed
        }
        try journal.append(standing.adopted)
        return await write(document, standing.jobs, standing, mount, journal)
    }

    /// What is to be written, from the sources as they are now: to the last character what the plan was made from.
    private func contents(of document: PlanDocument, _ key: PlanKey) async throws -> [ImportContent] {
        let kept = try? document.header.sources.map { try SourceOptions.parse($0) }
        guard let options = sources.isEmpty ? kept : sources else {
            throw ConnImport.UsageError(
                message: "the plan does not keep its sources, because their options may hold a secret; "
                    + "name them after it, as for plan")
        }
        let now = ImportPlan(try await options.read())
        let places = Dictionary(
            now.items.enumerated().map { ($1.target, Int32($0)) }, uniquingKeysWith: { first, _ in first })
        var isPlanned = [Bool](repeating: false, count: now.items.count)
        var faults: [(String, String)] = []
        let contents: [ImportContent] = document.items.compactMap { item in
            guard let place = places[item.target] else {
                faults.append((item.place, "is not in the sources any more"))
                return nil
            }
            isPlanned[Int(place)] = true
            let content = now.items[Int(place)].content
            guard key.digest(content.payload, at: item.path) == item.content else {
                faults.append((item.place, "is not what the plan was made from"))
                return nil
            }
            return content
        }
        faults += zip(now.items, isPlanned).filter { !$1 }.map { ($0.0.place, "is not in the plan") }
        if !document.header.skipsRejected { faults += now.rejected.map { ("\($0.origin)", $0.message) } }
        guard faults.isEmpty else {
            Console.complain(each: faults)
            throw PlanFile.Fault(message: "the sources have changed since the plan was made; nothing was written")
        }
        return contents
    }

    private func write(
        _ document: PlanDocument, _ jobs: [ImportJob], _ standing: Standing, _ mount: ImportMount,
        _ journal: JournalFile
    ) async -> Int32 {
        let updates = jobs.count { document.items[$0.item].action == .update }
        if !mount.isVersioned, updates > 0 {
            Console.complain(
                "warning: \(mount.mount.path)/ is KV version 1, which keeps no earlier value: undo will not bring back the "
                    + "\(Console.counted(updates, "secret")) that this replaces, nor notice what others write meanwhile"
            )
        }
        var bar = ProgressBar(total: jobs.count)
        let (failures, begun) = await Importer(mount: mount, journal: journal).write(jobs) { bar.advance(by: $0) }
        bar.clear()
        let unproven = standing.unproven.sorted { $0.key < $1.key }.map { (document.items[$0.key].place, $0.value) }
        let failed = failures.sorted { $0.key < $1.key }.map { (document.items[jobs[$0.key].item].place, $0.value) }
        Console.complain(each: unproven + failed)
        var created = 0
        for (index, job) in jobs.enumerated()
        where index < begun && failures[index] == nil && document.items[job.item].action == .create {
            created += 1
        }
        let done = begun - failures.count
        var text = "created \(created), updated \(done - created)"
        let before = document.items.count { $0.action.writes } - jobs.count - unproven.count
        if before > 0 { text += ", written before \(before)" }
        for action in [ImportAction.unchanged, .skip] {
            let count = document.items.count { $0.action == action }
            if count > 0 { text += ", \(action.rawValue) \(count)" }
        }
        let notDone = failures.count + jobs.count - begun + unproven.count
        if notDone > 0 { text += ", failed \(notDone)" }
        Console.say(text)
        if failures.count + jobs.count - begun > 0 {
            Console.complain("Not all could be written. Run it again to go on, or undo what was written.")
        }
        return notDone > 0 ? ConnImport.Exit.failed : ConnImport.Exit.done
    }
}

/// How the target stands to a plan, before anything is written.
private struct Standing {
    private let document: PlanDocument
    private let contents: [ImportContent]
    private let receipts: [Int: ImportReceipt]
    /// Items that are not as the plan found them.
    private(set) var moved: [Int] = []
    /// Written by a run that was ended before it could note it.
    private(set) var adopted: [(item: Int, receipt: ImportReceipt)] = []
    private(set) var jobs: [ImportJob] = []
    /// Written by this plan, and now something else: why.
    private(set) var unproven: [Int: String] = [:]

    init(_ document: PlanDocument, _ contents: [ImportContent], _ receipts: [Int: ImportReceipt]) {
        (self.document, self.contents, self.receipts) = (document, contents, receipts)
    }

    /// With nothing left to write, it is nobody's business what has become of the rest.
    var isAsPlanned: Bool { moved.isEmpty || (jobs.isEmpty && moved.allSatisfy { !document.items[$0].action.writes }) }

    mutating func look(_ mount: ImportMount, _ key: PlanKey) async throws {
        let items = document.items
        var failure: UpstreamError?
        var survey = Survey(mount)
        var bar = ProgressBar(total: items.count)
        defer { bar.clear() }
        var looked = self
        try await survey.read(items.map(\.path)) { index, answer in
            bar.advance(by: 1)
            switch answer {
            case .failure(let error): failure = failure ?? error
            case .success(let found):
                looked.note(index, found, key.state(of: found, at: items[index].path, in: mount))
            }
        }
        if let failure { throw failure }
        self = looked
        moved.sort()
        jobs.sort { $0.item < $1.item }
    }

    private mutating func note(_ index: Int, _ found: Secret?, _ current: ImportState) {
        let item = document.items[index]
        if let receipt = receipts[index] {
            guard let data = found?.data, current.version == receipt.version,
                current.version != nil || contents[index].isSame(as: data)
            else {
                unproven[index] = "has changed since this plan was applied"
                return
            }
            unproven[index] = Importer.difference(contents[index], data)
            return
        }
        switch item.standing(current) {
        case .asPlanned:
            guard item.action.writes else { return }
            jobs.append(
                ImportJob(item: index, path: item.path, content: contents[index], replaces: item.replaces.version ?? 0))
        case .written(let receipt): adopted.append((index, receipt))
        case .moved: moved.append(index)
        }
    }
}

extension PlannedItem {
    /// For messages.
    var place: String { "\(origin): \(target.kind.rawValue) \(target.name)" }
}
