import AirlockCore
import Testing

struct ConnectionSecrecyTests {
    static let canary = "canary-5ecret"

    static func shown(_ value: some Any) -> String {
        var dumped = ""
        dump(value, to: &dumped)
        return "\(value) \(String(describing: value)) \(String(reflecting: value)) \([value]) " + dumped
    }

    @Test func `Connections, variables and configs cannot be printed`() {
        let canary = Self.canary
        let connection = Connection(
            connType: canary, host: canary, login: canary, password: canary, schema: canary, port: 4711, extra: canary,
            description: canary)
        for text in [
            Self.shown(connection), Self.shown(Optional(connection)), Self.shown(["a": connection]),
            Self.shown(Variable(value: canary, description: canary)), Self.shown(ConfigValue(value: canary)),
        ] {
            #expect(text.contains("redacted"))
            #expect(!text.contains(canary))
            #expect(!text.contains("4711"))
        }
    }

    /// Each breaks another rule.
    static let texts: [String] = [
        "CANARY", "CANARY://h", "google_cloud_CANARY://h", "http://u:CANARY/x@h", "http://u:p[CANARY]@h",
        "http://u:CANARY\u{2100}@h",
        "http://h:CANARY", "http://CANARY:99999?x=1", "a://CANARY@b://c", "a://b://CANARY://d",
        "http://h/?CANARY=1&CANARY=2",
        "http://h/?__extra__=CANARY&x=CANARY", "http://h/CANARY%zz", "http://h/CANARY%E4", "http://CANARY\u{1}@h",
        "\"CANARY\"",
        "\u{FEFF}CANARY", "[\"CANARY\"]", "{\"CANARY\":1}", "{\"host\":{\"CANARY\":1}}", "{CANARY}",
        "{\"port\":\"CANARY\"}",
        "{\"extra\":\"CANARY\"}", "{\"uri\":\"CANARY\",\"host\":\"CANARY\"}", "{\"host\":\"\\ud800CANARY\"}",
        "{\"CANARY\":1,\"CANARY\":2}",
        "CANARY+CANARY://h", "http://CANARY.COM/x#CANARY", "jdbc:CANARY://h", "http://CANARY:1,CANARY:2",
        "{\"conn_uri\":\"CANARY\"}",
        "{\"conn_type\":\"a\",\"host\":\"jdbc:x://CANARY:1/CANARY\",\"description\":\"CANARY\"}",
        "{\"user\":\"CANARY\"}",
    ]

    @Test(arguments: texts, Dialect.allCases)
    func `No error and no finding holds any of the text`(template: String, dialect: Dialect) {
        let word = "C4N4RYW0RD"
        let text = template.replacing("CANARY", with: word)
        var said = ""
        for read in [
            { try ConnectionText.parse(text, dialect: dialect) }, { try ConnectionURI.parse(text, dialect: dialect) },
            { try ConnectionPayload.read(text.utf8, dialect: dialect) },
            { try ConnectionJSON.parseArguments(Array(text.utf8), dialect: dialect) },
        ] as [() throws -> Connection] {
            do { _ = try read() } catch { said += Self.shown(error) + "\(error)" }
        }
        do { _ = try Variable(data: text.utf8) } catch { said += Self.shown(error) + "\(error)" }
        let findings =
            ConnectionLint.findings(in: text, dialect: dialect)
            + ConnectionLint.findings(inPayload: Array(text.utf8), dialect: dialect)
        #expect(!findings.isEmpty)
        said += findings.map { Self.shown($0) + String(decoding: $0.json.bytes, as: UTF8.self) }.joined()
        #expect(!said.lowercased().contains(word.lowercased()))
    }
}
