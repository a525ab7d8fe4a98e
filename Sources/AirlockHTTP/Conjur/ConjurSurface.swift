import AirlockCore
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// The Conjur surface: one mount's secrets as variables of CyberArk Conjur
/// (https://docs.conjur.org/Latest/en/Content/Developer/lp_REST_API.htm; docs/conjur.md). Its logins give tokens of Airlock's,
/// and each call needs the rights that the same call on the Vault surface would.
struct ConjurSurface: Sendable {
    let services: Services
    let account: ConjurAccount
    let bodyLimit: Int

    /// - Parameter mountPath: of the mount whose secrets are served.
    init(services: Services, mountPath: String, bodyLimit: Int) {
        self.services = services
        self.bodyLimit = bodyLimit
        account = ConjurAccount(
            storage: services.storage, registry: services.registry, mountPath: mountPath, failures: services.failures,
            now: services.now)
    }

    typealias Handler = @Sendable (ConjurCall) async throws -> ConjurResponse

    /// One line of the table.
    struct Line: Sendable {
        let method: HTTPRequest.Method
        let template: PathTemplate
        let query: [String]
        /// Whether no token is needed: the handler looks at the API key or the certificate instead.
        let isOpen: Bool
        let handler: Handler

        init(
            _ method: HTTPRequest.Method, _ pattern: String, query: [String] = [], isOpen: Bool = false,
            _ handler: @escaping Handler
        ) {
            self.method = method
            template = PathTemplate(pattern, ignoresTrailingSlash: false)
            self.query = query
            self.isOpen = isOpen
            self.handler = handler
        }
    }

    static let table: [Line] = [
        Line(.get, "authn/{account}/login", isOpen: true, ConjurLoginRoutes.login),
        Line(.post, "authn/{account}/{login+}/authenticate", isOpen: true, ConjurLoginRoutes.authenticate),
        Line(.put, "authn/{account}/api_key", query: ["role"], isOpen: true, ConjurLoginRoutes.rotate),
        Line(.get, "whoami", ConjurLoginRoutes.whoami),
        Line(.get, "secrets", query: ["variable_ids"], ConjurSecretRoutes.batch),
        Line(.get, "secrets/{account}/variable/{id+}", query: ["version"], ConjurSecretRoutes.read),
        Line(.post, "secrets/{account}/variable/{id+}", ConjurSecretRoutes.set),
        Line(.post, "policies/{account}/policy/{id+}", ConjurPolicyRoutes.add),
        Line(.patch, "policies/{account}/policy/{id+}", ConjurPolicyRoutes.change),
        Line(.put, "policies/{account}/policy/{id+}", ConjurPolicyRoutes.replace),
        Line(.get, "resources/{account}", query: ["kind"] + ConjurResourceRoutes.listQuery, ConjurResourceRoutes.list),
        Line(.get, "resources/{account}/{kind}", query: ConjurResourceRoutes.listQuery, ConjurResourceRoutes.list),
        Line(
            .get, "resources/{account}/{kind}/{id+}", query: ["check", "permitted_roles", "privilege", "role"],
            ConjurResourceRoutes.show),
        Line(.head, "resources/{account}/{kind}/{id+}", ConjurResourceRoutes.show),
        Line(.get, "roles/{account}/{kind}/{id+}", query: ["all", "memberships", "members"], ConjurRoleRoutes.show),
        Line(.head, "roles/{account}/{kind}/{id+}", ConjurRoleRoutes.show),
    ]

    private static let roots: Set<Substring> = ["authn", "secrets", "policies", "resources", "roles", "whoami"]

    /// Whether a path is one of this surface's.
    static func serves(_ path: String) -> Bool {
        let bare = path.prefix { $0 != "?" }
        return bare.hasPrefix("/") && roots.contains(bare.dropFirst().prefix { $0 != "/" })
    }

    func respond(
        to request: Request, source: String?, certificates: ClientCertificates, logger: Logger
    ) async throws -> Response {
        do {
            return try await answer(request, source: source, certificates: certificates).rendered()
        } catch {
            return try ConjurSurface.rendered(error, logger: logger)
        }
    }

    static func rendered(_ error: any Error, logger: Logger) throws -> Response {
        if let error = error as? ConjurError { return error.response.rendered() }
        return ConjurError(try Surfaces.explained(error, logger: logger)).response.rendered()
    }

