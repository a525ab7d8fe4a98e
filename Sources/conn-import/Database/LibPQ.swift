import Foundation

/// PostgreSQL's client library, loaded when such a database is read, so that nothing else needs it.
/// https://www.postgresql.org/docs/current/libpq.html
struct LibPQ {
    typealias Words = UnsafePointer<UnsafePointer<CChar>?>

    let connect: @convention(c) (Words, Words, CInt) -> OpaquePointer?
    let status: @convention(c) (OpaquePointer?) -> CInt
    let errorMessage: @convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?
    let host: @convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?
    let port: @convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?
    let database: @convention(c) (OpaquePointer?) -> UnsafePointer<CChar>?
    let finish: @convention(c) (OpaquePointer?) -> Void
    let execute: @convention(c) (OpaquePointer?, UnsafePointer<CChar>) -> OpaquePointer?
    let resultStatus: @convention(c) (OpaquePointer?) -> CInt
    let rowCount: @convention(c) (OpaquePointer?) -> CInt
    let columnCount: @convention(c) (OpaquePointer?) -> CInt
    let columnName: @convention(c) (OpaquePointer?, CInt) -> UnsafePointer<CChar>?
    let isNull: @convention(c) (OpaquePointer?, CInt, CInt) -> CInt
    let value: @convention(c) (OpaquePointer?, CInt, CInt) -> UnsafePointer<CChar>?
    let length: @convention(c) (OpaquePointer?, CInt, CInt) -> CInt
    let clear: @convention(c) (OpaquePointer?) -> Void

    static let connectionIsGood: CInt = 0
    static let commandIsDone: CInt = 1
    static let hasRows: CInt = 2

    /// The library stays loaded until the program ends.
    init() throws {
        guard let library = dlopen("libpq.so.5", RTLD_NOW) else {
            throw SourceFile.Unreadable(
                name: "libpq.so.5",
                reason: "cannot be loaded; install PostgreSQL's client library (Debian's package libpq5)")
        }
        func function<F>(_ name: String, as: F.Type = F.self) throws -> F {
            guard let symbol = dlsym(library, name) else {
                throw SourceFile.Unreadable(name: "libpq.so.5", reason: "has no \(name); install PostgreSQL's own")
            }
            return unsafeBitCast(symbol, to: F.self)
        }
        connect = try function("PQconnectdbParams")
        status = try function("PQstatus")
        errorMessage = try function("PQerrorMessage")
        host = try function("PQhost")
        port = try function("PQport")
        database = try function("PQdb")
        finish = try function("PQfinish")
        execute = try function("PQexec")
        resultStatus = try function("PQresultStatus")
        rowCount = try function("PQntuples")
        columnCount = try function("PQnfields")
        columnName = try function("PQfname")
        isNull = try function("PQgetisnull")
        value = try function("PQgetvalue")
        length = try function("PQgetlength")
        clear = try function("PQclear")
    }
}
