import Testing

@testable import AirlockCore

/// Which rule of a token's policies counts: VAULT-PROTOCOL 10.2, 10.4 and 10.5, row by row.
struct AccessControlTests {
    private static func access(_ policies: String...) throws -> AccessControl {
        AccessControl(rules: try policies.flatMap { try Policy(name: "p", text: $0).rules() })
    }

    private static func rule(_ path: String, _ capabilities: String...) -> String {
        "path \"\(path)\" { capabilities = [\(capabilities.map { "\"\($0)\"" }.joined(separator: ", "))] }\n"
    }

    // MARK: 10.2, what a path matches

    static let matching: [(policy: String, matches: [String], misses: [String])] = [
        ("a/b", ["a/b"], ["a", "a/b/c", "A/B", "a/bc", "a/b/", "/a/b"]),
        ("a/*", ["a/", "a/b", "a/b/c"], ["a", "b/a/b"]),
        ("a*", ["a", "ab", "a/b"], ["ba", "b", ""]),
        ("*", ["a", "a/b", "a/", ""], []),
        ("a/+/c", ["a/b/c", "a//c", "a/+/c"], ["a/c", "a/b/b/c", "a/b/c/d", "a/b/c/", "a/b"]),
        ("a/+/c*", ["a/b/c", "a/b/cd", "a/b/c/d"], ["a/b/x", "a/c"]),
        ("a/+", ["a/b", "a/"], ["a", "a/b/c"]),
        ("+/c", ["b/c", "/c"], ["c", "b/b/c"]),
        ("a/+/*", ["a/b/", "a/b/c", "a/b/c/d"], ["a/b"]),
        ("a/b+", ["a/b+"], ["a/bx", "a/b", "a/b/x"]),
        ("a/*/c", ["a/*/c"], ["a/b/c"]),
        ("/a/b", ["a/b"], ["/a/b", "a", "a/b/c"]),
        ("+", ["a", ""], ["a/b"]),
        ("+/+", ["a/b", "/"], ["a", "a/b/c"]),
        ("a/é", ["a/\u{E9}"], ["a/e\u{301}"]),
        ("a/+/é*", ["a/x/\u{E9}", "a/x/\u{E9}\u{301}"], ["a/x/e\u{301}"]),
    ]

    @Test(arguments: matching)
    func `A policy path matches what the table says`(policy: String, matches: [String], misses: [String]) throws {
        let access = try AccessControlTests.access(AccessControlTests.rule(policy, "read"))
        for path in matches { #expect(access.allows(.read, on: path), "\(path)") }
        for path in misses { #expect(!access.allows(.read, on: path), "\(path)") }
    }

    @Test func `A leading slash is dropped in a question about capabilities too`() throws {
        let access = try AccessControlTests.access(AccessControlTests.rule("/a/b", "read"))
        #expect(access.names(on: "/a/b") == ["read"])
        #expect(access.names(on: "a/b") == ["read"])
    }

    // MARK: 10.2, which rule counts

    /// The path asked, the rule that counts, and the one that does not.
    static let precedence: [(path: String, winner: String, loser: String)] = [
        ("a/b", "a/b", "a/*"), ("a/b/c", "a/b/c", "a/+/c"), ("a/b", "a/b", "a/+"), ("a/b", "a/b", "*"),
        // The first wildcard further right.
        ("a/b/c", "a/b/*", "a/+/c"), ("a/b/c", "a/+/c", "+/b/c"), ("a/b/c", "a/b/*", "a/*"), ("a/b/c", "a/b*", "a/*"),
        ("a/b", "a/*", "*"),
        ("a/bcd", "a/bc*", "a/b*"), ("a/b/c", "a/*", "+/b/c"), ("a/b/c/d", "a/b/+/d", "a/+/c/d"),
        // The same place: without a closing star first.
        ("a/b/c", "a/+/c", "a/*"), ("a/b/c", "a/+/c", "a/+/c*"), ("a/b/c", "a/+/+", "a/+/*"), ("a/b", "a/+", "a/*"),
        // Then fewer plus segments, then the longer.
        ("a/b/c/d", "a/+/c/d", "a/+/+/d"), ("a/b/cd/e", "a/+/cd*", "a/+/c*"), ("a/b/c/d", "a/+/c/*", "a/+/+/*"),
        // A plus that is no wildcard may count for one, but only here.
        ("a/+b/c", "a/+/c", "a/+b/c*"), ("a/+b", "a/+b", "a/+"), ("a+/b/+c", "a+/b/+c", "a+/b/+c*"),
    ]

    @Test(arguments: precedence)
    func `Of two rules that match, the more specific one counts alone`(path: String, winner: String, loser: String)
        throws
    {
        let (won, lost) = (AccessControlTests.rule(winner, "read"), AccessControlTests.rule(loser, "update"))
        // Whatever the order and whichever the policy they stand in.
        for access in try [
            AccessControlTests.access(won + lost), AccessControlTests.access(lost + won),
            AccessControlTests.access(won, lost),
            AccessControlTests.access(lost, won),
        ] {
            #expect(access.names(on: path) == ["read"])
            #expect(access.allows(.read, on: path))
            #expect(!access.allows(.update, on: path), "nothing is inherited from the broader rule")
        }
        // Alone, the broader rule would have matched.
        #expect(try AccessControlTests.access(lost).names(on: path) == ["update"])
    }

    @Test func `The same path in several policies grants the union`() throws {
        let (read, update) = (AccessControlTests.rule("a/*", "read", "list"), AccessControlTests.rule("a/*", "update"))
        for access in try [AccessControlTests.access(read, update), AccessControlTests.access(read + update)] {
            #expect(access.names(on: "a/b") == ["list", "read", "update"])
        }
    }

    @Test func `One deny on the same path denies all`() throws {
        let (read, deny) = (AccessControlTests.rule("a/*", "read"), AccessControlTests.rule("a/*", "deny"))
        for access in try [AccessControlTests.access(read, deny), AccessControlTests.access(deny + read)] {
            #expect(access.names(on: "a/b") == ["deny"])
            #expect(!access.allows(.read, on: "a/b"))
        }
        let one = try AccessControlTests.access(AccessControlTests.rule("a/b", "read", "deny"))
        #expect(one.names(on: "a/b") == ["deny"])
        #expect(!one.allows(.read, on: "a/b"))
    }

    @Test func `A broad deny gives way to a narrow grant, and a narrow deny covers only itself`() throws {
        let open = try AccessControlTests.access(
            AccessControlTests.rule("a/*", "deny") + AccessControlTests.rule("a/b", "read"))
        #expect(open.allows(.read, on: "a/b"))
        #expect(!open.allows(.read, on: "a/c"))
        let shut = try AccessControlTests.access(
            AccessControlTests.rule("a/*", "read") + AccessControlTests.rule("a/secret", "deny"))
        #expect(!shut.allows(.read, on: "a/secret"))
        #expect(shut.allows(.read, on: "a/secret/x"))
    }

    @Test func `Policies are merged before the choice`() throws {
        let access = try AccessControlTests.access(
            AccessControlTests.rule("a/*", "read", "list"), AccessControlTests.rule("a/b", "update"))
        #expect(access.names(on: "a/b") == ["update"])
        #expect(access.names(on: "a/c") == ["list", "read"])
    }

    @Test func `No rule and an empty list deny`() throws {
        let access = try AccessControlTests.access("path \"a/b\" {}\npath \"a/c\" { capabilities = [] }")
        for path in ["a/b", "a/c", "a/d", ""] {
            #expect(access.names(on: path) == ["deny"])
            #expect(!access.allows(.read, on: path))
        }
        #expect(try AccessControlTests.access().names(on: "a") == ["deny"])
    }

    @Test func `Root may do everything, also on mounts that do not exist`() {
        for path in ["a", "nomount/x", "sys/mounts/x", ""] {
            #expect(AccessControl.root.allows([.create, .sudo, .delete, .scan], on: path))
            #expect(AccessControl.root.names(on: path) == ["root"])
        }
    }

    @Test func `All that is wanted must be granted by one rule`() throws {
        let access = try AccessControlTests.access(
            AccessControlTests.rule("sys/*", "sudo") + AccessControlTests.rule("sys/auth/*", "update"))
        #expect(!access.allows([.update, .sudo], on: "sys/auth/x"))
        #expect(access.allows(.update, on: "sys/auth/x"))
        #expect(!access.allows(.update, on: "sys/mounts/x"), "sudo alone grants nothing else")
    }

    // MARK: 10.4, LIST and the trailing slash

    static let listing: [(policy: String, app: Bool, sub: Bool, root: Bool)] = [
        ("m/metadata/app", true, false, false), ("m/metadata/app/", true, false, false),
        ("m/metadata/app/*", true, true, false),
        ("m/metadata/+", true, false, true), ("m/metadata/+/", true, false, false), ("m/metadata/*", true, true, true),
        ("m/metadata", false, false, true), ("m/metadata/", false, false, true),
    ]

    @Test(arguments: listing)
    func `Listing is allowed with and without the trailing slash alike`(
        policy: String, app: Bool, sub: Bool, root: Bool
    ) throws {
        let access = try AccessControlTests.access(AccessControlTests.rule(policy, "list"))
        for slash in ["", "/"] {
            #expect(access.allows(.list, on: "m/metadata/app" + slash) == app)
            #expect(access.allows(.list, on: "m/metadata/app/sub" + slash) == sub)
            #expect(access.allows(.list, on: "m/metadata" + slash) == root)
        }
    }

    @Test func `A deny of all that lies in a folder covers the list and the scan of the folder`() throws {
        let access = try AccessControlTests.access(
            AccessControlTests.rule("m/*", "list", "scan") + AccessControlTests.rule("m/app/*", "deny"))
        for path in ["m/app", "m/app/", "m/app/sub"] {
            #expect(!access.allows(.list, on: path))
            #expect(!access.allows(.scan, on: path))
        }
        #expect(access.names(on: "m/app") == ["list", "scan"], "asked of the name, not of the folder")
        #expect(access.names(on: "m/app/") == ["deny"])
    }

    @Test(arguments: ["m/app", "m/app/", "m/app/*", "m/*", "m/+", "m/+/"])
    func `A scan is a right of its own, and met as a list is`(policy: String) throws {
        let access = try AccessControlTests.access(AccessControlTests.rule(policy, "scan"))
        #expect(access.allows(.scan, on: "m/app"))
        #expect(access.allows(.scan, on: "m/app/"))
        #expect(!access.allows(.list, on: "m/app"))
        #expect(!access.allows(.read, on: "m/app"))
    }

    @Test(arguments: ["m1", "m1/", "m1/*"])
    func `The root of a version 1 mount can be listed by each spelling`(policy: String) throws {
        let access = try AccessControlTests.access(AccessControlTests.rule(policy, "list"))
        #expect(access.allows(.list, on: "m1"))
        #expect(access.allows(.list, on: "m1/"))
    }

    @Test func `Only a list may do without the slash`() throws {
        let access = try AccessControlTests.access(AccessControlTests.rule("m/data/app/x", "read", "list"))
        #expect(access.allows(.read, on: "m/data/app/x"))
        #expect(!access.allows(.read, on: "m/data/app/x/"))
        #expect(access.allows(.list, on: "m/data/app/x/"))
    }

    // MARK: 10.5, the capabilities endpoints

    @Test func `Capabilities are told sorted`() throws {
        let all = ["update", "sudo", "scan", "read", "patch", "list", "delete", "create"]
        let text = "path \"a\" { capabilities = [\(all.map { "\"\($0)\"" }.joined(separator: ","))] }"
        #expect(try AccessControlTests.access(text).names(on: "a") == all.sorted())
    }

    @Test func `A folder is answered from the rule without its slash`() throws {
        let access = try AccessControlTests.access(AccessControlTests.rule("a/b", "read", "list"))
        #expect(access.names(on: "a/b/") == ["list", "read"])
        #expect(!access.allows(.read, on: "a/b/"), "a GET of it is refused all the same")
    }

    /// What is told must be what a LIST then meets: the exact rule without the slash goes before a pattern.
    @Test func `What is told about a folder is what a list of it meets`() throws {
        let access = try AccessControlTests.access(
            AccessControlTests.rule("a/*", "read") + AccessControlTests.rule("a/b", "list"))
        #expect(access.allows(.list, on: "a/b/"))
        #expect(access.names(on: "a/b/") == ["list"])
    }

    // MARK: The preflight of the kv commands (1.5)

    @Test(arguments: [
        ("secret/data/app/*", "secret/", true), ("secret/data/app/*", "airflow/", false), ("secret/*", "secret/", true),
        ("*", "secret/", true),
        ("sec*", "secret/", true), ("+/data/x", "secret/", true), ("secret", "secret/", true),
        ("secret/", "secret/", true), ("secretx/*", "secret/", false),
        ("secret/+/x", "secret/", true), ("a/b/*", "a/b/", true), ("a/+", "a/b/", true), ("a/+/c/*", "a/b/", true),
        ("a/c/*", "a/b/", false),
    ])
    func `A grant anywhere at or below a mount lets its preflight pass`(policy: String, mount: String, isSeen: Bool)
        throws
    {
        #expect(
            try AccessControlTests.access(AccessControlTests.rule(policy, "read")).grantsAnything(below: mount)
                == isSeen)
        #expect(try !AccessControlTests.access(AccessControlTests.rule(policy, "deny")).grantsAnything(below: mount))
    }
}
