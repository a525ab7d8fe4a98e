/// Where Conjur's rights lie among Airlock's policies: a role's rights are the rules of one policy, which Airlock writes.
package enum ConjurRules {
    /// The path that stands for a policy of Conjur: `create` on it lets somebody add to it, `update` change and delete.
    package static func path(ofPolicy branch: String) -> String { "sys/airlock/conjur/policy/\(branch)" }

    package static func path(ofValue path: String, on mount: Mount) -> String {
        mount.path + (mount.kvVersion == 2 ? "data/" : "") + path
    }

    /// The path that stands for seeing a variable without its value; KV version 1 has none.
    package static func path(ofMetadata path: String, on mount: Mount) -> String? {
        mount.kvVersion == 2 ? "\(mount.path)metadata/\(path)" : nil
    }

    /// Names of policies are in small letters; a role's id may have others, and another role the same in small ones.
    package static func policyName(_ role: ConjurID) -> String {
        var name = "conjur-\(role.kind.rawValue)-"
        for byte in role.name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: "."):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return name
    }

    /// Everything on the mount and in every policy: who may load the root policy could give it to a host anyway.
    static func admin(_ role: ConjurID, on mount: Mount) -> Policy {
        let all = ["create", "read", "update", "delete", "list"]
        return policy(
            role, [ExactText(mount.path + "*"): all, ExactText(path(ofPolicy: "*")): ["create", "read", "update"]])
    }

    static func policy(_ role: ConjurID, _ rights: [ConjurRecord.Right], on mount: Mount) -> Policy {
        var rules: [ExactText: Set<String>] = [:]
        for right in rights {
            for privilege in right.privileges {
                let (path, capabilities) = rule(privilege, right.resource, on: mount)
                if let path { rules[ExactText(path), default: []].formUnion(capabilities) }
            }
        }
        return policy(role, rules.mapValues { $0.sorted() })
    }

    private static func rule(
        _ privilege: ConjurPolicy.Privilege, _ resource: ConjurID, on mount: Mount
    ) -> (path: String?, capabilities: [String]) {
        let name = resource.name.text
        guard resource.kind == .variable else { return (path(ofPolicy: name), [privilege.rawValue]) }
        return switch privilege {
        case .read: (path(ofMetadata: name, on: mount), ["read"])
        case .execute: (path(ofValue: name, on: mount), ["read"])
        case .update, .create: (path(ofValue: name, on: mount), ["create", "update"])
        }
    }

    private static func policy(_ role: ConjurID, _ rules: [ExactText: [String]]) -> Policy {
        let paths = rules.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { path, capabilities in
            JSON.Member(path.text, ["capabilities": .strings(capabilities)])
        }
        let text: JSON = ["path": .object(paths)]
        return Policy(name: policyName(role), text: String(decoding: text.bytes, as: UTF8.self))
    }
}
