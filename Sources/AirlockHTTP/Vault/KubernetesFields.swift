import AirlockCore

/// What the bodies of the Kubernetes login's roles and configuration name.
enum KubernetesFields {
    static func apply(_ fields: Fields, to role: inout KubernetesRole, isNew: Bool) throws {
        try TokenFields.apply(fields, to: &role.token)
        if let names = try fields.list("bound_service_account_names") { role.names = names }
        if let namespaces = try fields.list("bound_service_account_namespaces") { role.namespaces = namespaces }
        guard try fields.string("bound_service_account_namespace_selector") ?? "" == "" else {
            throw AirlockError.badRequest(
                "bound_service_account_namespace_selector is not supported: name the namespaces by bound_service_account_namespaces"
            )
        }
        if let audience = try fields.string("audience") { role.audience = audience }
        guard let source = try fields.string("alias_name_source"), !(isNew && source.isEmpty) else { return }
        guard let source = KubernetesRole.AliasSource(rawValue: source) else {
            throw AirlockError.badRequest(
                "invalid alias_name_source, must be one of: \(KubernetesRole.AliasSource.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        role.aliasSource = source
    }

    static func members(_ role: KubernetesRole) -> [JSON.Member] {
        var members: [JSON.Member] = [
            .init("alias_name_source", .string(role.aliasSource.rawValue)),
            .init("bound_service_account_names", .strings(role.names)),
            .init("bound_service_account_namespace_selector", ""),
            .init("bound_service_account_namespaces", .strings(role.namespaces)),
        ]
        if !role.audience.isEmpty { members.append(.init("audience", .string(role.audience))) }
        return members + TokenFields.members(role.token)
    }

    // MARK: Configuration

    static func config(_ fields: Fields) throws -> KubernetesConfig {
        var config = KubernetesConfig()
        config.host = try fields.string("kubernetes_host") ?? ""
        config.authority = try fields.string("kubernetes_ca_cert") ?? ""
        config.reviewer = KubernetesConfig.Reviewer(try fields.string("token_reviewer_jwt") ?? "")
        config.pemKeys = try fields.pems("pem_keys")
        config.issuer = try fields.string("issuer") ?? ""
        config.disablesIssuerCheck = try fields.flag("disable_iss_validation") ?? true
        config.disablesLocalPod = try fields.flag("disable_local_ca_jwt") ?? false
        config.offline = try offline(fields, config)
        guard config.offline == nil else { return config }
        try check(config)
        return config
    }

    /// Airlock's own: where the cluster cannot be asked, the keys that it signs with decide alone.
    private static func offline(_ fields: Fields, _ config: KubernetesConfig) throws -> KeySource? {
        let names = ["jwks_url", "jwks_file"]
        guard try fields.flag("disable_token_review") ?? false else {
            guard try names.allSatisfy({ try fields.string($0) ?? "" == "" }) else {
                throw AirlockError.badRequest("jwks_url and jwks_file are for a cluster with disable_token_review")
            }
            return nil
        }
        var found: [KeySource] = config.pemKeys.isEmpty ? [] : [.pem(config.pemKeys)]
        if let url = try fields.string("jwks_url"), !url.isEmpty {
            found.append(.url(url, authority: config.authority))
        }
        if let name = try fields.string("jwks_file"), !name.isEmpty { found.append(.file(name)) }
        guard let source = found.first, found.count == 1 else {
            throw AirlockError.badRequest(
                "with disable_token_review exactly one of pem_keys, jwks_url and jwks_file must be set")
        }
        guard config.reviewer.token.revealed.isEmpty else {
            throw AirlockError.badRequest("with disable_token_review there is no use for a token_reviewer_jwt")
        }
        return source
    }

    private static func check(_ config: KubernetesConfig) throws {
        guard !config.host.isEmpty else { throw AirlockError.badRequest("no host provided") }
        guard !config.disablesLocalPod || !config.authority.isEmpty else {
            throw AirlockError.badRequest("kubernetes_ca_cert must be given when disable_local_ca_jwt is true")
        }
        do throws(ServerAddress.Fault) {
            _ = try LoginURL(config.host)
        } catch {
            throw AirlockError.badRequest("kubernetes_host: \(error.reason)")
        }
        if config.authority.isEmpty { _ = try LocalPod.authority() }
    }

    static func members(_ config: KubernetesConfig) -> [JSON.Member] {
        var members: [JSON.Member] = [
            .init("disable_iss_validation", .bool(config.disablesIssuerCheck)),
            .init("disable_local_ca_jwt", .bool(config.disablesLocalPod)), .init("issuer", .string(config.issuer)),
            .init("kubernetes_ca_cert", .string(config.authority)), .init("kubernetes_host", .string(config.host)),
            .init("pem_keys", .strings(config.pemKeys)),
            .init("token_reviewer_jwt_set", .bool(!config.reviewer.token.revealed.isEmpty)),
        ]
        guard let offline = config.offline else { return members }
        members.append(.init("disable_token_review", true))
        switch offline {
        case .url(let url, _): members.append(.init("jwks_url", .string(url)))
        case .file(let name): members.append(.init("jwks_file", .string(name)))
        case .pem, .discovery: break
        }
        return members
    }
}
