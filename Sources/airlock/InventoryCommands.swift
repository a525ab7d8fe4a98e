import AirlockCore
import ArgumentParser
import Foundation

struct ConnectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connections", abstract: "Show the connections of a running Airlock.", subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List connections without their secret fields, and when each was read last.",
            discussion: InventoryOptions.discussion)

        @Option(help: ArgumentHelp("Of this type.", valueName: "pattern"))
        var type: String?

        @Option(help: ArgumentHelp("With this host.", valueName: "pattern"))
        var host: String?

        @OptionGroup var options: InventoryOptions

        func run() async throws {
            let query = [("kind", "connection"), ("conn_type", type), ("host", host)]
            try await options.run(
                query, columns: [.id, .team, .mount, .type, .host, .port, .version, .updated] + Inventory.useColumns)
        }
    }
}

struct VariablesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "variables", abstract: "Show the variables of a running Airlock.", subcommands: [List.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List variables without their values, and when each was read last.",
            discussion: InventoryOptions.discussion)

        @OptionGroup var options: InventoryOptions

        func run() async throws {
            try await options.run(
                [("kind", "variable")], columns: [.id, .team, .mount, .version, .updated] + Inventory.useColumns)
        }
    }
}

struct UnusedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unused",
        abstract: "List the connections and variables that nobody has read through Airlock for so many days.",
        discussion: """
            What was written lately and not read yet is among them: look at `updated` before you delete anything. A warning \
            says when the records of reads do not reach back that far.

            \(InventoryOptions.discussion)
            """)

    @Option(help: "Days without a read, at most \(LastRead.keptDays).")
    var days = 90

    @OptionGroup var options: InventoryOptions

    func run() async throws {
        try await options.run(
            [("unused_days", String(days))],
            columns: [.kind, .id, .team, .mount, .updated] + Inventory.useColumns, recordedDays: days)
    }
}

/// Which secrets are wanted, and how they are shown.
struct InventoryOptions: ParsableArguments {
    enum Output: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(help: ArgumentHelp("With this id.", valueName: "pattern"))
    var match: String?

    @Option(help: "Of this team; empty for what belongs to none.")
    var team: String?

    @Option(help: "On this mount, instead of every one that the token may list.")
    var mountPoint: String?

    @Option(help: "From this source: embedded, or the address of a vault.")
    var source: String?

    @Option(help: ArgumentHelp("What the cache has of it.", valueName: Freshness.names.joined(separator: "|")))
    var freshness: String?

    @Option(help: "table (one line each, `-` for nothing; tabs between the columns unless on a terminal) or json.")
    var output = Output.table

    @OptionGroup var server: ServerOptions

    static let discussion = """
        Shown is what the token may list and read. In a pattern `*` stands for any text; case counts.

        \(ServerOptions.discussion)
        """

    /// - Parameter recordedDays: how far back the records of reads should reach.
    func run(_ query: [(String, String?)], columns: [Inventory.Column], recordedDays: Int? = nil) async throws {
        try await RunningServer.run {
            let filters = [
                ("id", match), ("team", team), ("mount_point", mountPoint), ("source", source),
                ("freshness", freshness),
            ]
            let inventory = try await Inventory(of: RunningServer(server), query + filters)
            switch output {
            case .json: print(String(decoding: inventory.json.bytes, as: UTF8.self))
            case .table: print(inventory.table(columns, isAligned: isatty(STDOUT_FILENO) == 1))
            }
            let start = Timestamp.now().adding(seconds: -86_400 * (recordedDays ?? 0))
            if let since = inventory.recordedSince, let moment = Timestamp(rfc3339: since), moment > start {
                Program.complain("airlock: reads are recorded since \(since): what was read before is listed too")
            }
        }
    }
}

/// Every page of `/api/v2/inventory`.
struct Inventory {
    enum Column: String {
        case kind, id, team, mount, type, host, port, version, updated, source, freshness
        case lastRead = "last_read"
        case lastReader = "last_reader"
    }

    static let useColumns = [Column.lastRead, .lastReader, .source, .freshness]

    private static let pageSize = "10000"

    private var items: [JSON] = []
    private(set) var recordedSince: String?

    init(of server: RunningServer, _ query: [(String, String?)]) async throws {
        var after: String?
        repeat {
            let fields = query + [("limit", Inventory.pageSize), ("after", after)]
            let encoded = fields.compactMap { name, value in value.map { "\(name)=\(RunningServer.encoded($0))" } }
            let page = try await server.send("GET", "/api/v2/inventory?" + encoded.joined(separator: "&"))
            items += page["inventory"]?.elements ?? []
            recordedSince = page["recorded_since"]?.text
            after = page["next"]?.text
        } while after != nil
    }

    var json: JSON { ["inventory": .array(items), "recorded_since": .orNull(recordedSince)] }

    /// A line of names, then one for each secret.
    func table(_ columns: [Column], isAligned: Bool) -> String {
        let rows = [columns.map(\.rawValue)] + items.map { item in columns.map { Inventory.cell($0, item) } }
        guard isAligned else { return rows.map { $0.joined(separator: "\t") }.joined(separator: "\n") }
        let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private static func cell(_ column: Column, _ item: JSON) -> String {
        let text: String?
        switch column {
        case .mount: text = (item["namespace"]?.text ?? "") + (item["mount"]?.text ?? "")
        case .type: text = item["conn_type"]?.text
        case .port, .version: text = item[column.rawValue]?.integer.map(String.init)
        case .lastReader: text = item["last_reader"]?["display_name"]?.text
        default: text = item[column.rawValue]?.text
        }
        return text.flatMap { $0.isEmpty ? nil : Printable.text($0) } ?? "-"
    }
}
