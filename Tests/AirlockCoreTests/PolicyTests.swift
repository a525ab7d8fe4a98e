import Testing

@testable import AirlockCore

/// What a policy's text may say (VAULT-PROTOCOL 10.1). A rule that were ignored in silence would be a hole.
struct PolicyTests {
    private func rules(_ text: String) throws -> [Policy.Rule] { try Policy(name: "p", text: text).rules() }

    private static let read = [Policy.Rule(path: "a/b", capabilities: .read)]

    @Test(arguments: [
        "path \"a/b\" { capabilities = [\"read\"] }", "path \"a/b\" { capabilities = [\"read\",] }",
        "path \"a/b\" {\n  capabilities = [\n \"read\"\n ]\n}\n",
        "# c\n// d\n/* e\n } */ path /* f */ \"a/b\" { # }\n capabilities = [\"read\"] // ]\n}",
        "name = \"x\"\npath \"a/b\" { capabilities = [\"read\"] }",
        "path \"/a/b\" { capabilities = [\"read\"] }", "path \"a/b\" { comment = \"why\" capabilities = [\"read\"] }",
        "\"path\" \"a/b\" { \"capabilities\" = [\"read\"] }",
        "path \"a/b\" { capabilities = [\"read\", \"read\"] }", "\t\r\npath \"a/b\"{capabilities=[\"read\"]}",
        "{\"path\":{\"a/b\":{\"capabilities\":[\"read\"]}}}",
        " \n{\"name\":\"x\",\"path\":[{\"/a/b\":{\"capabilities\":[\"read\"]}}]}",
    ])
    func `Each spelling of a rule says the same`(text: String) throws {
        #expect(try rules(text) == PolicyTests.read)
    }

    @Test func `An unquoted path is taken`() throws {
        #expect(try rules("path a { capabilities = [\"list\"] }") == [Policy.Rule(path: "a", capabilities: .list)])
    }

    @Test(arguments: ["", "\n \t", "# nothing\n", "/* nothing */", "// nothing", "name = \"x\"", "{}"])
    func `A policy may hold no rules`(text: String) throws {
        #expect(try rules(text).isEmpty)
    }

