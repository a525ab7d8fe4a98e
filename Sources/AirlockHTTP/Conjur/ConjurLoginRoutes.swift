import AirlockCore
import Foundation
import HTTPTypes

/// API keys and access tokens.
enum ConjurLoginRoutes {
    /// Conjur gives the API key for a password; here the API key is the only password, and is given back.
    static let login: ConjurSurface.Handler = { call in
        guard let (login, key) = call.basic else { throw AirlockError.invalidToken }
        _ = try call.account.verify(key, login: login, source: call.source)
        return ConjurResponse(body: .text(key))
    }

    static let authenticate: ConjurSurface.Handler = { call in
        guard let key = String(validating: call.body, as: UTF8.self), !key.isEmpty else {
            throw AirlockError.invalidToken
        }
        let login = call["login"]
        let issued = try await call.account.authenticate(login: login, key: SecretText(key), source: call.source)
        let token = ConjurSurface.accessToken(issued, login: login)
        var response = ConjurResponse(body: .json(token), issued: issued)
        if call.wantsBase64 {
            response.body = .text(SecretText(Data(token.bytes).base64EncodedString()))
            response.headers[.contentEncoding] = "base64"
        }
        return response
    }

    /// Of one's own by name and API key; of another by a right to change the policy that it was loaded with.
    static let rotate: ConjurSurface.Handler = { call in
        guard let named = call.query["role"] else {
            guard let (login, key) = call.basic else { throw AirlockError.invalidToken }
            let role = try call.account.verify(key, login: login, source: call.source)
            return ConjurResponse(body: .text(try await call.account.rotateKey(of: role, from: key)))
        }
        let principal = try call.requirePrincipal()
        guard let role = ConjurID(role: named) else {
            throw ConjurError(
                .unprocessableContent, "argument_error",
                "role is \(ConjurAccount.name):host:ID, or \(ConjurAccount.admin.full)")
        }
        let policy = try call.account.record(role)?.policy ?? ConjurPolicy.rootBranch
        guard principal.access.allows(.update, on: ConjurRules.path(ofPolicy: policy)) else {
            throw AirlockError.permissionDenied
        }
        return ConjurResponse(body: .text(try await call.account.rotateKey(of: role)))
    }

    static let whoami: ConjurSurface.Handler = { call in
        let token = try call.requirePrincipal().token
        return ConjurResponse(
            body: .json([
                "client_ip": .orNull(call.source), "user_agent": .orNull(call.headers[.userAgent]),
                "account": .string(ConjurAccount.name),
                "username": .string(ConjurAccount.login(of: token) ?? token.displayName),
                "token_issued_at": .string(token.issued.rfc3339),
            ]))
    }
}
