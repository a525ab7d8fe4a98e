import AirlockCore

/// A KV mount of a Vault-compatible server.
package struct VaultMount: Sendable, Hashable {
    package let path: String
    /// 1 or 2.
    package let kvVersion: Int

    package init(path: String, kvVersion: Int) {
        self.path = path
        self.kvVersion = kvVersion
    }
}

/// One request of the Vault API, but for the credential.
struct VaultCall: Sendable {
    var method = "GET"
    /// `api/v2` for Airlock's own.
    var root = "v1"
    /// What follows the root, encoded, with its query.
    let target: String
    var body: [UInt8]?
    var contentType: String?
    /// `nil`: the transport's own.
    var timeout: Duration?
    /// `sys/health` is answered in the root namespace alone.
    var isInNamespace = true

    init(_ method: String = "GET", _ target: String, json: JSON? = nil) {
        self.method = method
        self.target = target
        body = json?.bytes
        contentType = json == nil ? nil : "application/json"
    }

    static var lookupSelf: VaultCall { VaultCall("GET", "auth/token/lookup-self") }
    static var renewSelf: VaultCall { VaultCall("POST", "auth/token/renew-self", json: [:]) }

    static func read(_ path: String, version: Int?, in mount: VaultMount) -> VaultCall {
        VaultCall("GET", mount.target("data", path) + (version.map { "?version=\($0)" } ?? ""))
    }

    /// Vault takes this for the verb LIST, which some proxies refuse.
    static func list(_ folder: String, in mount: VaultMount) -> VaultCall {
        VaultCall("GET", mount.target("metadata", folder) + "?list=true")
    }

    /// A path for the wire: everything but letters, digits, `-._~` and the slashes is percent-encoded.
    static func encoded(_ path: String) -> String {
        var out = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}

extension VaultMount {
    /// - Parameter part: what KV version 2 puts between the mount and the path.
    func target(_ part: String, _ path: String) -> String {
        let parts = kvVersion == 2 ? [self.path, part, path] : [self.path, path]
        return parts.filter { !$0.isEmpty }.map(VaultCall.encoded).joined(separator: "/")
    }
}

/// Carries calls to one server and counts them.
struct VaultWire: Sendable {
    let address: ServerAddress
    let namespace: String?
    let transport: any UpstreamTransport
    let metrics: Metrics
    let now: Now

    var origin: String { address.origin }

    func send(_ call: VaultCall, token: SecretText?) async throws -> UpstreamResponse {
        var headers: [(name: String, value: SecretText)] = [("X-Vault-Request", SecretText("true"))]
        if let token { headers.append(("X-Vault-Token", token)) }
        if let namespace, call.isInNamespace { headers.append(("X-Vault-Namespace", SecretText(namespace))) }
        if let type = call.contentType { headers.append(("Content-Type", SecretText(type))) }
        let request = UpstreamRequest(
            method: call.method, url: "\(address.base)/\(call.root)/\(call.target)", headers: headers, body: call.body,
            timeout: call.timeout)
        return try await transport.send(request, countingIn: metrics, as: origin, now: now)
    }
}
