import AirlockCore
import AirlockUpstream
import ArgumentParser
import Foundation
import Logging

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Start a command with the references in its environment replaced by their values.",
        usage: "airlock exec [--env-file <file>] [--on-change <action>] [<options>] -- <command> [<argument> ...]",
        discussion: """
            References are {vault://mount/path/field}, anywhere in the value of a variable. The values are in the environment of \
            the command and nowhere else; AIRLOCK_*, VAULT_* and BAO_* are taken out of it. When a reference has no value the \
            command is not started.

            With --on-change the values are read again each --interval: restart ends the command by SIGTERM and starts it anew, \
            signal:HUP sends that signal. Signals go on to the command. When the values cannot be read, it is left alone.

            The exit code is the command's, 128 and the signal's number if one ended it, 125 when this command failed, 126 when the \
            command cannot be run and 127 when there is none, as with env(1).

            \(VaultOptions.discussion)
            """)

    @Option(
        name: .customLong("env-file"),
        help: "A .env file whose variables the command gets too; they go before those of the environment.")
    var envFiles: [String] = []

    @Option(help: ArgumentHelp("What to do when a value has changed.", valueName: "restart|signal:NAME|ignore"))
    var onChange = ChangeAction.ignore

    @Option(help: "How often to look for changes, such as 30s or 5m (default: 1m).")
    var interval: CommandDuration?

    @Option(help: "How long a restart waits for the command to end before it is killed (default: 10s).")
    var killAfter: CommandDuration?

    @OptionGroup var server: VaultOptions

    @Argument(parsing: .postTerminator, help: "The command and its arguments.")
    var command: [String]

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("name a command after --") }
        guard onChange != .ignore || interval == nil else {
            throw ValidationError("--interval goes with --on-change restart or signal:NAME")
        }
        guard onChange == .restart || killAfter == nil else {
            throw ValidationError("--kill-after goes with --on-change restart")
        }
    }

    /// On the main thread, which waits for signals; what asks the server runs on others.
    func run() throws {
        let inherited = ProcessState()
        do {
            let environment = try ReferenceEnvironment(
                inherited: ExecCommand.environment(), files: try envFiles.flatMap(ExecCommand.entries))
            let watch =
                onChange == .ignore
                ? nil : Logger(label: "airlock") { StreamLogHandler.standardError(label: $0) }
            let reader = ReferenceReader(environment: environment, resolver: try server.resolver(upkeep: watch))
            var supervisor = Supervisor(
                command: command, state: inherited, reader: reader, action: onChange,
                interval: interval ?? CommandDuration(seconds: 60),
                killAfter: killAfter ?? CommandDuration(seconds: 10))
            throw ExitCode(try supervisor.run())
        } catch let failure as RunningServer.Failure {
            Program.complain("airlock: \(failure.message)")
        } catch let unresolved as ReferenceEnvironment.Unresolved {
            ExecCommand.complain(of: unresolved)
        } catch let failure as ChildProcess.Failure {
            Program.complain("airlock: \(Printable.text(failure.message))")
            throw ExitCode(failure.code)
        }
        throw ExitCode(Supervisor.failed)
    }

    static func complain(of unresolved: ReferenceEnvironment.Unresolved) {
        for (variable, fault) in unresolved.faults {
            Program.complain("airlock: " + Printable.text("\(variable): \(fault.message)"))
        }
    }

    /// As the process got it: in bytes, which Foundation's dictionary would have to be text.
    private static func environment() throws -> [[UInt8]] {
        guard let bytes = FileManager.default.contents(atPath: "/proc/self/environ") else {
            throw RunningServer.Failure(message: "/proc/self/environ cannot be read; mount /proc")
        }
        return bytes.split(separator: 0).map { Array($0) }
    }

    private static func entries(of path: String) throws -> [EnvFile.Entry] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw RunningServer.Failure(message: Printable.text("\(path): cannot be read"))
        }
        let file = EnvFile(parsing: Array(bytes))
        guard file.faults.isEmpty else {
            let lines = file.faults.map { "\(path):\($0.line): \($0.reason)" }
            throw RunningServer.Failure(message: Printable.text(lines[0]) + (lines.count > 1 ? " (and others)" : ""))
        }
        return file.entries
    }
}

/// What to do when a value has changed.
enum ChangeAction: ExpressibleByArgument, Equatable {
    case ignore, restart
    case signal(Int32)

    init?(argument: String) {
        switch argument {
        case "ignore": self = .ignore
        case "restart": self = .restart
        default:
            guard argument.hasPrefix("signal:"), let signal = Signals.number(of: argument.dropFirst(7)) else {
                return nil
            }
            self = .signal(signal)
        }
    }
}

/// At least a second.
struct CommandDuration: ExpressibleByArgument {
    let duration: Duration

    init(seconds: Int) { duration = .seconds(seconds) }

    init?(argument: String) {
        guard let nanoseconds = GoDuration.parse(argument), nanoseconds >= 1_000_000_000 else { return nil }
        duration = .nanoseconds(nanoseconds)
    }
}
