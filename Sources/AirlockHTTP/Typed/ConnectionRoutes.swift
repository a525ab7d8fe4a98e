import AirlockCore
import HTTPTypes

/// `/api/v2/connections`.
extension Connection: TypedModel {
    static let kind = "connection"
    static let collection = "connections"
    static let idMember = "connection_id"
    static let idLimit = 200
    static let hasTeams = true
    static let members = [
        "connection_id", "conn_type", "description", "host", "login", "schema", "port", "password", "extra",
        "team_name",
    ]
    static let required = ["conn_type"]
    static let orderings = [
        "connection_id", "conn_id", "id", "team_name", "conn_type", "description", "host", "port",
    ]
    static let setting = "connections_path"
    static let pattern = "connection_id"

    static func folders(_ settings: TypedSettings) -> [String]? { settings.connectionsPaths }

    static var empty: Connection { Connection() }

    init(stored: SecretPayload, dialect: Dialect) throws {
        self = try ConnectionPayload.read(stored.bytes, dialect: dialect)
    }

    var stored: SecretPayload { SecretPayload(ConnectionPayload.write(self)) }

    mutating func apply(_ body: TypedBody, _ mask: UpdateMask) throws {
        func counts(_ name: String) -> Bool { mask.counts(name, in: body) }
        if counts("conn_type") {
            let type = try body.required("conn_type", atMost: 500)
            guard !type.isEmpty else { throw body.invalid("conn_type", "must not be empty") }
            connType = type
        }
        if counts("description") { description = try body.string("description") }
        if counts("host") { host = try body.string("host") }
        if counts("login") { login = try body.string("login") }
        if counts("schema") { schema = try body.string("schema") }
        if counts("port") { port = try body.port() }
        if counts("password") {
            let sent = try body.string("password")
            if try !mask.keeps(sent, "password", in: body) { password = sent }
        }
        if counts("extra") {
            let sent = try body.string("extra")
            if try !mask.keeps(sent, "extra", in: body) {
                if let sent, !sent.isEmpty, (try? JSON(parsing: sent))?.members == nil {
                    throw body.invalid("extra", "must be a string that holds a JSON object")
                }
                extra = sent
            }
        }
    }

    func rendered(reveals: Bool) -> [JSON.Member] {
        [
            .init("conn_type", .string(connType ?? "")), .init("description", .orNull(description)),
            .init("host", .orNull(host)), .init("login", .orNull(login)), .init("schema", .orNull(schema)),
            .init("port", port.map { .integer($0) } ?? .null),
            .init("password", reveals ? .orNull(password) : Masked.json(password)),
            .init("extra", reveals ? .orNull(extra) : Masked.json(extra)),
        ]
    }

    func sortKey(_ ordering: String) -> SortKey {
        switch ordering {
        case "conn_type": .text(connType)
        case "description": .text(description)
        case "host": .text(host)
        case "port": port.map { .number($0) } ?? .absent
        default: .absent
        }
    }
}

/// What only connections have.
enum ConnectionRoutes {
    static let read: TypedSurface.Handler = { call in
        guard call.query.format != .fields else { return try await TypedRoutes<Connection>.read(call) }
        let found = try await TypedRoutes<Connection>.reveal(call)
        let connection = try Connection.read(found.data, call.query.dialect)
        let body: JSON =
            switch call.query.format {
            case .uri: ["connection_id": .string(call.id), "uri": .string(try uri(found.data, connection))]
            default: airflowJSON(connection)
            }
        return TypedResponse(body: body, headers: found.headers)
    }

    /// The URI as it is stored, or the one Airflow itself would build.
    private static func uri(_ data: SecretPayload, _ connection: Connection) throws -> String {
        let stored = try? JSON(parsing: data.bytes)["conn_uri"]?.text
        if let stored, !ConnectionText.opensLikeObject(stored) { return stored }
        do {
            return try ConnectionURI.build(connection)
        } catch {
            throw TypedError(.unprocessableContent, "this connection has no URI form: \(error)", at: ["stored"])
        }
    }

    /// The JSON form that Airflow reads from its environment and files.
    private static func airflowJSON(_ connection: Connection) -> JSON {
        let texts = [
            ("conn_type", connection.connType), ("description", connection.description), ("host", connection.host),
            ("login", connection.login), ("password", connection.password), ("schema", connection.schema),
        ]
        var members = texts.compactMap { name, text in text.map { JSON.Member(name, .string($0)) } }
        if let port = connection.port { members.append(.init("port", .integer(port))) }
        if let extra = connection.extra { members.append(.init("extra", .string(extra))) }
        return .object(members)
    }

    /// What Airflow would refuse or misread in a text, or in a vault secret's data object; nothing is stored or repeated.
    static let lint: TypedSurface.Handler = { call in
        let body = try TypedBody(call.body, known: ["text", "data"])
        let findings: [Finding]
        switch (body["text"], body["data"]) {
        case (let text?, nil):
            guard let text = text.text else { throw body.invalid("text", "must be a string: a URI, or a JSON object") }
            findings = ConnectionLint.findings(in: text, dialect: call.query.dialect)
        case (nil, let data?):
            // Offsets count in the object as it was sent.
            guard data.members != nil, let range = try JSON.parsed(call.rawBody).ranges?["data"] else {
                throw body.invalid("data", "must be an object: what a vault secret holds")
            }
            findings = ConnectionLint.findings(
                inPayload: Array(call.rawBody[range]), dialect: call.query.dialect)
        default: throw body.invalid("text", "or data is required, and not both")
        }
        return TypedResponse(body: ["findings": .array(findings.map(\.json))])
    }

    /// What Airflow answers where testing is disabled, which it is by default.
    static let test: TypedSurface.Handler = { _ in
        throw TypedError(.forbidden, "Testing connections is disabled: Airlock has no hooks. Test them from Airflow.")
    }
}
