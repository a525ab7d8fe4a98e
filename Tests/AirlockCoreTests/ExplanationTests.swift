import Testing

@testable import AirlockCore

struct ExplanationTests {
    private static let canary = "CanarySingsInTheShaft"
    private static let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
    private static let path = "airflow/data/connections/pg"

    private static func secret(_ data: String?, version: Int = 3) -> Secret {
        Secret(data: data.map { SecretPayload(Array($0.utf8)) }, metadata: nil, version: version)
    }

    private static let good = secret(#"{"conn_uri":"postgres://u:\#(canary)@h/d"}"#)

    private static func cached(_ secret: Secret?, age: Int, expired: Bool = false) -> Attempt.Cached {
        Attempt.Cached(
            CacheEntry(secret: secret, fetched: now.adding(seconds: -age), expired: expired), at: now, FreshnessRule())
    }

    private static func attempt(
        _ answer: Attempt.Answer, cached: Attempt.Cached? = nil, rights: Attempt.Rights = .allowed,
        path: String = ExplanationTests.path
    ) -> Attempt {
        Attempt(path: path, rights: rights, cached: cached, answer: answer)
    }

    private static func explained(_ tried: Attempt..., kind: Explanation.Kind = .connection) -> Explanation {
        Explanation(
            kind: kind, id: "pg",
            principal: .init(displayName: "approle", accessor: "acc", policies: ["default", "team1"]),
            place: .init(
                path: "airflow/", backends: ["vault"], upstreams: ["http://vault:8200"], kvVersion: 2,
                authorization: .local),
            tried: tried)
    }

    private static let down = Attempt.Answer.unreachable(reason: "connection refused")
    private static let undefined = "Airflow would say the conn_id isn't defined, because "

    @Test func `What is there and allowed is found`() {
        let explanation = ExplanationTests.explained(ExplanationTests.attempt(.found(ExplanationTests.good)))
        #expect(explanation.verdict == "Airflow would get this connection.")
        #expect(explanation.isFound == true && explanation.findings.isEmpty)
    }

    @Test func `A missing right names the policies, the capability and the path, and ends the search`() {
        let denied = ExplanationTests.attempt(
            .found(ExplanationTests.good), rights: .denied(capability: "read", path: ExplanationTests.path))
        let explanation = ExplanationTests.explained(
            denied, ExplanationTests.attempt(.found(ExplanationTests.good), path: "airflow/data/shared/pg"))
        #expect(
            explanation.verdict == ExplanationTests.undefined
                + "the policies default, team1 do not allow read on airflow/data/connections/pg.")
        #expect(explanation.isFound == false)
    }

