import Testing

@testable import AirlockCore

/// What a namespace may be called, and what a token's rules reach from one namespace to another.
struct NamespaceTests {
    private static func namespace(_ names: String...) throws -> Namespace {
        try names.reduce(.root) { try Namespace(name: $1, in: $0) }
    }

    @Test(arguments: ["team1", "a.b-c_d", "-x", "x:y@z", "gr\u{FC}\u{DF}e", "UPPER", "\u{301}x", "roots", "sys1"])
    func `A name that a path can say is a namespace's path with a slash`(name: String) throws {
        #expect(try Namespace(name: name, in: .root).path == name + "/")
        #expect(try Namespace(name: name, in: NamespaceTests.namespace("up", "down")).path == "up/down/" + name + "/")
    }

    @Test(
        arguments: [
            "", "/", "a/b", "a/", "/a", ".", "..", "a b", "a\tb", "a\u{A0}b", "a\nb", "a\0", "+", "a+", "*", "a*b",
            "root",
            "sys", "audit", "auth", "cubbyhole", "identity", "/\u{301}x", "+\u{301}",
            String(repeating: "x", count: 1024),
        ])
    func `A name that a path, a header or a policy could take for something else is refused`(name: String) {
        #expect(throws: AirlockError.self) { try Namespace(name: name, in: .root) }
    }

    @Test func `A whole path has a limit too`() throws {
        var namespace = Namespace.root
        for _ in 0..<4 { namespace = try Namespace(name: String(repeating: "x", count: 200), in: namespace) }
        #expect(throws: AirlockError.self) { try Namespace(name: String(repeating: "x", count: 220), in: namespace) }
    }

    @Test func `Two namespaces of one name are not the same`() throws {
        let (first, second) = (try NamespaceTests.namespace("a"), try NamespaceTests.namespace("a"))
        #expect(first.uuid != second.uuid)
        #expect(first.id != second.id)
        #expect(first.suffix == ".\(first.id)")
        #expect(Namespace.root.suffix.isEmpty)
    }

    @Test func `The way leads down only`() throws {
        let (up, down, beside) = (
            try NamespaceTests.namespace("a"), try NamespaceTests.namespace("a", "b"),
            try NamespaceTests.namespace("ab")
        )
        #expect(down.path(from: up) == "b/")
        #expect(down.path(from: .root) == "a/b/")
        #expect(up.path(from: up) == "")
        #expect(up.path(from: down) == nil)
        #expect(Namespace.root.path(from: up) == nil)
        #expect(beside.path(from: up) == nil)
        #expect(up.path(from: beside) == nil)
    }

    // MARK: Rules

    private static func access(_ path: String) throws -> AccessControl {
        AccessControl(
            rules: try Policy(name: "p", text: "path \"\(path)\" { capabilities = [\"read\", \"list\"] }").rules())
    }

    @Test func `A rule names the full path from the token's own namespace`() throws {
        let (up, down) = (try NamespaceTests.namespace("a"), try NamespaceTests.namespace("a", "b"))
        for rule in ["b/kv/*", "+/kv/*", "b/*"] {
            let access = try NamespaceTests.access(rule).seen(from: down, by: up)
            #expect(access.allows(.read, on: "kv/x"), "\(rule)")
            #expect(access.names(on: "/kv/x") == ["list", "read"], "\(rule)")
            #expect(access.grantsAnything(below: "kv/"), "\(rule)")
        }
        let short = try NamespaceTests.access("kv/*")
        #expect(short.seen(from: up, by: up).allows(.read, on: "kv/x"))
        #expect(!short.seen(from: down, by: up).allows(.read, on: "kv/x"))
        #expect(!short.seen(from: down, by: up).grantsAnything(below: "kv/"))
        #expect(try NamespaceTests.access("b/kv/").seen(from: down, by: up).allows(.list, on: "kv"))
    }

    @Test func `Nothing reaches up or aside, whatever the rules say`() throws {
        let (one, two) = (try NamespaceTests.namespace("a"), try NamespaceTests.namespace("b"))
        for access in [try NamespaceTests.access("*"), try NamespaceTests.access("+/*"), .root] {
            for other in [Namespace.root, two] {
                let seen = access.seen(from: other, by: one)
                #expect(!seen.allows(.read, on: "kv/x"))
                #expect(!seen.allows(.read, on: "../a/kv/x"))
                #expect(!seen.allows([], on: ""))
                #expect(seen.names(on: "kv/x") == ["deny"])
                #expect(!seen.grantsAnything(below: "kv/"))
            }
        }
    }
}
