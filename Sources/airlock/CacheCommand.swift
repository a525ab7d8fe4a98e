import AirlockCore
import ArgumentParser

struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "Show and empty the cache of a running Airlock.",
        discussion: """
            A path begins with Airlock's own name of the mount and has no data/ in it: airflow/connections/pg.

            \(ServerOptions.discussion)
            """,
        subcommands: [Status.self, Purge.self, Refresh.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how much is kept for each mount, and whether its vault answers.")

        @OptionGroup var server: ServerOptions

        func run() async throws {
            try await RunningServer.run {
                let mounts = try await RunningServer(server).send("GET", "/v1/sys/airlock/cache")["data"]?.members ?? []
                if mounts.isEmpty { print("no mount has a cache: all of them are in the embedded store") }
                print(
                    mounts.map { Printable.lines(CacheCommand.lines($0.name, $0.value)) }.joined(separator: "\n\n"),
                    terminator: mounts.isEmpty ? "" : "\n")
            }
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete what is kept of a secret, a folder (airflow/connections/) or a mount (airflow).",
            discussion: "In an outage there is nothing to answer with after that.")

        @Argument(help: "The path on Airlock.")
        var path: String

        @OptionGroup var server: ServerOptions

        func run() async throws {
            try await RunningServer.run {
                let answer = try await RunningServer(server).send(
                    "POST", "/v1/sys/airlock/cache/purge", ["path": .string(path)])
                let count = answer["data"]?["purged"]?.integer ?? 0
                print("purged \(count) \(count == 1 ? "entry" : "entries")")
                for warning in answer["warnings"]?.elements?.compactMap(\.text) ?? [] {
                    Program.complain("airlock: \(Printable.text(warning))")
                }
            }
        }
    }

    struct Refresh: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask the vault for a secret now.")

        @Argument(help: "The path on Airlock.")
        var path: String

        @OptionGroup var server: ServerOptions

        func run() async throws {
            try await RunningServer.run {
                let answer = try await RunningServer(server).send(
                    "POST", "/v1/sys/airlock/cache/refresh", ["path": .string(path)])
                let version = answer["data"]?["version"]?.integer.map { ", version \($0)" } ?? ""
                print((answer["data"]?["state"]?.text ?? "") + version)
            }
        }
    }

    private static func lines(_ name: String, _ mount: JSON) -> [(name: String, text: String)] {
        func number(_ member: String) -> String { mount[member]?.integer.map { "\($0)" } ?? "-" }
        func age(_ member: String) -> String { mount[member]?.integer.map { "\($0) s" } ?? "-" }
        var lines = [
            (name: "mount", text: name), ("authorize", mount["authorize"]?.text ?? ""),
            ("entries", "\(number("entries")), of which \(number("negatives")) say that there is nothing"),
            ("bytes", number("bytes")), ("oldest", age("oldest_age")), ("oldest stale", age("oldest_stale_age")),
            ("ttl", "\(age("ttl")), negative \(age("negative_ttl")), stale up to \(age("max_stale"))"),
        ]
        for upstream in mount["upstreams"]?.elements ?? [] {
            var text = "\(upstream["address"]?.text ?? ""), "
            if let reason = upstream["reason"]?.text {
                text += "not asked since \(upstream["since"]?.text ?? ""): \(reason)"
            } else {
                text += "is asked"
            }
            lines.append(("upstream", text))
        }
        return lines
    }
}
