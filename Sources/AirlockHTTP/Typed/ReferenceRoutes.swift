import AirlockCore
import HTTPTypes

/// `POST /api/v2/references`: the values of references, each with its own error. A secret is read as on the Vault surface, with
/// the same rights, entries in the audit log and last reads; once for a request, however many references name it.
enum ReferenceRoutes {
    /// A body of more would hold up the others.
    private static let limit = 500

    static let resolve: TypedSurface.Handler = { call in
        let principal = try call.requirePrincipal()
        guard principal.token.usesGranted == nil, principal.token.upstream?.isCounted != true else {
            throw TypedError(.forbidden, "a token for a limited number of requests makes one call a request")
        }
        let body = try TypedBody(call.body, known: ["references", "prefixes"])
        guard let elements = body["references"]?.elements, (1...limit).contains(elements.count) else {
            throw body.invalid("references", "must be a list of 1 to \(limit)")
        }
        let texts = try elements.map { element in
            guard let text = element.text else { throw body.invalid("references", "must be a list of strings") }
            return Result { () throws(ReferenceFault) in try ReferenceText(text) }
        }
        guard texts.reduce(0, { $0 + ((try? $1.get())?.references.count ?? 0) }) <= limit else {
            throw body.invalid("references", "hold more than \(limit) references")
        }
        let resolver = ReferenceResolver(
            source: MountedReferences(call: call, principal: principal), prefixes: try prefixes(body))
        let results = try await resolver.values(of: texts).map { result($0.text) }
        return TypedResponse(body: ["results": .array(results)])
    }

    private static func prefixes(_ body: TypedBody) throws -> ReferencePrefixes {
        guard let json = body["prefixes"] else { return .none }
        guard let members = json.members else {
            throw body.invalid("prefixes", "must be an object of names and places")
        }
        let pairs = try members.map { member in
            guard let place = member.value.text else { throw body.invalid("prefixes", "must name a place each") }
            return (name: member.name, place: place)
        }
        do throws(ReferenceFault) {
            return try ReferencePrefixes(pairs)
        } catch {
            throw body.invalid("prefixes", "cannot be used: \(error.reason)")
        }
    }

    private static func result(_ value: Result<String, ReferenceFault>) -> JSON {
        switch value {
        case .success(let text): ["status": 200, "value": .string(text)]
        case .failure(let fault): ["status": .integer(fault.kind.status.code), "error": .string(fault.message)]
        }
    }
}

extension ReferenceFault.Kind {
    fileprivate var status: HTTPResponse.Status {
        switch self {
        case .malformed: .badRequest
        case .denied: .forbidden
        case .absent: .notFound
        case .unusable: .unprocessableContent
        case .unavailable: .serviceUnavailable
        case .failed: .internalServerError
        }
    }
}

/// The mounts of this server, with one principal's rights.
private struct MountedReferences: ReferenceSource {
    let call: TypedCall
    let principal: Principal

    func mount(of path: String) async throws -> ReferenceMount {
        let here = call.surface.services
        // A path may lead into a namespace, as it may on the Vault surface.
        let (registry, below) = here.registry.descend(path)
        let services = registry === here.registry ? here : here.within(registry)
        let principal = try services.principal(principal.found)
        guard let mount = services.mount(for: below, opening: principal), mount.engine == .kv else {
            // Whether a mount exists is told only to those who may reach something in it.
            throw principal.access.allows(.read, on: below)
                ? ReferenceFault(.absent, "it lies in no KV mount") : ReferenceFault(.denied, "permission denied")
        }
        let way = registry.namespace.path(from: here.registry.namespace) ?? ""
        return ReferenceMount(path: way + mount.path, kvVersion: mount.kvVersion)
    }

    func secret(_ path: SecretPath, version: Int?, in mount: ReferenceMount) async throws -> JSON? {
        let isVersioned = mount.kvVersion == 2
        var request = try VaultRequest(
            .read, mount.path + (isVersioned ? "data/" : "") + path.text, body: nil, headers: call.headers,
            source: call.source, version: version)
        let services = try call.surface.services.located(&request)
        let response: VaultResponse
        do {
            response = try await VaultSurface(services: services, bodyLimit: call.surface.bodyLimit)
                .answer(request, as: try services.principal(principal.found))
        } catch {
            let error = try Surfaces.explained(error, logger: call.logger)
            if error == .absent { return nil }
            throw ReferenceFault(error)
        }
        // A deleted version is a 404 with its metadata.
        guard response.status == .ok else { return nil }
        let data = try JSON(parsing: response.content.bytes)["data"]
        return isVersioned ? data?["data"] : data
    }
}

extension ReferenceFault {
    fileprivate init(_ error: AirlockError) {
        switch error.code {
        case .permissionDenied, .invalidToken: self.init(.denied, "permission denied")
        case .unavailable, .tooMany: self.init(.unavailable, error.message ?? "its backend cannot be asked")
        case .notFound: self.init(.absent, error.message ?? "there is no such secret")
        default: self.init(.failed, error.message ?? "it cannot be read")
        }
    }
}
