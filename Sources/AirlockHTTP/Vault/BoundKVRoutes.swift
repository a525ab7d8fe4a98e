import AirlockCore
import HTTPTypes

/// KV mounts of the configuration: reads of secrets go through the cache, everything else goes to the mount's first backend
/// as it came, and what it changes is forgotten before the answer.
enum BoundKVRoutes {
    static let versioned: [Route] = [
        Route(
            "data/{path*}", exists: exists,
            [.read: read, .write: change, .patch: change, .delete: change]),
        Route(
            "metadata/{path*}", exists: exists,
            [.list: pass, .scan: pass, .read: pass, .write: change, .patch: change, .delete: change]),
        Route("delete/{path*}", [.write: change]),
        Route("undelete/{path*}", [.write: change]),
        Route("destroy/{path*}", [.write: change]),
        Route("subkeys/{path*}", [.read: pass]),
        Route("config", [.read: pass, .write: pass]),
        Route("metadata", [.list: pass, .scan: pass, .read: pass]),
        Route("data", [.read: pass]),
    ]

    static let plain: [Route] = [
        Route(
            "{path*}", exists: exists,
            [.list: pass, .scan: pass, .read: read, .write: change, .patch: change, .delete: change])
    ]

    private static func bound(_ call: Call) throws -> BoundMount {
        guard let bound = call.bound else { throw AirlockError.unsupportedPath }
        return bound
    }

    /// Whether a write needs `create` or `update`: the backend knows.
    private static func exists(_ call: Call) async throws -> Bool {
        guard let path = try? SecretPath(call["path"]) else { return false }
        let bound = try bound(call)
        do {
            return try await bound.readThrough.fetch(bound.readThrough.key(path), as: .own).secret != nil
        } catch let error as UpstreamError {
            throw AirlockError(error, mount: bound.mount)
        }
    }

    // MARK: Reading

    private static let read: Route.Handler = { call in
        let bound = try bound(call)
        let reader = try call.reader(of: bound)
        guard let path = try? SecretPath(call["path"]) else { throw AirlockError.absent }
        if reader.isCounted {
            let response = try await pass(call)
            if response.status == .ok { call.noteRead(of: path) }
            return response
        }
        let served = try await bound.readThrough.read(
            path, version: bound.mount.kvVersion == 2 ? try call.version : nil, directives: call.directives,
            for: reader)
        if served.secret?.data != nil { call.noteRead(of: path) }
        let response = rendered(served, isVersioned: bound.mount.kvVersion == 2)
        guard let kept = served.kept else { return response }
        return response.kept(as: try call.reading(of: path, fetched: kept.fetched, until: kept.until))
    }

    private static func rendered(_ served: Served, isVersioned: Bool) -> VaultResponse {
        var response = VaultResponse(status: .notFound, body: .bare(["errors": .array([])]))
        if let secret = served.secret {
            let data = secret.data?.json ?? .null
            response =
                isVersioned
                ? .data(
                    [.init("data", data), .init("metadata", secret.metadata?.json ?? .null)],
                    status: secret.data == nil ? .notFound : .ok)
                : .json(data, leaseDuration: secret.leaseDuration)
        }
        response.headers = served.headers
        return response
    }

    // MARK: Passing on

    private static let pass: Route.Handler = { call in
        // A folder is no secret. A vault cuts the slash off, and a rule on the name without it would not be met.
        guard call.request.operation != .read || !call.request.path.hasSuffix("/") else { throw AirlockError.absent }
        do {
            var response = try await passed(call)
            if call.request.operation != .write {
                response.headers = [Served.cacheHeader: Served.Outcome.bypass.rawValue]
            }
            return response
        } catch let error as UpstreamError {
            throw AirlockError(error, mount: try bound(call).mount)
        }
    }

    private static let change: Route.Handler = { call in
        let path = try SecretPath(call["path"])
        let bound = try bound(call)
        let response: VaultResponse
        do {
            response = try await passed(call)
        } catch let error as UpstreamError {
            if error.mayHaveBeenDone { await bound.readThrough.invalidate(.path(mount: bound.mount.path, path)) }
            throw AirlockError(error, mount: bound.mount)
        }
        switch response.status.kind {
        case .successful:
            var written: SecretPayload?
            if case .verbatim(let answer) = response.body { written = answer }
            await bound.readThrough.changed(path, written: written)
        case .clientError: break
        default: await bound.readThrough.invalidate(.path(mount: bound.mount.path, path))
        }
        return response
    }

