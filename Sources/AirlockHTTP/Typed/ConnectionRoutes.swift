import AirlockCore
import HTTPTypes

/// `/api/v2/connections`.
enum ConnectionRoutes {
    private static let kind = "connection"
    private static let members = [
        "connection_id", "conn_type", "description", "host", "login", "schema", "port", "password", "extra",
        "team_name",
    ]

    private static func secrets(_ call: TypedCall) throws -> MountedSecrets {
        try call.secrets(in: call.surface.settings.connectionsPaths, kind: kind)
    }

    // MARK: Reading

    static let list: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        let found = try await secrets.all()
        let page = found.dropFirst(call.query.offset).prefix(call.query.limit)
        let connections = page.map { id, data -> JSON in
            guard let connection = try? ConnectionPayload.read(data.bytes) else {
                return json(Connection(connType: ""), id: id, reveals: false, error: unreadable)
            }
            return json(connection, id: id, reveals: false)
        }
        return TypedResponse(body: ["connections": .array(connections), "total_entries": .integer(found.count)])
    }

    private static let unreadable = "Airflow cannot read this connection; GET it to see why"

    static let read: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        try MountedSecrets.checkID(call.id)
        guard let found = try await secrets.reveal(call.id) else { throw secrets.absent }
        let connection = try connection(found.data)
        switch call.query.format {
        case .fields: return TypedResponse(body: json(connection, id: call.id, reveals: true), headers: found.headers)
        case .json: return TypedResponse(body: airflowJSON(connection), headers: found.headers)
        case .uri:
            return TypedResponse(
                body: ["connection_id": .string(call.id), "uri": .string(try uri(found.data, connection))],
                headers: found.headers)
        }
    }

    private static func connection(_ data: SecretPayload) throws -> Connection {
        do {
            return try ConnectionPayload.read(data.bytes)
        } catch {
            throw TypedError(.unprocessableContent, "Airflow cannot read this connection: \(error)")
        }
    }

    /// The URI as it is stored, or the one Airflow itself would build.
    private static func uri(_ data: SecretPayload, _ connection: Connection) throws -> String {
        let stored = try? JSON(parsing: data.bytes)["conn_uri"]?.text
        if let stored, !ConnectionText.opensLikeObject(stored) { return stored }
        do {
            return try ConnectionURI.build(connection)
        } catch {
            throw TypedError(.unprocessableContent, "this connection has no URI form: \(error)")
        }
    }

    /// - Parameter reveals: the password and `extra` are shown; otherwise only that they are there.
    private static func json(_ connection: Connection, id: String, reveals: Bool, error: String? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("connection_id", .string(id)), .init("conn_type", .string(connection.connType ?? "")),
            .init("description", .orNull(connection.description)), .init("host", .orNull(connection.host)),
            .init("login", .orNull(connection.login)), .init("schema", .orNull(connection.schema)),
            .init("port", connection.port.map { .integer($0) } ?? .null),
            .init("password", reveals ? .orNull(connection.password) : Masked.json(connection.password)),
            .init("extra", reveals ? .orNull(connection.extra) : Masked.json(connection.extra)),
            .init("team_name", .null),
        ]
        if let error { members.append(.init("error", .string(error))) }
        return .object(members)
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

    // MARK: Writing

    static let create: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        let body = try TypedBody(call.body, known: members)
        try body.refuseTeam()
        let id = try body.required("connection_id")
        try MountedSecrets.checkID(id)
        var connection = Connection()
        try apply(body, to: &connection)
        guard let type = connection.connType, !type.isEmpty else {
            throw TypedError(.unprocessableContent, "conn_type is required")
        }
        try await secrets.create(id, SecretPayload(ConnectionPayload.write(connection)))
        return TypedResponse(status: .created, body: json(connection, id: id, reveals: false))
    }

    /// Members that are sent change, the others stay; `update_mask` narrows which of those sent count.
    static let update: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        try MountedSecrets.checkID(call.id)
        let body = try TypedBody(call.body, known: members)
        try body.refuseTeam()
        if let id = try body.string("connection_id"), id != call.id {
            throw TypedError(.badRequest, "connection_id in the body is not the one in the path")
        }
        for name in call.query.updateMask where !members.contains(name) {
            throw TypedError(.unprocessableContent, "update_mask names an unknown member")
        }
        let mask = call.query.updateMask
        try await secrets.update(call.id) { data in
            var connection = try connection(data)
            try apply(body, to: &connection, mask: mask, keepsMasked: true)
            return SecretPayload(ConnectionPayload.write(connection))
        }
        guard let found = try await secrets.read(call.id) else { throw secrets.absent }
        return TypedResponse(body: json(try connection(found.data), id: call.id, reveals: false))
    }

    static let delete: TypedSurface.Handler = { call in
        try MountedSecrets.checkID(call.id)
        try await secrets(call).delete(call.id)
        return TypedResponse(status: .noContent)
    }

    /// - Parameter keepsMasked: a client that sends back a value as it was shown, masked, means no change.
    private static func apply(
        _ body: TypedBody, to connection: inout Connection, mask: [String] = [], keepsMasked: Bool = false
    ) throws {
        func counts(_ name: String) -> Bool { body.has(name) && (mask.isEmpty || mask.contains(name)) }
        if counts("conn_type") {
            let type = try body.required("conn_type", atMost: 500)
            guard !type.isEmpty else { throw TypedError(.unprocessableContent, "conn_type must not be empty") }
            connection.connType = type
        }
        if counts("description") { connection.description = try body.string("description") }
        if counts("host") { connection.host = try body.string("host") }
        if counts("login") { connection.login = try body.string("login") }
        if counts("schema") { connection.schema = try body.string("schema") }
        if counts("port") { connection.port = try body.port() }
        func isMasked(_ name: String) throws -> Bool { try keepsMasked && body.string(name) == Masked.text }
        if counts("password"), try !isMasked("password") {
            connection.password = try body.string("password")
        }
        if counts("extra"), try !isMasked("extra") {
            let extra = try body.string("extra")
            if let extra, !extra.isEmpty, (try? JSON(parsing: extra))?.members == nil {
                throw TypedError(.unprocessableContent, "extra must be a string that holds a JSON object")
            }
            connection.extra = extra
        }
    }
}
