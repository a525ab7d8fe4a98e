package import AirlockCore
import CCurl

/// An HTTP client on libcurl's multi interface: one thread drives all transfers and keeps one pool of connections alive.
/// Redirects are never followed.
package final class CurlClient: UpstreamTransport {
    package struct Options: Sendable {
        package var verification: TLSVerification = .system
        package var clientCertificate: ClientCertificate?
        package var proxies: UpstreamProxies = .environment
        /// A socket to connect to, whatever host the URL names.
        package var unixSocket: String?
        /// For name, TCP and TLS together.
        package var connectTimeout: Duration = .seconds(2)
        /// For the whole exchange.
        package var timeout: Duration = .seconds(30)
        /// Vault's own limit for a request body; no secret is larger.
        package var responseLimit = 32 << 20
        package var connectionsPerHost = 32
        package var userAgent = "airlock"

        package init() {}
    }

    private let engine: CurlEngine
    private let options: Options

    package init(options: Options = Options()) {
        self.options = options
        engine = CurlEngine(connectionsPerHost: options.connectionsPerHost)
    }

    deinit { engine.stop() }

    package func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        try Task.checkCancellation()
        let transfer = try CurlTransfer(request, options)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                engine.start(transfer) { continuation.resume(with: $0) }
            }
        } onCancel: {
            engine.cancel(transfer)
        }
    }
}

package enum UpstreamProxies: Sendable {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, as Airflow's own client reads them.
    case environment
    /// Proxy by scheme of the target ("http", "https"), as in hvac's `proxies`; a scheme without one goes directly.
    case byScheme([String: SecretText])
}
