import AirlockCore
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore

struct ConjurResponse: Sendable {
    enum Body: Sendable {
        case none
        case json(JSON)
        /// Text that is no JSON, such as an API key.
        case text(SecretText)
        /// A variable's value.
        case value(SecretPayload)
    }

    var status = HTTPResponse.Status.ok
    var body = Body.none
    var headers: HTTPFields = [:]
    /// A token that was issued, for the audit log.
    var issued: IssuedToken?

    func rendered() -> Response {
        var headers = headers
        headers[.cacheControl] = "no-store"
        var bytes: [UInt8] = []
        switch body {
        case .none: break
        case .json(let json):
            bytes = json.bytes
            headers[.contentType] = "application/json; charset=utf-8"
        case .text(let text):
            bytes = Array(text.revealed.utf8)
            headers[.contentType] = "text/plain; charset=utf-8"
        case .value(let value):
            bytes = value.bytes
            headers[.contentType] = "application/octet-stream"
            // A value is no page, whoever opens it.
            headers[.contentDisposition] = "attachment"
        }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// As the audit log hashes it.
    var audited: JSON {
        switch body {
        case .none: .null
        case .json(let json): json
        case .text(let text): .string(text.revealed)
        case .value(let value): .string(String(decoding: value.bytes, as: UTF8.self))
        }
    }
}

/// An error in Conjur's shape: `{"error": {"code": "...", "message": "..."}}`, and without a body where it is about who asks.
struct ConjurError: Error {
    let status: HTTPResponse.Status
    /// `nil`: the answer has no body.
    let code: String?
    let message: String

    init(_ status: HTTPResponse.Status, _ code: String?, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    init(_ error: AirlockError) {
        let message = error.message ?? "it is not there"
        switch error.code {
        case .invalidToken: self.init(.unauthorized, nil, message)
        case .permissionDenied: self.init(.forbidden, nil, "permission denied")
        case .badRequest: self.init(.unprocessableContent, "argument_error", message)
        case .notFound: self.init(.notFound, "not_found", message)
        case .notAllowed: self.init(.methodNotAllowed, "not_allowed", message)
        case .conflict: self.init(.conflict, "conflict", message)
        case .preconditionFailed: self.init(.preconditionFailed, "precondition_failed", message)
        case .tooLarge: self.init(.contentTooLarge, "too_large", message)
        case .tooMany: self.init(.tooManyRequests, "too_many_requests", message)
        case .unsupportedMedia: self.init(.unsupportedMediaType, "unsupported_media_type", message)
        case .vaultServerError, .broken: self.init(.internalServerError, "internal_error", message)
        case .unavailable: self.init(.serviceUnavailable, "unavailable", message)
        case .notCached: self.init(.gatewayTimeout, "not_cached", message)
        }
    }

    /// Conjur's own words.
    static func absent(_ id: String) -> ConjurError {
        ConjurError(
            .notFound, "not_found",
            "CONJ00076E Variable \(ConjurAccount.name):variable:\(id) is empty or not found.")
    }

    var response: ConjurResponse {
        var response = ConjurResponse(status: status)
        if let code { response.body = .json(["error": ["code": .string(code), "message": .string(message)]]) }
        if status == .unauthorized { response.headers[.wwwAuthenticate] = "Token" }
        if [.serviceUnavailable, .conflict, .tooManyRequests].contains(status) {
            response.headers[.retryAfter] = VaultResponse.retryAfter
        }
        return response
    }
}
