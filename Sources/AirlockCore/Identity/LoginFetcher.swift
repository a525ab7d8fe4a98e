/// What a login asks of another server: signing keys, or the review of a token. Only addresses that an administrator wrote
/// into a login's configuration, or that the issuer named there names itself, are ever asked; never one from a client.
package protocol LoginFetcher: Sendable {
    /// An answer of any status. Redirects are not followed.
    /// - Throws: `UpstreamError`, which tells an administrator what is wrong and repeats nothing of what was sent or received.
    func fetch(_ question: LoginQuestion) async throws -> LoginAnswer
}

package struct LoginQuestion: Sendable {
    package let url: LoginURL
    /// Certificates of the authorities to trust, as PEM, and no others; empty: the system's.
    package var authority = ""
    package var bearer: SecretText?
    /// Sent as JSON with a POST; without one it is a GET.
    package var body: SecretPayload?

    package init(_ url: LoginURL) { self.url = url }
}

package struct LoginAnswer: Sendable {
    package let status: Int
    package let body: SecretPayload

    package init(status: Int, body: SecretPayload) {
        self.status = status
        self.body = body
    }
}

/// Where a login may ask: https, or plain http that does not leave this machine.
package struct LoginURL: Sendable, Hashable {
    package let text: String
    package let isEncrypted: Bool

    package init(_ text: String) throws(ServerAddress.Fault) {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        let authority = text.dropFirst(scheme.count + 3).prefix { !"/?#".contains($0) }
        let address = try ServerAddress("\(scheme)://\(authority)")
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.contains("#") else {
            throw ServerAddress.Fault(reason: "it holds a blank, a '#' or a character that is not ASCII")
        }
        guard text.dropFirst(scheme.count).hasPrefix("://"), address.unixSocket == nil else {
            throw ServerAddress.Fault(reason: "it must begin with https://")
        }
        isEncrypted = scheme == "https"
        guard isEncrypted || LoginURL.isLoopback(authority) else {
            throw ServerAddress.Fault(reason: "plain http is for addresses of this machine only; use https://")
        }
        self.text = text
    }

    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[") { return authority.prefix { $0 != "]" } == "[::1" }
        let host = String(authority.prefix { $0 != ":" })
        return host == "localhost" || CIDR("127.0.0.0/8")?.contains(host) ?? false
    }
}
