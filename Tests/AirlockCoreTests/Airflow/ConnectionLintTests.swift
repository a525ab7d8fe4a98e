import AirlockCore
import Testing

struct ConnectionLintTests {
    typealias Code = Finding.Code

    static func codes(_ text: String) -> [Code] { ConnectionLint.findings(in: text).map(\.code) }

    /// The rows of what Airflow corrupts without a word, or refuses.
    static let rows: [(text: String, code: Code, severity: Finding.Severity, offset: Int)] = [
        ("google_cloud_platform://?project=p", .schemeUnderscore, .error, 6),
        ("\"mysql://u:p@h/d\"", .quotedText, .error, 0),
        ("'mysql://u:p@h/d'", .quotedText, .error, 0),
        ("\u{FEFF}{\"conn_type\":\"mysql\"}", .byteOrderMark, .error, 0),
        ("[{\"conn_type\":\"mysql\"}]", .notObject, .error, 0),
        ("\"{}\"", .quotedText, .error, 0),
        ("hello", .noScheme, .error, 0),
        (" username:password?schema=airflow", .noScheme, .error, 1),
        (" mysql://h", .surroundingBlanks, .warning, 0),
        ("mysql://h/d ", .surroundingBlanks, .warning, 11),
        ("jdbc:postgresql://h:5432/db", .nestedScheme, .error, 4),
        ("1a://h", .schemeInvalid, .error, 0),
        ("azure://appid:12345?tenantId=t", .noAtSign, .warning, 13),
        ("http://h/?endpoint_url=https://minio:9000", .rawURLInQuery, .error, 28),
        ("http://host/?cb=http://other", .rawURLInQuery, .error, 20),
        ("http://host/path#frag", .fragment, .warning, 16),
        ("mysql://u:pa\nss@h", .controlCharacter, .error, 12),
        ("mysql://u:pa\tss@h", .controlCharacter, .error, 12),
        ("mysql://u:p%E4ss@h", .percentNotText, .error, 11),
        ("mysql://u:50%ss@h", .percentStray, .warning, 12),
        ("http://h/?token=a+b", .queryPlus, .warning, 17),
        ("http://h/?a=1&a=2", .queryRepeatedName, .error, 14),
        ("http://h/?a=x;b=2", .querySemicolon, .warning, 13),
        ("http://h/?__extra__=%7B%7D&other=2", .extraKeySwallowsOthers, .error, 27),
        ("http://h/?__extra__=foobar", .extraNotJSON, .error, 20),
        ("http://h/?__extra__=%5B1%5D", .extraNotObject, .error, 20),
        ("mysql://u:p@Host.Example.COM", .hostUppercase, .warning, 12),
        ("https://api:8443/v1", .schemeHTTPS, .warning, 0),
        ("postgresql+psycopg2://u:p@h/d", .schemeDriver, .warning, 10),
        ("MySQL://u:p@h/d", .schemeUppercase, .warning, 0),
        ("s3://AK:ab/cd@b", .delimiterInUserinfo, .error, 10),
        ("s3://AK:ab#cd@b", .delimiterInUserinfo, .error, 10),
        ("s3://AK:ab?cd@b", .delimiterInUserinfo, .error, 10),
        ("s3://AK:12/34@b", .delimiterInUserinfo, .error, 10),
        ("mysql://u:p@ss@h/d", .atSignInUserinfo, .warning, 11),
        ("mysql://u:p[x]@h", .bracket, .error, 11),
        ("mysql://u:p]@h", .bracket, .error, 11),
        ("mysql://u:p@[1.2.3.4]", .bracket, .error, 12),
        ("mysql://u:p\u{2100}@h", .hiddenDelimiter, .error, 11),
        ("mongo://h1:27017,h2:27017", .severalHosts, .error, 11),
        ("mysql://h:port", .portNotNumber, .error, 10),
        ("mysql://u:p@h:65536", .portOutOfRange, .error, 14),
        ("my-type://user:pw@https://host", .straySchemeSeparator, .error, 23),
        ("a://b://c://d", .tooManySchemes, .error, 9),
        ("http://h/?verify=false", .queryTypedValue, .warning, 17),
        ("http://h/?x=NaN", .queryTypedValue, .warning, 12),
        ("", .emptyText, .error, 0),
        (#"{"conn_type":"mysql",}"#, .notJSON, .error, 21),
        (#"{'conn_type':'mysql'}"#, .notJSON, .error, 1),
        (#"{"conn_type":"http","username":"u"}"#, .unknownField, .error, 20),
        (#"{"conn_type":"http","hostname":"h"}"#, .unknownField, .error, 20),
        (#"{"conn_type":"http","dbname":"d"}"#, .unknownField, .error, 20),
        (#"{"conn_type":"http","extra_dejson":{}}"#, .unknownField, .error, 20),
        (#"{"conn_type":"http","conn_uri":"x"}"#, .unknownField, .error, 20),
        (#"{"conn_type":"http","team_name":"t"}"#, .unknownField, .error, 20),
        (#"{"conn_type":"http","nobody_knows":"d"}"#, .unknownField, .error, 20),
        (#"{"engine":"postgres","host":"h"}"#, .missingConnType, .error, 0),
        (#"{"conn_type":"http","conn_id":"x"}"#, .connIDInside, .error, 20),
        (#"{"uri":"mysql://h","host":"h"}"#, .uriMixed, .error, 19),
        (#"{"uri":"google_cloud_platform://"}"#, .schemeUnderscore, .error, 7),
        (#"{"conn_type":"mysql","password":12345}"#, .numberAsText, .warning, 32),
        (#"{"conn_type":"mysql","host":["h"]}"#, .notText, .error, 28),
        (#"{"conn_type":"mysql","host":"\ud800"}"#, .loneSurrogate, .error, 28),
        (#"{"conn_type":"mysql","port":"5432"}"#, .portAsText, .warning, 28),
        (#"{"conn_type":"mysql","port":5432.0}"#, .portAsText, .warning, 28),
        (#"{"conn_type":"mysql","port":"abc"}"#, .portNotInteger, .error, 28),
        (#"{"conn_type":"mysql","port":70000}"#, .portOutOfRange, .error, 28),
        (#"{"conn_type":"mysql","extra":"foobar"}"#, .extraNotJSON, .error, 29),
        (#"{"conn_type":"mysql","extra":[1,2]}"#, .extraNotObject, .error, 29),
        (#"{"conn_type":"mysql","password":"a%2Fb"}"#, .looksURLEncoded, .warning, 32),
        (#"{"conn_type":"mysql","host":"a","host":"b"}"#, .repeatedName, .error, 32),
        (#"{"conn_type":"mysql","description":"d"}"#, .lostInURI, .warning, 35),
        (#"{"conn_type":"mysql","host":"ABC"}"#, .lostInURI, .warning, 28),
        (#"{"conn_type":"http","extra":{"__extra__":"x"}}"#, .lostInURI, .warning, 28),
        (#"{"conn_type":"jdbc","host":"jdbc:postgresql://h:5432/db","password":"p"}"#, .refusedAsURI, .warning, 27),
    ]

    @Test(arguments: rows.indices)
    func `Each pitfall is found at its place`(index: Int) throws {
        let row = Self.rows[index]
        let findings = ConnectionLint.findings(in: row.text)
        let finding = try #require(
            findings.first { $0.code == row.code }, "row \(index): \(findings.map(\.code.rawValue))")
        #expect(finding.severity == row.severity)
        #expect(finding.offset == row.offset, "row \(index)")
        #expect(!finding.message.isEmpty && !finding.fix.isEmpty)
    }

    @Test(arguments: [
        "postgresql://user:p%40ss@host.example.com:5432/db?sslmode=require", "google-cloud-platform://?project=p",
        "mysql://u:p@h", "mongo://h1,h2", "http://https%3A%2F%2Fminio", "spark://https://h", "aws://AK:a%2Fb@",
        "redis://[::1]:6379/0",
        #"{"conn_type":"postgres","host":"h","login":"u","password":"p/@:#","port":5432,"schema":"db"}"#,
        #"{"conn_type":"http","host":"h","extra":{"verify":false}}"#, #"{"uri":"mysql://u:p@h/d"}"#,
    ])
    func `What is right has no finding`(text: String) {
        #expect(Self.codes(text) == [])
    }

    @Test func `The fix says exactly what to write`() throws {
        func fix(_ text: String) -> String? { ConnectionLint.findings(in: text).first?.fix }
        #expect(fix("google_cloud_platform://?project=p") == "write `google-cloud-platform://`")
        #expect(fix("my_own_type://h") == "write `-` for each `_` before `://`")
        #expect(fix("postgresql+psycopg2://u:p@h/d") == "write `postgres://`")
        #expect(fix("s3://AK:ab/cd@b") == "percent-encode `/` as %2F at byte 10")
        #expect(fix("http://host/?cb=http://other") == "percent-encode it as %3A%2F%2F at byte 20")
        #expect(fix("mysql://u:p\u{2100}@h") == "percent-encode it as %E2%84%80 at byte 11")
        #expect(
            fix(#"{"conn_type":"http","username":"u"}"#)
                == "write `login` in place of `username`")
    }

    @Test(arguments: Dialect.allCases)
    func `A text without an error is read by every Airflow`(dialect: Dialect) {
        for vector in ConnectionVectorTests.vectors {
            let hasError = ConnectionLint.findings(in: vector.input, dialect: dialect).contains {
                $0.severity == .error
            }
            if !hasError {
                #expect(throws: Never.self, "\(vector.label)") {
                    try ConnectionText.parse(vector.input, dialect: dialect, numbers: .asText)
                }
            }
        }
    }

    @Test func `A vault secret with conn_uri and fields is told that the fields are not read`() {
        let data = Array(#"{"conn_uri":"mysql://u:p@h/d","host":"other"}"#.utf8)
        #expect(ConnectionLint.findings(inPayload: data).map(\.code) == [.connURIShadowsFields])
        let inner = Array(#"{"conn_uri":"mysql://u:p/x@h"}"#.utf8)
        #expect(ConnectionLint.findings(inPayload: inner).map(\.code) == [.delimiterInUserinfo])
        #expect(ConnectionLint.findings(inPayload: Array(#"{"conn_type":"mysql"}"#.utf8)) == [])
    }

    @Test func `Codes are kebab-case`() {
        for code in Code.allCases {
            #expect(code.rawValue.utf8.allSatisfy { 0x61...0x7A ~= $0 || $0 == UInt8(ascii: "-") })
        }
    }
}
