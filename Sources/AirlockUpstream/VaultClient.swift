package import AirlockCore

/// The Vault API, as far as reading and writing secrets needs it. All methods throw `UpstreamError` or
/// `CancellationError`; a secret that is not there is an answer, not an error.
package struct VaultClient: Sendable {
    private let session: VaultSession
    private let origin: String

    package init(
        address: ServerAddress, namespace: String? = nil, login: VaultLogin, transport: any UpstreamTransport
    ) {
        let wire = VaultWire(
            address: address, namespace: namespace, transport: transport, metrics: Metrics(), now: Timestamp.now)
        session = VaultSession(wire: wire, login: login)
        origin = address.origin
    }

    package func read(_ path: String, in mount: VaultMount, version: Int? = nil) async throws -> Secret? {
        try VaultShape.secret(
            try await session.send(.read(path, version: version, in: mount)), mount, origin)
    }

    /// - Parameter found: on KV version 2 what this write may replace, as it was read; anything else there is a `.conflict`.
    ///   KV version 1 has no such check.
    /// - Returns: the new version, nil on KV version 1.
    @discardableResult
    package func write(
        _ path: String, _ payload: SecretPayload, in mount: VaultMount, replacing found: Secret?
    ) async throws -> Int? {
        var body = payload.json
        if mount.kvVersion == 2 {
            body = ["data": payload.json, "options": ["cas": .integer(found?.version ?? 0)]]
        }
        let call = VaultCall("POST", mount.target("data", path), json: body)
        return try VaultShape.written(try await session.send(call), mount, origin)
    }

    /// The names in a folder, "" for the mount's root; a name that is a folder itself ends in "/".
    package func list(_ folder: String, in mount: VaultMount) async throws -> [String] {
        try VaultShape.names(try await session.send(.list(folder, in: mount)), mount, origin)
    }

    /// What the server says about a mount's KV version, as `vault kv` asks it; nil when it does not say (an old server,
    /// or one that keeps it from this token).
    package func kvVersion(ofMount path: String) async throws -> Int? {
        let call = VaultCall("GET", "sys/internal/ui/mounts/" + VaultCall.encoded(path))
        do {
            return try VaultShape.kvVersion(try await session.send(call), origin)
        } catch let error as UpstreamError where error.kind == .denied || error.kind == .rejected {
            return nil
        }
    }
}
