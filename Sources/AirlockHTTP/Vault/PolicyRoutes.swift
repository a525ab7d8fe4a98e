import AirlockCore
import Foundation

/// `sys/policy` and `sys/policies/acl` (VAULT-PROTOCOL 10.1).
enum PolicyRoutes {
    static let table: [Route] = [
        Route("policy", fields: [], [.read: listLegacy, .list: listLegacy]),
        Route(
            "policy/{name*}", fields: fields.union(["rules"]),
            [.read: read(textMember: "rules"), .write: write("rules"), .delete: delete, .list: listLegacy]),
        Route("policies/acl", fields: [], [.list: list]),
        Route(
            "policies/acl/{name*}", fields: fields,
            [.read: read(textMember: "policy"), .write: write(nil), .delete: delete, .list: list]),
    ]

    private static let fields = Set(unenforced).union(["name", "policy"])

    /// All names, or those below a part of a name that ends at a slash.
    private static func names(_ call: Call) -> [String] {
        let (all, name) = (call.services.registry.policyNames, call["name"].lowercased())
        guard !name.isEmpty else { return all }
        let folder = name.hasSuffix("/") ? name : name + "/"
        return all.filter { $0.utf8.starts(with: folder.utf8) }
    }

    private static let list: Route.Handler = { call in try .keys(names(call)) }

    private static let listLegacy: Route.Handler = { call in
        let names = JSON.strings(names(call))
        guard names != [] else { return .data([.init("policies", .null)], repeatsData: true) }
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

    /// - Parameter oldMember: what `policy` was called before.
    private static func write(_ oldMember: String?) -> Route.Handler {
        { call in
            let name = call["name"].lowercased()
            for name in unenforced where call.fields[name] != nil {
                throw AirlockError.badRequest(
                    "\"\(name)\" of a policy is not enforced by Airlock and therefore refused")
            }
            var warnings: [String] = []
            var text = try call.fields.string("policy")
            if text == nil, let oldMember, let old = try call.fields.string(oldMember) {
                text = old
                warnings = ["'\(oldMember)' is deprecated, please use 'policy' instead"]
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
            return .noContent(warnings: warnings)
        }
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
