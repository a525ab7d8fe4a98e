/// One secret as a backend has it now. Its bytes are the backend's own, so that numbers and the order of members survive.
package struct Secret: Sendable, Equatable {
    /// The JSON object itself; `nil` when this version is deleted or destroyed (KV version 2).
    package let data: SecretPayload?
    /// KV version 2: the `metadata` object beside the data, a JSON object. `nil` on version 1.
    package let metadata: SecretPayload?
    /// KV version 2: the version's number and when it was made. `nil` on version 1, which has no order.
    package let version: Int?
    package let created: Timestamp?
    /// Seconds, as KV version 1 answers them; 0 on version 2.
    package let leaseDuration: Int

    package init(
        data: SecretPayload?, metadata: SecretPayload? = nil, version: Int? = nil, created: Timestamp? = nil,
        leaseDuration: Int = 0
    ) {
        self.data = data
        self.metadata = metadata
        self.version = version
        self.created = created
        self.leaseDuration = leaseDuration
    }

    /// An earlier state of the same key. A key that was deleted whole starts again at version 1, but later.
    package func isOlder(than other: Secret) -> Bool {
        guard let version, let known = other.version, version < known else { return false }
        guard let created, let knownCreated = other.created else { return true }
        return created <= knownCreated
    }
}

/// With whose rights a backend is asked.
package enum Credential: Sendable, Hashable {
    /// Airlock's own login.
    case own
    /// The token of the client that asks (`authorize: upstream`). Airlock never logs in for it.
    case client(SecretText)
}

/// Where a mount's secrets live, as far as read-through needs it. The contract:
///
/// - **absent** is `nil`, and only what the backend itself says: an error is never taken for absent. A version that is
///   deleted is a `Secret` without data.
/// - **denied** throws `UpstreamError` of kind `denied`: the credential is good and may not read this.
/// - everything else that is no answer throws `UpstreamError` of another kind, also a refused credential
///   (`unauthenticated`) and an answer that is not in the backend's shape (`malformed`).
/// - what this backend has nothing for, as versions where it keeps none, throws `AirlockError`: the question is wrong, and
///   would be wrong again.
/// - a call ends by itself, within the backend's timeout. It throws `CancellationError` when its task is cancelled.
package protocol Backend: Sendable {
    /// Which backend this is, to which a cached value is bound: kind, address, namespace and mount, never a credential.
    var identity: String { get }
    /// - Parameter version: `nil` is the latest.
    func read(_ path: SecretPath, version: Int?, as credential: Credential) async throws -> Secret?
    /// The names in a folder (empty, or ending in `/`); a name that is a folder itself ends in `/`.
    func list(_ folder: String, as credential: Credential) async throws -> [String]
}

extension Backend {
    /// `vault`, `conjur` or `embedded`: the first word of its identity.
    package var kind: String { String(identity.prefix { $0 != " " }) }
}

/// A backend behind an HTTP API, which also takes what Airlock does not serve itself.
package protocol Upstream: Backend {
    /// The upstream's own name for the mount, which ends in `/`.
    var mountPath: String { get }
    /// Scheme, host and port: the upstream's name in metrics and for people.
    var origin: String { get }
    /// Sends a request for something below the mount as it came. An answer of any status is an answer, but for a redirect, for
    /// what is not in the backend's shape, and for a refused credential of Airlock's own, which throws `unauthenticated`.
    func forward(_ request: ForwardedRequest, as credential: Credential) async throws -> ForwardedAnswer
    /// Whether the last requests got through; while they do not, requests fail at once instead of waiting.
    var state: CircuitBreaker.State { get }
}

/// A request on its way through Airlock.
package struct ForwardedRequest: Sendable {
    /// `GET`, `LIST`, `POST`, ...
    package let method: String
    /// Below the mount, percent-decoded: `data/connections/pg`, `metadata/connections/`.
    package let path: String
    /// The query as it came, without `?`.
    package let query: String
    package let contentType: String?
    package let body: SecretPayload

    package init(method: String, path: String, query: String, contentType: String?, body: SecretPayload) {
        self.method = method
        self.path = path
        self.query = query
        self.contentType = contentType
        self.body = body
    }
}

package struct ForwardedAnswer: Sendable {
    package let status: Int
    package let body: SecretPayload

    package init(status: Int, body: SecretPayload) {
        self.status = status
        self.body = body
    }

    package var isSuccess: Bool { (200..<300).contains(status) }
}
