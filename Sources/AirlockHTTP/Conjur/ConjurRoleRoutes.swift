import AirlockCore
import HTTPTypes

/// Roles are hosts and the user `admin`. None is a member of another.
enum ConjurRoleRoutes {
    static let show: ConjurSurface.Handler = { call in
        let principal = try call.requirePrincipal()
        let id = ConjurKind(rawValue: call["kind"]).map { ConjurID($0, call["id"]) }
        guard let id, [.host, .user].contains(id.kind), let record = try call.account.record(id),
            ConjurResourceRoutes.isVisible(id, record, principal.access, call)
        else {
            throw ConjurError(
                .notFound, "not_found", "Role '\(ConjurAccount.name):\(call["kind"]):\(call["id"])' not found")
        }
        // What a role is, itself included; its memberships; its members.
        if call.query["all"] != nil { return ConjurResponse(body: .json(.strings([id.full]))) }
        if call.query["memberships"] != nil || call.query["members"] != nil {
            return ConjurResponse(body: .json(.array([])))
        }
        return ConjurResponse(
            body: .json([
                "created_at": .string(record.created.rfc3339), "id": .string(id.full),
                "policy": .string(ConjurID(.policy, record.policy).full), "members": .array([]),
            ]))
    }
}
