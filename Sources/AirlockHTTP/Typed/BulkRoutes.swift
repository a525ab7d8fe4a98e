import AirlockCore
import HTTPTypes

/// `PATCH` of a collection: several actions in one request, each with its own result, in Airflow's shape.
///
/// An action that may not be done, or that finds what it says must not be there, is not begun. The secrets of one that is begun
/// are written one by one, as with a call for each: what fails then is told by its id, and the others stand.
enum BulkRoutes<Model: TypedModel> {
    @Sendable static func bulk(_ call: TypedCall) async throws -> TypedResponse {
        let secrets = try call.secrets(Model.self)
        let body = try TypedBody(call.body, known: ["actions"])
        guard let elements = body["actions"]?.elements else { throw body.invalid("actions", "must be a list") }
        // All of the request is understood before any of it is done.
        let actions = try elements.enumerated().map { index, element in
            try BulkAction<Model>(element, at: body.location + ["actions", String(index)])
        }
        var results: [BulkKind: BulkResult] = [:]
        for action in actions {
            results[action.kind, default: BulkResult()].add(try await result(of: action, secrets))
        }
        return TypedResponse(
            body: .object(BulkKind.allCases.map { .init($0.rawValue, results[$0]?.json ?? .null) }))
    }

    private static func result(of action: BulkAction<Model>, _ secrets: MountedSecrets) async throws -> BulkResult {
        do {
            switch action.kind {
            case .create: return try await create(action, secrets)
            case .update: return try await change(action, secrets, .update, "update")
            case .delete: return try await change(action, secrets, .delete, "delete")
            }
        } catch let error as TypedError {
            return BulkResult(errors: [error])
        } catch let error as AirlockError {
            return BulkResult(errors: [TypedError(error)])
        }
    }

    private static func create(_ action: BulkAction<Model>, _ secrets: MountedSecrets) async throws -> BulkResult {
        let found = try await action.entities.concurrently { entity in
            try await secrets.authorizeWrite(entity.name)
            return action.onExistence == .fail ? try await secrets.isThere(entity.name) : false
        }
        let taken = zip(action.entities, found).filter(\.1).map(\.0.name.id)
        guard taken.isEmpty else { throw refusal(.conflict, taken, "already exist") }
        return try await each(action.entities) { entity in
            guard let body = entity.body else { return false }
            do {
                try await secrets.write(entity.name) { found in
                    switch (found, action.onExistence) {
                    case (nil, _): return try Model.made(from: body).stored
                    case (_, .fail): throw secrets.exists
                    case (_, .skip): throw Skipped()
                    case (let found?, .overwrite):
                        return try TypedRoutes<Model>.change(found, by: body, UpdateMask(names: [], keepsMasked: true))
                    }
                }
                return true
            } catch is Skipped {
                return false
            }
        }
    }

    private struct Skipped: Error {}

    private static func change(
        _ action: BulkAction<Model>, _ secrets: MountedSecrets, _ capability: Capabilities, _ verb: String
    ) async throws -> BulkResult {
        let found = try await action.entities.concurrently { entity in
            let found = try await secrets.find(entity.name.id, team: entity.name.team)
            if let found { try secrets.authorize(capability, found) }
            return found
        }
        let pairs = zip(action.entities, found)
        let missing = pairs.filter { $0.1 == nil }.map(\.0.name.id)
        guard missing.isEmpty || action.onAbsence == .skip else { throw refusal(.notFound, missing, "were not found") }
        let mask = UpdateMask(names: action.mask, keepsMasked: true)
        return try await each(pairs.compactMap { entity, found in found.map { BulkEntity(entity, $0) } }) { entity in
            guard let found = entity.found else { return false }
            if action.kind == .delete {
                try await secrets.delete(found)
            } else if let body = entity.body {
                try await secrets.update(found) { try TypedRoutes<Model>.change($0, by: body, mask) }
            }
            return true
        }
    }

    /// In Airflow's words, which its clients show as they are.
    private static func refusal(_ status: HTTPResponse.Status, _ ids: [String], _ what: String) -> TypedError {
        let ids = ids.map { "'\($0)'" }.joined(separator: ", ")
        return TypedError(status, "The \(Model.collection) with these \(Model.idMember)s: {\(ids)} \(what).")
    }

