import AirlockCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// An answer of the Vault surface (VAULT-PROTOCOL 1.1-1.3).
struct VaultResponse: Sendable {
    enum Body: Sendable {
        case none
        /// The standard envelope around what a call returns.
        case envelope(Envelope)
        /// A body without the envelope: health, seal status.
        case bare(JSON)
        /// The body of a backend's own answer.
        case verbatim(SecretPayload)
        /// Text that is no JSON, and its media type.
        case text(String, String)
    }

    struct Envelope: Sendable {
        var data: JSON = .null
        var auth: JSON = .null
        /// Where the answer itself can be had; then there is nothing else in the envelope.
        var wrapInfo: JSON = .null
        var warnings: [String] = []
        var leaseDuration = 0
        /// Repeat the members of `data` at the top level, as several `sys/` reads do for older clients.
        var repeatsData = false
        var requestID = RandomText.uuid()
        /// The name of the token in `auth`, for the audit log.
        var displayName: String?
    }

    /// An answer given before a request is understood.
    enum Early: Error {
        case redirect(to: String)
        case empty(status: HTTPResponse.Status)
    }

    let status: HTTPResponse.Status
    var body: Body
    /// Beside those of every answer.
    var headers: HTTPFields = [:]
    /// What was read for a plain read, for the front to keep.
    var reading: Front.Reading?

    static let noContent = VaultResponse(status: .noContent, body: .none)

    static func empty(_ status: HTTPResponse.Status) -> VaultResponse { VaultResponse(status: status, body: .none) }

    static func data(
        _ members: [JSON.Member], status: HTTPResponse.Status = .ok, repeatsData: Bool = false, leaseDuration: Int = 0,
        warnings: [String] = []
    ) -> VaultResponse {
        let data = JSON.object(members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        return VaultResponse(
            status: status,
            body: .envelope(
                Envelope(data: data, warnings: warnings, leaseDuration: leaseDuration, repeatsData: repeatsData)))
    }

    static func json(_ data: JSON, leaseDuration: Int = 0) -> VaultResponse {
        VaultResponse(status: .ok, body: .envelope(Envelope(data: data, leaseDuration: leaseDuration)))
    }

    static func auth(_ auth: JSON, warnings: [String], displayName: String? = nil) -> VaultResponse {
        VaultResponse(
            status: .ok, body: .envelope(Envelope(auth: auth, warnings: warnings, displayName: displayName)))
    }

    /// A call that would answer 204 but has something to say.
    static func warning(_ text: String, status: HTTPResponse.Status = .ok) -> VaultResponse {
        warnings([text], status: status)
    }

    static func warnings(_ texts: [String], status: HTTPResponse.Status = .ok) -> VaultResponse {
        VaultResponse(status: status, body: .envelope(Envelope(warnings: texts)))
    }

    /// A call that answers 204 unless it has something to say.
    static func noContent(warnings: [String]) -> VaultResponse {
        warnings.isEmpty ? .noContent : VaultResponse(status: .ok, body: .envelope(Envelope(warnings: warnings)))
    }

    /// OpenBao tidies later and says so; here it is done.
    static let tidied = VaultResponse.warning(
        "Tidy operation successfully started. What there was to tidy is gone already.", status: .accepted)

    /// Keys as a list answers them; an empty one is a 404.
    static func keys(_ keys: [String]) throws -> VaultResponse {
        guard !keys.isEmpty else { throw AirlockError.absent }
        return .data([.init("keys", .strings(keys))])
    }

    /// The same answer with a word about fields that were not looked at; an answer without a body stays without, and so does
    /// one about something that is gone.
    func warning(of unrecognized: [String]) -> VaultResponse {
        guard !unrecognized.isEmpty, status != .notFound, case .envelope(var envelope) = body else { return self }
        envelope.warnings.append(
            "Endpoint ignored these unrecognized parameters: [\(unrecognized.joined(separator: " "))]")
        return VaultResponse(status: status, body: .envelope(envelope), headers: headers)
    }

    /// The same answer under the id that the audit log has for it; a vault's own answer keeps its id.
    func identified(as id: String) -> VaultResponse {
        guard case .envelope(var envelope) = body else { return self }
        envelope.requestID = id
        return VaultResponse(status: status, body: .envelope(envelope), headers: headers)
    }

    // MARK: Rendering

    private static let strictTransport = HTTPField.Name("Strict-Transport-Security")!

    private static let commonHeaders: HTTPFields = [
        .cacheControl: "no-store",
        .contentType: "application/json",
        strictTransport: "max-age=31536000; includeSubDomains",
    ]

    func rendered() -> Response {
        var bytes: [UInt8] = []
        switch body {
        case .none: break
        case .verbatim(let payload): bytes = payload.bytes
        case .text(let text, _): bytes = Array(text.utf8)
        case .bare(let content): bytes = content.bytes + [0x0A]
        case .envelope(let envelope): bytes = envelope.json.bytes + [0x0A]
        }
        var fields = HTTPFields(VaultResponse.commonHeaders + headers)
        if case .text(_, let type) = body { fields[.contentType] = type }
        guard !bytes.isEmpty else { return Response(status: status, headers: fields) }
        return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Seconds. Never more: hvac sleeps that long before each of its three retries.
    static let retryAfter = "1"

    static func rendered(_ error: AirlockError) -> Response {
        let errors = JSON.strings(error.message.map { [$0] } ?? [])
        var response = VaultResponse(status: error.vaultStatus, body: .bare(["errors": errors])).rendered()
        if error.code == .unavailable || error.code == .tooMany { response.headers[.retryAfter] = retryAfter }
        return response
    }

    static func rendered(_ early: Early) -> Response {
        switch early {
        case .empty(let status): return VaultResponse.empty(status).rendered()
        case .redirect(let location):
            var response = VaultResponse.empty(.temporaryRedirect).rendered()
            response.headers[.location] = location
            return response
        }
    }
}

extension VaultResponse.Envelope {
    var json: JSON {
        var members: [JSON.Member] = []
        if repeatsData { members += data.members ?? [] }
        members += [
            .init("request_id", .string(wrapInfo.isNull ? requestID : "")), .init("lease_id", ""),
            .init("renewable", false), .init("lease_duration", .integer(leaseDuration)), .init("data", data),
            .init("wrap_info", wrapInfo), .init("warnings", warnings.isEmpty ? .null : .strings(warnings)),
            .init("auth", auth),
        ]
        return .object(members)
    }
}

extension AirlockError {
    /// The Vault surface's status.
    var vaultStatus: HTTPResponse.Status {
        switch code {
        case .badRequest, .conflict: .badRequest
        case .invalidToken, .permissionDenied: .forbidden
        case .notFound: .notFound
        case .notAllowed: .methodNotAllowed
        case .preconditionFailed: .preconditionFailed
        case .tooLarge: .contentTooLarge
        case .tooMany: .tooManyRequests
        case .unsupportedMedia: .unsupportedMediaType
        case .vaultServerError, .broken: .internalServerError
        case .unavailable: .serviceUnavailable
        case .notCached: .gatewayTimeout
        }
    }
}
