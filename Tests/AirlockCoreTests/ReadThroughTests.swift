import AirlockCore
import Testing

/// What a reader gets, one at a time.
struct ReadThroughTests {
    private let fixture: ReadThroughFixture

    init() throws { fixture = try ReadThroughFixture() }

    private static let refused = TestReader(isAllowed: false)
    private static let client = TestReader(credential: .client(SecretText("c")))

    @Test func `The first read asks, the next ones do not`() async {
        fixture.backend.answer(fixture.secret("one"))
        #expect(await fixture.answer() == "MISS one 0")
        fixture.backend.answer(fixture.secret("two"))
        #expect(await fixture.answer() == "HIT one 0")
        fixture.advance(seconds: 3)
        #expect(await fixture.answer() == "HIT one 3")
        #expect(fixture.backend.calls == [.init(path: "a", version: nil, credential: .own)])
    }

    @Test func `A value past its ttl is asked for again`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.answer(fixture.secret("two"))
        fixture.advance(seconds: 60)
        #expect(await fixture.answer() == "MISS two 0")
        #expect(await fixture.answer() == "HIT two 0")
    }

    @Test func `That there is nothing is remembered for as long as its own ttl`() async {
        #expect(await fixture.answer() == "MISS - 0")
        fixture.backend.answer(fixture.secret("one"))
        fixture.advance(seconds: 14)
        #expect(await fixture.answer() == "NEGATIVE - 14")
        fixture.advance(seconds: 1)
        #expect(await fixture.answer() == "MISS one 0")
    }

    @Test func `A deleted version is a value without data, and no negative`() async throws {
        fixture.backend.answer(Secret(data: nil, metadata: SecretPayload([1]), version: 2))
        _ = await fixture.answer()
        fixture.advance(seconds: 20)
        let served = try await fixture.read()
        #expect(served.outcome == .hit)
        #expect(served.secret == Secret(data: nil, metadata: SecretPayload([1]), version: 2))
    }

    @Test func `Versions are kept apart from each other and from the latest`() async {
        fixture.backend.answer { [fixture] call in fixture.secret("v\(call.version ?? 9)", version: call.version ?? 9) }
        for version in [nil, 1, 2] { #expect(await fixture.answer(version: version) == "MISS v\(version ?? 9) 0") }
        for version in [nil, 1, 2] { #expect(await fixture.answer(version: version) == "HIT v\(version ?? 9) 0") }
        #expect(fixture.backend.calls.count == 3)
    }

    // MARK: Outage

    private static let outages = UpstreamError.Kind.allCases.filter { $0 != .denied }

    @Test(arguments: outages)
    func `Without an answer the last one is given as stale, up to max_stale and never later`(
        kind: UpstreamError.Kind
    ) async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.fail(kind)
        fixture.advance(seconds: 60)
        #expect(await fixture.answer() == "STALE one 60")
        fixture.advance(seconds: 3_539)
        #expect(await fixture.answer() == "STALE one 3599")
        fixture.advance(nanoseconds: 999_999_999)
        #expect(await fixture.answer() == "STALE one 3599")
        fixture.advance(nanoseconds: 1)
        #expect(await fixture.answer() == "unavailable")
        #expect(fixture.count(.unanswered) == 1)
        #expect(fixture.count(.reads, "STALE") == 3)
    }

    @Test(arguments: outages)
    func `Without an answer now or before it is unavailable, and never absent`(kind: UpstreamError.Kind) async throws {
        fixture.backend.fail(kind)
        let error = await #expect(throws: AirlockError.self) { _ = try await fixture.read() }
        #expect(error?.code == .unavailable)
        #expect(error?.hint == "as told")
        #expect(fixture.cache.status(mount: ReadThroughFixture.mount).entries == 0)
    }

    @Test func `That there was nothing is given as stale too`() async {
        _ = await fixture.answer()
        fixture.backend.fail(.refused)
        fixture.advance(seconds: 20)
        #expect(await fixture.answer() == "STALE - 20")
        fixture.advance(seconds: 3_580)
        #expect(await fixture.answer() == "unavailable")
    }

    @Test func `Stale answers do not grow younger by being given`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.fail(.timeout)
        for minute in 1..<60 {
            fixture.advance(seconds: 60)
            #expect(await fixture.answer() == "STALE one \(minute * 60)")
        }
        fixture.advance(seconds: 60)
        #expect(await fixture.answer() == "unavailable")
    }

    @Test func `When the backend is back its answer is given`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.fail(.unauthenticated)
        fixture.advance(seconds: 100)
        #expect(await fixture.answer() == "STALE one 100")
        fixture.backend.answer(fixture.secret("two"))
        #expect(await fixture.answer() == "MISS two 0")
    }

    // MARK: Rights

    @Test func `A denial of Airlock's own login ends what is kept`() async {
        fixture.backend.answer(fixture.secret("one"))
        for version in [nil, 1] { _ = await fixture.answer(version: version) }
        fixture.backend.fail(.denied)
        fixture.advance(seconds: 60)
        #expect(await fixture.answer() == "permissionDenied")
        fixture.backend.fail(.refused)
        for version in [nil, 1] { #expect(await fixture.answer(version: version) == "unavailable") }
    }

    @Test func `A denial of one client's token leaves the others theirs`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.fail(.denied)
        fixture.advance(seconds: 60)
        #expect(await fixture.answer(as: ReadThroughTests.client) == "permissionDenied")
        fixture.backend.fail(.refused)
        #expect(await fixture.answer() == "STALE one 60")
    }

    @Test(arguments: ["", "only-if-cached", "max-stale", "no-cache"])
    func `Who may not read sees neither the cache nor the backend`(header: String) async {
        fixture.backend.answer(fixture.secret("one"))
        #expect(await fixture.answer(with: header, as: ReadThroughTests.refused) == "permissionDenied")
        _ = await fixture.answer()
        #expect(await fixture.answer(with: header, as: ReadThroughTests.refused) == "permissionDenied")
        fixture.backend.fail(.refused)
        fixture.advance(seconds: 60)
        #expect(await fixture.answer(with: header, as: ReadThroughTests.refused) == "permissionDenied")
        #expect(fixture.backend.calls.count == 1)
        #expect(fixture.count(.reads, "MISS") == 1)
        #expect(fixture.count(.reads, "HIT") == 0)
    }

    @Test func `The backend is asked with the rights of the one who reads`() async {
        fixture.backend.answer(fixture.secret("one"))
        #expect(await fixture.answer(as: ReadThroughTests.client) == "MISS one 0")
        #expect(fixture.backend.calls.map(\.credential) == [.client(SecretText("c"))])
    }

    // MARK: Cache-Control

    /// An entry of 10 s, one past its ttl of 60 s, and none; with a backend that answers, and with one that does not.
    @Test(arguments: [
        ("", "HIT one 10", "MISS two 0", "MISS two 0", "HIT one 10", "STALE one 70", "unavailable"),
        ("no-cache", "BYPASS two 0", "BYPASS two 0", "BYPASS two 0", "unavailable", "unavailable", "unavailable"),
        ("max-age=10", "HIT one 10", "MISS two 0", "MISS two 0", "HIT one 10", "unavailable", "unavailable"),
        ("max-age=9", "MISS two 0", "MISS two 0", "MISS two 0", "unavailable", "unavailable", "unavailable"),
        ("max-age=0", "MISS two 0", "MISS two 0", "MISS two 0", "unavailable", "unavailable", "unavailable"),
        ("max-age=100", "HIT one 10", "MISS two 0", "MISS two 0", "HIT one 10", "STALE one 70", "unavailable"),
        ("max-stale", "HIT one 10", "STALE one 70", "MISS two 0", "HIT one 10", "STALE one 70", "unavailable"),
        ("max-stale=10", "HIT one 10", "STALE one 70", "MISS two 0", "HIT one 10", "STALE one 70", "unavailable"),
        ("max-stale=9", "HIT one 10", "MISS two 0", "MISS two 0", "HIT one 10", "STALE one 70", "unavailable"),
        ("only-if-cached", "HIT one 10", "notCached", "notCached", "HIT one 10", "notCached", "notCached"),
        (
            "only-if-cached, max-stale", "HIT one 10", "STALE one 70", "notCached", "HIT one 10", "STALE one 70",
            "notCached"
        ),
        ("no-cache, only-if-cached", "notCached", "notCached", "notCached", "notCached", "notCached", "notCached"),
        ("max-stale, max-age=65", "HIT one 10", "MISS two 0", "MISS two 0", "HIT one 10", "unavailable", "unavailable"),
        ("no-store, x=1", "HIT one 10", "MISS two 0", "MISS two 0", "HIT one 10", "STALE one 70", "unavailable"),
    ])
    func `Each directive does what it says`(
        row: (
            header: String, fresh: String, old: String, none: String, freshAlone: String, oldAlone: String,
            noneAlone: String
        )
    ) async throws {
        var answers: [String] = []
        for isBack in [true, false] {
            for age in [10, 70, nil] {
                let fixture = try ReadThroughFixture()
                fixture.backend.answer(fixture.secret("one"))
                if let age {
                    _ = await fixture.answer()
                    fixture.advance(seconds: age)
                }
                if isBack { fixture.backend.answer(fixture.secret("two")) } else { fixture.backend.fail(.refused) }
                answers.append(await fixture.answer(with: row.header))
            }
        }
        #expect(answers == [row.fresh, row.old, row.none, row.freshAlone, row.oldAlone, row.noneAlone])
    }

    @Test func `What is fetched for a no-cache reader is kept for everybody`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.answer(fixture.secret("two"))
        #expect(await fixture.answer(with: "no-cache") == "BYPASS two 0")
        #expect(await fixture.answer() == "HIT two 0")
    }

    @Test func `max-stale never reaches beyond max_stale`() async {
        fixture.backend.answer(fixture.secret("one"))
        _ = await fixture.answer()
        fixture.backend.fail(.refused)
        fixture.advance(seconds: 3_600)
        #expect(await fixture.answer(with: "max-stale") == "unavailable")
        #expect(await fixture.answer(with: "max-stale, only-if-cached") == "notCached")
    }

    @Test func `Each answer is counted by where it came from`() async {
        fixture.backend.answer { [fixture] call in call.path == "none" ? nil : fixture.secret("one") }
        for _ in 0..<3 { _ = await fixture.answer() }
        for _ in 0..<2 { _ = await fixture.answer("none") }
        for path in ["none", "a"] { _ = await fixture.answer(path, with: "no-cache") }
        fixture.backend.fail(.refused)
        fixture.advance(seconds: 60)
        _ = await fixture.answer()
        let counts = Served.Outcome.allCases.map { fixture.count(.reads, $0.rawValue) }
        // HIT, MISS, STALE, NEGATIVE, BYPASS.
        #expect(counts == [2, 2, 1, 1, 2])
    }
}
