/// The cert login of one auth mount: its roles, its configuration, and the token for a certificate that has been verified.
package struct CertRoles: Sendable {
    package struct Configuration: Sendable, Codable, Equatable {
        /// Lets a token be renewed without the certificate that it was issued for.
        package var disableBinding = false

        package init() {}
    }

    package let records: LoginRecords<CertRole, Configuration>
    private let tokens: Tokens

    package init(storage: any Storage, mount: Mount, now: @escaping Now) {
        records = LoginRecords(storage: storage, mount: mount)
        tokens = Tokens(storage: storage, namespace: mount.namespace, now: now)
    }

    /// - Parameter name: one role; empty for all of them.
    package func roles(named name: String) throws -> [(name: String, role: CertRole)] {
        guard name.isEmpty else { return try records.role(name).map { [(name.lowercased(), $0)] } ?? [] }
        return try records.roles()
    }

    // MARK: Logging in

    /// - Parameters:
    ///   - role: as it was when the certificate was verified against it; one changed since gives no token.
    ///   - source: the client's address, for roles bound to address blocks.
    package func login(_ name: String, _ role: CertRole, _ client: ClientIdentity, source: String?) async throws
        -> IssuedToken
    {
        try role.token.checkSource(source)
        guard !client.commonName.isEmpty else { throw AirlockError(.vaultServerError, "missing name in alias") }
        var login = Login(mount: records.mount, role: name, settings: role.token, identity: client.commonName)
        login.displayName = role.displayName.isEmpty ? name : role.displayName
        login.metadata = [
            "authority_key_id": client.authorityKeyID, "cert_name": name, "common_name": client.commonName,
            "serial_number": client.serialNumber, "subject_key_id": client.subjectKeyID,
        ]
        for identifier in role.metadataExtensions ?? [] {
            login.metadata[identifier.replacing(".", with: "-")] = client.extensions[identifier]
        }
        login.certificateDigest = digest(client)
        login.source = source
        return try await records.issue(
            login, provedWith: role, tokens: tokens,
            else: AirlockError.badRequest("invalid certificate or no client certificate supplied"))
    }

    private func digest(_ client: ClientIdentity) -> String {
        let digits = client.certificate.map { String($0, radix: 16) }
        return records.storage.digest("certificate\n" + digits.joined(separator: ":"))
    }

    /// - Parameter client: who asks, verified against the role; not looked at where the configuration says so.
    /// - Throws: Vault's own 500 for another certificate than at the login, and for other policies than then.
    package func checkRenewal(of token: Token, role: CertRole, client: ClientIdentity?) throws {
        func refused(_ reason: String) -> AirlockError {
            AirlockError(.vaultServerError, AirlockError.multi("failed to renew entry: \(reason)"))
        }
        if let client, token.certificateDigest != digest(client) {
            throw refused("client identity during renewal not matching client identity used during login")
        }
        let policies = PolicyNames.normalised(role.token.policies, withDefault: false)
        guard policies == token.policies.filter({ $0 != Policy.fallback }) else {
            throw refused("policies have changed, not renewing")
        }
    }
}
