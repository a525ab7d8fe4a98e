import AirlockCore
import Testing

struct AirflowDatabaseURLTests {
    private static let canary = "canary-5e"

    private func sqlitePath(_ text: String) throws -> String? {
        if case .sqlite(let path) = try AirflowDatabaseURL(text) { path } else { nil }
    }

    private func parameters(_ text: String) throws -> [String: String]? {
        guard case .postgreSQL(let found) = try AirflowDatabaseURL(text) else { return nil }
        return Dictionary(uniqueKeysWithValues: found.map { ($0.keyword, $0.value.revealed) })
    }

    @Test(arguments: [
        ("airflow.db", "airflow.db"), ("/var/lib/airflow.db", "/var/lib/airflow.db"),
        ("sqlite:///airflow.db", "airflow.db"), ("sqlite:////var/lib/a b%20#.db", "/var/lib/a b%20#.db"),
        ("sqlite+pysqlite:////a.db", "/a.db"),
    ])
    func `A SQLite file is a path or SQLAlchemy's URL of one`(_ text: String, _ path: String) throws {
        #expect(try sqlitePath(text) == path)
    }

    @Test(arguments: [
        "postgresql://u:p@h:5432/d": ["user": "u", "password": "p", "host": "h", "port": "5432", "dbname": "d"],
        "postgresql+psycopg2://u@h/d": ["user": "u", "host": "h", "dbname": "d"],
        "postgres://h": ["host": "h"],
        "postgresql://": [:],
        "postgresql:///d?host=/run/postgresql&sslmode=verify-full&options=-c+search_path%3Dairflow": [
            "dbname": "d", "host": "/run/postgresql", "sslmode": "verify-full", "options": "-c search_path=airflow",
        ],
        "postgresql://u:a%40b%2Fc+d:e/f?g#h@[::1]:5433/d": [
            "user": "u", "password": "a@b/c+d:e/f?g#h", "host": "::1", "port": "5433", "dbname": "d",
        ],
        "postgresql://u%20x:@h/d": ["user": "u x", "password": "", "host": "h", "dbname": "d"],
        "postgresql://u@/d?host=a,b&port=1,2": ["user": "u", "dbname": "d", "host": "a,b", "port": "1,2"],
    ])
    func `A PostgreSQL URL is split where SQLAlchemy splits it`(_ text: String, _ wanted: [String: String]) throws {
        #expect(try parameters(text) == wanted)
    }

    @Test func `A password is noticed wherever it stands`() throws {
        #expect(try AirflowDatabaseURL("postgresql://u:p@h/d").hasPassword)
        #expect(try AirflowDatabaseURL("postgresql://u@h/d?password=p").hasPassword)
        #expect(try !AirflowDatabaseURL("postgresql://u@h/d").hasPassword)
        #expect(try !AirflowDatabaseURL("sqlite:////a.db").hasPassword)
    }

    @Test(arguments: [
        ("", "is empty"),
        ("mysql://u:canary-5e@h/d", "is of a database that is not read; sqlite:// and postgresql:// are"),
        ("postgresql:/u:canary-5e@h", "is no URL; a path with a colon in it is written sqlite:///PATH"),
        ("sqlite://", "names no file; an absolute path makes sqlite:////PATH"),
        ("sqlite:///file:a.db?mode=ro&uri=true", "has options, which are not read; give the path alone"),
        (
            "postgresql://u:canary@-5e@h/d",
            "has an @ in its host or database; in a password write %40 for it"
        ),
        ("postgresql://u:canary-5e", "has a port that is not a number up to 65535"),
        ("postgresql://h:65536/d", "has a port that is not a number up to 65535"),
        (
            "postgresql:///d?host=a&host=canary-5e",
            "says one thing twice; several hosts are written host=A,B and port=1,2"
        ),
        ("postgresql://u:p@h/d?password=q", "says one thing twice; several hosts are written host=A,B and port=1,2"),
    ])
    func `What cannot be meant is refused without its text`(_ text: String, _ reason: String) {
        let fault = #expect(throws: AirflowDatabaseURL.Fault.self) { try AirflowDatabaseURL(text) }
        #expect(fault?.reason == reason)
    }

    @Test func `A password does not show when the parameters are printed`() throws {
        let url = try AirflowDatabaseURL("postgresql://u:\(Self.canary)@h/d")
        var dumped = ""
        dump(url, to: &dumped)
        #expect(!"\(url) \(dumped)".contains(Self.canary))
    }
}
