import AirlockCore
import ArgumentParser

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say whether Airflow would get a connection or variable, and why. No value is shown.",
        discussion: """
            Ends with 0 when Airflow would get it, with 1 when not. Needs `read` on sys/airlock/explain.

            \(ServerOptions.discussion)
            """)

    enum Output: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: "connection or variable.")
    var kind: Explanation.Kind

    @Argument(help: "The conn_id, or the variable's key.")
    var id: String

    @Option(help: "The mount to look in, instead of the one that the server is configured with.")
    var mountPoint: String?

    @Option(help: "Explain for the token with this accessor, instead of for the one that asks.")
    var accessor: String?

    @Option(help: "text or json.")
    var output = Output.text

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await RunningServer.run {
            let query = [("mount_point", mountPoint), ("accessor", accessor)].compactMap { name, value in
                value.map { "\(name)=\(RunningServer.encoded($0))" }
            }
            let path = "/api/v2/explain/\(kind.rawValue)s/\(RunningServer.encoded(id))"
            let explanation = try await RunningServer(server).send(
                "GET", path + (query.isEmpty ? "" : "?" + query.joined(separator: "&")))
            switch output {
            case .json: print(String(decoding: explanation.bytes, as: UTF8.self))
            case .text: print(ExplainCommand.text(explanation))
            }
            guard explanation["found"]?.boolean == true else { throw ExitCode(1) }
        }
    }

    private static func text(_ json: JSON) -> String {
        let principal = json["principal"]
        let policies = principal?["policies"]?.elements?.compactMap(\.text) ?? []
        let mount = json["mount"]
        var place = [mount?["path"]?.text, mount?["backend"]?.text, mount?["upstream"]?.text].compactMap(\.self)
        place += mount?["kv_version"]?.integer.map { ["KV version \($0)"] } ?? []
        place += mount?["authorize"]?.text.map { ["authorize \($0)"] } ?? []
        var lines = [
            (name: json["kind"]?.text ?? "", text: json["id"]?.text ?? ""),
            ("principal", "\(principal?["display_name"]?.text ?? ""), policies \(policies.joined(separator: ", "))"),
            ("accessor", principal?["accessor"]?.text ?? ""), ("mount", place.joined(separator: ", ")),
        ]
        for attempt in json["tried"]?.elements ?? [] { lines += ExplainCommand.lines(of: attempt) }
        if let parsed = json["parsed"], !parsed.isNull {
            lines.append(("parsed", parsed["error"]?.text ?? parsed["result"]?.text ?? ""))
        }
        for finding in json["findings"]?.elements ?? [] {
            let words = ["severity", "code", "message", "fix"].map { finding[$0]?.text ?? "" }
            lines.append((words[0], "\(words[1]): \(words[2]): \(words[3])"))
        }
        return Printable.text(json["verdict"]?.text ?? "") + "\n\n" + Printable.lines(lines)
    }

    private static func lines(of attempt: JSON) -> [(name: String, text: String)] {
        func text(_ json: JSON?) -> String? { json?.text }
        let (policy, cache, backend) = (attempt["policy"], attempt["cache"], attempt["backend"])
        let missing = text(policy?["capability"]).map { ["no \($0) on \(text(policy?["path"]) ?? "")"] } ?? []
        let rights =
            [text(policy?["verdict"])].compactMap(\.self) + missing + [text(policy?["reason"])].compactMap(\.self)
        var cached = [text(cache?["state"])].compactMap(\.self)
        if let age = cache?["age"]?.integer { cached.append("\(age) s old") }
        if cache?["expired"]?.boolean == true { cached.append("marked expired") }
        if cache?["negative"]?.boolean == true, cached.first != "negative" {
            cached.append("says that there is nothing")
        }
        var answer = [text(backend?["answer"])].compactMap(\.self)
        if let version = backend?["version"]?.integer { answer.append("version \(version)") }
        answer += [text(backend?["reason"])].compactMap(\.self)
        return [
            ("tried", text(attempt["path"]) ?? ""), ("  policy", rights.joined(separator: ", ")),
            ("  cache", cached.joined(separator: ", ")), ("  backend", answer.joined(separator: ", ")),
        ]
    }
}

extension Explanation.Kind: ExpressibleByArgument {}
