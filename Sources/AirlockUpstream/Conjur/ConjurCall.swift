import AirlockCore

/// One request of Conjur's API, but for the access token.
struct ConjurCall: Sendable, Equatable {
    var method = "GET"
    /// What follows the appliance's address, encoded, with its query.
    let target: String
    var body: [UInt8]?
    var contentType: String?
    /// `nil`: the transport's own.
    var timeout: Duration?

    init(_ method: String = "GET", _ target: String, body: [UInt8]? = nil) {
        self.method = method
        self.target = target
        self.body = body
    }

    static func == (left: ConjurCall, right: ConjurCall) -> Bool {
        left.method == right.method && left.target == right.target && left.body == right.body
    }

    /// One part of a path: an id keeps its slashes only as `%2F`.
    static func encoded(_ part: String) -> String {
        VaultCall.encoded(part).replacing("/", with: "%2F")
    }
}

/// A body may be a credential.
extension ConjurCall: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "ConjurCall(\(method))" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// Carries calls to one server and counts them.
struct ConjurWire: Sendable {
    let address: ServerAddress
    let transport: any UpstreamTransport
    let metrics: Metrics
    let now: Now

    var origin: String { address.origin }

    func send(_ call: ConjurCall, token: SecretText?) async throws -> UpstreamResponse {
        var headers: [(name: String, value: SecretText)] = []
        if let token { headers.append(("Authorization", SecretText("Token token=\"\(token.revealed)\""))) }
        if let type = call.contentType { headers.append(("Content-Type", SecretText(type))) }
        let request = UpstreamRequest(
            method: call.method, url: "\(address.base)/\(call.target)", headers: headers, body: call.body,
            timeout: call.timeout)
        return try await transport.send(request, countingIn: metrics, as: origin, now: now)
    }
}
