import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation

struct ConnImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conn-import",
        abstract: "Imports Airflow connections and variables into Airlock, OpenBao or Vault.",
        discussion: """
            conn-import FILE... plans and applies in one. conn-import plan shows what would be done and keeps it in a file, \
            conn-import apply does exactly that, and conn-import undo puts back what was there. Everything is checked before \
            the first write, and each write is read back and compared.

            The address and the token come from the options, then from --backend-kwargs, then from AIRLOCK_ADDR and \
            AIRLOCK_TOKEN, then from VAULT_ADDR and VAULT_TOKEN. AIRLOCK_CACERT names the CA of AIRLOCK_ADDR, VAULT_CACERT \
            that of VAULT_ADDR. Prefer the environment for the token: other users of \
            the machine can see a command's options.

            Exit codes: 0 all done, or nothing to do; 1 something was rejected, is a conflict or failed; 2 wrong usage; 3, \
            from plan alone, there are changes to apply.
            """,
        subcommands: [ImportCommand.self, PlanCommand.self, ApplyCommand.self, UndoCommand.self, ExportCommand.self],
        defaultSubcommand: ImportCommand.self)

    enum Exit {
        static let done: Int32 = 0
        static let failed: Int32 = 1
        static let usage: Int32 = 2
        static let changes: Int32 = 3
    }

    /// The command line makes no sense; nothing has been done.
    struct UsageError: Error { let message: String }
}

/// One of the commands, from its options to its exit code.
protocol Performing: Sendable {
    func perform() async throws -> Int32
}

extension Performing {
    func exitCode() async -> Int32 {
        do {
            return try await perform()
        } catch let error as ConnImport.UsageError {
            Console.complain("conn-import: \(error.message)")
            return ConnImport.Exit.usage
        } catch let fault as BackendKwargs.Fault {
            Console.complain("conn-import: \(fault)")
            return ConnImport.Exit.usage
        } catch let error as SourceFile.Unreadable {
            Console.complain("\(error.name): \(error.reason)")
        } catch let error as PrivateFile.Unwritable {
            Console.complain("\(error.name): \(error.reason)")
        } catch {
            Console.complain("conn-import: \(Console.text(of: error))")
        }
        return ConnImport.Exit.failed
    }
}

extension Console {
    /// What is safe to say of an error.
    static func text(of error: any Error) -> String {
        switch error {
        case let error as UpstreamError: error.message
        case let fault as BackendKwargs.Fault: fault.description
        case let fault as PlanFile.Fault: fault.message
        default: "\(type(of: error))"
        }
    }
}

@main
enum Program {
    static func main() async {
        // `conn-import ... | head` must not end an import half-way.
        signal(SIGPIPE, SIG_IGN)
        do {
            guard let command = try ConnImport.parseAsRoot() as? any Performing else {
                // `--help` and its like come as commands of ArgumentParser's own.
                return ConnImport.main()
            }
            exit(await command.exitCode())
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
