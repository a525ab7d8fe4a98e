import AirlockCore

/// A principal, as the reader of a mount of the configuration.
struct MountReader: SecretReader {
    private let access: AccessControl
    private let bound: BoundMount
    private let rights: UpstreamRights?
    /// The upstream's token behind the principal, where that counts.
    private let grant: UpstreamGrant?

    /// - Throws: `AirlockError.permissionDenied` for a token of Airlock's own on a mount about which the upstream decides: it
    ///   knows only the tokens that it gave, and Airlock's login there is not for clients.
    init(_ principal: Principal, _ bound: BoundMount, rights: UpstreamRights?) throws {
        access = principal.access
        self.bound = bound
        self.rights = rights
        grant = bound.authorization == .upstream ? principal.token.upstream : nil
        guard grant != nil || bound.authorization == .local else { throw AirlockError.permissionDenied }
    }

    /// Each of its reads is to be one read upstream.
    var isCounted: Bool { grant?.isCounted ?? false }

    var credential: Credential { grant.map { .client($0.token) } ?? .own }

    func authorizeRead(of path: SecretPath) async throws {
        let below = (bound.mount.kvVersion == 2 ? "data/" : "") + path.text
        switch bound.authorization {
        case .local:
            guard access.allows(.read, on: bound.mount.path + below) else {
                throw AirlockError.permissionDenied
            }
        case .upstream:
            guard let grant, let rights, let upstream = bound.upstream else { throw AirlockError.permissionDenied }
            try await rights.authorizeRead(grant, path: upstream.mountPath + below) {
                _ = try await upstream.read(path, version: nil, as: .client(grant.token))
            }
        }
    }
}
