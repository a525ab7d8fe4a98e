import AirlockCore
import HTTPTypes

/// `/api/v2/variables`.
enum VariableRoutes {
    private static let kind = "variable"
    private static let members = ["key", "value", "description", "team_name"]

    private static func secrets(_ call: TypedCall) throws -> MountedSecrets {
        try call.secrets(in: call.surface.settings.variablesPaths, kind: kind)
    }

    static let list: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        let found = try await secrets.all()
        let page = found.dropFirst(call.query.offset).prefix(call.query.limit)
        let variables = page.map { id, data -> JSON in
            let variable = try? Variable(data: data.bytes)
            let error = variable == nil ? "Airflow cannot read this variable; GET it to see why" : nil
            return json(variable ?? Variable(value: ""), id: id, reveals: false, error: error)
        }
        return TypedResponse(body: ["variables": .array(variables), "total_entries": .integer(found.count)])
    }

    static let read: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        try MountedSecrets.checkID(call.id)
        guard let found = try await secrets.reveal(call.id) else { throw secrets.absent }
        return TypedResponse(body: json(try variable(found.data), id: call.id, reveals: true), headers: found.headers)
    }

    private static func variable(_ data: SecretPayload) throws -> Variable {
        do {
            return try Variable(data: data.bytes)
        } catch {
            throw TypedError(.unprocessableContent, "Airflow cannot read this variable: \(error)")
        }
    }

    private static func json(_ variable: Variable, id: String, reveals: Bool, error: String? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("key", .string(id)), .init("value", reveals ? .string(variable.value) : .string(Masked.text)),
            .init("description", .orNull(variable.description)), .init("is_encrypted", true), .init("team_name", .null),
        ]
        if let error { members.append(.init("error", .string(error))) }
        return .object(members)
    }

    static let create: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        let body = try TypedBody(call.body, known: members)
        try body.refuseTeam()
        let id = try body.required("key")
        try MountedSecrets.checkID(id)
        var variable = Variable(value: "")
        guard body.has("value") else { throw TypedError(.unprocessableContent, "value is required") }
        try apply(body, to: &variable)
        try await secrets.create(id, SecretPayload(variable.data))
        return TypedResponse(status: .created, body: json(variable, id: id, reveals: false))
    }

    static let update: TypedSurface.Handler = { call in
        let secrets = try secrets(call)
        try MountedSecrets.checkID(call.id)
        let body = try TypedBody(call.body, known: members)
        try body.refuseTeam()
        if let key = try body.string("key"), key != call.id {
            throw TypedError(.badRequest, "key in the body is not the one in the path")
        }
        for name in call.query.updateMask where !members.contains(name) {
            throw TypedError(.unprocessableContent, "update_mask names an unknown member")
        }
        let mask = call.query.updateMask
        try await secrets.update(call.id) { data in
            var variable = try variable(data)
            try apply(body, to: &variable, mask: mask, keepsMasked: true)
            return SecretPayload(variable.data)
        }
        guard let found = try await secrets.read(call.id) else { throw secrets.absent }
        return TypedResponse(body: json(try variable(found.data), id: call.id, reveals: false))
    }

    static let delete: TypedSurface.Handler = { call in
        try MountedSecrets.checkID(call.id)
        try await secrets(call).delete(call.id)
        return TypedResponse(status: .noContent)
    }

    /// A value that is no string is stored as its JSON text, digits as they were written.
    /// - Parameter keepsMasked: a client that sends back a value as it was shown, masked, means no change.
    private static func apply(
        _ body: TypedBody, to variable: inout Variable, mask: [String] = [], keepsMasked: Bool = false
    ) throws {
        func counts(_ name: String) -> Bool { body.has(name) && (mask.isEmpty || mask.contains(name)) }
        if counts("value") {
            switch body["value"] {
            case .string(Masked.text) where keepsMasked: break
            case .string(let text): variable.value = text
            case let other: variable.value = String(decoding: (other ?? .null).bytes, as: UTF8.self)
            }
        }
        if counts("description") { variable.description = try body.string("description") }
    }
}
