import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

/// Shows what an import would do, and keeps it for `apply`.
struct PlanCommand: ParsableCommand, Performing {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what would be done about each id, and keep it in a file for apply. No value is shown.",
        discussion: """
            Ends with 0 when there is nothing to do, with 3 when there are changes, with 1 when something is rejected, is a \
            conflict or cannot be read. A plan that ends with 1 is kept only where --skip-rejected is the reason.
            """)

    enum Output: String, ExpressibleByArgument, CaseIterable { case table, json }

    @OptionGroup var sources: SourceOptions
    @OptionGroup var target: TargetOptions
    @OptionGroup var choices: PlanChoices

    @Option(help: "The file to keep the plan in. It holds no values; keep it with its .journal for undo.")
    var out: String?

    @Option(help: "table or json.")
    var output = Output.table

    func perform() async throws -> Int32 {
        let settings = try ImportSettings(target, environment: ProcessInfo.processInfo.environment)
        let server = try settings.server.get()
        let plan = ImportPlan(try await sources.read())
        for item in plan.items { _ = try settings.layout.path(of: item.target) }
        plan.complain()
        let planning = try await settings.planning(plan, on: server, choices)
        planning.complain()
        let report = PlanReport(plan, planning)
        switch output {
        case .table:
            for line in report.table { Console.say(line) }
            Console.say(report.counts.map { "\($0.name) \($0.count)" }.joined(separator: ", "))
        case .json: report.json(settings.json(of: planning.mount, on: server)) { Console.say(bytes: $0) }
        }
        let isWhole = planning.count(.conflict) == 0 && planning.failures == 0
        if let out {
            guard isWhole, plan.rejected.isEmpty || choices.skipRejected else {
                Console.complain("No plan was kept, because of what is named above.")
                return ConnImport.Exit.failed
            }
            try keep(planning, server, settings, in: out)
        }
        guard isWhole, plan.rejected.isEmpty else { return ConnImport.Exit.failed }
        return planning.count(.create) + planning.count(.update) > 0 ? ConnImport.Exit.changes : ConnImport.Exit.done
    }

    private func keep(
        _ planning: Planning, _ server: CommandServer, _ settings: ImportSettings, in path: String
    ) throws {
        let document = try planning.document { count in
            PlanDocument.Header(
                id: RandomText.uuid(), key: planning.key.hex, address: settings.address(of: server),
                namespace: server.namespace, mount: planning.mount.mount.path,
                kvVersion: planning.mount.mount.kvVersion, sources: sources.commandLine,
                skipsRejected: choices.skipRejected, count: count)
        }
        try PlanFile.write(document, to: path)
        Console.complain("The plan is kept in \(path). Apply it with: conn-import apply \(path)")
    }
}
