import AirlockCore
import Foundation

/// `sys/policy` and `sys/policies/acl` (VAULT-PROTOCOL 10.1).
enum PolicyRoutes {
    static let table: [Route] = [
        Route("policy", fields: [], [.read: listLegacy, .list: listLegacy]),
        Route("policy/{name*}", [.read: read(textMember: "rules"), .write: write, .delete: delete]),
        Route("policies/acl", fields: [], [.list: list]),
        Route(
            "policies/acl/{name*}",
            [
                .read: read(textMember: "policy"), .write: write, .delete: delete,
                .list: { _ in throw AirlockError.absent },
            ]),
    ]

    private static let list: Route.Handler = { call in
        .data([.init("keys", .strings(call.services.registry.policyNames))])
    }

    private static let listLegacy: Route.Handler = { call in
        let names = JSON.strings(call.services.registry.policyNames)
        return .data([.init("keys", names), .init("policies", names)], repeatsData: true)
    }

    /// Exactly the two members that HashiCorp's server gives, which hvac's own tests compare with.
    private static func read(textMember: String) -> Route.Handler {
        { call in
            let name = call["name"].lowercased()
            let isLegacy = textMember == "rules"
            if name == Policy.root {
                return .data([.init("name", "root"), .init(textMember, "")], repeatsData: isLegacy)
            }
            guard let policy = call.services.registry.policy(name) else { throw AirlockError.absent }
            return .data(
                [.init("name", .string(policy.name)), .init(textMember, .string(policy.text))], repeatsData: isLegacy)
        }
    }

    /// OpenBao's conditions on a policy itself: when it ends, and which version a write may replace.
    private static let unenforced = ["ttl", "expiration", "cas", "cas_required"]

    private static let write: Route.Handler = { call in
        let name = call["name"].lowercased()
        for name in unenforced where call.fields[name] != nil {
            throw AirlockError.badRequest("\"\(name)\" of a policy is not enforced by Airlock and therefore refused")
        }
        var warnings: [String] = []
        var text = try call.fields.string("policy")
        if text == nil, let rules = try call.fields.string("rules") {
            text = rules
            warnings = ["'rules' is deprecated, please use 'policy' instead"]
        }
        guard let text, !text.isEmpty else {
            throw AirlockError.badRequest("'policy' parameter not supplied or empty")
        }
        let policy = Policy(name: name, text: decodedIfBase64(text))
        guard name != Policy.root, name != Policy.wrapping else {
            _ = try policy.rules()
            throw AirlockError.badRequest("cannot update \"\(name)\" policy")
        }
        try await call.services.registry.write(policy)
        return warnings.first.map { .warning($0) } ?? .noContent
    }

    private static func decodedIfBase64(_ text: String) -> String {
        guard let data = Data(base64Encoded: text), let decoded = String(data: data, encoding: .utf8) else {
            return text
        }
        return decoded
    }

    private static let delete: Route.Handler = { call in
        let name = call["name"].lowercased()
        guard ![Policy.root, Policy.wrapping, Policy.fallback].contains(name) else {
            throw AirlockError.badRequest("cannot delete \(name == Policy.fallback ? name : "\"\(name)\"") policy")
        }
        try await call.services.registry.deletePolicy(name)
        return .noContent
    }
}
