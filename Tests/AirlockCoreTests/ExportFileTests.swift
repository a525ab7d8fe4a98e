import Testing

@testable import AirlockCore

struct ExportFileTests {
    private func connection(_ id: String, team: String? = nil, _ connection: Connection) -> ExportFile.Item {
        ExportFile.Item(ImportTarget(.connection, team: team, id: id), .connection(connection))
    }

    private func variable(_ id: String, _ value: String, description: String? = nil) -> ExportFile.Item {
        ExportFile.Item(
            ImportTarget(.variable, id: id), .variable(Variable(value: value, description: description)))
    }

    private func text(_ items: [ExportFile.Item], _ format: ExportFormat) -> String {
        String(decoding: ExportFile(items, as: format).bytes, as: UTF8.self)
    }

    private let plain = Connection(
        connType: "postgres", host: "h", login: "u", password: "p", schema: "d", port: 5432, extra: nil)

    @Test func `An env file has a URI where every Airflow reads it back, JSON otherwise, in single quotes`() {
        let described = Connection(connType: "http", host: "Api", password: "it's", port: 0, description: "x")
        let file = text(
            [connection("pg", plain), connection("api", team: "sales", described), variable("a", "b c")], .env)
        #expect(
            file == #"""
                AIRFLOW_CONN_PG='postgres://u:p@h:5432/d'
                AIRFLOW_CONN__SALES___API='{"conn_type":"http","description":"x","login":null,"password":"it'\''s","host":"Api","port":"0","schema":null,"extra":null}'
                AIRFLOW_VAR_A='b c'

                """#)
    }

    @Test func `A value that single quotes cannot carry is escaped in double quotes`() {
        let file = text([variable("a", "x\r\ny"), variable("b", "x\nAIRFLOW_VAR_C=$1`\"\\")], .env)
        #expect(
            file == #"""
                AIRFLOW_VAR_A="x\r\ny"
                AIRFLOW_VAR_B="x\nAIRFLOW_VAR_C=\$1\`\"\\"

                """#)
    }

    @Test func `Airflow's own env form has URIs alone`() {
        let described = Connection(connType: "http", host: "api", description: "x")
        let file = ExportFile(
            [connection("pg", plain), connection("api", described), variable("a", "b")], as: .airflowEnv)
        #expect(String(decoding: file.bytes, as: UTF8.self) == "pg=postgres://u:p@h:5432/d\n")
        #expect(file.refused.map(\.target.name) == ["api", "a"])
    }

    @Test func `JSON has the fields in Airflow's order and variables as text`() {
        #expect(
            text([connection("pg", plain)], .json) == """
                {
                  "pg": {"conn_type":"postgres","description":null,"login":"u","password":"p","host":"h","port":5432,"schema":"d","extra":null}
                }

                """)
        #expect(
            text([variable("a", "5"), variable("b", "x", description: "y")], .json) == """
                {
                  "a": "5",
                  "b": {"value":"x","description":"y"}
                }

                """)
        #expect(text([], .json) == "{\n}\n")
    }

    @Test func `YAML keeps every text in quotes and escapes what cannot be printed`() {
        let file = text([connection("yes", plain), variable("no", "a\u{85}\u{2028}\u{FEFF}😀\u{7F}\"")], .yaml)
        #expect(
            file == #"""
                "yes":
                  conn_type: "postgres"
                  description: null
                  login: "u"
                  password: "p"
                  host: "h"
                  port: 5432
                  schema: "d"
                  extra: null
                "no": "a\u0085\u2028\ufeff😀\u007f\""

                """#)
    }

    @Test func `What a format cannot carry is refused by name and the rest is written`() {
        let file = ExportFile([connection("Mixed", plain), variable("nul", "a\0b"), connection("pg", plain)], as: .env)
        #expect(file.refused.map(\.target.name) == ["Mixed", "nul"])
        #expect(String(decoding: file.bytes, as: UTF8.self) == "AIRFLOW_CONN_PG='postgres://u:p@h:5432/d'\n")
        let team = ExportFile([connection("pg", team: "sales", plain)], as: .json)
        #expect(team.refused.map(\.target.name) == ["sales/pg"])
        let described = [variable("a", "b", description: "c"), variable("d", "e")]
        #expect(ExportFile(described, as: .env).withoutDescription.map(\.name) == ["a"])
        #expect(ExportFile(described, as: .json).withoutDescription.isEmpty)
    }

    /// Texts of the characters that quoting can go wrong on.
    private func oddText(_ random: inout some RandomNumberGenerator) -> String {
        let parts = [
            "'", "\"", "\\", "$", "`", "#", " ", "=", "\n", "\r", "\t", "{", "}", "é", "😀", "%", "a", "AIRFLOW_VAR_X=1",
            "${A}",
        ]
        return (0..<Int.random(in: 0...8, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }
            .joined()
    }

    @Test func `Thousands of odd values come back from an env file as they were`() throws {
        var random = SplitMix(state: 5)
        let items = (0..<3000).map { index in
            let value = oddText(&random)
            guard index % 2 == 0 else { return variable("v\(index)", value) }
            let connection = Connection(
                connType: "http", host: oddText(&random), login: oddText(&random), password: "p" + value,
                schema: index % 3 == 0 ? "d" : nil, port: index % 5 == 0 ? index : nil)
            return self.connection("c\(index)", connection)
        }
        let file = ExportFile(items, as: .env)
        #expect(file.refused.isEmpty)
        let entries = EnvFile(parsing: file.bytes)
        #expect(entries.faults.isEmpty)
        let source = ImportSource(entries, named: "a.env")
        #expect(source.candidates.count == items.count)
        for (item, candidate) in zip(items, source.candidates) {
            #expect(candidate.target == item.target)
            switch item.content.model {
            case .variable(let variable): #expect(candidate.text.revealed.utf8.elementsEqual(variable.value.utf8))
            case .connection(let connection):
                #expect(try ConnectionText.parse(candidate.text.revealed, dialect: .sdk) == connection)
            }
        }
    }
}
