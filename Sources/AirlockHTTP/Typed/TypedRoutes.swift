import AirlockCore
import HTTPTypes

/// What the typed surface does with each kind of secret.
enum TypedRoutes<Model: TypedModel> {
    // MARK: Reading

    /// One line of a list.
    private struct Entry {
        let name: SecretName
        /// `nil`: Airflow cannot read it.
        let model: Model?

        func sortKey(_ ordering: String) -> SortKey {
            switch ordering {
            case "id", "conn_id", Model.idMember: .text(name.id)
            case "team_name": .text(name.team)
            default: model?.sortKey(ordering) ?? .absent
            }
        }

        var json: JSON {
            let error = model == nil ? "Airflow cannot read this \(Model.kind); GET it to see why" : nil
            return Model.json(name, model ?? Model.empty, reveals: false, error: error)
        }
    }

    @Sendable static func list(_ call: TypedCall) async throws -> TypedResponse {
        let secrets = try call.secrets(Model.self)
        let query = call.query
        let orderings = try query.orderings(among: Model.orderings)
        let names = try await secrets.names(team: query.teamName).filter { name in
            query.patterns.allSatisfy { $0.matches(name.id) }
        }
        var entries: [Entry] = []
        for name in names {
            guard let found = try await secrets.readable(name) else { continue }
            entries.append(Entry(name: name, model: try? Model(stored: found.data, dialect: query.dialect)))
        }
        sort(&entries, by: orderings)
        let page = entries.dropFirst(query.offset).prefix(query.limit).map(\.json)
        return TypedResponse(
            body: .object([
                .init(Model.collection, .array(Array(page))), .init("total_entries", .integer(entries.count)),
            ]))
    }

    /// Equals stay in the order of their ids, turned round where the first criterion goes down, as in Airflow.
    private static func sort(_ entries: inout [Entry], by orderings: [TypedQuery.Ordering]) {
        guard let first = orderings.first else { return }
        if first.isDescending { entries.reverse() }
        entries = entries.enumerated().sorted { one, other in
            for ordering in orderings {
                let keys = (one.element.sortKey(ordering.name), other.element.sortKey(ordering.name))
                if keys.0 != keys.1 { return (keys.0 < keys.1) != ordering.isDescending }
            }
            return one.offset < other.offset
        }.map(\.element)
    }

    @Sendable static func read(_ call: TypedCall) async throws -> TypedResponse {
        let found = try await reveal(call)
        let model = try Model.read(found.data, call.query.dialect)
        return TypedResponse(
            body: Model.json(found.name, model, reveals: true), headers: found.headers,
            reading: try reading(of: found, call))
    }

    private static func reading(of found: MountedSecrets.Found, _ call: TypedCall) throws -> KeptReading? {
        let secrets = try call.secrets(Model.self)
        guard call.fields.isEmpty, found.name.team == nil, let folder = secrets.folders.first,
            let principal = call.principal, let token = VaultRequest.token(call.headers)
        else { return nil }
        let typed = (
            prefix: "\(TypedSurface.root)/\(Model.collection)/", folder: folder.isEmpty ? "" : "\(folder)/"
        )
        return try KeptReading(
            found.path, on: secrets.mount, by: principal, token: token, typed: typed, validity: found.validity,
            services: call.surface.services)
    }

    /// For an answer that shows the secret itself: it counts as its last read.
    static func reveal(_ call: TypedCall) async throws -> MountedSecrets.Found {
        let found = try await find(call)
        try call.secrets(Model.self).note(found)
        return found
    }

    static func find(_ call: TypedCall) async throws -> MountedSecrets.Found {
        let secrets = try call.secrets(Model.self)
        try Model.checkID(call.id, at: ["path", Model.idMember])
        guard let found = try await secrets.find(call.id, team: call.query.teamName) else { throw secrets.absent }
        return found
    }

    // MARK: Writing

    @Sendable static func create(_ call: TypedCall) async throws -> TypedResponse {
        let secrets = try call.secrets(Model.self)
        let body = try TypedBody(call.body, known: Model.members)
        let name = SecretName(id: try Model.id(body), team: try Model.team(body))
        let model = try Model.made(from: body)
        let exists = secrets.exists
        try await secrets.write(name) { found in
            guard found == nil else { throw exists }
            return model.stored
        }
        return TypedResponse(status: .created, body: Model.json(name, model, reveals: false))
    }

    /// Members that are sent change, the others stay; `update_mask` narrows which of those sent count.
    @Sendable static func update(_ call: TypedCall) async throws -> TypedResponse {
        let secrets = try call.secrets(Model.self)
        try Model.checkID(call.id, at: ["path", Model.idMember])
        let body = try TypedBody(call.body, known: Model.members)
        if let id = try body.string(Model.idMember), id != call.id {
            throw TypedError(.badRequest, "\(Model.idMember) in the body is not the one in the path")
        }
        let team = try Model.team(body)
        if let team, let asked = call.query.teamName, team != asked {
            throw TypedError(.badRequest, "team_name in the body is not the one in the query")
        }
        let mask = UpdateMask(names: call.query.updateMask, keepsMasked: true)
        for name in mask.names where !Model.members.contains(name) {
            throw TypedError(
                .unprocessableContent, "update_mask names an unknown member", at: ["query", "update_mask"])
        }
        guard let found = try await secrets.find(call.id, team: team ?? call.query.teamName) else {
            throw secrets.absent
        }
        try secrets.authorize(.update, found)
        try await secrets.update(found) { try change($0, by: body, mask) }
        guard let now = try await secrets.find(found.name.id, team: found.name.team) else { throw secrets.absent }
        return TypedResponse(body: Model.json(now.name, try Model.read(now.data), reveals: false))
    }

    static func change(_ data: SecretPayload, by body: TypedBody, _ mask: UpdateMask) throws -> SecretPayload {
        var model = try Model.read(data)
        try model.apply(body, mask)
        return model.stored
    }

    @Sendable static func delete(_ call: TypedCall) async throws -> TypedResponse {
        let secrets = try call.secrets(Model.self)
        let found = try await find(call)
        try secrets.authorize(.delete, found)
        try await secrets.delete(found)
        return TypedResponse(status: .noContent)
    }
}
