import AirlockCore
import ArgumentParser

/// What is read: files and other places that hold connections and variables.
struct SourceOptions: ParsableArguments {
    @Argument(help: "Files to import: .env files, or - for such text on standard input.")
    var files: [String]

    /// All sources, each read whole, in the order of the command line.
    func read() throws -> [ImportSource] {
        let kinds = try files.map { try (name: $0, kind: SourceFile.kind(of: $0)) }
        return try kinds.map { try SourceFile.read($0.name, as: $0.kind) }
    }
}
