package import AirlockCore

/// What carries one request to an upstream. `CurlClient` is the real one; tests put a script in its place.
package protocol UpstreamTransport: Sendable {
    /// An answer of any status is a response; only what is no answer throws `UpstreamError` (or `CancellationError`).
    func send(_ request: UpstreamRequest) async throws -> UpstreamResponse
}

extension UpstreamTransport {
    /// Sends a request and counts what came of it, by the server's name.
    func send(
        _ request: UpstreamRequest, countingIn metrics: Metrics, as origin: String, now: Now
    ) async throws -> UpstreamResponse {
        let begun = now()
        func count(_ result: String) {
            metrics.add(.upstreamRequests, origin, result)
            let nanoseconds = now().nanoseconds - begun.nanoseconds
            metrics.observe(.upstreamRequests, origin, seconds: Double(max(0, nanoseconds)) / 1e9)
        }
        do {
            let response = try await send(request)
            count("\(response.status / 100)xx")
            return response
        } catch let error as UpstreamError {
            count(error.kind.rawValue)
            throw error
        }
    }
}

package struct UpstreamRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: SecretText)]
    package var body: [UInt8]?
    /// Overrides the client's total timeout.
    package var timeout: Duration?
    /// Overrides the client's own.
    package var verification: TLSVerification?

    package init(
        method: String, url: String, headers: [(name: String, value: SecretText)] = [], body: [UInt8]? = nil,
        timeout: Duration? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

package struct UpstreamResponse: Sendable {
    package var status: Int
    /// Names in lower case, in the order they came.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package func header(_ name: String) -> String? { headers.last { $0.name == name }?.value }
}

/// Headers and bodies carry secrets, and a URL may name one; none of them is for logs.
extension UpstreamRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "UpstreamRequest(\(method))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension UpstreamResponse: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "UpstreamResponse(\(status))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