    @Test func `Absent moves on to the next path, and so does deleted`() {
        let second = ExplanationTests.attempt(.found(ExplanationTests.good), path: "airflow/data/shared/pg")
        for first in [Attempt.Answer.absent, .found(ExplanationTests.secret(nil))] {
            #expect(ExplanationTests.explained(ExplanationTests.attempt(first), second).isFound == true)
        }
        let nowhere = ExplanationTests.explained(
            ExplanationTests.attempt(.absent), ExplanationTests.attempt(.absent, path: "airflow/data/shared/pg"))
        #expect(
            nowhere.verdict == ExplanationTests.undefined
                + "there is nothing at airflow/data/connections/pg or airflow/data/shared/pg.")
        #expect(
            ExplanationTests.explained(ExplanationTests.attempt(.found(ExplanationTests.secret(nil)))).verdict
                == ExplanationTests.undefined + "the latest version of airflow/data/connections/pg is deleted.")
    }

    @Test func `An outage counts only where nothing usable is cached`() {
        let cold = ExplanationTests.explained(ExplanationTests.attempt(ExplanationTests.down))
        #expect(
            cold.verdict == ExplanationTests.undefined
                + "the vault at http://vault:8200 does not answer and nothing is cached: connection refused.")
        let stale = ExplanationTests.explained(
            ExplanationTests.attempt(
                ExplanationTests.down, cached: ExplanationTests.cached(ExplanationTests.good, age: 3600)))
        #expect(stale.isFound == true)
        #expect(
            stale.verdict
                == "Airflow would get this connection, from the cache, because the vault at http://vault:8200 does not answer: connection refused."
        )
        let tooOld = ExplanationTests.cached(ExplanationTests.good, age: 24 * 3600)
        #expect(
            ExplanationTests.explained(ExplanationTests.attempt(ExplanationTests.down, cached: tooOld)).verdict
                == cold.verdict)
        let negative = ExplanationTests.cached(nil, age: 3600)
        #expect(
            ExplanationTests.explained(ExplanationTests.attempt(ExplanationTests.down, cached: negative)).verdict
                == ExplanationTests.undefined + "there is nothing at airflow/data/connections/pg.")
    }

    @Test func `What is cached and fresh counts more than what the vault says now, unless it is marked expired`() {
        let fresh = ExplanationTests.cached(nil, age: 1)
        let asked = Attempt.Answer.found(ExplanationTests.good)
        #expect(ExplanationTests.explained(ExplanationTests.attempt(asked, cached: fresh)).isFound == false)
        let expired = ExplanationTests.cached(nil, age: 1, expired: true)
        #expect(ExplanationTests.explained(ExplanationTests.attempt(asked, cached: expired)).isFound == true)
    }

    @Test func `The vault denying Airlock itself is told apart from a policy, and no cached value hides it`() {
        let attempt = ExplanationTests.attempt(
            .denied(reason: "HTTP 403"), cached: ExplanationTests.cached(ExplanationTests.good, age: 3600))
        #expect(
            ExplanationTests.explained(attempt).verdict == ExplanationTests.undefined
                + "the vault at http://vault:8200 does not let Airlock itself read airflow/data/connections/pg.")
    }

    @Test func `What cannot be told is neither found nor missing`() {
        let explanation = ExplanationTests.explained(ExplanationTests.attempt(.notAsked(reason: "no login")))
        #expect(explanation.isFound == nil && explanation.json["found"]?.isNull == true)
        #expect(explanation.verdict == "Airlock cannot tell whether Airflow would get this connection: no login.")
    }

    @Test(arguments: [
        (#"{"conn_uri":"s3://AK:\#(canary)/x@b"}"#, Explanation.Kind.connection), (#"{"conn_uri":7}"#, .connection),
        (#"{"username":"\#(canary)"}"#, .connection), (#"{"val":"\#(canary)"}"#, .variable),
        (#"{"value":{"a":"\#(canary)"}}"#, .variable),
    ])
    func `What Airflow refuses is missing to it, and told with the reason alone`(data: String, kind: Explanation.Kind) {
        let explanation = ExplanationTests.explained(
            ExplanationTests.attempt(.found(ExplanationTests.secret(data))), kind: kind)
        #expect(explanation.isFound == false)
        #expect(explanation.verdict.contains("because Airflow refuses what is stored at airflow/data/connections/pg: "))
        #expect(explanation.json["parsed"]?["result"] == "refused")
        #expect(explanation.json["parsed"]?["error"]?.text == explanation.error?.description)
    }

    @Test func `What Airflow would misread is found, with a warning and the findings`() {
        let data = #"{"conn_uri":"google_cloud_platform://?project=\#(ExplanationTests.canary)"}"#
        let explanation = ExplanationTests.explained(
            ExplanationTests.attempt(.found(ExplanationTests.secret(data))))
        #expect(explanation.verdict == "Airflow would get this connection, but not as it was meant: see the findings.")
        #expect(explanation.findings.map(\.code) == [.schemeUnderscore])
    }

    @Test func `No value is in what is told, however it is printed`() {
        for answer in [
            Attempt.Answer.found(ExplanationTests.good),
            .found(ExplanationTests.secret(#"{"x":"\#(ExplanationTests.canary)"}"#)),
        ] {
            let cached = ExplanationTests.cached(ExplanationTests.good, age: 5)
            for explanation in [
                ExplanationTests.explained(ExplanationTests.attempt(answer)),
                ExplanationTests.explained(ExplanationTests.attempt(answer, cached: cached)),
            ] {
                var dumped = ""
                dump(explanation, to: &dumped)
                let texts = [String(decoding: explanation.json.bytes, as: UTF8.self), "\(explanation)", dumped]
                for text in texts { #expect(!text.contains(ExplanationTests.canary)) }
            }
        }
    }
}
