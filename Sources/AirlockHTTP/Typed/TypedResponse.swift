import AirlockCore
import HTTPTypes
import HummingbirdCore
import NIOCore

struct TypedResponse: Sendable {
    var status = HTTPResponse.Status.ok
    var body: JSON?
    var headers: HTTPFields = [:]
    /// What was read for a plain read, for the front to keep.
    var reading: KeptReading?

    var bytes: [UInt8] { body.map { $0.bytes + [0x0A] } ?? [] }

    func rendered() -> Response {
        var headers = headers
        headers[.cacheControl] = "no-store"
        guard body != nil else { return Response(status: status, headers: headers) }
        headers[.contentType] = "application/json"
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// An error in the shape of Airflow's API: `{"detail": "..."}`, and of a 422, which clients read as a list of places and
/// reasons, `{"detail": [{"loc": [...], "msg": "...", "type": "value_error"}]}`.
struct TypedError: Error {
    let status: HTTPResponse.Status
    let detail: String
    /// What a 422 is about: `body` or `query`, and the way from there; `stored` is what was to be read.
    private let location: [String]

    init(_ status: HTTPResponse.Status, _ detail: String, at location: [String] = ["body"]) {
        self.status = status
        self.detail = detail
        self.location = location
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
        location = ["body"]
    }

    var response: TypedResponse {
        var headers: HTTPFields = [:]
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        if status == .serviceUnavailable { headers[.retryAfter] = VaultResponse.retryAfter }
        return TypedResponse(status: status, body: ["detail": shown], headers: headers)
    }

    private var shown: JSON {
        guard status == .unprocessableContent else { return .string(detail) }
        let places = location.map { part in Int(part).map { JSON.integer($0) } ?? .string(part) }
        return [["loc": .array(places), "msg": .string(detail), "type": "value_error"]]
    }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : String(self)
    }
}
