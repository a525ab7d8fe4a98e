import Testing

@testable import AirlockCore

/// What JSON files say; those of YAML go the same way from `ImportEntry` on.
struct ImportFileTests {
    static let canary = "canary-77ac"

    private func source(_ text: String, variables: Bool = false, aliases: Bool = false) -> ImportSource {
        ImportSource(
            json: Array(text.utf8), named: "a.json",
            reading: ImportReading(readsVariables: variables, mapsAliases: aliases))
    }

    /// The candidates as "name|origin|text", with blanks and line breaks made one.
    private func told(_ source: ImportSource) -> [String] {
        source.candidates.map { candidate in
            let text = candidate.text.revealed.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return "\(candidate.target.name)|\(candidate.origin)|\(text)"
        }
    }

    @Test(arguments: [
        (#"{"a": "http://h"}"#, "a|a.json:1:2|http://h"),
        ("\u{FEFF}{\r\n \"a\" : \"http:\\/\\/h\"}\r\n", "a|a.json:2:2|http://h"),
        (#"{"a": ["http://h"]}"#, "a|a.json:1:2|http://h"),
        (#"{"a": {"conn_id": "a", "conn_type": "x"}}"#, #"a|a.json:1:2|{"conn_type": "x"}"#),
        (#"{"a": {"conn_type": "x", "port": 0}}"#, #"a|a.json:1:2|{"conn_type": "x", "port": "0"}"#),
        (
            #"{"a": {"conn_type": "x", "extra_dejson": {"n": 1.50}}}"#,
            #"a|a.json:1:2|{"conn_type": "x", "extra": {"n":1.50}}"#
        ),
        (#"{"a": {"conn_type": "x", "extra_dejson": {}}}"#, #"a|a.json:1:2|{"conn_type": "x", "extra": "{}"}"#),
        (#"{"a": {"conn_type": "x", "team_name": "sales"}}"#, #"sales/a|a.json:1:2|{"conn_type": "x"}"#),
        (#"{"a": {"conn_type": "x", "team_name": null, "conn_id": null}}"#, #"a|a.json:1:2|{"conn_type": "x"}"#),
    ])
    func `An entry becomes the text that Airflow would be given`(text: String, expected: String) {
        let source = source(text)
        #expect(told(source) == [expected])
        #expect(source.rejected.isEmpty)
    }

    @Test func `Each field stays on its line, so that a message can name it`() throws {
        let text =
            "{\n\"a\": {\n  \"conn_id\": \"a\",\n\n  \"conn_type\": \"http\",\n  \"port\": \"\(ImportFileTests.canary)\"\n}}"
        let plan = ImportPlan([source(text)])
        let note = try #require(plan.rejected.first)
        #expect(note.origin.description == "a.json:2:1")
        #expect(note.message.hasPrefix("port: ") && note.message.contains("(line 6)"))
        #expect(!note.message.contains(ImportFileTests.canary))
    }

    @Test(arguments: [
        ("username", "login"), ("User", "login"), ("hostname", "host"), ("engine", "conn_type"), ("type", "conn_type"),
        ("dbname", "schema"), ("database", "schema"), ("pass", "password"), ("extras", "extra"), ("conn_uri", "uri"),
    ])
    func `An alias is refused with the way out, and mapped when asked`(alias: String, field: String) throws {
        let text = #"{"a": {"description": "d", "\#(alias)": "\#(ImportFileTests.canary)"}}"#
        let reason = try #require(source(text).rejected.first?.message)
        #expect(reason.contains("write `\(field)`, or let --map-aliases do it"))
        #expect(!reason.contains(ImportFileTests.canary))
        #expect(
            told(source(text, aliases: true)) == [
                #"a|a.json:1:2|{"description": "d", "\#(field)": "\#(ImportFileTests.canary)"}"#
            ])
    }

    @Test(arguments: [
        #"{"a": {"conn_type": "x", "login": "l", "user": "u"}}"#,
        #"{"a": {"conn_type": "x", "user": "l", "username": "u"}}"#,
        #"{"a": {"conn_type": "x", "extra": "{}", "extra_dejson": {}}}"#,
    ])
    func `Two names for one field are refused`(text: String) {
        #expect(
            source(text, aliases: true).rejected.map(\.message).first?.contains("is given twice (lines 1 and 1)")
                == true)
    }

    @Test func `A value of the environment has Airflow's own names, an exported line a file's`() {
        func env(_ line: String) -> ImportSource { ImportSource(EnvFile(parsing: line), named: "a.env") }
        let fields = #"{"conn_type": "x", "extra_dejson": {}}"#
        #expect(env("AIRFLOW_CONN_A=\(fields)").rejected.count == 1)
        #expect(told(env("A=\(fields)")) == [#"A|a.env:1|{"conn_type": "x", "extra": "{}"}"#])
        // The name of the variable does not tell the case of the id.
        #expect(told(env(#"AIRFLOW_CONN_A={"conn_id": "A", "uri": "x://"}"#)) == [#"a|a.env:1|{"uri": "x://"}"#])
        #expect(env(#"A={"conn_id": "a", "uri": "x://"}"#).rejected.count == 1)
    }

    @Test func `A flaw in one entry leaves the others, a broken file leaves none`() {
        let flawed = source(
            #"{"a": "http://h", "b": {"conn_type": "x", "extra": {"k": 1, "k": 2}}, "c": {"uri": "\ud800"}}"#)
        #expect(flawed.candidates.map(\.target.id) == ["a"])
        #expect(flawed.rejected.map(\.origin.column) == [19, 71])
        let broken = source(#"{"a": "http://h", "b": "#)
        #expect(broken.candidates.isEmpty)
        #expect(broken.rejected.map(\.origin.description) == ["a.json:1:24"])
    }

    @Test func `A value larger than what vaults store is refused`() {
        let half = String(repeating: "x", count: ImportCandidate.sizeLimit / 2)
        #expect(source(#"{"a": {"conn_type": "x", "login": "\#(half)", "host": "\#(half)"}}"#).rejected.count == 1)
        #expect(source(#"{"a": "http://\#(half)\#(half)"}"#).rejected.count == 1)
        #expect(source(#"{"a": "http://\#(half)"}"#).rejected.isEmpty)
    }

    // MARK: Variables

    @Test(arguments: [
        (#""text""#, "text"), ("5", "5"), ("1.50", "1.50"), ("12345678901234567890123", "12345678901234567890123"),
        ("true", "true"), ("{}", "{}"), ("[]", "[]"),
        (#"["é", {"a": [1]}]"#, "[\n  \"\\u00e9\",\n  {\n    \"a\": [\n      1\n    ]\n  }\n]"),
        (#"{"value": "v", "description": "d"}"#, "v"),
        (#"{"value": {"value": 1}, "description": null}"#, "{\n  \"value\": 1\n}"),
    ])
    func `A variable that is no text is stored as Airflow would store it`(value: String, stored: String) throws {
        let source = source("{\"k\": \(value)}", variables: true)
        let candidate = try #require(source.candidates.first)
        #expect(candidate.text.revealed == stored)
        #expect(candidate.warnings.isEmpty && source.rejected.isEmpty)
        #expect(candidate.description?.revealed == (value.contains("\"d\"") ? "d" : nil))
    }

    @Test func `What Airflow 2 and 3 read differently is warned of or refused`() throws {
        #expect(source(#"{"k": {"value": 1}}"#, variables: true).candidates.first?.warnings.count == 1)
        #expect(source(#"{"k": null}"#, variables: true).candidates.first?.warnings.count == 1)
        #expect(source(#"{"k": {"value": 1, "other": 2}}"#, variables: true).rejected.count == 1)
        #expect(source(#"{"k": {"value": 1, "description": 2}}"#, variables: true).rejected.count == 1)
    }

    @Test func `A description is stored beside the value`() throws {
        let plan = ImportPlan([source(#"{"k": {"value": "v", "description": "d"}}"#, variables: true)])
        let item = try #require(plan.items.first)
        #expect(String(decoding: item.content.payload.bytes, as: UTF8.self) == #"{"value":"v","description":"d"}"#)
    }

    @Test func `Nothing of a source can be printed`() {
        let source = source(
            #"{"a": "http://u:\#(ImportFileTests.canary)@h", "b": {"uri": "x://\#(ImportFileTests.canary)"}}"#)
        #expect(source.candidates.count == 2)
        var dumped = ""
        dump(source, to: &dumped)
        for text in ["\(source)", String(reflecting: source), dumped] {
            #expect(!text.contains(ImportFileTests.canary))
        }
    }

    @Test func `Any bytes at all are read without a crash`() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            #"{"#, "}", "[", "]", ":", ",", #""a""#, #""conn_type""#, "1", "null", "\n", #""\ud800""#, "\\", "\"",
            "\u{FEFF}", "é",
        ]
        for _ in 0..<10_000 {
            let text =
                "{\"a\":"
                + (0..<Int.random(in: 0...12)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            for variables in [true, false] { _ = source(text, variables: variables, aliases: true) }
        }
    }
}
