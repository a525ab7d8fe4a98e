/// Why Airflow gets a connection or variable, or says that there is none: it says the same for absent, forbidden, unreachable
/// and unreadable. For people who may know that a secret exists, but not what is in it: no value is in here.
package struct Explanation: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case connection, variable
    }

    package struct Principal: Sendable {
        package let displayName: String
        package let accessor: String
        package let policies: [String]

        package init(displayName: String, accessor: String, policies: [String]) {
            self.displayName = displayName
            self.accessor = accessor
            self.policies = policies
        }
    }

    package struct Place: Sendable {
        package let path: String
        /// `vault`, `embedded`, or several in the order they are asked.
        package let backends: [String]
        package let upstreams: [String]
        package let kvVersion: Int
        /// `nil` in the embedded store, where policies always decide.
        package let authorization: Authorization?

        package init(
            path: String, backends: [String], upstreams: [String], kvVersion: Int, authorization: Authorization?
        ) {
            self.path = path
            self.backends = backends
            self.upstreams = upstreams
            self.kvVersion = kvVersion
            self.authorization = authorization
        }
    }

    package let kind: Kind
    package let id: String
    package let principal: Principal
    package let place: Place
    /// Every configured folder, in order.
    package let tried: [Attempt]
    /// Of the value that Airflow would read, if it gets that far.
    package let error: ConnectionError?
    package let findings: [Finding]
    private let reading: Reading

    private enum Reading { case none, good, refused }

    package init(kind: Kind, id: String, principal: Principal, place: Place, tried: [Attempt]) {
        self.kind = kind
        self.id = id
        self.principal = principal
        self.place = place
        self.tried = tried
        guard case .value(let data, _)? = Explanation.deciding(tried)?.outcome else {
            (reading, error, findings) = (.none, nil, [])
            return
        }
        let failure = Explanation.failure(data.bytes, kind)
        error = failure
        reading = failure == nil ? .good : .refused
        findings = kind == .connection ? ConnectionLint.findings(inPayload: data.bytes) : []
    }

    private static func failure(_ data: [UInt8], _ kind: Kind) -> ConnectionError? {
        do throws(ConnectionError) {
            switch kind {
            case .connection: _ = try ConnectionPayload.read(data)
            case .variable: _ = try Variable(data: data)
            }
            return nil
        } catch {
            return error
        }
    }

    /// The path whose answer is Airflow's; `nil` when none has anything.
    private static func deciding(_ tried: [Attempt]) -> Attempt? { tried.first { $0.outcome.isLast } }

    /// Whether Airflow would get it; `nil` when that cannot be told.
    package var isFound: Bool? {
        if case .unknown? = Explanation.deciding(tried)?.outcome { return nil }
        return reading == .good
    }

    // MARK: The verdict

    /// One sentence, in Airflow's words.
    package var verdict: String {
        guard let deciding = Explanation.deciding(tried) else { return "\(denial), because \(absence)." }
        switch deciding.outcome {
        case .value(_, let isStale):
            if let error { return "\(denial), because Airflow refuses what is stored at \(deciding.path): \(error)." }
            return "Airflow would get this \(kind.rawValue)" + reservation(deciding, isStale: isStale) + "."
        case .forbidden: return "\(denial), because \(missingRight(deciding))."
        case .denied: return "\(denial), because \(server) does not let Airlock itself read \(deciding.path)."
        case .unreachable(let reason):
            return "\(denial), because \(server) does not answer and nothing is cached: \(reason)."
        case .unknown(let reason):
            return "Airlock cannot tell whether Airflow would get this \(kind.rawValue): \(reason)."
        case .absent, .deleted: return "\(denial), because \(absence)."
        }
    }

    private var denial: String {
        switch kind {
        case .connection: "Airflow would say the conn_id isn't defined"
        case .variable: "Airflow would say the variable does not exist"
        }
    }

    private func reservation(_ attempt: Attempt, isStale: Bool) -> String {
        var text = ""
        if isStale, case .unreachable(let reason) = attempt.answer {
            text = ", from the cache, because \(server) does not answer: \(reason)"
        }
        if findings.contains(where: { $0.severity == .error }) {
            text += (text.isEmpty ? "," : ";") + " but not as it was meant: see the findings"
        }
        return text
    }

    private func missingRight(_ attempt: Attempt) -> String {
        switch attempt.rights {
        case .denied(let capability, let path):
            let names = principal.policies.joined(separator: ", ")
            let who = principal.policies.count == 1 ? "the policy \(names) does" : "the policies \(names) do"
            return
                "\(principal.policies.isEmpty ? "a token without policies does" : who) not allow \(capability) on \(path)"
        case .deniedUpstream(let reason): return reason
        case .allowed, .unknown: return "reading \(attempt.path) is not allowed"
        }
    }

    private var absence: String {
        let deleted = tried.first { $0.outcome == .deleted }
        if let deleted, tried.count == 1 { return "the latest version of \(deleted.path) is deleted" }
        return "there is nothing at \(tried.map(\.path).joined(separator: " or "))"
            + (deleted.map { "; the latest version of \($0.path) is deleted" } ?? "")
    }

    private var server: String {
        let kind = place.backends.first { $0 != "embedded" } ?? "backend"
        return place.upstreams.isEmpty ? "the backend" : "the \(kind) at \(place.upstreams.joined(separator: " or "))"
    }

    // MARK: JSON

    package var json: JSON {
        let parsed: JSON =
            switch reading {
            case .none: .null
            case .good: ["result": "ok", "error": .null]
            case .refused: ["result": "refused", "error": .orNull(error?.description)]
            }
        return [
            "id": .string(id), "kind": .string(kind.rawValue),
            "principal": [
                "display_name": .string(principal.displayName), "accessor": .string(principal.accessor),
                "policies": .strings(principal.policies),
            ],
            "mount": [
                "path": .string(place.path), "backend": .string(place.backends.joined(separator: ", ")),
                "upstream": place.upstreams.isEmpty ? .null : .string(place.upstreams.joined(separator: ", ")),
                "kv_version": .integer(place.kvVersion), "authorize": .orNull(place.authorization?.rawValue),
            ],
            "tried": .array(tried.map(\.json)), "parsed": parsed, "findings": .array(findings.map(\.json)),
            "found": isFound.map(JSON.bool) ?? .null, "verdict": .string(verdict),
        ]
    }
}
