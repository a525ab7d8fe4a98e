package import AirlockCore

/// A KV mount of a Vault-compatible server.
package struct VaultMount: Sendable, Hashable {
    package let path: String
    /// 1 or 2.
    package let kvVersion: Int

    package init(path: String, kvVersion: Int) {
        self.path = path
        self.kvVersion = kvVersion
    }
}

package enum VaultAnswer: Sendable, Equatable {
    /// The secret's JSON object as the server wrote it; the version is nil on a KV version 1 mount.
    case found(SecretPayload, version: Int?)
    /// KV version 2: its latest version is deleted or destroyed.
    case deleted(version: Int)
    case absent

    /// What check-and-set has to name so that a write replaces exactly this.
    package var version: Int? {
        switch self {
        case .found(_, let version): version
        case .deleted(let version): version
        case .absent: 0
        }
    }
}

/// The Vault API, as far as reading and writing secrets needs it. All methods throw `UpstreamError` or
/// `CancellationError`; a secret that is not there is an answer, not an error.
package struct VaultClient: Sendable {
    private let session: VaultSession

    package init(
        address: ServerAddress, namespace: String? = nil, login: VaultLogin, transport: any UpstreamTransport
    ) {
        session = VaultSession(address: address, namespace: namespace, login: login, transport: transport)
    }

    package func read(_ path: String, in mount: VaultMount, version: Int? = nil) async throws -> VaultAnswer {
        let query = version.map { "?version=\($0)" } ?? ""
        let response = try await session.perform("GET", url(mount, "data", path) + query)
        return try VaultShape.secret(response, mount)
    }

    /// - Parameter cas: on KV version 2 the version this write may replace, 0 for none; anything else there is a
    ///   `.conflict`. KV version 1 has no such check.
    /// - Returns: the new version, nil on KV version 1.
    @discardableResult
    package func write(
        _ path: String, _ payload: SecretPayload, in mount: VaultMount, cas: Int? = nil
    ) async throws -> Int? {
        var body = payload.json
        if mount.kvVersion == 2 {
            let options: JSON = cas.map { ["cas": .integer($0)] } ?? [:]
            body = ["data": payload.json, "options": options]
        }
        let response = try await session.perform("POST", url(mount, "data", path), body: body)
        return try VaultShape.written(response, mount)
    }

    /// The names in a folder, "" for the mount's root; a name that is a folder itself ends in "/".
    package func list(_ folder: String, in mount: VaultMount) async throws -> [String] {
        // Vault takes this for the verb LIST, which some proxies refuse.
        let response = try await session.perform("GET", url(mount, "metadata", folder) + "?list=true")
        return try VaultShape.names(response, mount)
    }

    /// What the server says about a mount's KV version, as `vault kv` asks it; nil when it does not say (an old server,
    /// or one that keeps it from this token).
    package func kvVersion(ofMount path: String) async throws -> Int? {
        let target = "sys/internal/ui/mounts/" + VaultSession.encoded(path)
        do {
            return try VaultShape.kvVersion(try await session.perform("GET", target))
        } catch let error as UpstreamError where error.kind == .denied || error.kind == .rejected {
            return nil
        }
    }

    private func url(_ mount: VaultMount, _ part: String, _ path: String) -> String {
        let parts = mount.kvVersion == 2 ? [mount.path, part, path] : [mount.path, path]
        return parts.filter { !$0.isEmpty }.map(VaultSession.encoded).joined(separator: "/")
    }
}
