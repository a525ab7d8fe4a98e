package import AirlockCore

/// A KV mount of a Vault-compatible server as a mount's backend.
package struct VaultUpstream: Upstream {
    package let server: VaultServer
    package let mount: VaultMount

    package init(server: VaultServer, mount: VaultMount) {
        self.server = server
        self.mount = mount
    }

    package var identity: String { "\(server.identity) \(VaultCall.encoded(mount.path)) v\(mount.kvVersion)" }

    /// The upstream's own name for the mount, which ends in `/`.
    package var mountPath: String { mount.path + "/" }

    package var origin: String { server.origin }

    package var state: CircuitBreaker.State { server.breaker.state }

    package func read(_ path: SecretPath, version: Int?, as credential: Credential) async throws -> Secret? {
        try await server.perform(.read(path.text, version: version, in: mount), as: credential) {
            try VaultShape.secret($0, mount, server.address.origin)
        }
    }

    package func list(_ folder: String, as credential: Credential) async throws -> [String] {
        try await server.perform(.list(folder, in: mount), as: credential) {
            try VaultShape.names($0, mount, server.address.origin)
        }
    }

    package func forward(_ request: ForwardedRequest, as credential: Credential) async throws -> ForwardedAnswer {
        try await server.perform(try server.call(request, below: mountPath), as: credential) {
            try VaultShape.passed($0, server.address.origin)
        }
    }
}
