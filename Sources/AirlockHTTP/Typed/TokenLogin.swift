import AirlockCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// `POST /auth/token` and `/auth/token/cli`: how Airflow's clients log in with a name and a password. It is the userpass login
/// of the Vault surface under another name, so that lockout, limits, namespaces and the audit log are the same.
struct TokenLogin: Sendable {
    static let paths: Set<String> = ["/auth/token", "/auth/token/cli"]

    /// Where `bao auth enable userpass` puts it.
    private static let mount = "userpass"
    private static let refused = TypedError(
        .unauthorized,
        "a wrong name or password, too many failures, or no userpass login is enabled at auth/\(mount)/")
    /// Bytes.
    private static let bodyLimit = 1024 * 1024

    let vault: VaultSurface

    func respond(to request: Request, source: String?, logger: Logger) async throws -> Response {
        do {
            return try await answer(request, source: source).rendered()
        } catch {
            return try TypedSurface.rendered(error, logger: logger)
        }
    }

    private func answer(_ request: Request, source: String?) async throws -> TypedResponse {
        guard request.method == .post else {
            var response = TypedError(.methodNotAllowed, "Method Not Allowed").response
            response.headers[.allow] = "POST"
            return response
        }
        guard request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") != true else {
            throw TypedError(.unsupportedMediaType, "send JSON: {\"username\": ..., \"password\": ...}")
        }
        let bytes = try await TypedBody.bytes(of: request, limit: TokenLogin.bodyLimit)
        let body = try TypedBody(try TypedBody.parsed(bytes), known: ["username", "password"])
        let name = try body.required("username")
        let password = try body.required("password")
        guard !name.isEmpty, !password.isEmpty else {
            throw TypedError(.badRequest, "Username and password must be provided")
        }
        guard PathTemplate.isName(name) else { throw TokenLogin.refused }
        let login = TokenLogin.login(name, password, of: request)
        do {
            let response = try await vault.answer(login, source: source, certificates: .none)
            guard case .envelope(let envelope) = response.body, let token = envelope.auth["client_token"] else {
                throw TokenLogin.refused
            }
            return TypedResponse(status: .created, body: ["access_token": token])
        } catch let error as AirlockError where [.badRequest, .invalidToken, .permissionDenied].contains(error.code) {
            throw TokenLogin.refused
        }
    }

    private static func login(_ name: String, _ password: String, of request: Request) -> Request {
        var headers = HTTPFields()
        headers[VaultRequest.vaultNamespace] = request.headers[VaultRequest.vaultNamespace]
        headers[.contentType] = "application/json"
        let head = HTTPRequest(
            method: .post, scheme: request.head.scheme, authority: request.head.authority,
            path: "/v1/auth/\(mount)/login/\(name)", headerFields: headers)
        let body: JSON = ["password": .string(password)]
        return Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body.bytes)))
    }
}
