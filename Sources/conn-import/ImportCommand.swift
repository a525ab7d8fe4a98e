import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

/// Plan and apply in one, without a file.
struct ImportCommand: ParsableCommand, Performing {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Plan and apply in one.",
        discussion: """
            Reads .env, JSON and YAML files as Airflow writes and reads them: AIRFLOW_CONN_<ID> and AIRFLOW_VAR_<KEY> \
            lines (in a file with neither, each ID=uri line is a connection), {"ID": "uri"} and {"ID": {fields}}; with \
            --variables {"KEY": value}. What is there already, unchanged, is left alone.
            """)

    @OptionGroup var sources: SourceOptions
    @OptionGroup var target: TargetOptions
    @OptionGroup var choices: PlanChoices

    @Flag(help: "Show what would be done, without values, and write nothing.")
    var dryRun = false

    func perform() async throws -> Int32 {
        let settings = try ImportSettings(target, environment: ProcessInfo.processInfo.environment)
        let plan = ImportPlan(try await sources.read())
        for item in plan.items { _ = try settings.layout.path(of: item.target) }
        plan.complain()
        if dryRun { return await show(plan, settings) }
        for skipped in plan.skipped {
            Console.complain("\(skipped.origin): skipped \(skipped.name), which is no connection or variable")
        }
        guard plan.rejected.isEmpty || choices.skipRejected else {
            Console.complain(plan.refusal)
            Console.say(ImportSummary(plan).text)
            return ConnImport.Exit.failed
        }
        let server = try settings.server.get()
        let planning: Planning
        do {
            planning = try await settings.planning(plan, on: server, choices)
        } catch {
            Console.complain("conn-import: \(Console.text(of: error)). Nothing was written.")
            Console.say(ImportSummary(plan).text)
            return ConnImport.Exit.failed
        }
        return try await write(planning)
    }

    private func write(_ planning: Planning) async throws -> Int32 {
        let plan = planning.plan
        planning.complain()
        var summary = ImportSummary(plan)
        guard planning.count(.conflict) == 0 else {
            Console.complain("Nothing was written, because of what is named above.")
            summary.conflicts = planning.count(.conflict)
            Console.say(summary.text)
            return ConnImport.Exit.failed
        }
        let jobs = try planning.jobs()
        var bar = ProgressBar(total: jobs.count)
        let importer = Importer(mount: planning.mount, journal: nil)
        let (failures, begun) = await importer.write(jobs) { bar.advance(by: $0) }
        bar.clear()
        Console.complain(
            each: failures.sorted { $0.key < $1.key }.map { index, reason in
                (plan.items[jobs[index].item].place, reason)
            })
        for (index, job) in jobs.enumerated() where index < begun && failures[index] == nil {
            summary.count(plan.items[job.item])
        }
        summary.unchanged = planning.count(.unchanged)
        summary.kept = planning.count(.skip)
        summary.failed = failures.count + jobs.count - begun + planning.failures
        if summary.failed > 0 {
            let left = begun < jobs.count ? " \(jobs.count - begun) were not tried after the failure." : ""
            Console.complain("Not all could be written.\(left) Run it again: what is there already is left alone.")
        }
        Console.say(summary.text)
        return summary.failed > 0 || !plan.rejected.isEmpty ? ConnImport.Exit.failed : ConnImport.Exit.done
    }

    // MARK: Dry run

    private func show(_ plan: ImportPlan, _ settings: ImportSettings) async -> Int32 {
        var planning: Planning?
        do {
            planning = try await settings.planning(plan, on: try settings.server.get(), choices)
            planning?.complain()
        } catch let error as ConnImport.UsageError {
            Console.complain("The target was not asked: \(error.message).")
        } catch {
            Console.complain("The target was not asked: \(Console.text(of: error)).")
        }
        for line in PlanReport(plan, planning).table { Console.say(line) }
        var summary = ImportSummary(plan, verb: "would import")
        for (index, item) in plan.items.enumerated() {
            // What is there already only the server knows.
            if planning.map({ $0.action(index)?.writes ?? false }) ?? true { summary.count(item) }
        }
        summary.unchanged = planning?.count(.unchanged) ?? 0
        summary.kept = planning?.count(.skip) ?? 0
        summary.conflicts = planning?.count(.conflict) ?? 0
        summary.failed = planning?.failures ?? 0
        Console.say("dry run, nothing was written: \(summary.text)")
        return plan.rejected.isEmpty && summary.conflicts == 0 ? ConnImport.Exit.done : ConnImport.Exit.failed
    }
}

/// How a plan is made.
struct PlanChoices: ParsableArguments {
    @Option(
        help: """
            What to do where another value is there: overwrite it, skip it, or fail before anything is written. Ids that \
            differ from one that is there in upper and lower case alone are never written.
            """)
    var onConflict = ConflictRule.overwrite

    @Flag(help: "Import the good lines although others are rejected. The exit code is 1 all the same.")
    var skipRejected = false
}

extension ConflictRule: ExpressibleByArgument {}

extension ImportPlan {
    /// Tells on stderr what is wrong or doubtful in the sources.
    func complain() {
        for note in warnings { Console.complain("\(note.origin): warning: \(note.message)") }
        for note in rejected { Console.complain("\(note)") }
    }

    var refusal: String {
        "Nothing was written, because \(Console.counted(rejectedLines, "line")) "
            + "cannot be imported. Correct what is named above, or import the rest with --skip-rejected."
    }
}

extension ImportPlan.Item {
    /// For messages.
    var place: String { "\(origin): \(target.kind.rawValue) \(target.name)" }
}

/// The last line of an import.
struct ImportSummary {
    private let plan: ImportPlan
    private let verb: String
    private var connections = 0
    private var variables = 0
    var unchanged = 0
    var kept = 0
    var conflicts = 0
    var failed = 0

    init(_ plan: ImportPlan, verb: String = "imported") {
        self.plan = plan
        self.verb = verb
    }

    mutating func count(_ item: ImportPlan.Item) {
        if item.target.kind == .connection { connections += 1 } else { variables += 1 }
    }

    var text: String {
        var text =
            "\(verb) \(Console.counted(connections, "connection")), \(Console.counted(variables, "variable")); "
            + "skipped \(plan.skipped.count); rejected \(plan.rejectedLines)"
        for (name, count) in [("unchanged", unchanged), ("kept", kept), ("conflicts", conflicts), ("failed", failed)]
        where count > 0 {
            text += "; \(name) \(count)"
        }
        return text
    }
}
