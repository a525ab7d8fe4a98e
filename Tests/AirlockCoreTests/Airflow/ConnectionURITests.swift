import AirlockCore
import Testing

struct ConnectionURITests {
    @Test(arguments: Dialect.allCases)
    func `A plain connection survives the way into a URI and back`(dialect: Dialect) throws {
        let connection = Connection(
            connType: "postgres", host: "db.example.com", login: "us er", password: "p/@:#?[]%é😀", schema: "a/b",
            port: 5432, extra: #"{"sslmode": "require", "a b": "c&d=e"}"#)
        let uri = try ConnectionURI.build(connection, dialect: dialect)
        #expect(try ConnectionURI.parse(uri, dialect: dialect) == connection)
    }

    @Test(arguments: Dialect.allCases)
    func `An extra with types goes whole into the URI, and comes back letter for letter`(dialect: Dialect) throws {
        let connection = Connection(
            connType: "http", host: "h", schema: "", extra: #"{"verify":false,"n":{"a":[1.0,1e3]}}"#)
        let uri = try ConnectionURI.build(connection, dialect: dialect)
        #expect(uri.hasPrefix("http://h/?__extra__="))
        #expect(try ConnectionURI.parse(uri, dialect: dialect) == connection)
    }

    @Test func `The API server reads query values as JSON, workers and Airflow 2 as text`() throws {
        let uri = "http://h/?verify=false&timeout=30&id=007&v=1e3&n=null&big=12345678901234567890123&x=NaN&f=0.1"
        let text =
            #"{"verify": "false", "timeout": "30", "id": "007", "v": "1e3", "n": "null", "#
            + #""big": "12345678901234567890123", "x": "NaN", "f": "0.1"}"#
        #expect(try ConnectionURI.parse(uri, dialect: .sdk).extra == text)
        #expect(try ConnectionURI.parse(uri, dialect: .v2_10).extra == text)
        #expect(
            try ConnectionURI.parse(uri, dialect: .server).extra
                == #"{"verify": false, "timeout": 30, "id": "007", "v": 1000.0, "n": null, "#
                + #""big": 12345678901234567890123, "x": NaN, "f": 0.1}"#)
    }

    @Test func `A host with the type for its scheme stays whole in Airflow 3 and is split in Airflow 2`() throws {
        let connection = Connection(connType: "http", host: "http://h")
        #expect(try ConnectionURI.build(connection, dialect: .sdk) == "http://http%3A%2F%2Fh")
        #expect(try ConnectionURI.build(connection, dialect: .v2_10) == "http://http://h")
    }

    @Test func `An empty password is none to Airflow's database models`() throws {
        #expect(try ConnectionURI.parse("mysql://u:@h", dialect: .sdk).password == "")
        #expect(try ConnectionURI.parse("mysql://u:@h", dialect: .v2_10).password == nil)
        #expect(try ConnectionURI.parse("mysql://u:@h", dialect: .server).password == nil)
    }

    @Test func `Texts that differ only in how an accent is written are not equal`() {
        #expect(Connection(password: "\u{E9}") != Connection(password: "e\u{301}"))
        #expect(Connection(password: "\u{E9}") == Connection(password: "\u{E9}"))
    }

    @Test func `A refusal tells the place and the reason`() throws {
        let error = #expect(throws: ConnectionError.self) { try ConnectionURI.parse("s3://AK:ab/cd@b") }
        #expect(error?.reason == .portNotNumber)
        #expect(error?.offset == 8)
        #expect(error?.field == .port)
    }

    @Test(arguments: [
        ("1e16", "1e+16"), ("1e15", "1000000000000000.0"), ("1E-7", "1e-07"), ("-0.0", "-0.0"), ("-0", "0"),
        ("5e-324", "5e-324"), ("123456789012345678.9", "1.2345678901234568e+17"), ("0.0001", "0.0001"),
        ("1e999", "Infinity"), ("-1.50", "-1.5"), ("9007199254740993.0", "9007199254740992.0"),
        (#""\ud83d\ude00\u00e9\/""#, #""\ud83d\ude00\u00e9/""#), (#""\ud800""#, #""\ud800""#),
        ("\u{7F}", "\"\\u007f\""),
        (#"{"a":1,"b":2,"a":3}"#, #"{"a": 3, "b": 2}"#),
    ])
    func `JSON values are rewritten as Python rewrites them`(value: String, python: String) throws {
        var query: [UInt8] = []
        for byte in value.utf8 { query += "%\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8 }
        let uri = "http://h/?v=" + String(decoding: query, as: UTF8.self)
        #expect(try ConnectionURI.parse(uri, dialect: .server).extra == "{\"v\": \(python)}")
    }

    @Test func `An integer of more digits than Python takes is refused by those who read it`() throws {
        let uri = "http://h/?v=" + String(repeating: "1", count: 4301)
        #expect(throws: ConnectionError(.numberTooLong, field: .extra)) {
            try ConnectionURI.parse(uri, dialect: .server)
        }
        #expect(throws: Never.self) { try ConnectionURI.parse(uri, dialect: .sdk) }
    }
}
