import AirlockCore
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Where the typed surface finds connections and variables: `VaultBackend`'s own keys and defaults.
package struct TypedSettings: Sendable {
    /// `nil`: each request names the mount with `?mount_point=`.
    package var mountPoint: String? = "secret"
    /// Read in order; written to the first. `nil` switches the kind off.
    package var connectionsPaths: [String]? = ["connections"]
    package var variablesPaths: [String]? = ["variables"]

    package init() {}
}

/// The typed surface: connections and variables in the shape of Airflow's REST API v2
/// (https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html). It has no rights of its own: each call
/// needs what the same call on the Vault surface would need.
struct TypedSurface: Sendable {
    static let root = "/api/v2"

    let services: Services
    let settings: TypedSettings
    let bodyLimit: Int

    /// One line of the table: a path below the root and what each method does there.
    struct Line: Sendable {
        let template: PathTemplate
        let methods: [HTTPRequest.Method: Handler]
        /// The handlers read the query themselves.
        let hasOwnQuery: Bool

        init(_ pattern: String, hasOwnQuery: Bool = false, _ methods: [HTTPRequest.Method: Handler]) {
            template = PathTemplate(pattern)
            self.hasOwnQuery = hasOwnQuery
            self.methods = methods
        }
    }

    typealias Handler = @Sendable (TypedCall) async throws -> TypedResponse

    static let table: [Line] = [
        Line("openapi.json", [.get: OpenAPI.document]),
        Line("connections", [.get: ConnectionRoutes.list, .post: ConnectionRoutes.create]),
        Line(
            "connections/{id}",
            [
                .get: ConnectionRoutes.read, .patch: ConnectionRoutes.update, .delete: ConnectionRoutes.delete,
            ]),
        Line("variables", [.get: VariableRoutes.list, .post: VariableRoutes.create]),
        Line(
            "variables/{id}",
            [
                .get: VariableRoutes.read, .patch: VariableRoutes.update, .delete: VariableRoutes.delete,
            ]),
        Line("explain/connections/{id}", [.get: ExplainRoutes.connection]),
        Line("explain/variables/{id}", [.get: ExplainRoutes.variable]),
        Line("inventory", hasOwnQuery: true, [.get: InventoryRoutes.list]),
    ]

    func respond(to request: Request, source: String?, logger: Logger) async throws -> Response {
        do {
            return try await answer(request, source: source).rendered()
        } catch {
            return try TypedSurface.rendered(error, logger: logger)
        }
    }

    static func rendered(_ error: any Error, logger: Logger) throws -> Response {
        if let error = error as? TypedError { return error.response.rendered() }
        return TypedError(try Surfaces.explained(error, logger: logger)).response.rendered()
    }

    private func answer(_ request: Request, source: String?) async throws -> TypedResponse {
        let target = (request.head.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = PercentEncoding.decode(target[0].dropFirst(TypedSurface.root.count)),
            let query = PercentEncoding.query(target.count == 2 ? target[1] : "")
        else { throw TypedError(.badRequest, "the path or the query is not percent-encoded UTF-8") }
        let below = path.utf8.first == UInt8(ascii: "/") ? String(path.dropFirst()) : ""
        for line in TypedSurface.table {
            guard let captures = line.template.match(below) else { continue }
            guard let handler = line.methods[request.method] else {
                var response = TypedError(.methodNotAllowed, "Method Not Allowed").response
                response.headers[.allow] = line.methods.keys.map(\.rawValue).sorted().joined(separator: ", ")
                return response
            }
            let surface = TypedSurface(
                services: try services.located(request.headers), settings: settings, bodyLimit: bodyLimit)
            return try await surface.answer(request, source: source, below, query, handler) { principal in
                TypedCall(
                    surface: surface, principal: principal, id: captures["id"] ?? "",
                    query: try TypedQuery(line.hasOwnQuery ? [] : query), fields: query,
                    body: try await surface.body(request))
            }
        }
        throw TypedError(.notFound, "Not Found")
    }

    /// - Parameter path: below the root.
    private func answer(
        _ request: Request, source: String?, _ path: String, _ query: [(name: String, value: String)],
        _ handler: Handler,
        call: (Principal?) async throws -> TypedCall
    ) async throws -> TypedResponse {
        // The document says what the surface is; it is the one thing here that needs no token, and is not logged.
        if path == "openapi.json" { return try await handler(try await call(nil)) }
        let trail = AuditTrail(
            request.method, path: "api/v2/" + path, namespace: VaultRequest.namespace(request.headers),
            token: VaultRequest.token(request.headers), source: source, services)
        do {
            let principal = try await principal(request, source: source)
            let call = try await call(principal)
            try await trail?.begin(principal, body: call.body, query: query)
            let response = try await handler(call)
            try await trail?.end(response)
            return response
        } catch {
            try await trail?.end(error)
            throw error
        }
    }

    private func principal(_ request: Request, source: String?) async throws -> Principal {
        guard let token = VaultRequest.token(request.headers) else {
            throw TypedError(.unauthorized, "send a token: Authorization: Bearer TOKEN, or X-Vault-Token: TOKEN")
        }
        do {
            return try await services.principal(token, source: source)
        } catch let error as AirlockError where error.code == .invalidToken {
            throw TypedError(.unauthorized, "the token is unknown, expired or revoked")
        }
    }

    private func body(_ request: Request) async throws -> JSON? {
        guard request.method == .post || request.method == .patch else { return nil }
        let tooLarge = TypedError(.contentTooLarge, "the body is larger than \(bodyLimit) bytes")
        if let length = request.headers[.contentLength].flatMap(Int.init), length > bodyLimit { throw tooLarge }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: bodyLimit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        do {
            return try JSON(parsing: bytes.readableBytesView)
        } catch {
            throw TypedError(.unprocessableContent, "the body is not JSON: \(error.reason) at offset \(error.offset)")
        }
    }
}

/// One request to the typed surface, on its way to a handler.
struct TypedCall: Sendable {
    let surface: TypedSurface
    let principal: Principal?
    /// The connection's or variable's id from the path.
    let id: String
    let query: TypedQuery
    /// The query as it came.
    let fields: [(name: String, value: String)]
    let body: JSON?

