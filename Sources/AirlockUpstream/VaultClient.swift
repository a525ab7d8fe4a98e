package import AirlockCore
package import Logging

/// The Vault API, as far as reading and writing secrets needs it. All methods throw `UpstreamError` or
/// `CancellationError`; a secret that is not there is an answer, not an error.
package struct VaultClient: Sendable {
    let session: VaultSession
    let origin: String

    /// - Parameter upkeep: where to tell that the token cannot be kept alive, in a program that stays up.
    package init(
        address: ServerAddress, namespace: String? = nil, login: VaultLogin, transport: any UpstreamTransport,
        upkeep: Logger? = nil
    ) {
        let wire = VaultWire(
            address: address, namespace: namespace, transport: transport, metrics: Metrics(), now: Timestamp.now)
        session = VaultSession(
            wire: wire, login: login,
            upkeep: upkeep.map { VaultSession.Upkeep(logger: $0, pause: { try await Task.sleep(for: $0) }) })
        origin = address.origin
    }

    package func read(_ path: String, in mount: VaultMount, version: Int? = nil) async throws -> Secret? {
        try VaultShape.secret(
            try await session.send(.read(path, version: version, in: mount)), mount, origin)
    }

    /// - Parameter version: on KV version 2 the one that this write may replace, 0 for none; anything else there is a
    ///   `.conflict`. KV version 1 has no such check.
    /// - Returns: the new version, nil on KV version 1.
    @discardableResult
    package func write(
        _ path: String, _ payload: SecretPayload, in mount: VaultMount, replacing version: Int
    ) async throws -> Int? {
        var body = payload.json
        if mount.kvVersion == 2 { body = ["data": payload.json, "options": ["cas": .integer(version)]] }
        let call = VaultCall("POST", mount.target("data", path), json: body)
        return try VaultShape.written(try await session.send(call), mount, origin)
    }

    /// On KV version 2 that one version, which can be had back; on version 1 the secret.
    package func delete(_ path: String, version: Int?, in mount: VaultMount) async throws {
        let call =
            version.map { VaultCall("POST", mount.target("delete", path), json: ["versions": [.integer($0)]]) }
            ?? VaultCall("DELETE", mount.target("data", path))
        let response = try VaultShape.checked(try await session.send(call), origin)
        guard response.status != 404 else { throw VaultShape.noVaultAnswer }
    }

    /// The names in a folder, "" for the mount's root; a name that is a folder itself ends in "/".
    package func list(_ folder: String, in mount: VaultMount) async throws -> [String] {
        try VaultShape.names(try await session.send(.list(folder, in: mount)), mount, origin)
    }

    /// What the server says about a mount's KV version, as `vault kv` asks it; nil when it does not say (an old server,
    /// or one that keeps it from this token).
    package func kvVersion(ofMount path: String) async throws -> Int? {
        do {
            return try VaultShape.kvVersion(try await preflight(path), origin)
        } catch let error as UpstreamError where error.kind == .denied || error.kind == .rejected {
            return nil
        }
    }

    /// The KV mount that a path lies in. The server says "denied" also where there is none.
    package func mount(of path: String) async throws -> VaultMount {
        try VaultShape.mount(try await preflight(path), origin)
    }

    private func preflight(_ path: String) async throws -> UpstreamResponse {
        try await session.send(VaultCall("GET", "sys/internal/ui/mounts/" + VaultCall.encoded(path)))
    }
}
