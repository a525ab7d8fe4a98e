/// An Airflow connection: the fields Airflow's own `Connection` object holds after reading one, before any hook sees them.
///
/// It cannot be printed: `print`, interpolation, `dump` and reflection all show a placeholder.
package struct Connection: Sendable {
    package var connType: String?
    package var host: String?
    package var login: String?
    package var password: String?
    package var schema: String?
    package var port: Int?
    /// The string Airflow would hold. Mostly JSON text, but Airflow 2 and the Task SDK keep any text.
    package var extra: String?
    /// Only the JSON and field forms have it; a URI cannot carry it.
    package var description: String?

    package init(
        connType: String? = nil, host: String? = nil, login: String? = nil, password: String? = nil,
        schema: String? = nil, port: Int? = nil, extra: String? = nil, description: String? = nil
    ) {
        self.connType = connType
        self.host = host
        self.login = login
        self.password = password
        self.schema = schema
        self.port = port
        self.extra = extra
        self.description = description
    }
}

/// Equal means the same code points. Swift's own `==` on strings takes `é` written in one and in two code points for
/// equal; Airflow and a password check do not.
extension Connection: Equatable {
    package static func == (one: Connection, other: Connection) -> Bool {
        one.port == other.port
            && sameText(one.connType, other.connType) && sameText(one.host, other.host)
            && sameText(one.login, other.login) && sameText(one.password, other.password)
            && sameText(one.schema, other.schema) && sameText(one.extra, other.extra)
            && sameText(one.description, other.description)
    }

    private static func sameText(_ one: String?, _ other: String?) -> Bool {
        switch (one, other) {
        case (nil, nil): true
        case (let one?, let other?): one.utf8.elementsEqual(other.utf8)
        default: false
        }
    }
}

/// `description` is a field of a connection, so the placeholder comes from these three instead.
extension Connection: CustomDebugStringConvertible, CustomReflectable, TextOutputStreamable {
    private static let placeholder = "Connection(redacted)"

    package func write(to target: inout some TextOutputStream) { target.write(Connection.placeholder) }
    package var debugDescription: String { Connection.placeholder }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Whose reading of a connection is meant. They agree on most texts and differ on a few; see each use.
package enum Dialect: String, CaseIterable, Sendable {
    /// Airflow 3 workers and DAG processors: Task SDK 1.3.2, `airflow/sdk/definitions/connection.py`.
    case sdk
    /// Airflow 2.10.5, `airflow/models/connection.py`.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    case v2_10 = "2.10"
    /// The Airflow 3.3.2 API server and scheduler: `airflow/models/connection.py` of apache-airflow-core.
    case server

    /// Airflow's database models encrypt what is set: their setter ignores an empty password, so it reads back as none.
    var dropsEmptyPassword: Bool { self != .sdk }
}
