import AirlockCore
import ArgumentParser
import Foundation

/// What is read: files and other places that hold connections and variables.
struct SourceOptions: ParsableArguments {
    @Argument(help: "Files and folders to import: .env, .json, .yaml; - for standard input.")
    var files: [String] = []

    @Flag(help: "Import AIRFLOW_CONN_<ID> and AIRFLOW_VAR_<KEY> of this process's environment.")
    var fromEnvironment = false

    @Flag(help: "JSON and YAML files, and .env lines without a prefix, hold variables.")
    var variables = false

    @Flag(help: "Read username, hostname, engine, dbname and their like as Airflow's own fields.")
    var mapAliases = false

    @Option(help: "How to read standard input and files whose names do not tell: env, json or yaml.")
    var format: SourceFile.Kind?

    @OptionGroup(title: "An Airflow database") var airflowDatabase: AirflowDatabaseOptions

    @OptionGroup(title: "Another mount") var mount: MountSourceOptions

    /// All sources, each read whole, in the order of the command line.
    func read() async throws -> [ImportSource] {
        let environment = ProcessInfo.processInfo.environment
        let reading = ImportReading(readsVariables: variables, mapsAliases: mapAliases)
        // All names are looked at before the first file is read.
        let kinds = try files.map { name in
            (name: name, kind: SourceFile.isFolder(name) ? nil : try format ?? SourceFile.kind(of: name))
        }
        var sources = try kinds.flatMap { name, kind in
            if let kind { return [try SourceFile.read(name, as: kind, reading)] }
            return try SourceFile.readFolder(name, reading)
        }
        if fromEnvironment {
            sources.append(ImportSource(environment: environment, reading: reading))
        }
        sources += try airflowDatabase.read(environment: environment)
        sources += try await mount.read([.connection, .variable], environment: environment)
        guard !sources.isEmpty else {
            throw ConnImport.UsageError(
                message: "nothing to import: name files, or give --from-environment, --from-airflow-db or "
                    + "--from-backend-kwargs")
        }
        return sources
    }
}

extension SourceFile.Kind: ExpressibleByArgument {}
