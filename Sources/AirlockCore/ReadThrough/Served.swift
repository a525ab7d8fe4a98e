/// Who reads, with what rights.
package protocol SecretReader: Sendable {
    /// With whose rights the backend is asked for this reader.
    var credential: Credential { get }
    /// - Throws: `AirlockError.permissionDenied` unless the reader may read the path; `unavailable` when that cannot be told.
    func authorizeRead(of path: SecretPath) async throws
}

/// An answer and where it comes from.
package struct Served: Sendable, Equatable {
    package enum Outcome: String, Sendable, CaseIterable {
        /// Cached and fresh.
        case hit = "HIT"
        /// The backend was asked.
        case miss = "MISS"
        /// Cached, past its ttl or not confirmed, because the backend could not be asked or the reader did not want it asked.
        case stale = "STALE"
        /// The cached answer that there is nothing.
        case negative = "NEGATIVE"
        /// The backend was asked because the reader demanded it.
        case bypass = "BYPASS"
    }

    /// `nil`: there is nothing.
    package let secret: Secret?
    package let outcome: Outcome
    /// Whole seconds since the backend said so.
    package let age: Int
    /// `nil` unless the same may be answered again without a look at the cache.
    package var kept: Kept?

    package struct Kept: Sendable, Equatable {
        package let fetched: Timestamp
        /// From then on the cache is to be looked at again.
        package let until: Timestamp
    }
}
