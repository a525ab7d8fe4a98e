package import AirlockCore
import Synchronization

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

    /// From the first request on: a client that is never used starts no thread and needs no libcurl.
    private let engine = Mutex<CurlEngine?>(nil)
    private let options: Options

    package init(options: Options = Options()) {
        self.options = options
    }

    deinit { engine.withLock { $0?.stop() } }

    package func send(_ request: UpstreamRequest) async throws -> UpstreamResponse {
        try Task.checkCancellation()
        let engine = try started()
        let transfer = try CurlTransfer(request, options)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                engine.start(transfer) { continuation.resume(with: $0) }
            }
        } onCancel: {
            engine.cancel(transfer)
        }
    }

    private func started() throws -> CurlEngine {
        try engine.withLock { engine in
            if let engine { return engine }
            let new = try CurlEngine(connectionsPerHost: options.connectionsPerHost)
            engine = new
            return new
        }
    }
}

package enum UpstreamProxies: Sendable {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, as Airflow's own client reads them.
    case environment
    /// Proxy by scheme of the target ("http", "https"), as in hvac's `proxies`; a scheme without one goes directly.
    case byScheme([String: SecretText])
}
