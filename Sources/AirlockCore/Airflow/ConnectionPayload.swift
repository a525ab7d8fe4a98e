/// A connection as the data object of a vault secret, as Airflow's `VaultBackend` reads it: the member `conn_uri` alone when it
/// is there and not empty, else the fields.
/// https://github.com/apache/airflow/blob/main/providers/hashicorp/src/airflow/providers/hashicorp/secrets/vault.py
///
/// Older providers (4.0.0) hand the members to the constructor without `from_json`; what is written here reads the same there.
package enum ConnectionPayload {
    /// - Parameter data: the secret's data object, JSON.
    package static func read(
        _ data: some Sequence<UInt8>, dialect: Dialect = .sdk, numbers: ConnectionJSON.Numbers = .refused
    ) throws(ConnectionError) -> Connection {
        let fields = try ConnectionJSON.Fields(Array(data))
        guard let member = fields[.connURI], member.value.isTruthy else {
            return try fields.connection(dialect, numbers)
        }
        guard case .string(let value) = member.value else {
            throw ConnectionError(.notString, at: member.valueOffset, field: .connURI)
        }
        guard let text = value.text else {
            throw ConnectionError(.loneSurrogate, at: member.valueOffset, field: .connURI)
        }
        return try ConnectionText.parse(text, dialect: dialect, numbers: numbers)
    }

    /// The data object's JSON: `{"conn_uri": ...}` where every dialect reads exactly these fields back from Airflow's own
    /// URI of the connection, else the fields themselves. A URI loses a description, the case of a host and the types inside
    /// extra, and an absent schema comes back as an empty one.
    package static func write(_ connection: Connection) -> [UInt8] {
        if let uri = exactURI(connection) { return JSON.object([.init("conn_uri", .string(uri))]).bytes }
        return JSON.object(fields(connection)).bytes
    }

    /// The dialects that would read something else from this data object, or refuse it. Empty for most of what `write` makes;
    /// not where a dialect cannot hold the connection at all (an empty password or an extra that is no object).
    package static func dialectsMisreading(_ data: [UInt8], as connection: Connection) -> [Dialect] {
        Dialect.allCases.filter { dialect in (try? read(data, dialect: dialect)) != connection }
    }

    /// The URI that every dialect reads back as exactly this connection, if there is one.
    package static func exactURI(_ connection: Connection) -> String? {
        guard connection.description == nil, let uri = try? ConnectionURI.build(connection) else { return nil }
        let isExact = Dialect.allCases.allSatisfy { dialect in
            (try? ConnectionText.parse(uri, dialect: dialect)) == connection
        }
        return isExact ? uri : nil
    }

    private static func fields(_ connection: Connection) -> [JSON.Member] {
        typealias Field = ConnectionError.Field
        let texts: [(Field, String?)] = [
            (.connType, connection.connType), (.description, connection.description), (.host, connection.host),
            (.login, connection.login), (.password, connection.password), (.schema, connection.schema),
        ]
        var members = texts.compactMap { field, text in text.map { JSON.Member(field.rawValue, .string($0)) } }
        if connection.port != nil { members.append(.init(Field.port.rawValue, port(connection))) }
        if let extra = connection.extra { members.append(.init(Field.extra.rawValue, .string(extra))) }
        return members
    }

    /// The field `port`. Airflow takes the number 0 for no port at all, but reads the text.
    static func port(_ connection: Connection) -> JSON {
        switch connection.port {
        case nil: .null
        case 0: "0"
        case let port?: .integer(port)
        }
    }
}