    /// - Throws: `UpstreamError`, and what the embedded store throws.
    private static func passed(_ call: Call) async throws -> VaultResponse {
        let bound = try bound(call)
        guard let upstream = bound.upstream else { return try await embedded(call) }
        try call.refuseWrapping(of: "a backend's own answer")
        let request = ForwardedRequest(
            method: call.request.method, path: String(call.request.path.dropFirst(bound.mount.path.count)),
            query: "", contentType: call.request.contentType, body: SecretPayload(call.request.rawBody))
        let answer = try await upstream.forward(
            request.asking(call.request), as: try call.reader(of: bound).credential)
        return VaultResponse(status: .init(code: answer.status), body: .verbatim(answer.body))
    }

    /// The same call on the embedded store, when that is the mount's first backend.
    private static func embedded(_ call: Call) async throws -> VaultResponse {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        let engine = Engine(mount, isBound: false)
        let below = String(call.request.path.dropFirst(mount.path.count))
        guard let (route, captures) = engine.route(for: below, call.request.operation) else {
            return try engine.unrouted(call)
        }
        guard let handler = route.operations[call.request.operation] else { throw AirlockError.unsupportedOperation }
        var call = call
        call.captures = captures
        return try await handler(call)
    }
}

extension ForwardedRequest {
    /// The request, asking for what Airlock has understood and checked the right to: a vault that reads a query otherwise
    /// must not take a list for a read. So the query is written anew from its fields.
    fileprivate func asking(_ request: VaultRequest) -> ForwardedRequest {
        var fields = request.query
        fields["list"] = request.operation == .list ? "true" : nil
        fields["scan"] = request.operation == .scan ? "true" : nil
        let query = fields.sorted { $0.key < $1.key }.map { name, value in
            "\(PercentEncoding.encode(name))=\(PercentEncoding.encode(value))"
        }
        let isList = request.operation == .list || request.operation == .scan
        return ForwardedRequest(
            method: isList ? "GET" : method, path: path, query: query.joined(separator: "&"), contentType: contentType,
            body: body)
    }
}

extension UpstreamError {
    /// The request was on its way when it failed.
    fileprivate var mayHaveBeenDone: Bool {
        switch kind {
        case .timeout, .broken, .malformed, .tooLarge, .redirect: true
        default: false
        }
    }
}

extension Served {
    static let cacheHeader = HTTPField.Name("X-Cache")!

    var headers: HTTPFields { [Served.cacheHeader: outcome.rawValue, .age: String(age)] }
}

extension AirlockError {
    /// What a client is told when a mount's backend gave no answer.
    init(_ error: UpstreamError, mount: Mount) {
        switch error.kind {
        case .denied: self = .permissionDenied
        case .invalid: self = .badRequest("the request cannot be passed on to the backend of \(mount.path)")
        case .tooLarge: self = AirlockError(.tooLarge, "the backend's answer is too large")
        default:
            self = AirlockError(
                .unavailable, "the backend of \(mount.path) gave no answer; if this was a write, it may have been done",
                hint: error.message)
        }
    }
}

extension Call {
    func reader(of bound: BoundMount) throws -> MountReader {
        try MountReader(try requirePrincipal(), bound, rights: services.upstream?.rights)
    }

    /// `?version=`; zero, negative and empty mean the latest (VAULT-PROTOCOL 2.3).
    var version: Int? {
        get throws { try queryInteger("version").flatMap { $0 > 0 ? $0 : nil } }
    }

    /// What the client says in `Cache-Control`, if it may: asking the backend at will is a way to wear it out.
    var directives: CacheDirectives {
        guard let header = request.cacheControl,
            principal?.access.allows(.update, on: "sys/airlock/cache-control") ?? false
        else { return CacheDirectives() }
        return CacheDirectives(parsing: header)
    }
}
