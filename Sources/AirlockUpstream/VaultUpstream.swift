package import AirlockCore

/// A KV mount of a Vault-compatible server as a mount's backend.
package struct VaultUpstream: Upstream {
    package let server: VaultServer
    package let mount: VaultMount

    package init(server: VaultServer, mount: VaultMount) {
        self.server = server
        self.mount = mount
    }

    package var identity: String {
        "\(server.identity) \(VaultCall.encoded(mount.path)) v\(mount.kvVersion)"
    }

    package var mountPath: String { mount.path + "/" }

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
        // Parts such as `..` would lead out of the mount, with Airlock's own rights.
        guard (try? SecretPath.folder(request.path)) != nil else {
            throw UpstreamError(.invalid, "the path has an empty part, '.', '..' or a control character")
        }
        let query = request.query.isEmpty ? "" : "?" + request.query
        let path = VaultCall.encoded(request.path.isEmpty ? mount.path : "\(mount.path)/\(request.path)")
        var call = VaultCall(request.method, path + query)
        call.body = request.body.bytes.isEmpty ? nil : request.body.bytes
        call.contentType = request.contentType
        call.timeout = server.timeout(writing: !["GET", "LIST", "HEAD"].contains(request.method))
        return try await server.perform(call, as: credential) {
            ForwardedAnswer(status: $0.status, body: SecretPayload($0.body))
        }
    }
}
