/// What a policy may grant on a path. The names are HashiCorp's.
package struct Capabilities: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let create = Capabilities(rawValue: 1)
    package static let delete = Capabilities(rawValue: 2)
    package static let deny = Capabilities(rawValue: 4)
    package static let list = Capabilities(rawValue: 8)
    package static let patch = Capabilities(rawValue: 16)
    package static let read = Capabilities(rawValue: 32)
    package static let scan = Capabilities(rawValue: 64)
    package static let sudo = Capabilities(rawValue: 128)
    package static let update = Capabilities(rawValue: 256)

    /// Sorted, as the capabilities endpoints list them.
    private static let names: [(name: String, capability: Capabilities)] = [
        ("create", .create), ("delete", .delete), ("deny", .deny), ("list", .list), ("patch", .patch), ("read", .read),
        ("scan", .scan), ("sudo", .sudo), ("update", .update),
    ]

    /// One capability by its name (case-sensitive), `nil` when there is none of that name.
    package init?(name: String) {
        guard let found = Capabilities.names.first(where: { $0.name == name }) else { return nil }
        self = found.capability
    }

    /// The legacy `policy = "..."` member of a path block.
    package init?(legacy: String) {
        switch legacy {
        case "deny": self = .deny
        case "read": self = [.read, .list]
        case "write": self = [.create, .read, .update, .delete, .list]
        case "sudo": self = [.create, .read, .update, .delete, .list, .sudo]
        default: return nil
        }
    }

    package var names: [String] { Capabilities.names.filter { contains($0.capability) }.map(\.name) }

    /// Grants nothing: empty, or denied, which beats the rest.
    package var isDenied: Bool { isEmpty || contains(.deny) }
}
