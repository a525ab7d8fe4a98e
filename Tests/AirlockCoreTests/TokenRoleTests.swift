import Testing

@testable import AirlockCore

/// VAULT-PROTOCOL 6.5. What a request and an answer look like stands in `differential.txt`.
struct TokenRoleTests {
    @Test(arguments: [
        ("dev-*", ["dev-", "dev-a", "dev-*"], ["dev", "xdev-a", ""]), ("*", ["", "a"], []),
        ("a", ["a"], ["b", "aa", ""]),
        ("t*st", ["tst", "test", "tst st"], ["te", "test1", "ts"]),
        ("*a*b", ["ab", "xaxb", "aab"], ["ba", "a", "abx"]),
        ("a*a", ["aa", "aba"], ["a"]), ("é*", ["éa"], ["e\u{301}a"]), ("", [""], ["a"]),
    ])
    func `A star stands for any text, and everything else for itself`(
        pattern: String, matching: [String], other: [String]
    ) {
        for text in matching { #expect(TokenRole.matches([pattern], text), "\(text)") }
        for text in other { #expect(!TokenRole.matches([pattern], text), "\(text)") }
        #expect(!TokenRole.matches([], "a"))
    }

    @Test func `What is disallowed stays so when it is allowed too`() {
        var role = TokenRole()
        role.allowed = ["a", "b"]
        role.disallowed = ["b"]
        #expect(throws: AirlockError.badRequest("token policy \"b\" is disallowed by this role")) {
            try role.policies(asked: [], parent: ["root"], noDefault: false)
        }
        #expect((try? role.policies(asked: ["A"], parent: ["root"], noDefault: false)) == ["a", "default"])
    }

    @Test func `A name that only looks the same is another policy`() {
        var role = TokenRole()
        role.allowed = ["caf\u{e9}"]
        #expect((try? role.policies(asked: ["caf\u{e9}"], parent: ["root"], noDefault: true)) != nil)
        #expect((try? role.policies(asked: ["cafe\u{301}"], parent: ["root"], noDefault: true)) == nil)
    }

    @Test func `Of two limits the lesser counts, whoever set it`() {
        var role = TokenRole()
        (role.period, role.explicitMaxTTL, role.uses) = (60, 600, 3)
        var request = TokenRequest()
        (request.period, request.explicitMaxTTL, request.uses) = (90, 300, 5)
        #expect(role.limit(&request).count == 2)
        // The token is shown as it was asked for.
        #expect((request.period, request.explicitMaxTTL, request.uses) == (90, 300, 3))
        #expect(TokenLifetime.lesser(request.period, request.rolePeriod) == 60)
        #expect(TokenLifetime.lesser(request.explicitMaxTTL, request.roleExplicitMaxTTL) == 300)
        #expect((TokenLifetime.lesser(0, 60), TokenLifetime.lesser(60, 0), TokenLifetime.lesser(0, 0)) == (60, 60, 0))
    }
}
