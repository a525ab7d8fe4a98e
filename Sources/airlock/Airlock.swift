import AirlockCore
import ArgumentParser
import Foundation

struct Airlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "airlock",
        abstract: "Gives Airflow its connections and variables, over the API of HashiCorp Vault.",
        subcommands: [
            Serve.self, ExplainCommand.self, CacheCommand.self, ConnectionsCommand.self, VariablesCommand.self,
            UnusedCommand.self, ResolveCommand.self, ExecCommand.self, URICommand.self, SettingsCommand.self,
            ConfigCommand.self,
        ])
}

/// Exit codes: 0 done, 1 failed, 2 wrong usage (ArgumentParser's own would be 64), as with `conn-import`.
@main
enum Program {
    static let usage: Int32 = 2

    static func main() async {
        do {
            var command = try Airlock.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            guard Airlock.exitCode(for: error) == .validationFailure else { Airlock.exit(withError: error) }
            complain(UsageText.withoutValues(Airlock.fullMessage(for: error), arguments: CommandLine.arguments))
            exit(usage)
        }
    }

    static func complain(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}
