package import AirlockCore
import HTTPTypes

/// What a listener asks of each request before any surface sees it.
package struct ListenerRules: Sendable {
    /// As `require_request_header` of Vault's agent and proxy: a page in a browser, or a server tricked into sending a
    /// request, cannot set the header.
    package var requiresRequestHeader = false
    /// Proxies whose `X-Forwarded-For` counts.
    package var forwarders: [CIDR] = []

    package init() {}

    private static let vaultRequest = HTTPField.Name("X-Vault-Request")!
    private static let forwardedFor = HTTPField.Name("X-Forwarded-For")!

    /// - Parameter peer: the address at the other end of the connection.
    /// - Returns: the client's own address.
    /// - Throws: `AirlockError` for a request that is not let in.
    func source(of headers: HTTPFields, peer: String?) throws -> String? {
        guard !requiresRequestHeader || headers[values: ListenerRules.vaultRequest] == ["true"] else {
            throw AirlockError(.preconditionFailed, "missing \"X-Vault-Request\" header")
        }
        let lines = headers[values: ListenerRules.forwardedFor]
        guard !lines.isEmpty else { return peer }
        guard !forwarders.isEmpty else {
            throw AirlockError.badRequest(
                "X-Forwarded-For is not accepted: name the proxy in x_forwarded_for_authorized_addrs")
        }
        guard let peer, isForwarder(peer) else {
            throw AirlockError.badRequest(
                "client address not authorized for x-forwarded-for and configured to reject connection")
        }
        // Each proxy adds whom it was asked by on the right; what stands left of the first stranger is the stranger's word.
        let hops = lines.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
            .map { String($0).trimmingBlanks }
        let source = hops.last { !isForwarder($0) } ?? hops[0]
        guard !source.contains("/"), CIDR(source) != nil else {
            throw AirlockError.badRequest("malformed x-forwarded-for: each hop must be an address without a port")
        }
        return source
    }

    private func isForwarder(_ address: String) -> Bool { forwarders.contains { $0.contains(address) } }
}
