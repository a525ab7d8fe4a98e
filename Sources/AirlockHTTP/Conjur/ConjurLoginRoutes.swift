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

    /// By an API key; who sends none is asked for a certificate, as LiteLLM has it.
    static let authenticate: ConjurSurface.Handler = { call in
        let metrics = call.services.metrics
        let issued: IssuedToken
        do {
            issued = try await call.body.isEmpty ? byCertificate(call) : byKey(call)
        } catch let error as AirlockError {
            metrics.add(.logins, metricLabel, "refused")
            throw error
        }
        metrics.add(.logins, metricLabel, "ok")
        let token = ConjurSurface.accessToken(issued, login: call["login"])
        var response = ConjurResponse(body: .json(token), issued: issued)
        if call.wantsBase64 {
            response.body = .text(SecretText(Data(token.bytes).base64EncodedString()))
            response.headers[.contentEncoding] = "base64"
        }
        return response
    }

    /// No auth mount has this name: theirs end in a slash.
    private static let metricLabel = "conjur"

    private static func byKey(_ call: ConjurCall) async throws -> IssuedToken {
        guard let key = String(validating: call.body, as: UTF8.self) else { throw AirlockError.invalidToken }
        return try await call.account.authenticate(login: call["login"], key: SecretText(key), source: call.source)
    }

    /// The token of the cert login at `auth/cert/`, by those of its roles that give the policy of the login in the path: who
    /// has such a certificate could get that token there, too.
    private static func byCertificate(_ call: ConjurCall) async throws -> IssuedToken {
        let services = call.services
        guard let role = ConjurAccount.role(login: call["login"]), try call.account.record(role) != nil,
            let mount = services.registry.authMount(named: "cert/"), mount.engine == .cert
        else { throw AirlockError.invalidToken }
        let policy = ConjurRules.policyName(role)
        let roles = CertRoles(storage: services.storage, mount: mount, now: services.now)
        do {
            let fitting = try roles.roles(named: "").filter { $0.role.token.policies.contains(policy) }
            let match = try await CertMatch.find(try await call.certificates.der(), among: fitting, at: services.now())
            return try await roles.login(match.name, match.role, match.client, source: call.source)
        } catch let error as AirlockError where error.code != .broken {
            throw AirlockError.invalidToken
        }
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
