import AirlockCore
import HTTPTypes

/// Response wrapping: `sys/wrapping`, and what an answer becomes when its request asks for it (VAULT-PROTOCOL 9).
enum WrappingRoutes {
    static let table: [Route] = [
        Route("wrapping/wrap", [.write: wrap]),
        Route("wrapping/lookup", access: .unread, [.write: lookup, .read: lookup]),
        Route("wrapping/unwrap", access: .unread, [.write: unwrap, .read: unwrap]),
        Route("wrapping/rewrap", access: .unread, [.write: rewrap, .read: rewrap]),
    ]

    private static let invalid = AirlockError.badRequest("wrapping token is not valid or does not exist")

    private static let wrap: Route.Handler = { call in
        guard call.request.wrapTTL != nil else {
            throw AirlockError.badRequest("endpoint requires response wrapping to be used")
        }
        return .json(call.request.fields)
    }

    private static let lookup: Route.Handler = { call in
        guard let token = try call.wrapping.lookup(try wrappingToken(call).text) else { throw invalid }
        return .data([
            .init("creation_path", .string(token.path)), .init("creation_time", .string(token.issued.rfc3339)),
            .init("creation_ttl", .integer(token.creationTTL)),
        ])
    }

    private static let unwrap: Route.Handler = { call in
        let (text, isCaller) = try wrappingToken(call)
        try await authorize(call, wrappingToken: text, isCaller: isCaller)
        guard let content = try await call.wrapping.unwrap(text) else { throw spent(call, text, isCaller: isCaller) }
        return try VaultResponse(wrapped: content)
    }

    private static let rewrap: Route.Handler = { call in
        let (text, isCaller) = try wrappingToken(call)
        try await authorize(call, wrappingToken: text, isCaller: isCaller)
        guard let made = try await call.wrapping.rewrap(text, ttl: call.request.wrapTTL) else {
            throw spent(call, text, isCaller: isCaller)
        }
        return VaultResponse(wrappedIn: made)
    }

    /// The one in the body, or else the caller's own.
    private static func wrappingToken(_ call: Call) throws -> (text: String, isCaller: Bool) {
        if let text = try call.fields.string("token"), !text.isEmpty { return (text, false) }
        guard let text = call.ownToken else {
            throw AirlockError(.permissionDenied, "error validating wrapping token: token is empty")
        }
        return (text, true)
    }

    /// The wrapping token is looked at first: one that is not valid is a 400 whoever asks, and a request that is refused for
    /// its caller's sake leaves it as it is. A wrapping token that is itself the caller is used up by the refusal.
    private static func authorize(_ call: Call, wrappingToken text: String, isCaller: Bool) async throws {
        guard try call.wrapping.lookup(text) != nil else { throw invalid }
        let wanted = VaultSurface.capability(call.request.operation)
        let services = call.services
        if isCaller, services.registry.accessControl([Policy.wrapping]).allows(wanted, on: call.request.path) { return }
        guard let token = call.request.token else { throw AirlockError.invalidToken }
        let principal = try await services.principal(token, source: call.request.source)
        guard principal.access.allows(wanted, on: call.request.path) else { throw AirlockError.permissionDenied }
    }

    /// Gone between the look at it and the taking: another was faster, or it was in the body and the header, and the latter
    /// used it up.
    private static func spent(_ call: Call, _ text: String, isCaller: Bool) -> AirlockError {
        guard !isCaller, call.ownToken == text else { return invalid }
        return AirlockError(
            .vaultServerError,
            AirlockError.multi(
                "error decrementing wrapping token's use-count: invalid token entry provided for use count decrementing"
            ))
    }
}

extension Call {
    fileprivate var wrapping: Wrapping {
        Wrapping(storage: services.storage, namespace: services.registry.namespace, now: services.now)
    }

    fileprivate var ownToken: String? { request.token.map { String(decoding: $0.bytes, as: UTF8.self) } }

    /// For what answers with a body that is not Airlock's own: it would go out unwrapped, in the clear.
    /// - Parameter subject: what cannot be wrapped.
    func refuseWrapping(of subject: String) throws {
        guard request.wrapTTL == nil else {
            throw AirlockError.badRequest("\(subject) cannot be wrapped: send the request without X-Vault-Wrap-TTL")
        }
    }
}

extension VaultResponse {
    /// What the client gets: the answer itself, or where it asked for that, a token for it. Errors, answers without a body
    /// and those without the envelope are never wrapped.
    func wrapped(for call: Call) async throws -> VaultResponse {
        guard let ttl = call.request.wrapTTL, case .envelope(let envelope) = body, envelope.wrapInfo.isNull else {
            return self
        }
        let displayName = call.principal?.token.displayName ?? call.mount.map { String($0.path.dropLast()) } ?? ""
        let made = try await call.wrapping.wrap(
            SecretPayload(envelope.wrappable(status: status)), path: call.request.pathAsRouted,
            displayName: displayName, ttl: ttl)
        var accessor = envelope.auth["accessor"]?.text
        if call.mount?.engine == .approle { accessor = accessor ?? envelope.data["secret_id_accessor"]?.text }
        var response = VaultResponse(wrappedIn: made, accessor: accessor)
        response.headers = headers
        return response
    }

    /// - Parameter accessor: of the token or secret id inside.
    fileprivate init(wrappedIn made: IssuedToken, accessor: String? = nil) {
        var members: [JSON.Member] = [
            .init("token", .string(String(decoding: made.text.bytes, as: UTF8.self))),
            .init("accessor", .string(made.token.accessor)), .init("ttl", .integer(made.token.creationTTL)),
            .init("creation_time", .string(made.token.issued.rfc3339)),
            .init("creation_path", .string(made.token.path)),
        ]
        if let accessor, !accessor.isEmpty { members.append(.init("wrapped_accessor", .string(accessor))) }
        self.init(status: .ok, body: .envelope(Envelope(wrapInfo: .object(members))))
    }

    /// What `Envelope.wrappable` made.
    fileprivate init(wrapped content: SecretPayload) throws {
        let parts = content.bytes.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
        let head = try JSON(parsing: parts[0])
        self.init(
            status: HTTPResponse.Status(code: head["status"]?.integer ?? 200),
            body: .envelope(
                Envelope(
                    data: .verbatim(Array(parts[1])), auth: head["auth"] ?? .null,
                    warnings: (head["warnings"]?.elements ?? []).compactMap(\.text),
                    leaseDuration: head["lease_duration"]?.integer ?? 0)))
    }
}

extension VaultResponse.Envelope {
    /// The answer as it is kept: one line about it, then its data byte for byte, however large that is.
    fileprivate func wrappable(status: HTTPResponse.Status) -> [UInt8] {
        let head: JSON = [
            "status": .integer(status.code), "auth": auth, "warnings": .strings(warnings),
            "lease_duration": .integer(leaseDuration),
        ]
        return head.bytes + [0x0A] + data.bytes
    }
}
