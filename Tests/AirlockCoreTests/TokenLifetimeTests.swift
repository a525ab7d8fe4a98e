import Testing

@testable import AirlockCore

/// VAULT-PROTOCOL 6.1, 6.3 and 8.3.
struct TokenLifetimeTests {
    private func granted(
        wanted: Int = 0, fallback: Int = 2_764_800, period: Int = 0, maxTTL: Int = 2_764_800, explicitMaxTTL: Int = 0,
        elapsed: Int = 0
    ) throws -> (ttl: Int, warning: String?) {
        let granted = try TokenLifetime.granted(
            wanted: wanted, fallback: fallback, period: period, maxTTL: maxTTL, explicitMaxTTL: explicitMaxTTL,
            elapsed: elapsed)
        #expect(granted.warnings.count <= 1)
        return (granted.ttl, granted.warnings.first)
    }

    @Test func `What is asked for is granted, and nothing asked for is the default`() throws {
        #expect(try granted() == (2_764_800, nil))
        #expect(try granted(wanted: 90) == (90, nil))
        #expect(try granted(fallback: 1200) == (1200, nil))
        #expect(try granted(wanted: 90, fallback: 1200) == (90, nil), "a renewal may shorten")
    }

    @Test func `Above the maximum is cut, with a warning`() throws {
        let asked = try granted(wanted: 359_996_400)
        #expect(asked.ttl == 2_764_800)
        #expect(
            asked.warning
                == "TTL of \"99999h\" exceeded the effective max_ttl of \"768h\"; TTL value is capped accordingly")
        #expect(try granted(wanted: 3600, explicitMaxTTL: 60).ttl == 60)
        #expect(try granted(wanted: 3600, maxTTL: 60, explicitMaxTTL: 120).ttl == 60)
        #expect(try granted(wanted: .max).ttl == 2_764_800)
    }

    @Test func `The maximum counts from the token's issue`() throws {
        #expect(try granted(wanted: 2, maxTTL: 4, elapsed: 1) == (2, nil))
        #expect(try granted(wanted: 2, maxTTL: 4, elapsed: 3).ttl == 1)
        #expect(try granted(wanted: 2, maxTTL: 4, elapsed: 3).warning != nil)
        #expect(throws: AirlockError(.vaultServerError, AirlockError.multi("past the max TTL, cannot renew"))) {
            try granted(wanted: 2, maxTTL: 4, elapsed: 4)
        }
    }

    @Test func `A periodic token gets its period each time, up to its own maximum`() throws {
        #expect(try granted(wanted: 5, period: 3600) == (3600, nil))
        let cut = try granted(period: 3600, maxTTL: 60, elapsed: 1_000_000)
        #expect(cut.ttl == 60)
        #expect(
            cut.warning
                == "period of \"1h\" exceeded the effective max_ttl of \"1m\"; period value is capped accordingly")
        #expect(try granted(period: 3600, explicitMaxTTL: 5000, elapsed: 3600).ttl == 1400)
    }

    @Test(arguments: [
        (["B", " a ", "b", ""], true, ["a", "b", "default"]), ([], true, ["default"]),
        (["default", "a"], false, ["a"]), (["a", "ROOT"], true, ["root"]), (["p1,p2"], true, ["default", "p1,p2"]),
    ])
    func `Policy names are trimmed, lower-cased, sorted and each there once`(
        names: [String], withDefault: Bool, result: [String]
    ) {
        #expect(PolicyNames.normalised(names, withDefault: withDefault) == result)
    }
}
