/// Where a Vault-compatible server is: `http://HOST:PORT`, `https://HOST:PORT`, either with a path prefix, or
/// `unix:///path/to.sock`, as `VAULT_ADDR` takes them.
package struct ServerAddress: Sendable, Hashable {
    /// Scheme, host and port, for messages and for the wire.
    package let origin: String
    /// Empty, or begins with "/" and ends without one.
    package let prefix: String
    package let unixSocket: String?

    /// What is wrong with an address; never the address itself, which may hold a password.
    package struct Fault: Error, Sendable, Equatable {
        package let reason: String
    }

    package init(_ text: String) throws(Fault) {
        guard !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }) else {
            throw Fault(reason: "it holds a blank or a control character")
        }
        guard let (scheme, rest) = ServerAddress.split(text) else {
            throw Fault(reason: "it does not begin with http://, https:// or unix://")
        }
        guard !rest.contains("?"), !rest.contains("#") else { throw Fault(reason: "it holds a '?' or a '#'") }
        if scheme == "unix" {
            guard rest.hasPrefix("/") else {
                throw Fault(reason: "unix:// wants an absolute path: unix:///run/vault.sock")
            }
            (origin, prefix, unixSocket) = ("http://localhost", "", rest)
            return
        }
        let host = rest.prefix { $0 != "/" }
        guard !host.contains("@") else {
            throw Fault(reason: "it holds a user or password before '@'; give credentials by their own settings")
        }
        guard ServerAddress.isHostAndPort(host) else { throw Fault(reason: "its host or port is not valid") }
        var path = rest.dropFirst(host.count)
        while path.hasSuffix("/") { path = path.dropLast() }
        guard !path.hasSuffix("/v1") else { throw Fault(reason: "leave out the /v1 at its end, clients add it") }
        (origin, prefix, unixSocket) = ("\(scheme)://\(host)", String(path), nil)
    }

    package var base: String { origin + prefix }

    /// Scheme, host and port of any URL, without what may be secret in the rest.
    package static func origin(of url: String) -> String {
        guard let (scheme, rest) = split(url) else { return "the server" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let host = authority.split(separator: "@").last ?? ""
        // A server may say anything of where it redirects to, also what a terminal obeys.
        return isHostAndPort(host) ? "\(scheme)://\(host)" : "the server"
    }

    private static func split(_ text: String) -> (scheme: String, rest: String)? {
        for scheme in ["http", "https", "unix"] where text.lowercased().hasPrefix(scheme + "://") {
            return (scheme, String(text.dropFirst(scheme.count + 3)))
        }
        return nil
    }

    private static func isHostAndPort(_ text: Substring) -> Bool {
        var host = text
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            host = text[..<colon]
            guard let port = UInt16(text[text.index(after: colon)...]), port > 0 else { return false }
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            return host.count > 2 && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || ":.%".contains($0) }
        }
        return !host.isEmpty && host.allSatisfy { $0.isLetter || $0.isNumber || "-._".contains($0) }
    }
}
