/// A policy document: what it declares, permits and deletes, in its order. Its language is Conjur's as far as variables and
/// the hosts that read them need it (https://docs.conjur.org/Latest/en/Content/Operations/Policy/policy-syntax.htm).
package struct ConjurPolicy: Sendable, Equatable {
    /// Why a document is refused. Nothing of the document is repeated in it.
    package struct Fault: Error, Equatable {
        package let line: Int
        package let reason: String
    }

    package struct Declaration: Sendable, Equatable {
        package let id: ConjurID
        package let annotations: [String: String]
        package let line: Int
    }

    package enum Privilege: String, Sendable, Codable, CaseIterable {
        case read, execute, update, create
    }

    package struct Permit: Sendable, Equatable {
        package let role: ConjurID
        package let privileges: Set<Privilege>
        package let resource: ConjurID
        package let line: Int
    }

    package struct Deletion: Sendable, Equatable {
        package let id: ConjurID
        package let line: Int
    }

    package private(set) var declarations: [Declaration] = []
    package private(set) var permits: [Permit] = []
    package private(set) var deletions: [Deletion] = []
    /// The policy that it is loaded into.
    package let branch: String

    package static let rootBranch = "root"
    /// Of one document.
    package static let permitLimit = 10_000

    package init(parsing text: String, branch: String) throws(Fault) {
        self.branch = branch
        let document = try ConjurNode(parsing: text)
        guard case .list(let statements) = document.value, document.tag == nil else {
            throw Fault(line: document.line, reason: "a policy is a list: - !variable name")
        }
        try add(statements, in: branch == ConjurPolicy.rootBranch ? "" : branch)
    }

    /// - Parameter scope: what the ids begin with; empty in the root policy.
    private mutating func add(_ statements: [ConjurNode], in scope: String) throws(Fault) {
        for statement in statements {
            guard let tag = statement.tag else {
                throw Fault(line: statement.line, reason: "a statement begins with its tag, such as !variable")
            }
            switch tag {
            case "variable", "host", "policy": try declare(statement, tag, in: scope)
            case "permit": try permit(statement, in: scope)
            case "delete":
                let fields = try Fields(statement, known: ["record", "records"])
                for record in try fields.all("record", "records") {
                    deletions.append(Deletion(id: try reference(record, in: scope), line: record.line))
                }
            default:
                throw Fault(
                    line: statement.line,
                    reason:
                        "this statement is not supported; those that are: !variable, !policy, !host, !permit, !delete")
            }
        }
    }

    // MARK: Declarations

    private mutating func declare(_ node: ConjurNode, _ tag: String, in scope: String) throws(Fault) {
        guard let kind = ConjurKind(rawValue: tag) else { preconditionFailure("a tag without a kind") }
        if case .text(let text) = node.value {
            let id = try self.id(kind, text, in: scope, line: node.line)
            return declarations.append(Declaration(id: id, annotations: [:], line: node.line))
        }
        var known = ["id", "annotations"]
        if kind == .variable { known += ["kind", "mime_type"] }
        if kind == .policy { known.append("body") }
        let fields = try Fields(node, known: known)
        let id = try self.id(kind, try fields.required("id"), in: scope, line: node.line)
        var annotations = try fields.annotations()
        // Where Conjur keeps these two as well.
        for name in ["kind", "mime_type"] {
            if let text = try fields.text(name) { annotations["conjur/\(name)"] = text }
        }
        try checkAuthenticators(kind, annotations, line: node.line)
        declarations.append(Declaration(id: id, annotations: annotations, line: node.line))
        if let body = fields["body"] {
            switch body.value {
            case .list(let statements) where body.tag == nil: try add(statements, in: id.name.text)
            case .nothing where body.tag == nil: break
            default: throw Fault(line: body.line, reason: "a body is a list of statements")
            }
        }
    }

    /// Annotations say how a host may log in; here it can by its API key only.
    private func checkAuthenticators(_ kind: ConjurKind, _ annotations: [String: String], line: Int) throws(Fault) {
        guard kind == .host else { return }
        for (name, value) in annotations where name.hasPrefix("authn") {
            guard name == "authn/api-key", value == "true" else {
                throw Fault(line: line, reason: "hosts log in with an API key: no other authn annotation is supported")
            }
        }
    }

    private func id(_ kind: ConjurKind, _ text: String, in scope: String, line: Int) throws(Fault) -> ConjurID {
        let isAbsolute = text.utf8.first == UInt8(ascii: "/")
        let below = isAbsolute ? String(Substring(text.utf8.dropFirst())) : text
        let isRoot = kind == .policy && below == ConjurPolicy.rootBranch && (isAbsolute || scope.isEmpty)
        let whole = isAbsolute || scope.isEmpty || isRoot ? below : "\(scope)/\(below)"
        guard (try? SecretPath(whole)) != nil else {
            throw Fault(
                line: line, reason: "an id has no empty part, no `.` or `..`, no control character, and is not too long"
            )
        }
        let isInside =
            branch == ConjurPolicy.rootBranch || whole.utf8.elementsEqual(branch.utf8)
            || whole.utf8.starts(with: "\(branch)/".utf8)
        guard isInside else { throw Fault(line: line, reason: "this lies outside the policy that is being loaded") }
        return ConjurID(kind, whole)
    }

    // MARK: Rights

    private mutating func permit(_ node: ConjurNode, in scope: String) throws(Fault) {
        let fields = try Fields(
            node, known: ["role", "roles", "privilege", "privileges", "resource", "resources"])
        var privileges: Set<Privilege> = []
        for node in try fields.all("privilege", "privileges") {
            guard case .text(let text) = node.value, node.tag == nil, let privilege = Privilege(rawValue: text) else {
                let known = Privilege.allCases.map(\.rawValue).joined(separator: ", ")
                throw Fault(line: node.line, reason: "a privilege is one of \(known)")
            }
            privileges.insert(privilege)
        }
        let (roles, resources) = (try fields.all("role", "roles"), try fields.all("resource", "resources"))
        // Each role with each resource: a short document could ask for more than there is memory.
        guard roles.count * resources.count <= ConjurPolicy.permitLimit - permits.count else {
            throw Fault(
                line: node.line, reason: "more than \(ConjurPolicy.permitLimit) permits: load them in several documents"
            )
        }
        for roleNode in roles {
            let role = try reference(roleNode, in: scope)
            guard role.kind == .host else { throw Fault(line: roleNode.line, reason: "only a !host can be permitted") }
            for resourceNode in resources {
                let resource = try reference(resourceNode, in: scope)
                let permit = Permit(role: role, privileges: privileges, resource: resource, line: resourceNode.line)
                try ConjurPolicy.check(permit)
                permits.append(permit)
            }
        }
    }

    private static func check(_ permit: Permit) throws(Fault) {
        func fault(_ reason: String) -> Fault { Fault(line: permit.line, reason: reason) }
        switch permit.resource.kind {
        case .variable:
            guard !permit.privileges.contains(.create) else {
                throw fault("of a variable, the privileges are read, execute and update")
            }
        case .policy:
            guard !permit.privileges.contains(.execute) else {
                throw fault("of a policy, the privileges are read, create and update")
            }
        case .host, .user: throw fault("only a !variable or a !policy can be permitted")
        }
        // The rule for it would reach further than to this one id, or be refused. Scalars, not characters: a mark that
        // combines with a sign does not hide it.
        let name = Array(permit.resource.name.text.unicodeScalars)
        let parts = name.split(separator: "/")
        guard name.last != "*", !parts.contains(["+"]), !name.contains(["+", "*"]), !name.contains(["{", "{"])
        else { throw fault("an id that would be a wildcard in a rule cannot be permitted: use another id") }
    }

    private func reference(_ node: ConjurNode, in scope: String) throws(Fault) -> ConjurID {
        guard let tag = node.tag, let kind = ConjurKind(rawValue: tag), kind != .user else {
            throw Fault(line: node.line, reason: "expected !variable, !policy or !host with an id")
        }
        switch node.value {
        case .text(let text): return try id(kind, text, in: scope, line: node.line)
        // `!policy` alone is the one that it stands in.
        case .nothing where kind == .policy:
            return ConjurID(kind, scope.isEmpty ? ConjurPolicy.rootBranch : scope)
        default: throw Fault(line: node.line, reason: "a record is named by its tag and its id")
        }
    }

    // MARK: Maps

    private struct Fields {
        private let node: ConjurNode
        private let members: [ConjurNode.Member]

        init(_ node: ConjurNode, known: [String]) throws(Fault) {
            guard case .map(let members) = node.value else {
                throw Fault(line: node.line, reason: "expected members: " + known.joined(separator: ", "))
            }
            for member in members where !known.contains(member.name) {
                throw Fault(
                    line: member.line,
                    reason: "this member is not supported here; known are " + known.joined(separator: ", "))
            }
            self.node = node
            self.members = members
        }

        subscript(name: String) -> ConjurNode? { members.first { $0.name == name }?.value }

        func text(_ name: String) throws(Fault) -> String? {
            guard let node = self[name] else { return nil }
            guard case .text(let text) = node.value, node.tag == nil, !text.isEmpty else {
                throw Fault(line: node.line, reason: "\(name) is a text")
            }
            return text
        }

        func required(_ name: String) throws(Fault) -> String {
            guard let text = try text(name) else { throw Fault(line: node.line, reason: "\(name) is missing") }
            return text
        }

        /// One or a list of them, under either name.
        func all(_ name: String, _ plural: String) throws(Fault) -> [ConjurNode] {
            var nodes: [ConjurNode] = []
            for given in [self[name], self[plural]].compactMap(\.self) {
                if case .list(let items) = given.value, given.tag == nil { nodes += items } else { nodes.append(given) }
            }
            guard !nodes.isEmpty else { throw Fault(line: node.line, reason: "\(name) is missing") }
            return nodes
        }

        func annotations() throws(Fault) -> [String: String] {
            guard let node = self["annotations"], node.value != .nothing else { return [:] }
            guard case .map(let members) = node.value, node.tag == nil else {
                throw Fault(line: node.line, reason: "annotations are lines of `name: text`")
            }
            var annotations: [String: String] = [:]
            for member in members {
                guard case .text(let text) = member.value.value, member.value.tag == nil else {
                    throw Fault(line: member.line, reason: "an annotation is a text on its line")
                }
                annotations[member.name] = text
            }
            return annotations
        }
    }
}
