import AirlockCore
import HTTPTypes

/// What there is, as far as the principal may see it, and what it may do with it.
enum ConjurResourceRoutes {
    static let listQuery = ["search", "limit", "offset", "count"]

    private static func number(_ name: String, _ call: ConjurCall) throws -> Int? {
        guard let text = call.query[name] else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw ConjurError(.unprocessableContent, "argument_error", "'\(name)' must be a number, 0 or more")
        }
        return number
    }

    static let list: ConjurSurface.Handler = { call in
        let wanted = call.captures["kind"] ?? call.query["kind"]
        let (limit, offset) = (try number("limit", call), try number("offset", call) ?? 0)
        var ids: [ConjurID] = []
        for kind in [ConjurKind.host, .policy, .variable] where wanted == nil || wanted == kind.rawValue {
            ids += try await visible(kind, call)
        }
        if let search = call.query["search"]?.lowercased() {
            ids = ids.filter { $0.name.text.lowercased().contains(search) }
        }
        if call.query["count"] == "true" { return ConjurResponse(body: .json(["count": .integer(ids.count)])) }
        let permissions = try permissions(call)
        let page = try ids.dropFirst(offset).prefix(limit ?? .max).map { try resource($0, permissions, call) }
        return ConjurResponse(body: .json(.array(page)))
    }

    private static func visible(_ kind: ConjurKind, _ call: ConjurCall) async throws -> [ConjurID] {
        guard kind == .variable else {
            let access = try call.requirePrincipal().access
            return try call.account.records(kind).filter { isVisible($0.id, $0.record, access, call) }.map(\.id)
        }
        return try await call.variables().all().map { ConjurID(.variable, $0) }
    }

    /// A policy, for who has a right to it; a host or `admin`, for itself and who has one to the policy that it was loaded with.
    static func isVisible(
        _ id: ConjurID, _ record: ConjurRecord, _ access: AccessControl, _ call: ConjurCall
    ) -> Bool {
        if let token = call.principal?.token, ConjurAccount.isGiven(token, to: id) { return true }
        let path = ConjurRules.path(ofPolicy: id.kind == .policy ? id.name.text : record.policy)
        return [Capabilities.read, .create, .update].contains { access.allows($0, on: path) }
    }

    // MARK: One of them

    static let show: ConjurSurface.Handler = { call in
        guard let kind = ConjurKind(rawValue: call["kind"]), try await isThere(kind, call["id"], call) else {
            throw absent(call)
        }
        let id = ConjurID(kind, call["id"])
        if call.query["permitted_roles"] == "true" {
            return ConjurResponse(body: .json(.strings(try permittedRoles(id, try privilege(call), call))))
        }
        guard call.query["check"] == "true" else {
            return ConjurResponse(body: .json(try resource(id, try permissions(call), call)))
        }
        guard try isAllowed(try privilege(call), id, try access(asked: call), call) else { throw absent(call) }
        return ConjurResponse(status: .noContent)
    }

    private static func privilege(_ call: ConjurCall) throws -> ConjurPolicy.Privilege {
        guard let privilege = call.query["privilege"].flatMap(ConjurPolicy.Privilege.init) else {
            throw ConjurError(.unprocessableContent, "argument_error", "'privilege' is read, execute, update or create")
        }
        return privilege
    }

    /// As far as the principal may see the roles.
    private static func permittedRoles(
        _ id: ConjurID, _ privilege: ConjurPolicy.Privilege, _ call: ConjurCall
    ) throws -> [String] {
        let access = try call.requirePrincipal().access
        return try [ConjurKind.user, .host].flatMap { try call.account.records($0) }
            .filter {
                try isVisible($0.id, $0.record, access, call) && isAllowed(privilege, id, rights(of: $0.id, call), call)
            }
            .map(\.id.full)
    }

    private static func rights(of role: ConjurID, _ call: ConjurCall) -> AccessControl {
        call.services.registry.accessControl([ConjurRules.policyName(role)])
    }

    private static func absent(_ call: ConjurCall) -> ConjurError {
        ConjurError(
            .notFound, "not_found",
            "CONJ00123E Resource '\(ConjurAccount.name):\(call["kind"]):\(call["id"])' requested by role is not found.")
    }

    private static func isThere(_ kind: ConjurKind, _ id: String, _ call: ConjurCall) async throws -> Bool {
        if kind == .variable { return try await call.variables().path(of: id) != nil }
        let id = ConjurID(kind, id)
        guard let record = try call.account.record(id) else { return false }
        return isVisible(id, record, try call.requirePrincipal().access, call)
    }

    /// Whose rights a check is about: the principal's own, or those of a role that it may see.
    private static func access(asked call: ConjurCall) throws -> AccessControl {
        let principal = try call.requirePrincipal()
        guard let named = call.query["role"], !named.isEmpty else { return principal.access }
        guard let role = ConjurID(role: named), role.kind == .host || role.kind == .user,
            let record = try call.account.record(role), isVisible(role, record, principal.access, call)
        else { throw AirlockError.permissionDenied }
        return rights(of: role, call)
    }

    private static func isAllowed(
        _ privilege: ConjurPolicy.Privilege, _ id: ConjurID, _ access: AccessControl, _ call: ConjurCall
    ) throws -> Bool {
        let name = id.name.text
        if id.kind == .policy {
            guard let capability = Capabilities(name: privilege.rawValue) else { return false }
            return access.allows(capability, on: ConjurRules.path(ofPolicy: name))
        }
        guard id.kind == .variable else { return false }
        let mount = try call.account.mount()
        let value = ConjurRules.path(ofValue: name, on: mount)
        return switch privilege {
        case .read: ConjurRules.path(ofMetadata: name, on: mount).map { access.allows(.read, on: $0) } ?? false
        case .execute: access.allows(.read, on: value)
        case .update: access.allows(.update, on: value)
        case .create: false
        }
    }

    // MARK: Rendering

    /// Who was permitted what, by resource.
    private static func permissions(_ call: ConjurCall) throws -> [ConjurID: [JSON]] {
        var permissions: [ConjurID: [JSON]] = [:]
        for (id, host) in try call.account.records(.host) {
            for right in host.rights {
                permissions[right.resource, default: []] += right.privileges.map(\.rawValue).sorted().map { privilege in
                    [
                        "privilege": .string(privilege), "role": .string(id.full),
                        "policy": .string(ConjurID(.policy, right.policy).full),
                    ]
                }
            }
        }
        return permissions
    }

    private static func resource(_ id: ConjurID, _ permissions: [ConjurID: [JSON]], _ call: ConjurCall) throws -> JSON {
        let record = try call.account.record(id)
        let policy = ConjurID(.policy, record?.policy ?? ConjurPolicy.rootBranch).full
        let annotations = (record?.annotations ?? [:]).sorted { $0.key < $1.key }.map { name, value -> JSON in
            ["name": .string(name), "value": .string(value), "policy": .string(policy)]
        }
        var members: [JSON.Member] = [
            .init("id", .string(id.full)), .init("owner", .string(ConjurAccount.admin.full)),
            .init("policy", .string(policy)), .init("permissions", .array(permissions[id] ?? [])),
            .init("annotations", .array(annotations)),
        ]
        if let created = record?.created { members.insert(.init("created_at", .string(created.rfc3339)), at: 0) }
        return .object(members)
    }
}
