import AirlockCore
import Testing

struct ConnectionJSONTests {
    @Test(arguments: [
        ("5432", 5432), (#""5432""#, 5432), (#"" 5_432 ""#, 5432), (#""٥""#, 5), ("5432.9", 5432), ("true", 1),
        ("0", nil),
        (#""""#, nil), ("null", nil), (#""0""#, 0), (#""-7""#, -7),
    ])
    func `A port is converted as Python converts it`(written: String, port: Int?) throws {
        #expect(try ConnectionText.parse("{\"conn_type\":\"x\",\"port\":\(written)}").port == port)
    }

    @Test(arguments: [
        #""abc""#, #""1__0""#, #""_1""#, #""1_""#, "NaN", "1e999", "[1]", #"{"a":1}"#, "99999999999999999999",
    ])
    func `A port that is no integer is refused`(written: String) {
        #expect(throws: ConnectionError.self) { try ConnectionText.parse("{\"port\":\(written)}") }
    }

    @Test func `An extra may be an object or its text`() throws {
        let object = try ConnectionText.parse(#"{"conn_type":"http","extra":{"a":{"b":1.50},"é":"\ud800"}}"#)
        #expect(object.extra == #"{"a": {"b": 1.5}, "\u00e9": "\ud800"}"#)
        let text = try ConnectionText.parse(#"{"conn_type":"http","extra":"{\"a\":1}"}"#)
        #expect(text.extra == #"{"a":1}"#)
    }

    @Test(arguments: [#""foobar""#, "[1,2]", #""[1,2]""#, "true"])
    func `An extra that is no object is refused by the API server alone`(extra: String) throws {
        let text = "{\"conn_type\":\"http\",\"extra\":\(extra)}"
        #expect(throws: ConnectionError.self) { try ConnectionText.parse(text, dialect: .server) }
        #expect(throws: Never.self) { try ConnectionText.parse(text, dialect: .sdk) }
        #expect(throws: Never.self) { try ConnectionText.parse(text, dialect: .v2_10) }
    }

    @Test func `A number where a text belongs is refused, or made text when asked for`() throws {
        let text = #"{"conn_type":"mysql","password":12345}"#
        #expect(throws: ConnectionError(.notString, at: 32, field: .password)) { try ConnectionText.parse(text) }
        #expect(try ConnectionText.parse(text, numbers: .asText).password == "12345")
    }

    @Test func `A uri may stand alone, or beside fields that are false where the database models read`() throws {
        #expect(try ConnectionText.parse(#"{"uri":"mysql://h"}"#).host == "h")
        let text = #"{"uri":"mysql://h","host":"","description":"d"}"#
        #expect(throws: ConnectionError(.uriMixed, at: 19, field: .uri)) { try ConnectionText.parse(text) }
        let found = try ConnectionText.parse(text, dialect: .server)
        #expect(found.host == "h")
        #expect(found.description == "d")
    }

    @Test func `Unknown fields and conn_id are refused, team_name is known to the API server`() throws {
        #expect(throws: ConnectionError(.unknownField, at: 1)) { try ConnectionText.parse(#"{"hostname":"h"}"#) }
        #expect(throws: ConnectionError(.connIDInside, at: 1, field: .connID)) {
            try ConnectionText.parse(#"{"conn_id":"h"}"#)
        }
        #expect(throws: ConnectionError.self) { try ConnectionText.parse(#"{"team_name":"t"}"#) }
        #expect(throws: Never.self) { try ConnectionText.parse(#"{"team_name":"t"}"#, dialect: .server) }
    }
}
