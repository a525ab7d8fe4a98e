/// The merged rules of a token's policies, and the choice among them. Exactly one policy path counts for a request, the most
/// specific; nothing is inherited from broader ones (VAULT-PROTOCOL 10.2;
/// https://openbao.org/docs/concepts/policies/#priority-matching).
///
/// Paths are compared as bytes: Swift's `String` takes canonically equivalent texts for equal, a policy must not.
package struct AccessControl: Sendable {
    private let isRoot: Bool
    private let exact: [[UInt8]: Capabilities]
    private let patterns: [(pattern: PathPattern, capabilities: Capabilities)]
    /// The way from the token's namespace to the one whose paths are asked about; `nil` when that lies outside, where no
    /// rule reaches.
    private var way: [UInt8]? = []

    /// May do everything, also on mounts that do not exist.
    package static let root = AccessControl(isRoot: true, rules: [])

    package init(rules: [Policy.Rule]) { self.init(isRoot: false, rules: rules) }

    private init(isRoot: Bool, rules: [Policy.Rule]) {
        var merged: [[UInt8]: Capabilities] = [:]
        for rule in rules {
            merged[Array(rule.path.utf8), default: []].formUnion(rule.capabilities)
        }
        var exact: [[UInt8]: Capabilities] = [:]
        var patterns: [(pattern: PathPattern, capabilities: Capabilities)] = []
        for (path, capabilities) in merged {
            if let pattern = PathPattern(path) {
                patterns.append((pattern, capabilities))
            } else {
                exact[path] = capabilities
            }
        }
        self.isRoot = isRoot
        self.exact = exact
        self.patterns = patterns.sorted { PathPattern.precedes($0.pattern, $1.pattern) }
    }

    /// The same rules, asked about paths in another namespace.
    package func seen(from namespace: Namespace, by token: Namespace) -> AccessControl {
        var access = self
        access.way = namespace.path(from: token).map { Array($0.utf8) }
        return access
    }

    private func pattern(for path: [UInt8]) -> Capabilities? {
        patterns.first { $0.pattern.matches(path) }?.capabilities
    }

    private func rule(for path: [UInt8]) -> Capabilities? { exact[path] ?? pattern(for: path) }

    /// For a list or a scan the path gets a trailing slash before matching, and is tried without it when nothing matches
    /// (VAULT-PROTOCOL 10.4).
    private func listRule(for path: [UInt8]) -> Capabilities? {
        let bare = path.last == UInt8(ascii: "/") ? Array(path.dropLast()) : path
        let folder = bare + [UInt8(ascii: "/")]
        return exact[folder] ?? exact[bare] ?? pattern(for: folder) ?? pattern(for: bare)
    }

    /// Whether all of `wanted` is granted on the path (no leading slash, percent-decoded).
    package func allows(_ wanted: Capabilities, on path: String) -> Bool { allows(wanted, on: path.utf8) }

    package func allows(_ wanted: Capabilities, on path: some Sequence<UInt8>) -> Bool {
        guard let way else { return false }
        if isRoot { return true }
        let path = way + path
        let rule = wanted.contains(.list) || wanted.contains(.scan) ? listRule(for: path) : rule(for: path)
        guard let rule, !rule.isDenied else { return false }
        return rule.contains(wanted)
    }

    /// What the capabilities endpoints answer.
    package func names(on path: String) -> [String] {
        guard let way else { return ["deny"] }
        if isRoot { return [Policy.root] }
        let bare = way + path.utf8.drop { $0 == UInt8(ascii: "/") }
        let rule = bare.last == UInt8(ascii: "/") ? listRule(for: bare) : rule(for: bare)
        guard let rule, !rule.isDenied else { return ["deny"] }
        return rule.names
    }

    /// What is granted, for a client that wants to know where it may go: whole paths, and prefixes of paths. Patterns with a
    /// `+` are left out, as Vault leaves them out. `nil` for who may do everything.
    package var listed: (exact: [(path: String, names: [String])], prefixes: [(path: String, names: [String])])? {
        if isRoot { return nil }
        func listed(_ path: some Sequence<UInt8>, _ rule: Capabilities) -> (path: String, names: [String]) {
            (String(decoding: Array(path), as: UTF8.self), rule.isDenied ? ["deny"] : rule.names)
        }
        let prefixes = patterns.filter { $0.pattern.isPrefixOnly }
        return (
            exact.map { listed($0.key, $0.value) }.sorted { $0.path < $1.path },
            prefixes.map { listed($0.pattern.text.dropLast(), $0.capabilities) }.sorted { $0.path < $1.path }
        )
    }

    /// Whether anything at or below the mount (ends in `/`) is granted: then the `kv` commands' preflight may see it.
    package func grantsAnything(below mount: String) -> Bool {
        guard let way else { return false }
        if isRoot { return true }
        let mount = way + mount.utf8
        let inExact = exact.contains {
            !$0.value.isDenied && ($0.key.starts(with: mount) || $0.key == mount.dropLast())
        }
        return inExact || patterns.contains { !$0.capabilities.isDenied && $0.pattern.reaches(below: mount) }
    }
}
