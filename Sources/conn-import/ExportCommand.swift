import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

/// `conn-import export`: a mount's connections or variables as a file.
struct ExportCommand: ParsableCommand, Performing {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a mount's connections or variables into a file that Airflow and conn-import read.",
        discussion: """
            What is written is what Airflow's workers read. The file is for its owner alone (0600), and it replaces an older \
            one only when it is whole.

            Exit codes: 0 all done, 1 something could not be exported, 2 wrong usage.
            """)

    @OptionGroup var target: TargetOptions

    @Option(help: "env, airflow-env, json or yaml; without it the end of the file's name says.")
    var format: ExportFormat?

    @Option(name: .shortAndLong, help: "File to write, or - for standard output.")
    var output: String

    @Flag(help: "Variables instead of connections. The format env has both unless this is given.")
    var variables = false

    @Flag(help: "Show secrets on a terminal.")
    var reveal = false

    @Flag(help: "Export the rest although something cannot be exported. The exit code is 1 all the same.")
    var skipRejected = false

    func perform() async throws -> Int32 {
        let format = try chosenFormat()
        if output == "-", isatty(STDOUT_FILENO) == 1, !reveal {
            throw ConnImport.UsageError(
                message: "this would show every password on the screen; --reveal if you mean it")
        }
        let settings = try ImportSettings(target, environment: ProcessInfo.processInfo.environment)
        let server = try settings.server.get()
        do {
            let mount = try await settings.mount(on: server)
            let contents = MountContents(client: server.client, mount: mount, layout: settings.layout)
            var sources: [ImportSource] = []
            for kind in kinds(format) { sources.append(try await contents.source(kind)) }
            return try write(ImportPlan(sources), format)
        } catch let error as UpstreamError {
            Console.complain("conn-import: \(error.message). Nothing was written.")
            return ConnImport.Exit.failed
        }
    }

    private func kinds(_ format: ExportFormat) -> [ImportTarget.Kind] {
        if variables { return [.variable] }
        return format == .env ? [.connection, .variable] : [.connection]
    }

    private func chosenFormat() throws -> ExportFormat {
        if let format { return format }
        switch URL(filePath: output).pathExtension.lowercased() {
        case "json": return .json
        case "yaml", "yml": return .yaml
        case "env": return .env
        default:
            throw ConnImport.UsageError(
                message: "the file's name does not say its format; give --format env, airflow-env, json or yaml")
        }
    }

    private func write(_ plan: ImportPlan, _ format: ExportFormat) throws -> Int32 {
        let file = ExportFile(plan.items.map { .init($0.target, $0.content) }, as: format)
        for note in plan.warnings { Console.complain("\(note.origin): warning: \(note.message)") }
        for note in plan.rejected { Console.complain("\(note)") }
        for refusal in file.refused {
            Console.complain("\(refusal.target.kind.rawValue) \(refusal.target.name): \(refusal.reason)")
        }
        Console.complain(
            each: file.withoutDescription.map {
                ("variable \($0.name)", "warning: its description is left out, which json and yaml carry")
            })
        let left = plan.rejectedLines + file.refused.count
        guard left == 0 || skipRejected else {
            Console.complain("Nothing was written. Export the rest with --skip-rejected.")
            return ConnImport.Exit.failed
        }
        try PrivateFile.write(file.bytes, to: output)
        Console.complain("exported \(plan.items.count - file.refused.count); left out \(left)")
        return left == 0 ? ConnImport.Exit.done : ConnImport.Exit.failed
    }
}

extension ExportFormat: ExpressibleByArgument {}