    private func answer(
        _ request: Request, source: String?, certificates: ClientCertificates
    ) async throws -> ConjurResponse {
        let target = (request.head.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = PercentEncoding.decode(target[0].dropFirst()),
            let query = PercentEncoding.query(target.count == 2 ? target[1] : "")
        else {
            throw ConjurError(
                .unprocessableContent, "argument_error", "the path or the query is not percent-encoded UTF-8")
        }
        let lines = ConjurSurface.table.compactMap { line in line.template.match(path).map { (line, $0) } }
        guard let (line, captures) = lines.first(where: { $0.0.method == request.method }) else {
            guard lines.isEmpty else {
                throw ConjurError(.methodNotAllowed, "not_allowed", "the method is not known here")
            }
            throw ConjurError(.notFound, "not_found", "there is no such call")
        }
        let token = Result { try ConjurSurface.token(request.headers) }
        let trail = AuditTrail(
            request.method, path: path, namespace: "", token: try? token.get(), source: source, services)
        do {
            // Another's API key is changed with a token.
            let isOpen = line.isOpen && !query.contains { $0.name == "role" }
            let principal = isOpen ? nil : try await principal(try token.get(), source: source)
            let call = ConjurCall(
                surface: self, principal: principal, captures: captures, query: try fields(query, line),
                headers: request.headers, body: try await body(of: request, line), source: source,
                certificates: certificates)
            try await trail?.begin(principal, body: call.audited, query: query)
            if let named = captures["account"], named != ConjurAccount.name {
                if line.isOpen { throw AirlockError.invalidToken }
                throw ConjurError(.notFound, "not_found", "the account is \(ConjurAccount.name)")
            }
            let response = try await line.handler(call)
            try await trail?.end(response)
            return response
        } catch {
            try await trail?.end(error)
            throw error
        }
    }

    private func principal(_ token: SecretPayload?, source: String?) async throws -> Principal {
        guard let token else { throw AirlockError.invalidToken }
        return try await services.principal(token, source: source)
    }

    private func fields(_ query: [(name: String, value: String)], _ line: Line) throws -> [String: String] {
        var fields: [String: String] = [:]
        for (name, value) in query {
            guard line.query.contains(name), fields.updateValue(value, forKey: name) == nil else {
                let known = line.query.isEmpty ? "none" : line.query.joined(separator: ", ")
                throw ConjurError(
                    .unprocessableContent, "argument_error",
                    "a query field is there twice or is not supported; known are: \(known)")
            }
        }
        return fields
    }

    /// Bytes of a body that anybody may send: an API key is small.
    private static let openBodyLimit = 64 * 1024

    private func body(of request: Request, _ line: Line) async throws -> [UInt8] {
        guard [.post, .put, .patch].contains(request.method) else { return [] }
        let limit = line.isOpen ? min(bodyLimit, ConjurSurface.openBodyLimit) : bodyLimit
        let tooLarge = AirlockError(.tooLarge, "the body is larger than \(limit) bytes")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
        do {
            return Array(try await request.body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    // MARK: Access tokens

    /// `Authorization: Token token="<base64>"`; without it what the other surfaces take.
    static func token(_ headers: HTTPFields) throws -> SecretPayload? {
        guard let header = headers[.authorization], header.hasPrefix("Token ") else {
            return VaultRequest.token(headers)
        }
        let quoted = header.dropFirst("Token ".count).trimmingPrefix { $0 == " " }
        guard quoted.hasPrefix("token=\""), quoted.hasSuffix("\""), quoted.count > "token=\"\"".count,
            let data = Data(base64Encoded: String(quoted.dropFirst("token=\"".count).dropLast())),
            let text = (try? JSON(parsing: data))?["signature"]?.text
        else { throw AirlockError.invalidToken }
        return SecretPayload(Array(text.utf8))
    }

    /// A token in the form of Conjur's: clients read when it ends from `payload`. Only `signature` is looked at when it comes
    /// back, and that is Airlock's own token, which says by itself whose it is.
    static func accessToken(_ issued: IssuedToken, login: String) -> JSON {
        let header: JSON = ["alg": "airlock"]
        let payload: JSON = [
            "sub": .string(login), "iat": .integer(issued.token.issued.seconds),
            "exp": .integer(issued.token.expires?.seconds ?? 0),
        ]
        return [
            "protected": .string(encoded(header)), "payload": .string(encoded(payload)),
            "signature": .string(String(decoding: issued.text.bytes, as: UTF8.self)),
        ]
    }

    /// base64url with padding, as Conjur's own.
    private static func encoded(_ json: JSON) -> String {
        Data(json.bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }
}

/// One request to the Conjur surface, on its way to a handler.
struct ConjurCall: Sendable {
    let surface: ConjurSurface
    let principal: Principal?
    let captures: [String: String]
    let query: [String: String]
    let headers: HTTPFields
    let body: [UInt8]
    /// The client's address.
    let source: String?
    let certificates: ClientCertificates

    var account: ConjurAccount { surface.account }
    var services: Services { surface.services }

    subscript(capture: String) -> String { captures[capture] ?? "" }

    func requirePrincipal() throws -> Principal {
        guard let principal else { throw AirlockError.invalidToken }
        return principal
    }

    func variables() throws -> ConjurVariables { try ConjurVariables(self) }

    /// Values and tokens are asked for in base64 where they might not be text.
    var wantsBase64: Bool { headers[.acceptEncoding]?.lowercased().contains("base64") ?? false }

    /// A body may be a key or a value; a name that stands in the head only is told, too.
    fileprivate var audited: JSON? {
        guard body.isEmpty else { return .string(String(decoding: body, as: UTF8.self)) }
        return principal == nil ? basic.map { ["login": .string($0.login)] } : nil
    }

    /// The name and the password of `Authorization: Basic`.
    var basic: (login: String, password: SecretText)? {
        guard let header = headers[.authorization], header.hasPrefix("Basic "),
            let data = Data(base64Encoded: String(header.dropFirst("Basic ".count)).trimmingBlanks),
            let text = String(validating: data, as: UTF8.self)
        else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return parts.count == 2 ? (parts[0], SecretText(parts[1])) : nil
    }
}
