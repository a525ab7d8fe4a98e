import AirlockCore
import HTTPTypes
import Hummingbird

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

extension VaultResponse {
    /// - Parameter reading: without the answer, which is this one.
    func kept(as reading: KeptReading?) -> VaultResponse {
        guard let reading, case .envelope(let envelope) = body else { return self }
        var response = self
        response.reading = reading(envelope)
        return response
    }
}

/// A reading that waits for its answer to be put together.
struct KeptReading {
    fileprivate let make: (SecretPayload, Int) -> Front.Reading

    fileprivate func callAsFunction(_ envelope: VaultResponse.Envelope) -> Front.Reading {
        make(SecretPayload(envelope.data.bytes), envelope.leaseDuration)
    }
}

extension Call {
    /// - Parameters:
    ///   - fetched: when a vault said so; `nil` for what lies in the embedded store.
    ///   - until: from then on the answer may be another one.
    /// - Returns: `nil` where the answer is for this one request alone.
    func reading(of path: SecretPath, fetched: Timestamp?, until: Timestamp?) throws -> KeptReading? {
        guard let mount, let principal, let text = request.token, request.query.isEmpty,
            (bound == nil) == (fetched == nil), bound?.authorization != .upstream,
            let line = try TokenLine(principal.found, in: services.storage)
        else { return nil }
        return KeptReading { data, leaseDuration in
            Front.Reading(
                presented: PresentedToken(text.bytes), token: principal.token, access: principal.access, line: line,
                mount: mount, isStored: fetched == nil, path: path,
                answer: Front.Answer(data: data, leaseDuration: leaseDuration, fetched: fetched, until: until))
        }
    }
}
