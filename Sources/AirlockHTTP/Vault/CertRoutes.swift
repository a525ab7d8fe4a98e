import AirlockCore
import X509

/// The cert login below its auth mount (VAULT-PROTOCOL 14).
enum CertRoutes {
    static let table: [Route] = [
        Route("login", access: .open, fields: ["name"], [.write: login]),
        Route("certs", fields: ListPage.fields, [.list: list]),
        Route("certs/{name}", [.read: read, .write: write, .delete: delete]),
        Route("config", [.read: readConfiguration, .write: configure]),
    ]

    private static func roles(_ call: Call) throws -> CertRoles {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return CertRoles(storage: call.services.storage, mount: mount, now: call.services.now)
    }

    private static func match(_ call: Call, _ roles: [(name: String, role: CertRole)]) async throws -> CertMatch {
        try await CertMatch.find(
            try await call.request.clientCertificates.der(), among: roles, at: call.services.now())
    }

    private static let login: Route.Handler = { call in
        try await call.countingLogin(at: call.mount?.path ?? "") {
            let roles = try roles(call)
            let match = try await match(call, try roles.roles(named: try call.fields.string("name") ?? ""))
            return try await roles.login(match.name, match.role, match.client, source: call.request.source).response
        }
    }

    /// Asked for on a connection with the certificate of the login, whoever asks.
    static func checkRenewal(_ call: Call, _ token: Token, mount: Mount) async throws {
        let roles = CertRoles(storage: call.services.storage, mount: mount, now: call.services.now)
        // A role that is gone is refused where the limits of the renewal are read.
        guard let name = token.loginRole, let role = try roles.records.role(name) else { return }
        let isBound = try !(roles.records.config()?.disableBinding ?? false)
        let client = isBound ? try await match(call, [(name, role)]).client : nil
        try roles.checkRenewal(of: token, role: role, client: client)
    }

    // MARK: Roles

    private static let list: Route.Handler = { call in
        try .keys(try ListPage(call).cut(try roles(call).records.roleNames()))
    }

    private static let read: Route.Handler = { call in
        guard let role = try roles(call).records.role(call["name"]) else { throw AirlockError.absent }
        return .data(CertFields.members(role, name: call["name"].lowercased()))
    }

    private static let write: Route.Handler = { call in
        let fields = call.fields
        try CertFields.refuseOCSP(fields)
        let certificate = try fields.string("certificate")
        try await roles(call).records.writeRole(call["name"]) { before in
            var role = before ?? CertRole()
            if let certificate { role.certificate = certificate }
            guard let found = try? Certificate.all(inPEM: role.certificate), !found.isEmpty else {
                throw AirlockError.badRequest("failed to parse certificate")
            }
            try CertFields.apply(fields, to: &role)
            try role.check()
            return (role, ())
        }
        return .noContent
    }

    private static let delete: Route.Handler = { call in
        try await roles(call).records.deleteRole(call["name"])
        return .noContent
    }

    // MARK: Configuration

    private static let readConfiguration: Route.Handler = { call in
        let configuration = try roles(call).records.config() ?? CertRoles.Configuration()
        return .data([
            .init("disable_binding", .bool(configuration.disableBinding)),
            .init("enable_identity_alias_metadata", false), .init("ocsp_cache_size", 0),
        ])
    }

    private static let configure: Route.Handler = { call in
        let fields = call.fields
        guard !(try fields.flag("enable_identity_alias_metadata") ?? false) else {
            throw AirlockError.badRequest(
                "enable_identity_alias_metadata is not supported: there is no identity store, leave it out")
        }
        try await roles(call).records.writeConfig { before in
            var configuration = before ?? CertRoles.Configuration()
            if let disable = try fields.flag("disable_binding") { configuration.disableBinding = disable }
            return configuration
        }
        return .noContent
    }
}

/// What a cert role's body names.
enum CertFields {
    private static let own: [RoleField<CertRole>] = [
        .texts("allowed_common_names", \.allowedCommonNames), .texts("allowed_dns_sans", \.allowedDNSNames),
        .texts("allowed_email_sans", \.allowedEmails), .texts("allowed_metadata_extensions", \.metadataExtensions),
        .texts("allowed_names", \.allowedNames), .texts("allowed_organizational_units", \.allowedUnits),
        .texts("allowed_uri_sans", \.allowedURIs), .texts("required_extensions", \.requiredExtensions),
    ]

    static func apply(_ fields: Fields, to role: inout CertRole) throws {
        if let name = try fields.string("display_name") { role.displayName = name }
        try TokenFields.apply(fields, to: &role.token, legacy: ["policies", "ttl", "max_ttl", "period", "bound_cidrs"])
        for field in own where fields[field.name] != nil { try field.write(fields, &role) }
    }

    /// A certificate's revocation cannot be asked for: a role that says it is asked for would let revoked ones in.
    static func refuseOCSP(_ fields: Fields) throws {
        let flags = ["ocsp_enabled", "ocsp_fail_open", "ocsp_query_all_servers"]
        let isSet =
            try flags.contains { try fields.flag($0) ?? false } || fields.string("ocsp_ca_certificates") ?? "" != ""
            || !(fields.list("ocsp_servers_override") ?? []).isEmpty
        guard !isSet else {
            throw AirlockError.badRequest(
                "OCSP is not supported: leave the ocsp_ fields out, and give certificates short lives")
        }
    }

    static func members(_ role: CertRole, name: String) -> [JSON.Member] {
        own.map { .init($0.name, $0.read(role)) } + [
            .init("certificate", .string(role.certificate)),
            .init("display_name", .string(role.displayName.isEmpty ? name : role.displayName)),
            .init("ocsp_ca_certificates", ""), .init("ocsp_enabled", false), .init("ocsp_fail_open", false),
            .init("ocsp_query_all_servers", false), .init("ocsp_servers_override", .null),
        ] + TokenFields.members(role.token)
    }
}
