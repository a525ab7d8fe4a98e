import AirlockCore
import HTTPTypes
import Synchronization

/// The two entries of one request: `begin` before anything is done, `end` before the answer goes out.
final class AuditTrail: Sendable {
    private let log: AuditLog
    private let now: Now
    private let request: AuditedRequest
    /// What the request's entry said; `nil` until it is written.
    private let entry = Mutex<AuditEntry?>(nil)

    init(_ request: AuditedRequest, log: AuditLog, now: @escaping Now) {
        self.request = request
        self.log = log
        self.now = now
    }

    var id: String { request.id }

    /// - Parameters:
    ///   - fill: adds what has become known of the request.
    ///   - refusal: why it goes no further.
    /// - Throws: when the entry cannot be written; then nothing may be done.
    func begin(refusal: (any Error)? = nil, _ fill: (inout AuditedRequest) -> Void = { _ in }) async throws {
        var request = request
        fill(&request)
        let entry = AuditEntry(request, hash: log.hash)
        try await log.record(entry.requestLine(at: now(), error: refusal.flatMap(AuditTrail.text)))
        self.entry.withLock { $0 = entry }
    }

    /// - Throws: when the entry cannot be written; then the answer may not go out.
    func end(_ answer: AuditedAnswer) async throws {
        guard let entry = entry.withLock({ $0 }) else { return }
        try await log.record(entry.responseLine(at: now(), answer))
    }

    /// A token that is not good, or that a vault does not verify now, is told, too; what was refused before it was understood
    /// is not (docs/audit.md).
    func end(_ error: any Error) async throws {
        let isStranger =
            [.invalidToken, .unavailable].contains((error as? AirlockError)?.code)
            || (error as? TypedError)?.status == .unauthorized
        if isStranger, entry.withLock({ $0 == nil }) { try await begin(refusal: error) }
        var answer = AuditedAnswer()
        answer.error = AuditTrail.text(error)
        try await end(answer)
    }

    private static func text(_ error: any Error) -> String? {
        switch error {
        case let error as AirlockError: error.message
        case let error as TypedError: error.detail
        case let error as ConjurError: error.message
        default: "internal error"
        }
    }
}

// MARK: The Vault surface

extension AuditTrail {
    /// The state of the server, which anybody may ask for, is not logged, as in OpenBao.
    private static let unaudited: Set<String> = ["sys/health", "sys/seal-status", "sys/leader", "sys/init"]

    /// - Returns: `nil` where nothing is logged.
    convenience init?(_ request: VaultRequest, _ services: Services) {
        guard let log = services.audit, !AuditTrail.unaudited.contains(request.path) else { return nil }
        self.init(
            AuditedRequest(
                id: RandomText.uuid(), operation: AuditTrail.operation(request.operation),
                path: request.pathAsRouted,
                namespace: services.auditedNamespace(named: request.namespace),
                source: request.source, token: request.token),
            log: log, now: services.now)
    }

    private static func operation(_ operation: VaultRequest.Operation) -> String {
        switch operation {
        case .write: "update"
        case .head: "header"
        default: operation.rawValue
        }
    }

    func begin(_ call: Call, _ route: Route?, refusal: (any Error)? = nil) async throws {
        // What a vault would have to be asked for is not asked for the log's sake.
        let isAsked = call.request.operation == .write && call.bound == nil
        let isNew = isAsked ? try? await route?.exists?(call) == false : false
        try await begin(refusal: refusal) { audited in
            if isNew == true { audited.operation = "create" }
            audited.principal = call.principal?.token
            audited.isAllowed = refusal == nil
            audited.mount = call.auditedMount
            audited.data = call.auditedData
            audited.secrets = call.secrets
            audited.wrapTTL = call.request.wrapTTL
        }
    }

    func end(_ response: VaultResponse) async throws {
        var answer = AuditedAnswer()
        switch response.body {
        case .envelope(let envelope):
            answer.data = envelope.data
            answer.auth = envelope.auth
            answer.displayName = envelope.displayName
            answer.wrapInfo = envelope.wrapInfo
            answer.warnings = envelope.warnings
        case .verbatim(let payload):
            // A vault's answer as it came. Its errors may quote what was sent; what is no JSON is hashed whole.
            if let json = try? JSON(parsing: payload.bytes), json.members != nil {
                answer.data = json["data"] ?? json["errors"].map { ["errors": $0] } ?? .null
                answer.warnings = json["warnings"]?.elements?.compactMap(\.text) ?? []
            } else if !payload.bytes.isEmpty {
                answer.data = .string(String(decoding: payload.bytes, as: UTF8.self))
            }
        case .none, .bare, .text: break
        }
        answer.cache = response.headers[Served.cacheHeader]
        try await end(answer)
    }
}

extension Services {
    /// As the log names it.
    /// - Parameter named: the header's; in the root namespace it is a vault's own.
    fileprivate func auditedNamespace(named: String) -> AuditedRequest.Place {
        registry.namespace.isRoot && !named.isEmpty ? .vault(named) : .own(registry.namespace)
    }
}

extension Call {
    fileprivate var auditedMount: Mount? {
        if let mount { return mount.engine.isBuiltIn ? mount.placed(in: services.registry.namespace) : mount }
        if request.path == "sys" || request.path.hasPrefix("sys/") {
            return MountRoutes.system.placed(in: services.registry.namespace)
        }
        return request.path.hasPrefix("auth/token/") ? services.registry.tokenMount : nil
    }

    /// The body of a write, the query of anything else.
    fileprivate var auditedData: JSON {
        if request.operation == .write || request.operation == .patch { return request.fields }
        let query = request.query.filter { $0.key != "list" && $0.key != "scan" }
        return .object(query.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    fileprivate var secrets: AuditedRequest.Secrets {
        if request.path.hasPrefix("auth/") { return .nowhere }
        if request.path.hasPrefix("sys/") {
            return request.path.hasPrefix("sys/wrapping/") ? .everywhere : .nowhere
        }
        return mount?.kvVersion == 2 ? .member("data") : .everywhere
    }
}

// MARK: The typed surface and the Conjur surface

extension AuditTrail {
    /// - Parameter path: percent-decoded, below the server's root.
    convenience init?(
        _ method: HTTPRequest.Method, path: String, namespace: String, token: SecretPayload?, source: String?,
        _ services: Services
    ) {
        guard let log = services.audit else { return nil }
        let operation =
            switch method {
            case .post: "create"
            case .put: "update"
            case .patch: "patch"
            case .delete: "delete"
            default: "read"
            }
        self.init(
            AuditedRequest(
                id: RandomText.uuid(), operation: operation, path: path,
                namespace: services.auditedNamespace(named: namespace), source: source, token: token),
            log: log, now: services.now)
    }

    func begin(_ principal: Principal?, body: JSON?, query: [(name: String, value: String)]) async throws {
        try await begin { audited in
            audited.principal = principal?.token
            audited.data = body ?? .object(query.map { .init($0.name, .string($0.value)) })
        }
    }

    func end(_ response: TypedResponse) async throws {
        var answer = AuditedAnswer()
        answer.data = response.body ?? .null
        answer.cache = response.headers[Served.cacheHeader]
        try await end(answer)
    }

    func end(_ response: ConjurResponse) async throws {
        var answer = AuditedAnswer()
        answer.data = response.issued == nil ? response.audited : .null
        if let issued = response.issued {
            answer.auth = issued.token.auth(text: issued.text)
            answer.displayName = issued.token.displayName
        }
        answer.cache = response.headers[Served.cacheHeader]
        try await end(answer)
    }
}
