import AirlockCore
import ArgumentParser
import Foundation

/// What is read: files and other places that hold connections and variables.
struct SourceOptions: ParsableArguments {
    @Argument(help: "Files to import: .env files, or - for such text on standard input.")
    var files: [String] = []

    @OptionGroup(title: "An Airflow database") var airflowDatabase: AirflowDatabaseOptions

    /// All sources, each read whole, in the order of the command line.
    func read() throws -> [ImportSource] {
        let kinds = try files.map { try (name: $0, kind: SourceFile.kind(of: $0)) }
        let found = try kinds.map { try SourceFile.read($0.name, as: $0.kind) }
        let all = found + (try airflowDatabase.read(environment: ProcessInfo.processInfo.environment))
        guard !all.isEmpty else {
            throw ConnImport.UsageError(message: "nothing to import: name a file, or give --from-airflow-db")
        }
        return all
    }
}
