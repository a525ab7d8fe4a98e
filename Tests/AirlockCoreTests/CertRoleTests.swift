import AirlockCore
import Testing

struct CertRoleTests {
    @Test(arguments: [
        ("svc", "svc", true), ("svc", "Svc", false), ("svc", "svc2", false), ("", "", true), ("", "a", false),
        ("*", "", true), ("*", "anything", true), ("svc*", "svc", true), ("*svc", "svc", true), ("s*c", "sc", true),
        ("s*c", "s", false), ("ab*ba", "aba", false), ("*a*", "bab", true), ("*a*", "bbb", false),
        ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false), ("a**c", "abc", true), ("s?c", "svc", false),
        ("*.example.com", "example.com", false), ("e\u{301}", "\u{e9}", false),
    ])
    func `A star stands for any text, and nothing else does`(pattern: String, text: String, matches: Bool) {
        #expect(Glob.matches(pattern, text) == matches)
    }

    @Test func `A pattern that could backtrack for ever does not`() {
        let text = String(repeating: "a", count: 4000)
        #expect(!Glob.matches(String(repeating: "*a", count: 200) + "*b", text))
    }

    @Test func `Every constraint that is set must be met, by one of its patterns`() {
        var client = ClientIdentity()
        client.commonName = "svc"
        client.dnsNames = ["a.example.com"]
        client.units = ["eng", "ops"]
        var role = CertRole()
        #expect(role.allows(client))
        role.allowedUnits = ["sales", "op*"]
        role.allowedDNSNames = ["*.example.com"]
        #expect(role.allows(client))
        role.allowedEmails = ["*"]
        #expect(!role.allows(client), "a certificate without any address met a constraint on addresses")
        role.allowedEmails = []
        #expect(role.allows(client))
    }

    @Test(arguments: ["1.2.3", "", ":x", "hex:1.2.3:0c", "name:x", "1.2.3 :x"])
    func `A required extension that could never be met is refused`(entry: String) {
        var role = CertRole()
        role.requiredExtensions = [entry]
        #expect(throws: AirlockError.self) { try role.check() }
    }
}
