import AirlockCore
import Foundation

/// What the bodies of the JWT login's roles and configuration name.
enum JWTFields {
    private static let own: [RoleField<JWTRole>] = [
        .text("user_claim", \.userClaim), .flag("user_claim_json_pointer", \.userClaimIsPointer),
        .text("groups_claim", \.groupsClaim), .text("bound_subject", \.boundSubject),
        .texts("bound_audiences", \.boundAudiences),
        .signedSeconds("expiration_leeway", \.expirationLeeway),
        .signedSeconds("not_before_leeway", \.notBeforeLeeway),
        .signedSeconds("clock_skew_leeway", \.clockSkewLeeway),
        RoleField(
            name: "bound_claims", read: { claims($0.boundClaims) },
            write: { fields, role in role.boundClaims.demands = try demands(fields) }),
        RoleField(
            name: "claim_mappings", read: { mappings($0.claimMappings) },
            write: { fields, role in role.claimMappings = try mappings(fields) }),
        .texts("allowed_redirect_uris", \.browser.allowedRedirectURIs), .texts("oidc_scopes", \.browser.scopes),
        .texts("oauth2_metadata", \.browser.metadata), .seconds("max_age", \.browser.maxAge),
        .flag("oidc_disable_confirmation", \.browser.disableConfirmation),
        .count("poll_interval", \.browser.pollInterval),
    ]

    /// Changes what the body names, in OpenBao's order as far as it shows.
    static func apply(_ fields: Fields, to role: inout JWTRole) throws {
        let type = try fields.string("role_type") ?? ""
        guard ["", "jwt", "oidc"].contains(type) else { throw AirlockError.badRequest("invalid 'role_type': \(type)") }
        try TokenFields.apply(fields, to: &role.token)
        for name in ["token_policies_template_claims", "verbose_oidc_logging"] where try fields.flag(name) ?? false {
            throw AirlockError.badRequest("\(name) is not supported: leave it out")
        }
        for field in own where fields[field.name] != nil { try field.write(fields, &role) }
        // What is left out is the default again, not what it was before.
        let comparison = try fields.string("bound_claims_type") ?? "string"
        guard let comparison = BoundClaims.Comparison(rawValue: comparison) else {
            throw AirlockError.badRequest("invalid 'bound_claims_type': \(comparison)")
        }
        role.boundClaims.comparison = comparison
        try checkBrowser(fields, &role.browser)
    }

