import Testing

@testable import AirlockCore

/// What a policy document of Conjur's may say here. What is read otherwise than it was meant would give the wrong rights.
struct ConjurPolicyTests {
    private func policy(_ text: String, branch: String = "root") throws(ConjurPolicy.Fault) -> ConjurPolicy {
        try ConjurPolicy(parsing: text, branch: branch)
    }

    private func ids(_ text: String, branch: String = "root") throws -> [String] {
        try policy(text, branch: branch).declarations.map(\.id.full)
    }

    @Test(arguments: [
        "- !variable a/b", "- !variable \"a/b\"", "- !variable 'a/b'\n", "---\n- !variable a/b # why",
        "- !variable\n  id: a/b", "-   !variable\n    id:   \"a/b\"",
        "# first\n\n- !policy\n  id: a\n  body: []\n- !variable a/b\r\n",
        "- !policy\n  id: a\n  body:\n  - !variable b", "- !policy\n  id: a\n  body:\n    - !variable\n      id: b",
        "- !policy\n  id: x\n  body:\n    - !variable /a/b", "- !variable \"a\\u002Fb\"",
        "- !variable\n  id: a/b\n  annotations:\n    description: it's mine",
    ])
    func `Each spelling of a declaration says the same`(text: String) throws {
        #expect(try ids(text).contains("default:variable:a/b"))
    }

    @Test(arguments: ["a b", "100%", "a+b", "ü/é", "it's", "a#b", "a:b", "a,b]", "a,#b"])
    func `An id keeps its characters`(id: String) throws {
        #expect(try ids("- !variable \(id)") == ["default:variable:\(id)"])
        #expect(try ids("- !variable \"\(id)\"") == ["default:variable:\(id)"])
    }

