/// The place of Airflow's metadata database, as `[database] sql_alchemy_conn` has it: SQLAlchemy's URL, split where
/// SQLAlchemy splits it, or simply the path of a SQLite file.
/// https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls
package enum AirflowDatabaseURL: Sendable {
    case sqlite(path: String)
    /// libpq's keywords and their values.
    case postgreSQL([(keyword: String, value: SecretText)])

    /// What is wrong, without any of the text, which may hold a password.
    package struct Fault: Error, Equatable {
        package let reason: String
    }

    package init(_ text: String) throws(Fault) {
        guard let colon = text.firstRange(of: "://") else {
            guard !text.isEmpty else { throw Fault(reason: "is empty") }
            guard !text.contains(":") else {
                throw Fault(reason: "is no URL; a path with a colon in it is written sqlite:///PATH")
            }
            self = .sqlite(path: text)
            return
        }
        let rest = text[colon.upperBound...]
        // The driver after the + is Python's affair.
        switch text[..<colon.lowerBound].prefix(while: { $0 != "+" }).lowercased() {
        case "sqlite": self = .sqlite(path: try AirflowDatabaseURL.path(rest))
        case "postgresql", "postgres": self = .postgreSQL(try AirflowDatabaseURL.parameters(rest))
        default: throw Fault(reason: "is of a database that is not read; sqlite:// and postgresql:// are")
        }
    }

    package var hasPassword: Bool {
        guard case .postgreSQL(let parameters) = self else { return false }
        return parameters.contains { $0.keyword == "password" }
    }

    /// `sqlite:///relative` and `sqlite:////absolute`.
    private static func path(_ rest: Substring) throws(Fault) -> String {
        guard rest.hasPrefix("/"), rest.count > 1 else {
            throw Fault(reason: "names no file; an absolute path makes sqlite:////PATH")
        }
        let path = rest.dropFirst()
        guard !path.contains("?"), !path.hasPrefix("file:") else {
            throw Fault(reason: "has options, which are not read; give the path alone")
        }
        return String(path)
    }

    /// `[user[:password]@][host][:port][/database][?keyword=value&...]`. A password may hold all but an @.
    private static func parameters(_ text: Substring) throws(Fault) -> [(keyword: String, value: SecretText)] {
        var found: [(keyword: String, value: SecretText)] = []
        var rest = text
        let name = rest.prefix { $0 != ":" && $0 != "/" }
        if rest[name.endIndex...].first == ":", let at = rest[name.endIndex...].firstIndex(of: "@") {
            let password = rest[rest.index(after: name.endIndex)..<at]
            found.append(("user", SecretText(unquoted(name))))
            found.append(("password", SecretText(unquoted(password))))
            rest = rest[rest.index(after: at)...]
        } else if let at = name.lastIndex(of: "@") {
            found.append(("user", SecretText(unquoted(name[..<at]))))
            rest = rest[rest.index(after: at)...]
        }
        let query = rest.firstIndex(of: "?").map { rest[rest.index(after: $0)...] }
        rest = rest.prefix { $0 != "?" }
        let address = rest.prefix { $0 != "/" }
        let database = rest[address.endIndex...].dropFirst()
        // A wrongly split password must not be sent out as the name of a host, or shown as one.
        guard !address.contains("@"), !database.contains("@") else {
            throw Fault(reason: "has an @ in its host or database; in a password write %40 for it")
        }
        found += try hostAndPort(address)
        if !database.isEmpty { found.append(("dbname", SecretText(String(database)))) }
        if let query { found += try keywords(query, besides: Set(found.map(\.keyword))) }
        return found
    }

    private static func hostAndPort(_ address: Substring) throws(Fault) -> [(keyword: String, value: SecretText)] {
        var host = address
        var port: Substring?
        if host.hasPrefix("["), let end = host.lastIndex(of: "]") {
            port = host[host.index(after: end)...].dropFirst()
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.firstIndex(of: ":") {
            port = host[host.index(after: colon)...]
            host = host[..<colon]
        }
        var found: [(keyword: String, value: SecretText)] = []
        if !host.isEmpty { found.append(("host", SecretText(String(host)))) }
        if let port, !port.isEmpty {
            guard UInt16(port) != nil else { throw Fault(reason: "has a port that is not a number up to 65535") }
            found.append(("port", SecretText(String(port))))
        }
        return found
    }

    private static func keywords(
        _ query: Substring, besides known: Set<String>
    ) throws(Fault) -> [(keyword: String, value: SecretText)] {
        var found: [(keyword: String, value: SecretText)] = []
        var seen = known
        for pair in query.split(separator: "&") {
            let name = pair.prefix { $0 != "=" }
            guard seen.insert(String(name)).inserted else {
                throw Fault(reason: "says one thing twice; several hosts are written host=A,B and port=1,2")
            }
            let value = pair[name.endIndex...].dropFirst().replacing("+", with: " ")
            found.append((String(name), SecretText(unquoted(value))))
        }
        return found
    }

    private static func unquoted(_ text: some StringProtocol) -> String { PythonQuoting.unquoted(Array(text.utf8)) }
}
