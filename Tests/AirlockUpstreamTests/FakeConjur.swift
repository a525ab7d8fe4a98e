import Foundation
import Logging
import Synchronization
import Testing

@testable import AirlockCore
@testable import AirlockUpstream

/// A Conjur in place of the wire: access tokens that are issued, live and die, and variables of the account `default`.
final class FakeConjur: UpstreamTransport {
    struct State {
        /// Tokens it accepts now.
        var good: Set<String> = []
        var logins = 0
        var refusesLogins = false
        /// Seconds that a token says it lives; `nil`: it does not say.
        var lifetime: Int?
        /// By id; a status, a content type and a body for a read of it.
        var variables: [String: [String]] = [:]
        var denied: Set<String> = []
        /// Loads of policies turned away with 409, and how one is answered otherwise.
        var busy = 0
        var loading = 201
        var outage: UpstreamError?
        /// What somebody on the way answers in its place.
        var gateway: UpstreamResponse?
        var requests: [UpstreamRequest] = []
    }

    private let state = Mutex(State())
    /// Waited for before each answer.
    let delay: @Sendable (String) async -> Void

    init(delay: @escaping @Sendable (String) async -> Void = { _ in }) { self.delay = delay }

    @discardableResult
    func change<Value>(_ body: (inout State) -> sending Value) -> sending Value { state.withLock { body(&$0) } }

    /// Method and target of each request.
    var seen: [String] { change { $0.requests.map(FakeConjur.line) } }
    var bodies: [String] { change { $0.requests.map { String(decoding: $0.body ?? [], as: UTF8.self) } } }
    func count(_ prefix: String) -> Int { seen.count { $0.hasPrefix(prefix) } }

