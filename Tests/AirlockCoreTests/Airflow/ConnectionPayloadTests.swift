import AirlockCore
import Testing

struct ConnectionPayloadTests {
    static func stored(_ connection: Connection) -> String {
        String(decoding: ConnectionPayload.write(connection), as: UTF8.self)
    }

    @Test func `A connection that every dialect reads back from its URI is stored as conn_uri`() throws {
        let connection = try ConnectionText.parse("postgresql://user:p%40ss@host.example.com:5432/db?sslmode=require")
        #expect(Self.stored(connection).hasPrefix(#"{"conn_uri":"postgres://user:p%40ss@host.example.com:5432/db?ssl"#))
    }

    static let others: [Connection] = [
        Connection(connType: "mysql", host: "h", schema: "d", description: "lost in a URI"),
        Connection(connType: "mysql", host: "Host.Example.COM", schema: "d"),
        Connection(connType: "http", host: "h", schema: "", extra: #"{"verify": "false"}"#),
        Connection(connType: "http", host: "h", schema: "", extra: #"{"a":"written without blanks"}"#),
        Connection(connType: "http", host: "h", schema: "", extra: #"{"__extra__": "swallowed"}"#),
        Connection(connType: "mysql", host: "h", schema: "d", port: 0),
        Connection(connType: "mysql", host: "h"),
        Connection(connType: "jdbc", host: "jdbc:postgresql://h:5432/db", login: "u", password: "p", schema: ""),
        Connection(connType: "MySQL", host: "h", schema: ""),
    ]

    @Test(arguments: others.indices)
    func `Any other is stored as fields, which every dialect reads back`(index: Int) throws {
        let connection = Self.others[index]
        let data = ConnectionPayload.write(connection)
        #expect(!Self.stored(connection).contains("conn_uri"))
        #expect(ConnectionPayload.dialectsMisreading(data, as: connection) == [])
    }

    @Test func `Types in an extra survive, in a URI's __extra__`() throws {
        let connection = Connection(connType: "http", host: "h", schema: "", extra: #"{"verify":false}"#)
        let data = ConnectionPayload.write(connection)
        #expect(Self.stored(connection).hasPrefix(#"{"conn_uri":"http://h/?__extra__="#))
        #expect(ConnectionPayload.dialectsMisreading(data, as: connection) == [])
    }

    @Test func `What no form can hold for a dialect is told`() {
        let empty = Connection(connType: "mysql", host: "h", login: "u", password: "", schema: "")
        #expect(ConnectionPayload.dialectsMisreading(ConnectionPayload.write(empty), as: empty) == [.v2_10, .server])
        let list = Connection(connType: "mysql", host: "h", schema: "", extra: "[1]")
        #expect(ConnectionPayload.dialectsMisreading(ConnectionPayload.write(list), as: list) == [.server])
    }

    @Test func `conn_uri is used alone when present, in either of Airflow's forms`() throws {
        let beside = try ConnectionPayload.read(#"{"conn_uri":"mysql://u:p@h/d","host":"ignored","junk":1}"#.utf8)
        #expect(beside.host == "h")
        let json = try ConnectionPayload.read(#"{"conn_uri":" {\"conn_type\":\"mysql\",\"host\":\"H\"} "}"#.utf8)
        #expect(json.host == "H")
        #expect(throws: ConnectionError(.unknownField, at: 1)) {
            try ConnectionPayload.read(#"{"conn_uri":"","host":"h"}"#.utf8)
        }
        #expect(throws: ConnectionError(.notString, at: 12, field: .connURI)) {
            try ConnectionPayload.read(#"{"conn_uri":5}"#.utf8)
        }
    }

    @Test func `Fields are read as Airflow reads them`() throws {
        let data = #"{"conn_type":"google-cloud-platform","port":"5432","extra":{"a":1},"description":"d"}"#
        let found = try ConnectionPayload.read(data.utf8)
        #expect(
            found
                == Connection(
                    connType: "google_cloud_platform", port: 5432, extra: #"{"a": 1}"#, description: "d"))
    }

    @Test(arguments: ["[]", "null", "5", "{", "", "\"x\"", "{\"conn_type\":\"\u{1}\"}"])
    func `A data object that is none is refused`(data: String) {
        #expect(throws: ConnectionError.self) { try ConnectionPayload.read(data.utf8) }
    }

    @Test func `Bytes that are no UTF-8 are refused`() {
        #expect(throws: ConnectionError(.notUTF8)) { try ConnectionPayload.read([0x7B, 0xFF, 0x7D]) }
    }
}

struct VariableTests {
    @Test func `A variable and a config are stored as a string named value`() throws {
        let text = "{\"a\": [1, 2.50]}\n\u{E9}"
        #expect(try Variable(data: Variable(value: text).data) == Variable(value: text))
        #expect(try ConfigValue(data: ConfigValue(value: text).data) == ConfigValue(value: text))
        #expect(String(decoding: Variable(value: "x").data, as: UTF8.self) == #"{"value":"x"}"#)
        let described = Variable(value: "x", description: "why")
        #expect(try Variable(data: described.data) == described)
    }

    @Test func `A value that is no string is an error that says what to do`() throws {
        let error = #expect(throws: ConnectionError.self) { try Variable(data: #"{"value": {"a": 1}}"#.utf8) }
        #expect(error == ConnectionError(.valueNotString, at: 10, field: .value))
        #expect(error?.description.contains("store it as JSON text inside a string") == true)
        #expect(throws: ConnectionError(.missingValue, field: .value)) { try ConfigValue(data: "{}".utf8) }
    }
}