    @Test(arguments: ["path \"a/b\" {}", "path \"a/b\" { capabilities = [] }", "{\"path\":{\"a/b\":{}}}"])
    func `A path without capabilities is kept, and denies`(text: String) throws {
        #expect(try rules(text) == [Policy.Rule(path: "a/b", capabilities: [])])
        #expect(
            try AccessControl(rules: rules(text) + [Policy.Rule(path: "a/*", capabilities: .read)]).names(on: "a/b")
                == ["deny"])
    }

    @Test(arguments: [
        ("read", ["list", "read"]), ("write", ["create", "delete", "list", "read", "update"]),
        ("sudo", ["create", "delete", "list", "read", "sudo", "update"]), ("deny", ["deny"]),
    ])
    func `The old word for a set of capabilities still works`(word: String, names: [String]) throws {
        #expect(try rules("path \"a\" { policy = \"\(word)\" }").map(\.capabilities.names) == [names])
    }

    @Test func `Rules of one path are all kept`() throws {
        let text = "path \"a\" { capabilities = [\"read\"] }\npath \"b\" {}\npath \"a\" { capabilities = [\"deny\"] }"
        #expect(try rules(text).map(\.path) == ["a", "b", "a"])
    }

    /// HCL's JSON reader keeps repeated names; keeping only the last would drop a deny in silence.
    @Test(arguments: [
        "{\"path\":{\"a\":{\"capabilities\":[\"deny\"]},\"a\":{\"capabilities\":[\"read\"]}}}",
        "{\"path\":{\"a\":{\"capabilities\":[\"deny\"]}},\"path\":{\"a\":{\"capabilities\":[\"read\"]}}}",
        "{\"path\":{\"a\":{\"capabilities\":[\"deny\"],\"capabilities\":[\"read\"]}}}",
    ])
    func `A deny in JSON is not lost to a repeated name`(text: String) {
        // Either is right: to refuse the text, or to count both.
        let parsed = try? rules(text)
        #expect(parsed.map { AccessControl(rules: $0).names(on: "a") } ?? ["deny"] == ["deny"])
    }

    /// What is left out of a rule in silence is a rule that is not enforced.
    @Test(arguments: [
        "{\"path\":{\"a\":\"read\"}}", "{\"path\":{\"a\":[\"read\"]}}", "{\"path\":{\"a\":null}}", "{\"path\":[\"a\"]}",
        "{\"path\":[{\"b\":{}},1]}",
    ])
    func `A JSON path that is no object is refused`(text: String) {
        expectRefusal(text)
    }

    @Test(arguments: [
        ("paths \"a\" {}", "invalid key \"paths\" at line 1"), ("x = \"y\"", "invalid key \"x\" at line 1"),
        ("\n\nname = [\"x\"]", "invalid key \"name\" at line 3"),
        ("path = \"a\"", "invalid key \"path\" at line 1"), ("path = { a = \"b\" }", "invalid key \"path\" at line 1"),
        ("path \"a\" {\n  capability = [\"read\"]\n}", "path \"a\": invalid key \"capability\" at line 2"),
        ("path \"a\" { capabilities = [\"fly\"] }", "path \"a\": invalid capability \"fly\" at line 1"),
        ("path \"a\" { capabilities = [\"READ\"] }", "path \"a\": invalid capability \"READ\" at line 1"),
        ("path \"a\" { capabilities = [\"\"] }", "path \"a\": invalid capability \"\" at line 1"),
        ("path \"a\" { capabilities = \"read\" }", "path \"a\": capabilities must be a list of strings at line 1"),
        ("path \"a\" { policy = \"all\" }", "path \"a\": invalid policy \"all\" at line 1"),
        (
            "path \"a/{{identity.entity.name}}\" {}",
            "path \"a/{{identity.entity.name}}\": templated paths are not supported; write the path out at line 1"
        ),
        (
            "path \"a\" {\n allowed_parameters = { \"x\" = [] }\n}",
            "path \"a\": \"allowed_parameters\" is not enforced by Airlock and therefore refused at line 2"
        ),
        (
            "path \"a\" { denied_parameters = { x = [\"1\"] } }",
            "path \"a\": \"denied_parameters\" is not enforced by Airlock and therefore refused at line 1"
        ),
        (
            "path \"a\" { required_parameters = [\"x\"] }",
            "path \"a\": \"required_parameters\" is not enforced by Airlock and therefore refused at line 1"
        ),
        (
            "path \"a\" { min_wrapping_ttl = \"1s\" }",
            "path \"a\": \"min_wrapping_ttl\" is not enforced by Airlock and therefore refused at line 1"
        ),
        (
            "path \"a\" { pagination_limit = 5 }",
            "path \"a\": \"pagination_limit\" is not enforced by Airlock and therefore refused at line 1"
        ),
        (
            "path \"a\" { expiration = \"2099-01-01T00:00:00Z\" }",
            "path \"a\": \"expiration\" is not enforced by Airlock and therefore refused at line 1"
        ),
        (
            "path \"a\" {\n control_group = { ttl = \"1h\" }\n}",
            "path \"a\": \"control_group\" is not enforced by Airlock and therefore refused at line 2"
        ),
        (
            "{\"path\":{\"a\":{\"capabilities\":\"read\"}}}",
            "path \"a\": capabilities must be a list of strings at line 1"
        ),
        ("{\"path\":{\"a\":{\"capabilities\":[1]}}}", "path \"a\": capabilities must be a list of strings at line 1"),
        ("{\"x\":1}", "invalid key \"x\" at line 1"), ("{\n\"path\":{\n", "expected a member name at line 3"),
    ])
    func `What would not be enforced is refused, with its place`(text: String, reason: String) {
        let error = #expect(throws: AirlockError.self) { try rules(text) }
        #expect(error == .badRequest("failed to parse policy: \(reason)"))
    }

    @Test(arguments: [
        "path \"a\" {", "path \"a\" { capabilities = [\"read\"]", "path \"a\" }", "}", "path \"a\"", "path", "path {",
        "path 'a' {}", "path \"a { }", "path \"a\n\" {}",
        "path \"a\" { capabilities = ['read'] }", "path \"a\" { capabilities = [read] }",
        "path \"a\" { capabilities = [\"read\" \"list\"] }",
        "path \"a\" { capabilities = [\"read\" }", "path \"a\" { capabilities = [\"read\", 1] }",
        "path \"a\" { capabilities [\"read\"] }", "path \"a\" \"b\" {}",
        "/* open", "path \"a\\q\" {}", "[]", "\"x\"", "path \"a\" {} x", "name =", "<<EOF", "{\"path\":",
        "{\"path\":{}} x", "path \"a\" {} }",
    ])
    func `A malformed policy is refused`(text: String) {
        expectRefusal(text)
    }

    @Test func `Nesting has a limit`() {
        expectRefusal(String(repeating: "a \"b\" {", count: 10_000))
        expectRefusal(String(repeating: "{\"path\":", count: 10_000))
        expectRefusal("path \"a\" { x = " + String(repeating: "{ y = ", count: 10_000))
    }

    private func expectRefusal(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: AirlockError.self, sourceLocation: sourceLocation) { try rules(text) }
        #expect(error?.code == .badRequest, sourceLocation: sourceLocation)
        #expect(error?.message?.hasPrefix("failed to parse policy: ") == true, sourceLocation: sourceLocation)
        #expect(error?.message?.contains(" at line ") == true, sourceLocation: sourceLocation)
    }

    @Test func `The default policy parses, and lets a token look after itself only`() throws {
        let access = AccessControl(rules: try rules(Policy.defaultText))
        #expect(access.allows(.read, on: "auth/token/lookup-self"))
        #expect(access.allows(.update, on: "auth/token/renew-self"))
        #expect(access.allows(.update, on: "auth/token/revoke-self"))
        #expect(access.allows(.update, on: "sys/capabilities-self"))
        #expect(access.names(on: "cubbyhole/a") == ["create", "delete", "list", "read", "update"])
        for path in ["sys/leases/renew", "sys/wrapping/unwrap", "sys/tools/hash/sha2-256"] {
            #expect(access.names(on: path) == ["update"])
        }
        for path in ["auth/token/create", "auth/token/lookup", "sys/mounts", "secret/data/x", "sys/policies/acl/x"] {
            #expect(access.names(on: path) == ["deny"])
        }
    }
}
