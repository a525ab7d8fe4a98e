import AirlockCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// Where the typed surface finds connections, variables and config values: `VaultBackend`'s own keys and defaults.
package struct TypedSettings: Sendable {
    /// `nil`: each request names the mount with `?mount_point=`.
    package var mountPoint: String? = "secret"
    /// Read in order; written to the first. `nil` switches the kind off.
    package var connectionsPaths: [String]? = ["connections"]
    package var variablesPaths: [String]? = ["variables"]
    package var configPaths: [String]? = ["config"]

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
        /// As it is written.
        let pattern: String
        let methods: [HTTPRequest.Method: Handler]
        /// Whether no token is needed; such a call gives nothing away and is not logged.
        let isOpen: Bool
        /// The handlers read the query themselves.
        let hasOwnQuery: Bool
        private let query: [HTTPRequest.Method: [String]]

        /// - Parameter query: what each method knows of it, where that is not `mount_point` alone.
        init(
            _ pattern: String, _ methods: [HTTPRequest.Method: Handler], query: [HTTPRequest.Method: [String]] = [:],
            isOpen: Bool = false, hasOwnQuery: Bool = false
        ) {
            template = PathTemplate(pattern)
            self.pattern = pattern
            self.methods = methods
            self.query = query
            self.isOpen = isOpen
            self.hasOwnQuery = hasOwnQuery
        }

        func query(_ method: HTTPRequest.Method) -> [String] { query[method] ?? (isOpen ? [] : ["mount_point"]) }
    }

    typealias Handler = @Sendable (TypedCall) async throws -> TypedResponse

    static let table: [Line] = [
        Line("openapi.json", [.get: PublicRoutes.document], isOpen: true),
        Line("version", [.get: PublicRoutes.version], isOpen: true),
        Line(
            "connections",
            [
                .get: TypedRoutes<Connection>.list, .post: TypedRoutes<Connection>.create,
                .patch: BulkRoutes<Connection>.bulk,
            ],
            query: [.get: Connection.listQuery + ["dialect"]]),
        Line(
            "connections/{id}",
            [
                .get: ConnectionRoutes.read, .patch: TypedRoutes<Connection>.update,
                .delete: TypedRoutes<Connection>.delete,
            ],
            query: [
                .get: Connection.placeQuery + ["dialect", "format"], .patch: Connection.placeQuery + ["update_mask"],
                .delete: Connection.placeQuery,
            ]),
        Line("connections/lint", [.post: ConnectionRoutes.lint], query: [.post: ["dialect"]]),
        Line("connections/test", [.post: ConnectionRoutes.test], query: [.post: []]),
        Line("connections/enqueue-test", [.post: ConnectionRoutes.test], query: [.post: []]),
        Line(
            "variables",
            [
                .get: TypedRoutes<Variable>.list, .post: TypedRoutes<Variable>.create,
                .patch: BulkRoutes<Variable>.bulk,
            ],
            query: [.get: Variable.listQuery]),
        Line(
            "variables/{id}",
            [
                .get: TypedRoutes<Variable>.read, .patch: TypedRoutes<Variable>.update,
                .delete: TypedRoutes<Variable>.delete,
            ],
            query: [
                .get: Variable.placeQuery, .patch: Variable.placeQuery + ["update_mask"],
                .delete: Variable.placeQuery,
            ]),
        Line(
            "config-values",
            [
                .get: TypedRoutes<ConfigValue>.list, .post: TypedRoutes<ConfigValue>.create,
                .patch: BulkRoutes<ConfigValue>.bulk,
            ],
            query: [.get: ConfigValue.listQuery]),
        Line(
            "config-values/{id}",
            [
                .get: TypedRoutes<ConfigValue>.read, .patch: TypedRoutes<ConfigValue>.update,
                .delete: TypedRoutes<ConfigValue>.delete,
            ],
            query: [.patch: ConfigValue.placeQuery + ["update_mask"]]),
        Line(
            "explain/connections/{id}", [.get: ExplainRoutes.connection], query: [.get: ["mount_point", "accessor"]]),
        Line("explain/variables/{id}", [.get: ExplainRoutes.variable], query: [.get: ["mount_point", "accessor"]]),
        Line("secrets/batch", [.post: SecretBatchRoutes.batch], query: [.post: []]),
        Line("references", [.post: ReferenceRoutes.resolve], query: [.post: []]),
        Line("inventory", [.get: InventoryRoutes.list], query: [.get: InventoryQuery.known], hasOwnQuery: true),
    ]

    func respond(to request: Request, source: String?, logger: Logger) async throws -> Response {
        do {
            return try await answer(request, source: source, logger).rendered()
        } catch {
            return try TypedSurface.rendered(error, logger: logger)
        }
    }

    static func rendered(_ error: any Error, logger: Logger) throws -> Response {
        if let error = error as? TypedError { return error.response.rendered() }
        return TypedError(try Surfaces.explained(error, logger: logger)).response.rendered()
    }

    private func answer(_ request: Request, source: String?, _ logger: Logger) async throws -> TypedResponse {
        let target = (request.head.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = PercentEncoding.decode(target[0].dropFirst(TypedSurface.root.count)),
            let query = PercentEncoding.query(target.count == 2 ? target[1] : "")
        else { throw TypedError(.badRequest, "the path or the query is not percent-encoded UTF-8") }
        let below = path.utf8.first == UInt8(ascii: "/") ? String(path.dropFirst()) : ""
        let lines = TypedSurface.table.compactMap { line in line.template.match(below).map { (line, $0) } }
        // A connection may be called `lint`: its path is that of the linter, which has another method.
        if let (line, captures) = lines.first(where: { $0.0.methods[request.method] != nil }),
            let handler = line.methods[request.method]
        {
            let surface = TypedSurface(
                services: try services.located(request.headers), settings: settings, bodyLimit: bodyLimit)
            return try await surface.answer(request, source: source, below, query, line, handler) { principal in
                let takesBody = request.method == .post || request.method == .patch
                let bytes = takesBody ? try await TypedBody.bytes(of: request, limit: bodyLimit) : []
                return TypedCall(
                    surface: surface, principal: principal, id: captures["id"] ?? "",
                    query: try TypedQuery(line.hasOwnQuery ? [] : query, known: line.query(request.method)),
                    fields: query, body: takesBody ? try TypedBody.parsed(bytes) : nil, rawBody: bytes,
                    headers: request.headers, source: source, logger: logger)
            }
        }
        guard lines.isEmpty else {
            var response = TypedError(.methodNotAllowed, "Method Not Allowed").response
            let allowed = Set(lines.flatMap(\.0.methods.keys)).map(\.rawValue).sorted()
            response.headers[.allow] = allowed.joined(separator: ", ")
            return response
        }
        throw TypedError(.notFound, "Not Found")
    }

    /// - Parameter path: below the root.
    private func answer(
        _ request: Request, source: String?, _ path: String, _ query: [(name: String, value: String)],
        _ line: Line, _ handler: Handler,
        call: (Principal?) async throws -> TypedCall
    ) async throws -> TypedResponse {
        if line.isOpen { return try await handler(try await call(nil)) }
        let begun = services.storage.front.moment
        let trail = AuditTrail(
            request.method, path: "api/v2/" + path, namespace: VaultRequest.namespace(request.headers),
            token: VaultRequest.token(request.headers), source: source, services)
        do {
            let principal = try await principal(request, source: source)
            let call = try await call(principal)
            try await trail?.begin(principal, body: call.body, query: query)
            let response = try await handler(call)
            try await trail?.end(response)
            if trail == nil { keep(response, to: request, since: begun) }
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
    let rawBody: [UInt8]
    let headers: HTTPFields
    /// The client's address.
    let source: String?
    let logger: Logger

    func requirePrincipal() throws -> Principal {
        guard let principal else { throw AirlockError.invalidToken }
        return principal
    }

    /// - Parameters:
    ///   - paths: the configured folders of a kind; `nil` when it is switched off.
    ///   - setting: what configures them.
    func folders(_ paths: [String]?, setting: String) throws -> (folders: [String], mountPoint: String) {
        guard let paths, !paths.isEmpty else {
            throw TypedError(.notFound, "these are switched off: \(setting) is null in the backend kwargs")
        }
        guard let name = query.mountPoint ?? surface.settings.mountPoint else {
            throw TypedError(
                .unprocessableContent, "name the mount with ?mount_point=: none is configured",
                at: ["query", "mount_point"])
        }
        return (paths, name)
    }

    func secrets<Model: TypedModel>(_ model: Model.Type) throws -> MountedSecrets {
        let (folders, mountPoint) = try folders(Model.folders(surface.settings), setting: Model.setting)
        return try MountedSecrets(
            services: surface.services, principal: try requirePrincipal(), mountPoint: mountPoint, folders: folders,
            kind: Model.kind, hasTeams: Model.hasTeams)
    }
}
