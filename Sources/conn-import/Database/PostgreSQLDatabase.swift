import AirlockCore
import Foundation

/// An Airflow metadata database in PostgreSQL. What the URL leaves out comes from where libpq looks for it: PGPASSWORD,
/// ~/.pgpass and their like.
final class PostgreSQLDatabase {
    /// Where the database is, without user and password.
    let name: String

    private let library: LibPQ
    private let connection: OpaquePointer?

    /// So many rows are in memory at a time.
    private static let page = 1000

    init(_ parameters: [(keyword: String, value: SecretText)], environment: [String: String]) throws {
        let library = try LibPQ()
        var words = parameters.map { ($0.keyword, $0.value.revealed) }
        // Of a keyword that is there twice the last counts: the URL may choose its own time limit, but not the encoding.
        if environment["PGCONNECT_TIMEOUT"] == nil { words.insert(("connect_timeout", "10"), at: 0) }
        words += [("client_encoding", "UTF8"), ("fallback_application_name", "conn-import")]
        let connection = Self.withCStrings(words.map(\.0)) { keywords in
            Self.withCStrings(words.map(\.1)) { values in library.connect(keywords, values, 0) }
        }
        let (host, port) = (Self.text(library.host(connection)), Self.text(library.port(connection)))
        name = "postgresql://\(host):\(port)/\(Self.text(library.database(connection)))"
        self.library = library
        self.connection = connection
        guard library.status(connection) == LibPQ.connectionIsGood else { throw failure("cannot be reached") }
    }

    deinit { library.finish(connection) }

    /// One transaction, so that what is read was there at one moment. It could change nothing.
    func read(into rows: inout AirflowRows) throws {
        try run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table in AirflowTable.allCases {
            let columns = try query(table.columnsQuery) { result in
                (0..<library.columnCount(result)).map { Self.text(library.columnName(result, $0)) }
            }
            do {
                try run("DECLARE secrets NO SCROLL CURSOR FOR \(table.query(columns))")
            } catch let error as AirflowTable.Mismatch {
                throw SourceFile.Unreadable(name: name, reason: error.reason)
            }
            while try readPage(of: table, into: &rows) == Self.page {}
            try run("CLOSE secrets")
        }
        try run("COMMIT")
    }

    private func readPage(of table: AirflowTable, into rows: inout AirflowRows) throws -> Int {
        try query("FETCH FORWARD \(Self.page) FROM secrets") { result in
            let (count, width) = (library.rowCount(result), library.columnCount(result))
            for row in 0..<count { rows.add((0..<width).map { bytes(result, row, $0) }, of: table) }
            return Int(count)
        }
    }

    // MARK: libpq

    private func run(_ sql: String) throws { try query(sql, LibPQ.commandIsDone) { _ in } }

    private func query<R>(
        _ sql: String, _ expected: CInt = LibPQ.hasRows, _ body: (OpaquePointer?) throws -> R
    ) throws -> R {
        let result = library.execute(connection, sql)
        defer { library.clear(result) }
        guard library.resultStatus(result) == expected else { throw failure("cannot be read as Airflow's database") }
        return try body(result)
    }

    private func bytes(_ result: OpaquePointer?, _ row: CInt, _ column: CInt) -> [UInt8]? {
        guard library.isNull(result, row, column) == 0 else { return nil }
        let count = Int(library.length(result, row, column))
        return Array(UnsafeRawBufferPointer(start: library.value(result, row, column), count: count))
    }

    /// libpq names hosts, users, databases and tables, but no password and no row.
    private func failure(_ what: String) -> SourceFile.Unreadable {
        let lines = Self.text(library.errorMessage(connection)).split(whereSeparator: \.isNewline)
        let reason = lines.map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
        return SourceFile.Unreadable(name: name, reason: "\(what): \(reason)")
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

    /// The texts as a C array of C strings, with a null pointer at its end.
    private static func withCStrings<R>(_ texts: [String], _ body: (LibPQ.Words) -> R) -> R {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var pointers = copies.map { UnsafePointer($0) }
        pointers.append(nil)
        return body(pointers)
    }
}
