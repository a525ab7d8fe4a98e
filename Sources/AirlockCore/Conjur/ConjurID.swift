/// What a policy of Conjur may name here. The raw value is the word in its tags and ids.
package enum ConjurKind: String, Sendable, CaseIterable {
    case variable, policy, host, user
}

/// One record of the account, by its kind and its whole id.
package struct ConjurID: Sendable, Hashable {
    package let kind: ConjurKind
    package let name: ExactText

    package init(_ kind: ConjurKind, _ name: String) {
        self.kind = kind
        self.name = ExactText(name)
    }

    /// `default:host:apps/web`
    package var full: String { "\(ConjurAccount.name):\(kind.rawValue):\(name.text)" }

    /// - Parameter role: as `full` says it, or without the account, as Conjur's own client does.
    package init?(role: String) {
        let kind = role.prefix { $0 != ":" }
        self.init(full: ConjurKind(rawValue: String(kind)) == nil ? role : "\(ConjurAccount.name):\(role)")
    }

    /// - Parameter full: as `full` says it.
    package init?(full: String) {
        let parts = full.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[0] == ConjurAccount.name, let kind = ConjurKind(rawValue: parts[1]),
            !parts[2].isEmpty
        else { return nil }
        self.init(kind, parts[2])
    }
}