    /// After everything else is known to be right.
    static func checkType(_ fields: Fields, _ role: JWTRole) throws {
        guard try fields.string("role_type") != "jwt" else { return }
        guard !(role.browser.allowedRedirectURIs ?? []).isEmpty else {
            throw AirlockError.badRequest(
                "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
        }
        throw AirlockError.badRequest(
            "logins through a browser are not supported: set role_type to jwt, and let clients send their token")
    }

    private static func checkBrowser(_ fields: Fields, _ browser: inout JWTRole.BrowserSettings) throws {
        for name in browser.metadata ?? [] where !["id_token", "refresh_token", "access_token"].contains(name) {
            throw AirlockError.badRequest("Unrecognized oauth2 metadata name \(name)")
        }
        browser.callbackMode = try fields.string("callback_mode") ?? "client"
        guard ["device", "direct", "client"].contains(browser.callbackMode) else {
            throw AirlockError.badRequest("invalid 'callback_mode': \(browser.callbackMode)")
        }
    }

    static func members(_ role: JWTRole) -> [JSON.Member] {
        own.filter { $0.name != "poll_interval" || role.browser.pollInterval > 0 }.map { .init($0.name, $0.read(role)) }
            + [
                .init("role_type", "jwt"), .init("bound_claims_type", .string(role.boundClaims.comparison.rawValue)),
                .init("callback_mode", .string(role.browser.callbackMode)), .init("verbose_oidc_logging", false),
                .init("token_policies_template_claims", false),
            ] + TokenFields.members(role.token)
    }

    // MARK: Claims

    private static func demands(_ fields: Fields) throws -> [BoundClaims.Demand] {
        let members = try fields.object("bound_claims") ?? []
        let named = Dictionary(members.map { (ExactText($0.name), $0.value) }) { $1 }
        return named.map { BoundClaims.Demand(claim: $0.key.text, value: $0.value) }
            .sorted { $0.claim.utf8.lexicographicallyPrecedes($1.claim.utf8) }
    }

    private static func claims(_ bound: BoundClaims) -> JSON {
        guard let demands = bound.demands else { return .null }
        return .object(demands.map { .init($0.claim, $0.json) })
    }

    /// An object, or `claim=name` once or in a list.
    private static func mappings(_ fields: Fields) throws -> [String: String] {
        if fields["claim_mappings"]?.members != nil { return try fields.map("claim_mappings") ?? [:] }
        let pairs = try (fields.list("claim_mappings") ?? []).map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw AirlockError.badRequest("claim_mappings must be an object, or a list of claim=name")
            }
            return (String(parts[0]), String(parts[1]))
        }
        return Dictionary(pairs) { $1 }
    }

    private static func mappings(_ mappings: [String: String]?) -> JSON {
        guard let mappings else { return .null }
        return .object(mappings.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
    }

    // MARK: Configuration

    private static let unsupported = [
        "jwks_pairs", "oidc_client_id", "oidc_client_secret", "oidc_response_mode", "oidc_response_types",
        "override_allowed_server_names", "provider_config",
    ]

    /// - Throws: for what would promise more than is kept.
    static func config(_ fields: Fields, before: JWTConfig?) throws -> JWTConfig {
        for name in unsupported where fields.isSet(name) {
            throw AirlockError.badRequest(
                "\(name) is not supported: name keys by jwt_validation_pubkeys, jwks_url, jwks_file or oidc_discovery_url"
            )
        }
        var config = JWTConfig(source: try source(fields))
        config.boundIssuer = try fields.string("bound_issuer") ?? ""
        config.defaultRole = try fields.string("default_role")?.lowercased() ?? ""
        config.supportedAlgorithms = try fields.list("jwt_supported_algs") ?? []
        config.namespaceInState = try fields.flag("namespace_in_state") ?? before?.namespaceInState ?? true
        return config
    }

    private static func source(_ fields: Fields) throws -> KeySource {
        func text(_ name: String) throws -> String? { try fields.string(name).flatMap { $0.isEmpty ? nil : $0 } }
        let keys = try fields.pems("jwt_validation_pubkeys")
        var found: [KeySource] = keys.isEmpty ? [] : [.pem(keys)]
        if let url = try text("jwks_url") { found.append(.url(url, authority: try text("jwks_ca_pem") ?? "")) }
        if let name = try text("jwks_file") { found.append(.file(name)) }
        if let issuer = try text("oidc_discovery_url") {
            found.append(.discovery(issuer: issuer, authority: try text("oidc_discovery_ca_pem") ?? ""))
        }
        guard let source = found.first, found.count == 1 else {
            throw AirlockError.badRequest(
                "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_file', or 'oidc_discovery_url' must be set")
        }
        return source
    }

    static func members(_ config: JWTConfig, isValid: Bool) -> [JSON.Member] {
        var (keys, file): ([String], String?) = ([], nil)
        var (url, urlAuthority, issuer, issuerAuthority) = ("", "", "", "")
        switch config.source {
        case .pem(let texts): keys = texts
        case .file(let name): file = name
        case .url(let text, let authority): (url, urlAuthority) = (text, authority)
        case .discovery(let text, let authority): (issuer, issuerAuthority) = (text, authority)
        }
        return [
            .init("bound_issuer", .string(config.boundIssuer)), .init("default_role", .string(config.defaultRole)),
            .init("jwks_ca_pem", .string(urlAuthority)), .init("jwks_url", .string(url)),
            .init("jwt_supported_algs", .strings(config.supportedAlgorithms)),
            .init("jwt_validation_pubkeys", .strings(keys)),
            .init("namespace_in_state", .bool(config.namespaceInState)), .init("oidc_client_id", ""),
            .init("oidc_discovery_ca_pem", .string(issuerAuthority)), .init("oidc_discovery_url", .string(issuer)),
            .init("oidc_response_mode", ""), .init("oidc_response_types", []),
            .init("override_allowed_server_names", []), .init("provider_config", .object([])),
            .init("status", .string(isValid ? "valid" : "invalid")),
        ] + (file.map { [.init("jwks_file", .string($0))] } ?? [])
    }
}

extension Fields {
    /// Texts that end in a line break as often as not.
    func pems(_ name: String) throws -> [String] {
        try (list(name) ?? []).map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    }
}

extension RoleField {
    static func signedSeconds(_ name: String, _ key: Key<Int>) -> RoleField {
        RoleField(
            name: name, read: { .integer($0[keyPath: key]) },
            write: { fields, role in role[keyPath: key] = Int((try fields.duration(name) ?? 0) / 1_000_000_000) })
    }
}