    /// - Parameter work: whether it was done.
    private static func each(
        _ entities: [BulkEntity], _ work: @escaping @Sendable (BulkEntity) async throws -> Bool
    ) async throws -> BulkResult {
        let outcomes = try await entities.concurrently { entity -> Result<Bool, TypedError> in
            do {
                return .success(try await work(entity))
            } catch let error as TypedError {
                return .failure(error)
            } catch let error as AirlockError {
                return .failure(TypedError(error))
            }
        }
        var result = BulkResult()
        for (entity, outcome) in zip(entities, outcomes) {
            switch outcome {
            case .success(let isDone): if isDone { result.success.append(entity.name.id) }
            case .failure(let error):
                result.errors.append(TypedError(error.status, "'\(entity.name.id)': \(error.detail)"))
            }
        }
        return result
    }
}

enum BulkKind: String, CaseIterable, Sendable { case create, update, delete }
enum BulkOnExistence: String, CaseIterable, Sendable { case fail, skip, overwrite }
enum BulkOnAbsence: String, CaseIterable, Sendable { case fail, skip }

struct BulkEntity: Sendable {
    let name: SecretName
    /// `nil` where only the id was sent.
    let body: TypedBody?
    private(set) var found: MountedSecrets.Found?

    fileprivate init(name: SecretName, body: TypedBody?) {
        self.name = name
        self.body = body
    }

    fileprivate init(_ entity: BulkEntity, _ found: MountedSecrets.Found) {
        self = entity
        self.found = found
    }
}

/// One action of a bulk request.
private struct BulkAction<Model: TypedModel>: Sendable {
    let kind: BulkKind
    let entities: [BulkEntity]
    let onExistence: BulkOnExistence
    let onAbsence: BulkOnAbsence
    let mask: [String]

    init(_ json: JSON, at location: [String]) throws {
        let all = ["action", "entities", "action_on_existence", "action_on_non_existence", "update_mask"]
        let known: [BulkKind: [String]] = [
            .create: ["action", "entities", "action_on_existence"],
            .update: ["action", "entities", "action_on_non_existence", "update_mask"],
            .delete: ["action", "entities", "action_on_non_existence"],
        ]
        kind = try TypedBody(json, known: all, at: location).choice("action")
        let body = try TypedBody(json, known: known[kind] ?? [], at: location)
        onExistence = try body.choice("action_on_existence", .fail)
        onAbsence = try body.choice("action_on_non_existence", .fail)
        mask = try BulkAction.mask(body)
        guard let elements = body["entities"]?.elements else { throw body.invalid("entities", "must be a list") }
        let isDelete = kind == .delete
        entities = try elements.enumerated().map { index, element in
            let place = location + ["entities", String(index)]
            if isDelete, let id = element.text {
                try Model.checkID(id, at: place)
                return BulkEntity(name: SecretName(id: id), body: nil)
            }
            let entity = try TypedBody(element, known: Model.members, at: place)
            return BulkEntity(name: SecretName(id: try Model.id(entity), team: try Model.team(entity)), body: entity)
        }
        for case let body? in entities.map(\.body) { try BulkAction.check(body, for: kind) }
        guard Set(entities.map(\.name)).count == entities.count else {
            throw body.invalid("entities", "names one twice: what is done to it would be left to chance")
        }
    }

    private static func check(_ body: TypedBody, for kind: BulkKind) throws {
        switch kind {
        case .create: _ = try Model.made(from: body, keepsMasked: true)
        case .update:
            var model = Model.empty
            try model.apply(body, UpdateMask(names: [], keepsMasked: true))
        case .delete: break
        }
    }

    private static func mask(_ body: TypedBody) throws -> [String] {
        guard let mask = body["update_mask"] else { return [] }
        guard let names = mask.elements?.map(\.text), names.allSatisfy({ $0.map(Model.members.contains) ?? false })
        else {
            throw body.invalid("update_mask", "must be a list of " + Model.members.joined(separator: ", "))
        }
        return names.compactMap { $0 }
    }
}

private struct BulkResult {
    var success: [String] = []
    var errors: [TypedError] = []

    mutating func add(_ other: BulkResult) {
        success += other.success
        errors += other.errors
    }

    var json: JSON {
        let errors = errors.map { error -> JSON in
            ["error": .string(error.detail), "status_code": .integer(error.status.code)]
        }
        return ["success": .strings(success), "errors": .array(errors)]
    }
}

extension Array where Element: Sendable {
    /// What `work` makes of each, in the same order. A few are under way at once, so that durable writes share a commit.
    fileprivate func concurrently<Value: Sendable>(
        _ work: @escaping @Sendable (Element) async throws -> Value
    ) async throws -> [Value] {
        let limit = 32
        return try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            var values: [Value?] = [Value?](repeating: nil, count: count)
            for (index, element) in enumerated() {
                if index >= limit, let (done, value) = try await group.next() { values[done] = value }
                group.addTask { (index, try await work(element)) }
            }
            while let (done, value) = try await group.next() { values[done] = value }
            return values.compactMap { $0 }
        }
    }
}
