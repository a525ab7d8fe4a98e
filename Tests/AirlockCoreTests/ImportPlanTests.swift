import Testing

@testable import AirlockCore

struct ImportPlanTests {
    static let canary = "canary-e02a"

    private func plan(_ files: (name: String, text: String)...) -> ImportPlan {
        ImportPlan(files.map { ImportSource(EnvFile(parsing: $0.text), named: $0.name) })
    }

    private func names(_ plan: ImportPlan) -> [String] {
        plan.items.map { "\($0.target.kind.rawValue) \($0.target.name) \($0.origin)" }
    }

    private func stored(_ text: String) throws -> String {
        let item = try #require(plan(("a.env", "AIRFLOW_CONN_A=\(text)")).items.first)
        return String(decoding: item.content.payload.bytes, as: UTF8.self)
    }

    @Test func `Connections and variables are told by their prefix and the rest is skipped by name`() {
        let plan = plan(
            (
                "prod.env",
                """
                AIRFLOW_CONN_PG_Main=postgres://u:p@h/d
                AIRFLOW_VAR_REGION=eu
                AIRFLOW__CORE__FERNET_KEY=\(ImportPlanTests.canary)
                DEBUG=true
                AIRFLOW_VAR_EMPTY=
                """
            ))
        #expect(
            names(plan) == [
                "connection pg_main prod.env:1", "variable region prod.env:2", "variable empty prod.env:5",
            ])
        #expect(plan.skipped.map(\.name) == ["AIRFLOW__CORE__FERNET_KEY", "DEBUG"])
        #expect(plan.rejected.isEmpty)
    }

    @Test func `In a file with neither prefix each line is a connection with the id as written`() {
        let plan = plan(("a.env", "My-Pg.1=postgres://u:p@h/d\nDEBUG=true"))
        #expect(names(plan) == ["connection My-Pg.1 a.env:1"])
        #expect(plan.rejected.map(\.origin.line) == [2])
    }

    @Test func `A line without an equals sign is rejected in both kinds of file`() {
        #expect(plan(("a.env", "AIRFLOW_VAR_A=b\nnonsense")).rejected.map(\.origin.line) == [2])
        #expect(plan(("a.env", "pg=postgres://h\nnonsense")).rejected.map(\.origin.line) == [2])
    }

    @Test(arguments: [
        ("AIRFLOW_CONN__SALES___PG", "sales/pg"), ("AIRFLOW_CONN__A_B___C_D", "a_b/c_d"),
        ("AIRFLOW_CONN__X", "_x"), ("AIRFLOW_CONN_A___B", "a___b"), ("AIRFLOW_CONN_A.B-C", "a.b-c"),
    ])
    func `A team's connection is named team and id`(variable: String, name: String) {
        #expect(plan(("a.env", "\(variable)=postgres://h")).items.first?.target.name == name)
    }

    @Test func `A team's variable is stored below the team`() throws {
        let layout = ImportLayout(BackendKwargs())
        let target = try #require(plan(("a.env", "AIRFLOW_VAR__SALES___K=v")).items.first?.target)
        #expect(try layout.path(of: target) == "variables/sales/k")
        #expect(try layout.path(of: ImportTarget(.connection, id: "pg")) == "connections/pg")
    }

    @Test func `The first of several paths is written to, and none is refused`() throws {
        let several = try BackendKwargs(parsing: #"{"connections_path": ["a/b", "c"], "variables_path": ""}"#)
        #expect(try ImportLayout(several).path(of: ImportTarget(.connection, id: "pg")) == "a/b/pg")
        #expect(try ImportLayout(several).path(of: ImportTarget(.variable, id: "k")) == "k")
        let none = try BackendKwargs(parsing: #"{"connections_path": null, "use_team_secrets_path": false}"#)
        #expect(throws: BackendKwargs.Fault.self) {
            try ImportLayout(none).path(of: ImportTarget(.connection, id: "pg"))
        }
        #expect(throws: BackendKwargs.Fault.self) {
            try ImportLayout(none).path(of: ImportTarget(.variable, team: "t", id: "k"))
        }
    }

    @Test(arguments: [
        ("AIRFLOW_CONN_=postgres://h", "the id is empty"), ("AIRFLOW_CONN_..=postgres://h", "means a folder"),
        ("AIRFLOW_VAR_\(String(repeating: "x", count: 201))=b", "longer than 200"),
    ])
    func `An id that Airflow or a vault would not take is rejected`(line: String, reason: String) {
        let plan = plan(("a.env", line))
        #expect(plan.items.isEmpty)
        #expect(plan.rejected.first?.message.contains(reason) == true)
    }

    @Test func `Two lines that give one id are both rejected, each naming the other`() {
        let plan = plan(
            ("a.env", "AIRFLOW_CONN_PG=postgres://h\nAIRFLOW_VAR_PG=x"),
            ("b.env", "AIRFLOW_CONN_OTHER=postgres://h\nAIRFLOW_CONN_pg=postgres://h"))
        #expect(names(plan) == ["variable pg a.env:2", "connection other b.env:1"])
        #expect(plan.rejected.map(\.origin.description) == ["a.env:1", "b.env:2"])
        #expect(plan.rejected.first?.message.contains("b.env:2") == true)
    }

    @Test(arguments: [
        ("postgres://u:p@h:5432/d", #"{"conn_uri":"postgres://u:p@h:5432/d"}"#),
        // The 3.3 API server would read a boolean and a number from these.
        ("http://h/d?verify=false", #""extra":"{\"verify\": \"false\"}""#),
        (#"{"conn_type": "http", "host": "Host.Example.COM"}"#, #""host":"Host.Example.COM""#),
        (#"'{"conn_type": "http", "description": "d"}'"#, #""description":"d""#),
    ])
    func `A connection is stored as a URI only where every Airflow reads the same from it`(
        text: String, expected: String
    ) throws {
        #expect(try stored(text).contains(expected))
    }

    @Test(arguments: [
        "hello-\(canary)", "postgres://u:\(canary)/x@h", "'{\"conn_type\": \"\(canary)'", "{}", "",
        "'{\"conn_type\": \"http\", \"username\": \"\(canary)\"}'",
        "'{\"conn_type\": \"http\", \"extra\": \"\(canary)\"}'", "'{\"host\": \"\(canary)\"}'",
    ])
    func `What is no connection is rejected without its text`(text: String) {
        let plan = plan(("a.env", "AIRFLOW_CONN_A=\(text)"))
        #expect(plan.items.isEmpty)
        #expect(!plan.rejected.isEmpty)
        for note in plan.rejected + plan.warnings { #expect(!note.message.contains(ImportPlanTests.canary)) }
    }

    @Test func `What may be a slip is imported with a warning`() {
        let plan = plan(
            ("a.env", #"AIRFLOW_CONN_A='{"conn_type": "http", "password": 12345}'"# + "\nAIRFLOW_VAR_B=${C}"))
        #expect(plan.items.count == 2)
        #expect(plan.warnings.map(\.origin.line) == [1, 2])
    }

    @Test func `What is stored is the same when every Airflow reads the same from it`() throws {
        let item = try #require(plan(("a.env", "AIRFLOW_CONN_A=postgres://u:p@h:1/d")).items.first)
        func isSame(_ json: String) -> Bool { item.content.isSame(as: SecretPayload(Array(json.utf8))) }
        #expect(isSame(#"{"conn_uri": "postgres://u:p@h:1/d"}"#))
        #expect(isSame(#"{"conn_uri": "postgresql://u:p@h:1/d", "ignored": 1}"#))
        #expect(
            isSame(#"{"port": 1, "conn_type": "postgres", "schema": "d", "host": "h", "login": "u", "password": "p"}"#))
        #expect(!isSame(#"{"conn_uri": "postgres://u:q@h:1/d"}"#))
        #expect(!isSame(#"{"value": "postgres://u:p@h:1/d"}"#))
        #expect(!isSame("[]"))
    }

    @Test func `A variable is the same only to the last code point`() {
        let content = ImportContent.variable(Variable(value: "caf\u{E9}"))
        #expect(content.isSame(as: SecretPayload(Array("{\"value\":\"caf\u{E9}\"}".utf8))))
        #expect(!content.isSame(as: SecretPayload(Array("{\"value\":\"cafe\u{301}\"}".utf8))))
    }

    @Test func `A plan cannot be printed`() {
        let plan = plan(
            (
                "a.env",
                "AIRFLOW_CONN_A=postgres://u:\(ImportPlanTests.canary)@h\nAIRFLOW_VAR_B=\(ImportPlanTests.canary)"
            ))
        #expect(plan.items.count == 2)
        var dumped = ""
        dump(plan, to: &dumped)
        for text in ["\(plan)", String(reflecting: plan), dumped] { #expect(!text.contains(ImportPlanTests.canary)) }
    }
}
