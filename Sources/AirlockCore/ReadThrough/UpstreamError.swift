/// Why an upstream gave no usable answer. The message is for the operator: it says what to look at, and never holds a
/// header, a body or a credential.
package struct UpstreamError: Error, Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// The request itself cannot be sent (address, header, local file).
        case invalid
        /// The host name has no address.
        case unresolved
        /// Nothing listens there, or the way there is closed.
        case refused
        case timeout
        case tls
        case proxy
        /// The connection broke before the answer was complete.
        case broken
        case tooLarge
        /// The answer is not what this protocol says: HTML, half a JSON, a shape that Vault does not have.
        case malformed
        /// Sent elsewhere; redirects are not followed, for they could take the token along.
        case redirect
        /// The credential itself is not accepted, or the login failed.
        case unauthenticated
        /// The credential is good but may not do this.
        case denied
        /// The path is not served there: no such mount.
        case noSuchMount
        /// Check-and-set: the secret has changed since it was read.
        case conflict
        /// Sealed, not initialised, standby, overloaded, or behind a gateway that does not reach it.
        case unavailable
        /// An internal error there (500), which may be about this one request.
        case failed
        /// An older version than the same upstream answered before.
        case outdated
        /// Refused as wrong for another reason.
        case rejected
        /// Airlock cannot do this yet.
        case unsupported
    }

    package let kind: Kind
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package static let outdated = UpstreamError(
        .outdated, "the upstream answered an older version than before, as a lagging replica does")

    /// Another request would most likely fail the same way, whatever it asks for.
    package var isOutage: Bool {
        switch kind {
        case .unresolved, .refused, .timeout, .tls, .proxy, .unavailable, .unauthenticated: true
        case .invalid, .broken, .tooLarge, .malformed, .failed, .redirect, .denied, .noSuchMount, .conflict, .outdated,
            .rejected, .unsupported:
            false
        }
    }

    /// There is no way to the upstream, whatever is asked of it.
    package var isUnreachable: Bool {
        switch kind {
        case .unresolved, .refused, .tls, .proxy: true
        default: false
        }
    }

    /// The upstream did not do its part. Several in a row are as good as an outage.
    package var isFailure: Bool {
        switch kind {
        case .broken, .malformed, .failed, .redirect: true
        default: isOutage
        }
    }
}

extension UpstreamError: CustomStringConvertible {
    package var description: String { message }
}
