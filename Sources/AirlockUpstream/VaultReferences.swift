package import AirlockCore

/// The secrets of a Vault-compatible server, for references: any one that serves KV, Airlock or not.
package struct VaultReferences: ReferenceSource {
    private let client: VaultClient

    package init(_ client: VaultClient) { self.client = client }

    package func mount(of path: String) async throws -> ReferenceMount {
        do {
            let mount = try await client.mount(of: path)
            return ReferenceMount(path: mount.path + "/", kvVersion: mount.kvVersion)
        } catch let error as UpstreamError {
            guard error.kind == .denied else { throw ReferenceFault(error) }
            throw ReferenceFault(.denied, "there is no such mount, or the token may read nothing there")
        }
    }

    package func secret(_ path: SecretPath, version: Int?, in mount: ReferenceMount) async throws -> JSON? {
        let mount = VaultMount(path: String(mount.path.dropLast()), kvVersion: mount.kvVersion)
        do {
            let secret = try await client.read(path.text, in: mount, version: version)
            // The client has read it as JSON before.
            return try secret?.data.map { try JSON(parsing: $0.bytes) }
        } catch let error as UpstreamError {
            throw ReferenceFault(error)
        }
    }
}

extension ReferenceFault {
    init(_ error: UpstreamError) {
        let kind: Kind =
            switch error.kind {
            case .denied, .unauthenticated, .noSuchMount: .denied
            case _ where error.isOutage: .unavailable
            default: .failed
            }
        self.init(kind, error.message)
    }
}
