/// What stands behind a client's token where an upstream decides (`authorize: upstream`): the upstream's own token. It is
/// sealed at rest with the record that holds it, and never leaves towards a client.
package struct UpstreamGrant: Sendable, Codable, Equatable {
    package let token: SecretText
    /// The upstream's names for what the token may do. They mean nothing among Airlock's own policies.
    package let policies: [String]
    /// The client brought the token along, and its revocation is the upstream's to carry out. Otherwise a login gave it,
    /// perhaps to several clients.
    package let isBrought: Bool
    /// The record of the login that gave it, dropped when the token turns out dead; `nil` where nothing is shared.
    package let login: String?
    /// The token has a use count: each request of the client is one request to the upstream, and nothing is shared.
    package let isCounted: Bool
}

extension SecretText: Codable {
    /// For records that are sealed as a whole.
    package init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(revealed)
    }
}

/// The server whose word counts where `authorize` is `upstream`, for requests that lie in no mount.
package protocol UpstreamServer: Sendable {
    /// Address and namespace; never a credential.
    var identity: String { get }
    /// Scheme, host and port, for people and metrics.
    var origin: String { get }
    /// Sends a request as it came, with the token given and no other. An answer of any status is an answer.
    /// - Parameter request: its path lies below `/v1/`.
    /// - Throws: `UpstreamError` when there is no answer, or none of a server of this kind.
    func send(_ request: ForwardedRequest, token: SecretText?) async throws -> ForwardedAnswer
}
