import AirlockCore
import HTTPTypes

/// Logins to the vault that decides for itself (`authorize: upstream`). Nothing else below its `auth/` is passed on.
enum UpstreamLoginRoutes {
    static let table: [Route] = [
        Route("{mount*}/login", access: .open, [.write: login]),
        Route("{mount*}/login/{name}", access: .open, [.write: login]),
    ]

    private static let login: Route.Handler = { call in
        guard let upstream = call.services.upstream else { throw AirlockError.unsupportedPath }
        try call.refuseWrapping(of: "a login that the upstream decides about")
        let request = ForwardedRequest(
            method: call.request.method, path: call.request.path, query: call.request.rawQuery,
            contentType: call.request.contentType, body: SecretPayload(call.request.rawBody))
        // The mount is the client's word, and is not counted by.
        return try await call.countingLogin(at: "upstream") {
            switch try await upstream.logins.login(request, body: call.request.fields, source: call.request.source) {
            case .issued(let token): return token.response
            case .refused(let answer):
                return VaultResponse(status: .init(code: answer.status), body: .verbatim(answer.body))
            }
        }
    }
}

extension Call {
    /// - Parameter login: an answer that is no success is a refusal.
    func countingLogin(
        at mount: String, _ login: () async throws -> VaultResponse
    ) async throws -> VaultResponse {
        do {
            let response = try await login()
            services.metrics.add(.logins, mount, response.status.kind == .successful ? "ok" : "refused")
            return response
        } catch let error as AirlockError {
            let isUnavailable = error.code == .unavailable || error.code == .broken
            services.metrics.add(.logins, mount, isUnavailable ? "unavailable" : "refused")
            throw error
        }
    }
}
