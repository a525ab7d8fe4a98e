import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

struct ConnImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conn-import",
        abstract: "Imports Airflow connections and variables into Airlock, OpenBao or Vault.",
        discussion: """
            Reads .env, JSON and YAML files as Airflow writes and reads them: AIRFLOW_CONN_<ID> and AIRFLOW_VAR_<KEY> \
            lines (in a file with neither, each ID=uri line is a connection), {"ID": "uri"} and {"ID": {fields}}; with \
            --variables {"KEY": value}. Everything is checked before the first write, and each write is read back and \
            compared.

            The address and the token come from the options, then from --backend-kwargs, then from AIRLOCK_ADDR and \
            AIRLOCK_TOKEN, then from VAULT_ADDR and VAULT_TOKEN. AIRLOCK_CACERT names the CA of AIRLOCK_ADDR, VAULT_CACERT \
            that of VAULT_ADDR. Prefer the environment for the token: other users of \
            the machine can see a command's options.

            Exit codes: 0 all done, 1 something was rejected or failed, 2 wrong usage.
            """)

    @OptionGroup var sources: SourceOptions
    @OptionGroup var target: TargetOptions

    @Flag(help: "Show what would be done, without values, and write nothing.")
    var dryRun = false

    @Flag(help: "Import the good lines although others are rejected. The exit code is 1 all the same.")
    var skipRejected = false

    enum Exit {
        static let done: Int32 = 0
        static let failed: Int32 = 1
        static let usage: Int32 = 2
    }

    /// The command line makes no sense; nothing has been done.
    struct UsageError: Error { let message: String }

    func start() async -> Int32 {
        do {
            let settings = try ImportSettings(target, environment: ProcessInfo.processInfo.environment)
            let plan = ImportPlan(try sources.read())
            for item in plan.items { _ = try settings.layout.path(of: item.target) }
            return await ImportRun(plan: plan, settings: settings, options: self).run()
        } catch let error as UsageError {
            Console.complain("conn-import: \(error.message)")
            return Exit.usage
        } catch let fault as BackendKwargs.Fault {
            Console.complain("conn-import: \(fault)")
            return Exit.usage
        } catch let error as SourceFile.Unreadable {
            Console.complain("\(error.name): \(error.reason)")
            return Exit.failed
        } catch {
            Console.complain("conn-import: \(type(of: error))")
            return Exit.failed
        }
    }
}

@main
enum Program {
    static func main() async {
        // `conn-import ... | head` must not end an import half-way.
        signal(SIGPIPE, SIG_IGN)
        do {
            guard let command = try ConnImport.parseAsRoot() as? ConnImport else {
                // `--help` and its like come as commands of ArgumentParser's own.
                return ConnImport.main()
            }
            exit(await command.start())
        } catch {
            let text = ConnImport.fullMessage(for: error)
            if ConnImport.exitCode(for: error).isSuccess {
                print(text)
                exit(ConnImport.Exit.done)
            }
            Console.complain(UsageText.withoutValues(text, arguments: CommandLine.arguments))
            exit(ConnImport.Exit.usage)
        }
    }
}
