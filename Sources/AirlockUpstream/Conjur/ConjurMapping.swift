import AirlockCore

/// Which variables a mount's secrets are in Conjur.
struct ConjurMapping: Sendable {
    let kind: ConjurKwargs.Mapping
    /// Ids begin with it and a slash; empty: they begin with the secret's path.
    let branch: String
    private let kwargs: ConjurKwargs

    init(_ kwargs: ConjurKwargs) {
        self.kwargs = kwargs
        kind = kwargs.mapping
        branch = kwargs.policyBranch
    }

    /// Everything that decides what a cached value is.
    var identity: String {
        let fields = kwargs.fieldNames.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let rule = kind == .fields ? "fields" : fields.joined(separator: ",")
        return "\(VaultCall.encoded(branch)) \(VaultCall.encoded(rule))"
    }

    /// The field that the one variable of a secret is.
    func fieldName(of path: SecretPath) -> String { kwargs.fieldName(of: path) }

    /// A variable's id from its place below the branch.
    func id(_ below: String) -> String { branch.isEmpty ? below : "\(branch)/\(below)" }

    /// The place of a variable below the branch; `nil` for one that lies elsewhere, or that no path can name.
    func below(_ id: String) -> String? {
        let prefix = branch.isEmpty ? "" : branch + "/"
        guard id.utf8.starts(with: prefix.utf8) else { return nil }
        return (try? SecretPath(String(decoding: id.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)))?.text
    }

    /// The secret that a variable is, or is a field of.
    func secret(of id: String) -> String? {
        guard let below = below(id) else { return nil }
        guard kind == .fields else { return below }
        return below.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(below[..<$0]) }
    }

    /// The field of this very secret that a variable is.
    func field(of id: String, in path: SecretPath) -> String? {
        let prefix = path.text + "/"
        guard let below = below(id), below.utf8.starts(with: prefix.utf8) else { return nil }
        let field = String(decoding: below.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        return field.utf8.contains(UInt8(ascii: "/")) ? nil : field
    }
}
