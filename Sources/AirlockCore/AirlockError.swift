/// Something that could not be done, told to the one who asked. The message is fit for a stranger: it names paths, fields
/// and rules, never a secret, a token or any part of a request body.
package struct AirlockError: Error, Sendable, Equatable {
    /// What happened, in terms every surface can render; the Vault surface's status is beside each
    /// (VAULT-PROTOCOL 1.3: `permissionDenied` is 403 and never 401, because `VaultBackend` logs in again on 403 only).
    package enum Code: Sendable, Equatable {
        /// 400: the request is wrong and would be wrong again.
        case badRequest
        /// 403: the token is missing, unknown, expired or revoked.
        case invalidToken
        /// 403: the token is good, its policies do not allow this.
        case permissionDenied
        /// 404: nothing is there.
        case notFound
        /// 405: the path is known, the operation is not.
        case notAllowed
        /// 409: it exists already (typed surface only).
        case conflict
        /// 412: a header that the listener demands is missing.
        case preconditionFailed
        /// 413: the body is over the cap.
        case tooLarge
        /// 415: a PATCH without `application/merge-patch+json`.
        case unsupportedMedia
        /// 429: faster than is allowed; it can be sent again a second later.
        case tooMany
        /// 500: Vault itself answers 500 for these few client mistakes.
        case vaultServerError
        /// 500: something is broken here; `hint` tells the operator what to do.
        case broken
        /// 503: the mount's backend cannot be asked and nothing usable is cached. Try again in a second.
        case unavailable
        /// 504: the client wanted a cached answer only (`only-if-cached`), and there is none.
        case notCached
    }

    package let code: Code
    /// For the client. `nil` where Vault answers with an empty list of errors.
    package let message: String?
    /// For the operator's log: what to do about it.
    package let hint: String?

    package init(_ code: Code, _ message: String?, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package static func badRequest(_ message: String) -> AirlockError { .init(.badRequest, message) }
    package static let absent = AirlockError(.notFound, nil)
    package static let invalidToken = AirlockError(.invalidToken, "permission denied")
    package static let permissionDenied = AirlockError(.permissionDenied, multi("permission denied"))
    /// - Parameter path: as Go quotes it.
    package static func noHandler(_ path: String) -> AirlockError {
        .init(.notFound, "no handler for route \"\(path)\". route entry not found.")
    }
    package static let noBatchTokens = badRequest("batch tokens are not supported: use a service token")
    package static let unsupportedPath = AirlockError(.notFound, multi("unsupported path"))
    package static let unsupportedOperation = AirlockError(.notAllowed, multi("unsupported operation"))

    /// The text of Go's multierror with one error, which Vault's clients have come to expect around some messages.
    package static func multi(_ message: String) -> String { multi([message]) }

    package static func multi(_ messages: [String]) -> String {
        let count = messages.count == 1 ? "1 error" : "\(messages.count) errors"
        return "\(count) occurred:\n" + messages.map { "\t* \($0)\n" }.joined() + "\n"
    }
}
