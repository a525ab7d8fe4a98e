import AirlockCore

/// Sends requests with the token of one login, and logs in: at the first request, and once more when the server no longer
/// accepts the token. Concurrent requests share one login.
actor VaultSession {
    private let address: ServerAddress
    private let namespace: String?
    private let login: VaultLogin
    private let transport: any UpstreamTransport
    private var token: SecretText?
    private var pendingLogin: Task<SecretText, any Error>?

    init(address: ServerAddress, namespace: String?, login: VaultLogin, transport: any UpstreamTransport) {
        self.address = address
        self.namespace = namespace
        self.login = login
        self.transport = transport
    }

    /// - Parameter target: what follows `/v1/`, encoded.
    /// - Returns: 200, 204 and 404; everything else throws.
    nonisolated func perform(_ method: String, _ target: String, body: JSON? = nil) async throws -> UpstreamResponse {
        let token = try await currentToken()
        let response = try await send(method, target, body, token)
        guard response.status == 403 else { return try VaultShape.checked(response, address.origin) }
        if try await isAccepted(token) { throw denied }
        guard login.canRepeat else {
            throw UpstreamError(
                .unauthenticated, "\(address.origin) does not accept the token (HTTP 403); get a new one")
        }
        await forget(token)
        let second = try await send(method, target, body, try await currentToken())
        if second.status == 403 { throw denied }
        return try VaultShape.checked(second, address.origin)
    }

    private nonisolated var denied: UpstreamError {
        UpstreamError(
            .denied,
            "\(address.origin): permission denied (HTTP 403); the token is good, but its policies do not allow this")
    }

    /// Vault answers 403 both for a bad token and for a missing right; only this call tells them apart.
    private nonisolated func isAccepted(_ token: SecretText) async throws -> Bool {
        try await send("GET", "auth/token/lookup-self", nil, token).status == 200
    }

    private nonisolated func send(
        _ method: String, _ target: String, _ body: JSON?, _ token: SecretText?
    ) async throws -> UpstreamResponse {
        var headers: [(name: String, value: SecretText)] = [("X-Vault-Request", SecretText("true"))]
        if let token { headers.append(("X-Vault-Token", token)) }
        if let namespace { headers.append(("X-Vault-Namespace", SecretText(namespace))) }
        if body != nil { headers.append(("Content-Type", SecretText("application/json"))) }
        return try await transport.send(
            UpstreamRequest(
                method: method, url: "\(address.base)/v1/\(target)", headers: headers, body: body?.bytes))
    }

    // MARK: Login

    private func currentToken() async throws -> SecretText {
        if let token { return token }
        if let pendingLogin { return try await pendingLogin.value }
        let task = Task { try await self.logIn() }
        pendingLogin = task
        defer { pendingLogin = nil }
        let new = try await task.value
        token = new
        return new
    }

    private func forget(_ old: SecretText) { if token == old { token = nil } }

    private nonisolated func logIn() async throws -> SecretText {
        switch try login.step() {
        case .token(let token): return token
        case .request(let path, let body):
            let target = path.map(VaultSession.encoded).joined(separator: "/")
            let response = try await send("POST", target, body, nil)
            return try VaultShape.loginToken(response, address.origin, mount: login.mount)
        }
    }

    /// A path for the wire: everything but letters, digits, `-._~` and the slashes is percent-encoded.
    static func encoded(_ path: String) -> String {
        var out = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
