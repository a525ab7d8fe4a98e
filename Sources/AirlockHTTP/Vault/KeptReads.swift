import AirlockCore
import HTTPTypes
import HummingbirdCore

/// What of the ordinary way's answers the front may give again, to whoever asks the same way.
extension VaultSurface {
    /// Keeps the answer to a plain read: a GET of a secret by its own name, with nothing that asks for more than the secret.
    func keep(
        _ response: VaultResponse, to request: Request, _ parsed: VaultRequest, since begun: Front.Moment
    ) {
        guard let reading = response.reading, response.status == .ok, parsed.method == "GET",
            parsed.namespace.isEmpty, parsed.wrapTTL == nil, parsed.cacheControl == nil,
            (request.head.path ?? "").utf8.elementsEqual(reading.target)
        else { return }
        services.storage.front.keep(reading, since: begun)
    }
}

extension TypedSurface {
    /// As for the Vault surface.
    func keep(_ response: TypedResponse, to request: Request, since begun: Front.Moment) {
        guard let reading = response.reading?.reading(SecretPayload(response.bytes)), response.status == .ok,
            request.method == .get, VaultRequest.namespace(request.headers).isEmpty,
            (request.head.path ?? "").utf8.elementsEqual(reading.target)
        else { return }
        services.storage.front.keep(reading, since: begun)
    }
}

extension VaultResponse {
    /// - Parameter reading: without the answer, which is this one.
    func kept(as reading: KeptReading?) -> VaultResponse {
        guard let reading, case .envelope(let envelope) = body else { return self }
        var response = self
        response.reading = reading.reading(
            SecretPayload(envelope.data.bytes), leaseDuration: envelope.leaseDuration)
        return response
    }
}

/// A reading that waits for its answer to be put together.
struct KeptReading {
    let principal: Principal
    let token: SecretPayload
    let line: TokenLine
    let mount: Mount
    let hits: Metrics.Count?
    let path: SecretPath
    /// `nil`: of the Vault surface.
    let typed: (prefix: String, folder: String)?
    let validity: Front.Validity

    /// - Parameter validity: `nil` is an answer for one request alone.
    /// - Returns: `nil` where nothing is to be kept.
    init?(
        _ path: SecretPath, on mount: Mount, by principal: Principal, token: SecretPayload,
        typed: (prefix: String, folder: String)? = nil, validity: Front.Validity?, services: Services
    ) throws {
        let bound = services.registry.bound[mount.path]
        guard let validity, (bound == nil) == (validity.fetched == nil), bound?.authorization != .upstream,
            let line = try TokenLine(principal.found, in: services.storage)
        else { return nil }
        hits = bound == nil ? nil : services.metrics.count(.reads, mount.path, Served.Outcome.hit.rawValue)
        (self.principal, self.token, self.line, self.mount, self.path) = (principal, token, line, mount, path)
        (self.typed, self.validity) = (typed, validity)
    }

    func reading(_ data: SecretPayload, leaseDuration: Int = 0) -> Front.Reading {
        Front.Reading(
            presented: token, token: principal.token, access: principal.access, line: line, mount: mount, hits: hits,
            path: path, typed: typed,
            answer: Front.Answer(data: data, leaseDuration: leaseDuration, validity: validity))
    }
}

extension Call {
    /// - Parameters:
    ///   - fetched: when a vault said so; `nil` for what lies in the embedded store.
    ///   - until: from then on the answer may be another one.
    /// - Returns: `nil` where the answer is for this one request alone.
    func reading(of path: SecretPath, fetched: Timestamp?, until: Timestamp?) throws -> KeptReading? {
        guard let mount, let principal, let token = request.token, request.query.isEmpty else { return nil }
        return try KeptReading(
            path, on: mount, by: principal, token: token, validity: Front.Validity(fetched: fetched, until: until),
            services: services)
    }
}