    func requirePrincipal() throws -> Principal {
        guard let principal else { throw AirlockError.invalidToken }
        return principal
    }

    /// - Parameter paths: the configured folders of that kind; `nil` when it is switched off.
    func folders(_ paths: [String]?, kind: String) throws -> (folders: [String], mountPoint: String) {
        guard let paths, !paths.isEmpty else {
            throw TypedError(.notFound, "\(kind)s are switched off: \(kind)s_path is null in the backend kwargs")
        }
        guard let name = query.mountPoint ?? surface.settings.mountPoint else {
            throw TypedError(.unprocessableContent, "name the mount with ?mount_point=: none is configured")
        }
        return (paths, name)
    }

    func secrets(in paths: [String]?, kind: String) throws -> MountedSecrets {
        let (folders, mountPoint) = try folders(paths, kind: kind)
        return try MountedSecrets(
            services: surface.services, principal: try requirePrincipal(), mountPoint: mountPoint, folders: folders,
            kind: kind)
    }
}

/// The query of a typed call. What no call knows is refused, not ignored.
struct TypedQuery: Sendable {
    enum Format: String, Sendable, CaseIterable { case fields, uri, json }

    var mountPoint: String?
    var format = Format.fields
    var limit = 50
    var offset = 0
    var updateMask: [String] = []
    /// Of the token whose lookup is explained.
    var accessor: String?

    private static let known = ["mount_point", "format", "limit", "offset", "update_mask", "accessor"]

    init(_ fields: [(name: String, value: String)]) throws {
        for (name, value) in fields {
            func refused(_ reason: String) -> TypedError { TypedError(.unprocessableContent, "\(name): \(reason)") }
            switch name {
            case "mount_point":
                guard !value.isEmpty else { throw refused("must not be empty") }
                mountPoint = value
            case "format":
                guard let format = Format(rawValue: value) else { throw refused("must be fields, uri or json") }
                self.format = format
            case "limit":
                guard let number = Int(value), (0...1000).contains(number) else { throw refused("must be 0 to 1000") }
                limit = number
            case "offset":
                guard let number = Int(value), number >= 0 else { throw refused("must be 0 or more") }
                offset = number
            case "accessor":
                guard !value.isEmpty else { throw refused("must not be empty") }
                accessor = value
            case "update_mask": updateMask.append(value)
            default:
                let suggestion = nearestName(to: name, among: TypedQuery.known).map { "; did you mean \($0)?" } ?? ""
                throw TypedError(.unprocessableContent, "unknown query parameter\(suggestion)")
            }
        }
    }
}

struct TypedResponse: Sendable {
    var status = HTTPResponse.Status.ok
    var body: JSON?
    var headers: HTTPFields = [:]

    func rendered() -> Response {
        var headers = headers
        headers[.cacheControl] = "no-store"
        guard let body else { return Response(status: status, headers: headers) }
        headers[.contentType] = "application/json"
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body.bytes + [0x0A])))
    }
}

/// An error in the shape of Airflow's API: `{"detail": "..."}`.
struct TypedError: Error {
    let status: HTTPResponse.Status
    let detail: String

    init(_ status: HTTPResponse.Status, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    init(_ error: AirlockError) {
        let message = error.message?.trimmingPrefix("1 error occurred:\n\t* ").trimmingSuffix("\n\n") ?? "Not Found"
        status =
            switch error.code {
            case .badRequest: .badRequest
            case .invalidToken: .unauthorized
            case .permissionDenied: .forbidden
            case .notFound: .notFound
            case .notAllowed: .methodNotAllowed
            case .conflict: .conflict
            case .preconditionFailed: .preconditionFailed
            case .tooLarge: .contentTooLarge
            case .tooMany: .tooManyRequests
            case .unsupportedMedia: .unsupportedMediaType
            case .vaultServerError, .broken: .internalServerError
            case .unavailable: .serviceUnavailable
            case .notCached: .gatewayTimeout
            }
        detail = message
    }

    var response: TypedResponse {
        var headers: HTTPFields = [:]
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        if status == .serviceUnavailable { headers[.retryAfter] = VaultResponse.retryAfter }
        return TypedResponse(status: status, body: ["detail": .string(detail)], headers: headers)
    }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : String(self)
    }
}