    @Test func `An id in a branch lies in it`() throws {
        #expect(
            try ids("- !variable x\n- !variable /apps/y", branch: "apps") == [
                "default:variable:apps/x", "default:variable:apps/y",
            ])
        #expect(throws: ConjurPolicy.Fault.self) { try ids("- !variable /x", branch: "apps") }
        #expect(throws: ConjurPolicy.Fault.self) { try ids("- !variable /appsx/y", branch: "apps") }
    }

    @Test func `A permit names hosts, privileges and resources, one or several`() throws {
        let text = """
            - !permit
              role: !host web
              privileges: [ read, execute ]
              resources:
                - !variable a
                - !variable b
            """
        let permits = try policy(text).permits
        #expect(permits.map(\.resource.full) == ["default:variable:a", "default:variable:b"])
        #expect(permits.allSatisfy { $0.role.full == "default:host:web" && $0.privileges == [.read, .execute] })
        let short = try policy("- !permit\n  role: !host web\n  privilege: update\n  resource: !variable a").permits
        #expect(short.map(\.privileges) == [[.update]])
    }

    @Test func `What is kept of a variable beside its id is kept as annotations`() throws {
        let text = "- !variable\n  id: a\n  kind: password\n  annotations:\n    description: \"one: two\"\n    n: 7"
        #expect(
            try policy(text).declarations[0].annotations == [
                "conjur/kind": "password", "description": "one: two", "n": "7",
            ])
    }

    @Test(arguments: [
        ("", 1), ("# nothing", 1), ("variable a", 1), ("- variable a", 1), ("- !variable", 1),
        ("- !variable\n  name: a", 2),
        ("- !variable a\n- !group b", 2), ("- !user alice", 1), ("- !grant\n  role: !group a\n  member: !host b", 1),
        ("- !variable a\n\n# c\n- !layer", 4), ("- !variable a b: c", 1), ("- !variable a\n  id: b", 2),
        ("- !variable it 's # c", 1), ("- !variable - a", 1), ("- !variable a\t", 1), ("- &vars\n  - !variable a", 1),
        ("- !variable *a", 1), ("- !variable |\n  a", 1),
        ("- !variable {id: a}", 1),
        ("- !variable \"a", 1), ("- !variable 'a", 1), ("- !variable \"a\" b", 1), ("- !variable \"\\q\"", 1),
        ("- !variable a//b", 1), ("- !variable ../a", 1), ("- !variable a/", 1), ("- !variable \"\"", 1),
        ("- !variable \"a\\u0007\"", 1), ("- !variable ~", 1), ("- !variable\n\tid: a", 2),
        ("- !variable\n  id: a\n  id: b", 3),
        ("- !variable\n  id: a\n  owner: !host b", 3), ("- !policy\n  id: a\n  body: !variable b", 3),
        ("- !policy\n  id: a\n  owner: !host b\n  body: []", 3), ("- !variable\n  id: a\n body: b", 3),
        ("- !host\n  id: a\n  annotations:\n    authn-jwt/x/sub: y", 1),
        ("- !host\n  id: a\n  annotations:\n    authn/api-key: false", 1),
        ("- !host\n  id: a\n  restricted_to: 10.0.0.0/8", 3),
        ("- !permit\n  role: !host a\n  privileges: [ fly ]\n  resource: !variable b", 3),
        ("- !permit\n  role: !host a\n  privileges: [ read ]", 1),
        ("- !permit\n  privileges: [ read ]\n  resource: !variable b", 1),
        ("- !permit\n  role: !variable a\n  privileges: [ read ]\n  resource: !variable b", 2),
        ("- !permit\n  role: !group a\n  privileges: [ read ]\n  resource: !variable b", 2),
        ("- !permit\n  role: !host a\n  privileges: [ create ]\n  resource: !variable b", 4),
        ("- !permit\n  role: !host a\n  privileges: [ execute ]\n  resource: !policy b", 4),
        ("- !permit\n  role: !host a\n  privileges: [ read ]\n  resource: !host b", 4),
        ("- !permit\n  role: !host a\n  privileges: [ read", 3), ("- !delete\n  record: a", 2), ("- !delete", 1),
    ])
    func `What cannot be kept is refused with its line`(text: String, line: Int) throws {
        let fault = #expect(throws: ConjurPolicy.Fault.self) { try policy(text) }
        #expect(fault?.line == line, "\(fault?.reason ?? "")")
    }

    /// A rule with a wildcard would reach further than to the one variable.
    @Test(arguments: ["a*", "*", "a/+/b", "+", "a/+*", "{{identity.entity.id}}", "a/+*\u{301}", "{{\u{301}a}}"])
    func `An id that is a wildcard in a rule is not permitted`(id: String) throws {
        #expect(try ids("- !variable \"\(id)\"") == ["default:variable:\(id)"])
        #expect(throws: ConjurPolicy.Fault.self) {
            try policy("- !permit\n  role: !host a\n  privileges: [ read ]\n  resource: !variable \"\(id)\"")
        }
    }

    /// As PyYAML writes long ones, which LiteLLM sends.
    @Test(arguments: [
        "- !variable \"a\\\n  b\"", "- !variable \"\\\n  a\\\r\n    b\" # why", "- !variable\n  id: \"a\\\n   b\"",
    ])
    func `A text in double quotes goes on after a backslash at the end of its line`(text: String) throws {
        #expect(try ids(text) == ["default:variable:ab"])
    }

    @Test(arguments: [
        ("- !variable \"a\\\nb\"", 2), ("- !variable \"a\\\n\n  b\"", 2), ("- !variable \"a\\", 1),
        ("- !variable \"a\n  b\"", 1),
        ("- !variable a \"b\\\n  c\"", 1), ("- !variable 'a \"b\\\n  c'", 1), ("- !variable [a, \"b\\\n  c\"", 1),
        ("- !variable a\r- !host b", 1), ("- !variable a # b\u{2028}- !host b", 1), ("# a\n- !variable a\u{85}", 2),
    ])
    func `No other text does, and no line ends elsewhere`(text: String, line: Int) throws {
        let fault = #expect(throws: ConjurPolicy.Fault.self) { try policy(text) }
        #expect(fault?.line == line, "\(fault?.reason ?? "")")
    }

    @Test func `More permits than a document may hold are refused before they are made`() throws {
        func text(_ count: Int) -> String {
            let hosts = (0..<count).map { "!host h\($0)" }.joined(separator: ", ")
            let variables = (0..<100).map { "!variable v\($0)" }.joined(separator: ", ")
            return "- !permit\n  roles: [\(hosts)]\n  privilege: read\n  resources: [\(variables)]\n"
        }
        #expect(try policy(text(100)).permits.count == ConjurPolicy.permitLimit)
        #expect(throws: ConjurPolicy.Fault.self) { try policy(text(101)) }
        #expect(throws: ConjurPolicy.Fault.self) { try policy(text(60) + text(50)) }
    }

    @Test func `A document nested without end is refused`() {
        let text = String(repeating: "- ", count: 10_000) + "a"
        #expect(throws: ConjurPolicy.Fault.self) { try policy(text) }
    }

    @Test func `Roles that differ in the case of a letter have each its own rules`() {
        let names = ["web", "Web", "w%65b", "a/b", "a%2fb", "é"].map { ConjurRules.policyName(ConjurID(.host, $0)) }
        #expect(Set(names.map { $0.lowercased() }).count == names.count)
        #expect(PolicyNames.sanitized(names) == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    }
}