    private static func line(_ request: UpstreamRequest) -> String {
        "\(request.method) \(request.url.dropFirst("http://conjur/".count))"
    }

    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        let line = FakeConjur.line(request)
        change { $0.requests.append(request) }
        await delay(line)
        try Task.checkCancellation()
        if let outage = change({ $0.outage }) { throw outage }
        return change { $0.gateway ?? FakeConjur.answer(line, request, &$0) }
    }

    /// The token that the n-th login gave, as requests carry it.
    static func header(_ login: Int, lifetime: Int? = nil) -> String {
        "Token token=\"\(Data(token(login, lifetime).utf8).base64EncodedString())\""
    }

    private static func token(_ login: Int, _ lifetime: Int?) -> String {
        let end = lifetime.map { #","exp":\#(1000 + $0)"# } ?? ""
        let payload = Data(#"{"sub":"\#(login)","iat":1000\#(end)}"#.utf8).base64EncodedString()
        return #"{"protected":"e30=","payload":"\#(payload)","signature":"s"}"#
    }

    static func error(_ status: Int) -> UpstreamResponse {
        let type: (name: String, value: String) = ("content-type", "application/json")
        return UpstreamResponse(
            status: status, headers: [type], body: Array(#"{"error":{"code":"c","message":"canary-90c1"}}"#.utf8))
    }

    private static func answer(
        _ line: String, _ request: UpstreamRequest, _ state: inout State
    ) -> UpstreamResponse {
        if line.hasSuffix("/authenticate") {
            if state.refusesLogins { return UpstreamResponse(status: 401) }
            state.logins += 1
            state.good.insert(header(state.logins, lifetime: state.lifetime))
            return UpstreamResponse(status: 200, body: Array(token(state.logins, state.lifetime).utf8))
        }
        guard state.good.contains(request.headers.first { $0.name == "Authorization" }?.value.revealed ?? "") else {
            return UpstreamResponse(status: 401)
        }
        let target = line.split(separator: " ")[1]
        let parts = target.split(separator: "?")[0].split(separator: "/").map { $0.removingPercentEncoding ?? "" }
        let query = URLComponents(string: "http://c/\(target)")?.queryItems ?? []
        func field(_ name: String) -> String? { query.first { $0.name == name }?.value }
        switch (request.method, parts.first, parts.count) {
        case ("GET", "secrets", 1): return batch((field("variable_ids") ?? "").split(separator: ","), state)
        case ("GET", "secrets", _): return value(parts[3], field("version").flatMap { Int($0) }, state)
        case ("POST", "secrets", _):
            if state.denied.contains(parts[3]) { return UpstreamResponse(status: 403) }
            guard state.variables[parts[3]] != nil else { return error(404) }
            state.variables[parts[3]]?.append(String(decoding: request.body ?? [], as: UTF8.self))
            return UpstreamResponse(status: 201)
        case ("POST", "policies", _): return load(parts[3], request.body ?? [], &state)
        case ("GET", "resources", _):
            let offset = Int(field("offset") ?? "") ?? 0
            let ids = state.variables.keys.sorted().dropFirst(offset).prefix(Int(field("limit") ?? "") ?? 10)
            return json(.array(ids.map { ["id": .string("default:variable:\($0)")] }))
        default: return UpstreamResponse(status: 404, body: Array("<html>".utf8))
        }
    }

    private static func json(_ json: JSON, status: Int = 200) -> UpstreamResponse {
        UpstreamResponse(status: status, body: json.bytes)
    }

    private static func value(_ id: String, _ version: Int?, _ state: State) -> UpstreamResponse {
        guard let values = state.variables[id] else { return error(404) }
        if state.denied.contains(id) { return UpstreamResponse(status: 403) }
        let index = (version ?? values.count) - 1
        guard values.indices.contains(index) else { return error(404) }
        return UpstreamResponse(
            status: 200, headers: [("content-type", "application/octet-stream")], body: Array(values[index].utf8))
    }

    private static func batch(_ ids: [Substring], _ state: State) -> UpstreamResponse {
        guard ids.count <= 75 else { return UpstreamResponse(status: 414) }
        var members: [JSON.Member] = []
        for full in ids {
            let answer = value(String(full.dropFirst("default:variable:".count)), nil, state)
            guard answer.status == 200 else { return answer }
            members.append(.init(String(full), .string(String(decoding: answer.body, as: UTF8.self))))
        }
        return json(.object(members))
    }

    private static func load(_ branch: String, _ body: [UInt8], _ state: inout State) -> UpstreamResponse {
        if state.busy > 0 {
            state.busy -= 1
            return error(409)
        }
        guard state.loading == 201 else { return error(state.loading) }
        for line in String(decoding: body, as: UTF8.self).split(separator: "\n") {
            let name = line.dropFirst("- !variable \"".count).dropLast()
            state.variables[branch == "root" ? String(name) : "\(branch)/\(name)"] = []
        }
        return json(["created_roles": [:], "version": 1], status: 201)
    }
}

/// A mount in Conjur over a transport of the test's own.
struct TestConjur {
    let metrics = Metrics()
    let upstream: ConjurUpstream

    /// - Parameter kwargs: members beside address, account and, unless they name one themselves, the login.
    init(
        _ transport: any UpstreamTransport, _ kwargs: String = "", login: String = #""authn_login": "host/a b""#,
        kvVersion: Int = 2, time: ManualTime = ManualTime()
    ) throws {
        let members = [#""appliance_url": "http://conjur", "account": "default""#, login, kwargs].filter { $0 != "" }
        let kwargs = try ConjurKwargs(
            try JSON(parsing: "{\(members.joined(separator: ", "))}"),
            environment: ["CONJUR_AUTHN_API_KEY": "key", "CONJUR_AUTHN_JWT_TOKEN": "a.b+c"])
        let server = try ConjurServer(
            kwargs: kwargs, transport: transport, metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: { time.now },
            pause: { try await time.pause($0) })
        upstream = ConjurUpstream(server: server, kwargs: kwargs, kvVersion: kvVersion)
    }

    func read(_ path: String, version: Int? = nil) async throws -> String? {
        let secret = try await upstream.read(try SecretPath(path), version: version, as: .own)
        return secret?.data.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    func failure(_ path: String) async throws -> UpstreamError {
        try await #require(throws: UpstreamError.self) { _ = try await read(path) }
    }

    @discardableResult
    func send(_ method: String, _ path: String, query: String = "", _ body: String = "") async throws -> ForwardedAnswer
    {
        try await upstream.forward(
            ForwardedRequest(
                method: method, path: path, query: query, contentType: nil, body: SecretPayload(Array(body.utf8))),
            as: .own)
    }
}
