/// `get_uri()`: a connection's URI as Airflow writes it, losses included (Airflow's own reader does not always take it
/// back: the description, port 0 and upper case in a host are gone; see `ConnectionPayload` for a form that is safe).
extension ConnectionURI {
    package static func build(_ connection: Connection, dialect: Dialect = .sdk) throws(ConnectionError) -> String {
        var out: [UInt8] = []
        if let type = nonEmpty(connection.connType) {
            out += PythonText.lower(type).utf8.lazy.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
            out += "://".utf8
        } else {
            out += "//".utf8
        }
        let (proto, host) = splitHost(connection, dialect)
        if !proto.isEmpty {
            out += proto
            out += "://".utf8
        }
        let password = dialect.dropsEmptyPassword ? nonEmpty(connection.password) : connection.password
        let authorityStart = out.count
        if let login = connection.login { PythonQuoting.quote(login.utf8, into: &out) }
        if let password {
            out.append(UInt8(ascii: ":"))
            PythonQuoting.quote(password.utf8, into: &out)
        }
        if out.count > authorityStart { out.append(UInt8(ascii: "@")) }
        PythonQuoting.quote(host, into: &out)
        if let port = connection.port, port != 0 {
            if out.count == authorityStart { out.append(UInt8(ascii: "@")) }
            out.append(UInt8(ascii: ":"))
            out += String(port).utf8
        }
        let schema = nonEmpty(connection.schema)
        if let schema {
            out.append(UInt8(ascii: "/"))
            PythonQuoting.quote(schema.utf8, into: &out)
        }
        if let extra = nonEmpty(connection.extra) {
            try ConnectionExtra.check(extra, dialect)
            out += (schema == nil ? "/?" : "?").utf8
            try appendQuery(extra, to: &out)
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func nonEmpty(_ text: String?) -> String? { text?.isEmpty == false ? text : nil }

    /// A host such as `https://minio` goes in with its own scheme. Airflow 3 leaves the host whole when that scheme is the
    /// connection's type; Airflow 2 does not.
    private static func splitHost(
        _ connection: Connection, _ dialect: Dialect
    ) -> (protocol: ArraySlice<UInt8>, host: ArraySlice<UInt8>) {
        let host = Array((connection.host ?? "").utf8)
        let mark = host.indices.dropLast(2).first {
            host[$0] == UInt8(ascii: ":") && host[$0 + 1] == UInt8(ascii: "/") && host[$0 + 2] == UInt8(ascii: "/")
        }
        guard let mark else { return ([], host[...]) }
        if dialect != .v2_10, let type = connection.connType, host[..<mark].elementsEqual(type.utf8) {
            return ([], host[...])
        }
        return (host[..<mark], host[(mark + 3)...])
    }

    /// A non-empty object of strings becomes a query; anything else goes whole under `__extra__`.
    private static func appendQuery(_ extra: String, to out: inout [UInt8]) throws(ConnectionError) {
        if case .object(let members) = try ConnectionExtra.decoded(extra) {
            let halves = members.contains { member in
                if case .string(let value) = member.value, value.hasLoneSurrogate { return true }
                return member.name.hasLoneSurrogate
            }
            // Python cannot encode it, and raises, even where the query would not be used in the end.
            guard !halves else { throw ConnectionError(.loneSurrogate, field: .extra) }
            if let query = flatQuery(members) {
                out += query
                return
            }
        }
        out += "__extra__=".utf8
        PythonQuoting.quote(extra.utf8, blankAsPlus: true, into: &out)
    }

    private static func flatQuery(_ members: [(name: PythonString, value: PythonJSON)]) -> [UInt8]? {
        guard !members.isEmpty else { return nil }
        var query: [UInt8] = []
        for (index, member) in members.enumerated() {
            guard case .string(let value) = member.value else { return nil }
            if index > 0 { query.append(UInt8(ascii: "&")) }
            PythonQuoting.quote(member.name.bytes, blankAsPlus: true, into: &query)
            query.append(UInt8(ascii: "="))
            PythonQuoting.quote(value.bytes, blankAsPlus: true, into: &query)
        }
        return query
    }
}
