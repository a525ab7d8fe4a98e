import AirlockCore
import Testing

/// Tokens are `closed:` and the text here; what real ones are is Fernet's affair.
struct AirflowRowsTests {
    /// The values of one row, in the order of `AirflowTable.query`.
    private func connection(
        _ id: String = "pg", type: String? = "postgres", description: String? = nil, host: String? = nil,
        login: String? = nil, password: String? = nil, schema: String? = nil, port: String? = nil,
        extra: String? = nil, isEncrypted: String? = "0", isExtraEncrypted: String? = "0", team: String? = nil
    ) -> [[UInt8]?] {
        [
            id, type, description, host, login, password, schema, port, extra, isEncrypted, isExtraEncrypted, team,
        ].map { $0.map { Array($0.utf8) } }
    }

    private func variable(_ value: String?, description: String? = nil, isEncrypted: String? = "0") -> [[UInt8]?] {
        ["region", value, description, isEncrypted, nil].map { $0.map { Array($0.utf8) } }
    }

    private func source(_ rows: [[[UInt8]?]], of table: AirflowTable = .connection, keys: Int = 1) -> ImportSource {
        var found = AirflowRows(of: "airflow.db", keyCount: keys) { token in
            token.starts(with: "closed:".utf8) ? Array(token.dropFirst(7)) : nil
        }
        for row in rows { found.add(row, of: table) }
        return found.source
    }

    private func text(_ row: [[UInt8]?], of table: AirflowTable = .connection) -> String? {
        source([row], of: table).candidates.first?.text.revealed
    }

    @Test func `NULL is no field, and an empty text is one`() {
        #expect(text(connection(host: "", login: nil)) == #"{"conn_type":"postgres","host":""}"#)
    }

    @Test(arguments: [
        ("5432", "5432"), ("0", #""0""#), ("-1", "-1"), ("65536", "65536"), ("none", #""none""#),
        ("99999999999999999999", #""99999999999999999999""#),
    ])
    func `A port is its number, and 0 a text since Airflow drops the number`(_ port: String, _ written: String) {
        #expect(text(connection(port: port)) == #"{"conn_type":"postgres","port":\#(written)}"#)
    }

    @Test(arguments: ["1", "t"])
    func `What is flagged is decrypted`(_ yes: String) {
        let row = connection(
            password: "closed:p", extra: "closed:{}", isEncrypted: yes, isExtraEncrypted: yes)
        #expect(text(row) == #"{"conn_type":"postgres","password":"p","extra":"{}"}"#)
        #expect(text(variable("closed:v", isEncrypted: yes), of: .variable) == "v")
    }

    @Test(arguments: ["0", "f", nil])
    func `What is not flagged is read as it is`(_ no: String?) {
        let row = connection(password: "closed:p", extra: "{}", isEncrypted: no, isExtraEncrypted: no)
        #expect(text(row) == #"{"conn_type":"postgres","password":"closed:p","extra":"{}"}"#)
        #expect(text(variable("closed:v", isEncrypted: no), of: .variable) == "closed:v")
    }

    @Test func `An empty password is not decrypted, as in Airflow, and an empty variable is`() {
        #expect(text(connection(password: "", isEncrypted: "1")) == #"{"conn_type":"postgres","password":""}"#)
        #expect(source([variable("", isEncrypted: "1")], of: .variable).rejected.count == 1)
        #expect(text(variable("closed:", isEncrypted: "1"), of: .variable)?.isEmpty == true)
    }

    @Test func `What no key opens is rejected field by field, and the rows around it are kept`() {
        let lost = connection("lost", password: "p", extra: "e", isEncrypted: "1", isExtraEncrypted: "1")
        let found = source([connection("a"), lost, connection("b")], keys: 2)
        #expect(found.candidates.map(\.target.name) == ["a", "b"])
        #expect(
            found.rejected.map(\.description) == [
                "airflow.db: connection lost: none of the 2 Fernet keys opens `password`; add the key that it was encrypted with",
                "airflow.db: connection lost: none of the 2 Fernet keys opens `extra`; add the key that it was encrypted with",
            ])
        #expect(source([lost], keys: 0).rejected[0].message.contains("there is no Fernet key; give Airflow's"))
    }

    @Test func `Bytes that are no text, and a variable without a value, are rejected`() {
        var broken = connection("latin1", password: "closed:x", isEncrypted: "1")
        broken[3] = [0x66, 0xFC]
        #expect(
            source([broken]).rejected.map(\.description) == ["airflow.db: connection latin1: `host` is not UTF-8"])
        var found = source([variable(nil)], of: .variable)
        #expect(
            found.rejected.map(\.message) == [
                "`val` is NULL, which to Airflow is no variable; set it, or remove the row"
            ])
        found = source([[nil, nil, nil, nil, nil]], of: .variable)
        #expect(found.candidates.isEmpty)
    }

    @Test func `A row of a team goes to the team`() {
        #expect(source([connection(team: "sales")]).candidates.map(\.target.name) == ["sales/pg"])
    }

    @Test func `An id that a terminal would obey is shown escaped, and rejected by the plan`() {
        let plan = ImportPlan([source([connection("a\u{1B}[31m\u{202E}é"), connection("folder/pg")])])
        #expect(
            plan.rejected.map(\.origin.description) == [
                #"airflow.db: connection "a\u{1B}[31m\u{202E}\u{00E9}""#, #"airflow.db: connection "folder/pg""#,
            ])
    }

    @Test func `A type that Airflow reads otherwise from a vault is warned of`() {
        for type in ["my-type", "postgresql"] {
            #expect(source([connection(type: type)]).candidates.first?.warnings.count == 1)
        }
        #expect(source([connection(type: "my_type")]).candidates.first?.warnings.isEmpty == true)
    }

    @Test func `A variable keeps its description`() {
        let found = source([variable("eu", description: "where we are")], of: .variable)
        #expect(found.candidates.first?.description?.revealed == "where we are")
    }

    @Test func `A finding about a row names the field, and no byte of a text that nobody wrote`() {
        let plan = ImportPlan([source([connection(extra: "no object")])])
        #expect(plan.rejected.map(\.message).allSatisfy { $0.hasPrefix("extra: ") && !$0.contains("byte") })
        #expect(plan.rejected.count == 1)
    }

    @Test func `A team is found by name in Airflow 3.2, by id in 3.1, and not looked for in 2`() throws {
        let columns = ["id", "key", "val", "description", "is_encrypted"]
        #expect(try AirflowTable.variable.query(columns).contains("\"is_encrypted\", NULL FROM"))
        #expect(try AirflowTable.variable.query(columns + ["team_name"]).contains(", secrets.team_name FROM"))
        #expect(
            try AirflowTable.variable.query(columns + ["team_id"]).contains("WHERE team.id = secrets.team_id) FROM"))
    }

    @Test func `A table of another shape is refused by the column that it lacks`() {
        let mismatch = #expect(throws: AirflowTable.Mismatch.self) { try AirflowTable.variable.query(["id", "key"]) }
        #expect(mismatch?.reason == "its table `variable` has no column `val`, so it is not of Airflow 2.10 or 3")
    }
}
