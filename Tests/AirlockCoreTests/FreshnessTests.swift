import Testing

@testable import AirlockCore

/// The functions of times and texts that decide whether an entry is good.
struct FreshnessTests {
    private static let rule: FreshnessRule = {
        var rule = FreshnessRule()
        rule.ttl = 60
        rule.maxStale = 1_000
        rule.negativeTTL = 15
        return rule
    }()

    private static let table: [(now: Int64, value: Freshness, negative: Freshness, expired: Freshness)] = [
        // Asked at 5000; the moment, then what a value is, a negative, and either when it is marked expired.
        (5_000, Freshness.fresh(age: 0), Freshness.fresh(age: 0), Freshness.stale(age: 0)),
        (5_001, .fresh(age: 1), .fresh(age: 1), .stale(age: 1)),
        (5_014, .fresh(age: 14), .fresh(age: 14), .stale(age: 14)),
        (5_015, .fresh(age: 15), .stale(age: 15), .stale(age: 15)),
        (5_059, .fresh(age: 59), .stale(age: 59), .stale(age: 59)),
        (5_060, .stale(age: 60), .stale(age: 60), .stale(age: 60)),
        (5_999, .stale(age: 999), .stale(age: 999), .stale(age: 999)),
        (6_000, .absent, .absent, .absent),
        (.max, .absent, .absent, .absent),
        // The clock was set back.
        (4_999, .stale(age: 0), .stale(age: 0), .stale(age: 0)),
        (0, .stale(age: 0), .stale(age: 0), .stale(age: 0)),
        (-5_000, .stale(age: 0), .stale(age: 0), .stale(age: 0)),
    ]

    @Test(arguments: table)
    func `An entry is fresh, then stale, then absent`(
        row: (now: Int64, value: Freshness, negative: Freshness, expired: Freshness)
    ) {
        let now = Timestamp(nanoseconds: row.now)
        let fetched = Timestamp(nanoseconds: 5_000)
        let secret = Secret(data: SecretPayload([]))
        #expect(CacheEntry(secret: secret, fetched: fetched).freshness(at: now, FreshnessTests.rule) == row.value)
        #expect(CacheEntry(secret: nil, fetched: fetched).freshness(at: now, FreshnessTests.rule) == row.negative)
        for secret in [secret, nil] {
            let entry = CacheEntry(secret: secret, fetched: fetched, expired: true)
            #expect(entry.freshness(at: now, FreshnessTests.rule) == row.expired)
        }
    }

    @Test func `A ttl of nothing makes nothing fresh, and a max_stale of nothing makes nothing stale`() {
        var rule = FreshnessRule()
        (rule.ttl, rule.maxStale) = (0, 1)
        let moment = Timestamp(nanoseconds: 9)
        let entry = CacheEntry(secret: Secret(data: nil), fetched: moment)
        #expect(entry.freshness(at: moment, rule) == .stale(age: 0))
        rule.maxStale = 0
        #expect(entry.freshness(at: moment, rule) == .absent)
        rule.ttl = 5
        #expect(entry.freshness(at: moment, rule) == .fresh(age: 0))
    }

    /// What is older may be swept away.
    @Test(arguments: [(60, 3_600, 15), (60, 0, 15), (5, 0, 15), (5, 5, 5)])
    func `An entry is of use until the last of its times is over`(ttl: Int64, maxStale: Int64, negativeTTL: Int64) {
        var rule = FreshnessRule()
        (rule.ttl, rule.maxStale, rule.negativeTTL) = (ttl, maxStale, negativeTTL)
        func isUseful(at age: Int64) -> Bool {
            [Secret(data: nil), nil].contains { secret in
                let entry = CacheEntry(secret: secret, fetched: Timestamp(nanoseconds: 0))
                return entry.freshness(at: Timestamp(nanoseconds: age), rule) != .absent
            }
        }
        #expect(isUseful(at: rule.usefulAge - 1))
        #expect(!isUseful(at: rule.usefulAge))
    }

    @Test func `A refresh is due between 64 and 96 percent of the ttl, evenly spread, and the same for the same entry`()
    {
        var generator = SystemRandomNumberGenerator()
        let seeds = (0..<10_000).map { UInt64($0) } + (0..<10_000).map { _ in generator.next() } + [.max]
        var perPercent = [Int](repeating: 0, count: 100)
        for seed in seeds {
            let age = Freshness.refreshAge(ttl: 1_000_000, seed: seed)
            #expect((640_000..<960_000).contains(age))
            #expect(age == Freshness.refreshAge(ttl: 1_000_000, seed: seed))
            perPercent[Int(age / 10_000)] += 1
        }
        // 20,001 ages over 32 percents, 625 each.
        #expect(perPercent[64..<96].allSatisfy { (450..<800).contains($0) }, "\(perPercent[64..<96])")
    }

    // MARK: Directives

    private static func directives(
        noCache: Bool = false, maxAge: Int? = nil, maxStale: Int? = nil, onlyIfCached: Bool = false
    ) -> CacheDirectives {
        var directives = CacheDirectives()
        directives.noCache = noCache
        directives.maxAge = maxAge
        directives.maxStale = maxStale
        directives.onlyIfCached = onlyIfCached
        return directives
    }

    @Test(arguments: [
        ("", directives()), (",", directives()), ("no-store, no-transform, x=\"a,b\"", directives()),
        ("no-cache", directives(noCache: true)),
        ("NO-CACHE , Only-If-Cached", directives(noCache: true, onlyIfCached: true)),
        ("max-age=5", directives(maxAge: 5)), ("max-age=\"5\"", directives(maxAge: 5)),
        (" max-age = 5 ", directives(maxAge: 5)),
        // What is no number of seconds asks for the youngest there is, and allows nothing.
        ("max-age", directives(maxAge: 0)), ("max-age=", directives(maxAge: 0)), ("max-age=x", directives(maxAge: 0)),
        ("max-age=-5", directives(maxAge: 0)), ("max-stale=x", directives()), ("max-stale=-5", directives()),
        ("max-stale=", directives()), ("max-stale=1.5", directives()), ("max-stale=+5", directives()),
        ("max-stale", directives(maxStale: .max)), ("max-stale=5", directives(maxStale: 5)),
        // RFC 9111, section 1.2.2: more than can be counted is as much as can be counted.
        ("max-age=99999999999999999999", directives(maxAge: .max)),
        ("max-stale=99999999999999999999", directives(maxStale: .max)),
        ("max-age=1, max-stale=2, only-if-cached", directives(maxAge: 1, maxStale: 2, onlyIfCached: true)),
    ])
    func `Cache-Control is read as RFC 9111 has it`(header: String, expected: CacheDirectives) {
        #expect(CacheDirectives(parsing: header) == expected)
    }

    @Test func `Any header is read without a trap`() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("maxgestlnoc-=,\" 0189\t\u{301}é")
        for _ in 0..<5_000 {
            let text = String(
                (0..<Int.random(in: 0...40, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! })
            let directives = CacheDirectives(parsing: text)
            #expect((directives.maxAge ?? 0) >= 0 && (directives.maxStale ?? 0) >= 0)
            for freshness in [Freshness.fresh(age: .max), .stale(age: .max), .stale(age: 0), .absent] {
                if directives.accepts(freshness, ttl: 60) { #expect(freshness != .absent && !directives.noCache) }
            }
        }
    }
}
