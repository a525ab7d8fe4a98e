/// What tokens made with `auth/token/create/<role>` are like (VAULT-PROTOCOL 6.5). Times in seconds, 0 meaning not set.
package struct TokenRole: Sendable, Codable, Equatable {
    /// Lists of names and of patterns (`dev-*`), sanitized.
    package var allowed: [String] = []
    package var allowedGlobs: [String] = []
    package var disallowed: [String] = []
    package var disallowedGlobs: [String] = []
    package var entityAliases: [String] = []
    package var isOrphan = false
    package var isRenewable = true
    package var pathSuffix = ""
    package var period = 0
    package var explicitMaxTTL = 0
    package var uses = 0
    package var noDefaultPolicy = false
    package var boundCIDRs: [CIDR] = []
    package var type = "default-service"
    /// Old names of fields that set what they name: those are shown too.
    package var legacyNames: Set<String> = []

    package init() {}

    /// Whether the role, not the parent, decides about policies.
    package var decidesPolicies: Bool {
        !(allowed.isEmpty && allowedGlobs.isEmpty && disallowed.isEmpty && disallowedGlobs.isEmpty)
    }

    /// - Parameters:
    ///   - asked: empty for none.
    ///   - parent: the policies of the token that makes the new one.
    /// - Throws: `AirlockError` for policies that the role does not give.
    package func policies(asked: [String], parent: [String], noDefault: Bool) throws -> [String] {
        let addsDefault =
            !noDefault && !noDefaultPolicy && !disallowed.contains(Policy.fallback)
            && !TokenRole.matches(disallowedGlobs, Policy.fallback)
        func sanitized(_ names: [String]) -> [String] {
            PolicyNames.sanitized(names + (addsDefault ? [Policy.fallback] : []))
        }
        var final = asked.isEmpty ? [] : sanitized(asked)
        if !allowed.isEmpty || !allowedGlobs.isEmpty {
            let given = sanitized(allowed)
            if final.isEmpty { final = given }
            guard final.allSatisfy({ TokenRole.contains(given, $0) || TokenRole.matches(allowedGlobs, $0) }) else {
                let (asked, names, globs) = (quoted(final), quoted(given), quoted(allowedGlobs))
                throw AirlockError.badRequest(
                    "token policies (\(asked)) must be subset of the role's allowed policies (\(names)) or glob policies (\(globs))"
                )
            }
        } else if final.isEmpty {
            final = sanitized(parent)
        }
        if let refused = final.first(where: {
            TokenRole.contains(disallowed, $0) || TokenRole.matches(disallowedGlobs, $0)
        }) {
            throw AirlockError.badRequest("token policy \"\(refused)\" is disallowed by this role")
        }
        return noDefault ? PolicyNames.normalised(final, withDefault: false) : final
    }

    /// Go's `%q` of a list.
    private func quoted(_ names: [String]) -> String {
        "[" + names.map { "\"\($0)\"" }.joined(separator: " ") + "]"
    }

    package func allowsEntity(_ alias: String) -> Bool {
        let alias = alias.lowercased()
        return entityAliases.contains(alias) || TokenRole.matches(entityAliases, alias)
    }

    /// Puts the role's limits on what is asked for.
    /// - Returns: warnings where both name a limit: the lesser counts.
    package func limit(_ request: inout TokenRequest) -> [String] {
        var warnings: [String] = []
        for (what, asked, own) in [
            ("Explicit max TTL", request.explicitMaxTTL, explicitMaxTTL), ("Period", request.period, period),
        ] where asked > 0 && own > 0 {
            warnings.append(
                "\(what) specified both during creation call and in role; using the lesser value of \(min(asked, own)) seconds"
            )
        }
        request.roleExplicitMaxTTL = explicitMaxTTL
        request.rolePeriod = period
        if uses > 0 { request.uses = request.uses == 0 ? uses : min(request.uses, uses) }
        request.renewable = request.renewable && isRenewable
        request.boundCIDRs = boundCIDRs
        if isOrphan { request.parent = nil }
        if !pathSuffix.isEmpty { request.path += "/\(pathSuffix)" }
        return warnings
    }

    /// What a renewal of a token made with this role may give now. Where the token has a limit of its own, the lesser counts.
    package func renewalLimits(_ token: Token, maxTTL: Int) -> RenewalLimits {
        RenewalLimits(
            maxTTL: maxTTL, period: TokenLifetime.lesser(token.period, period),
            explicitMaxTTL: TokenLifetime.lesser(token.explicitMaxTTL, explicitMaxTTL))
    }

    /// Whether one of the names is the text, byte for byte: policies are told apart so.
    private static func contains(_ names: [String], _ text: String) -> Bool {
        names.contains { $0.utf8.elementsEqual(text.utf8) }
    }

    /// Whether the text matches one of the patterns, in which `*` stands for any text.
    static func matches(_ patterns: [String], _ text: String) -> Bool {
        patterns.contains { Glob.matches($0, text) }
    }
}

/// The stored token roles. Their names are case-sensitive.
package struct TokenRoles: Sendable {
    private let storage: any Storage
    private let namespace: Namespace

    package init(storage: any Storage, namespace: Namespace) {
        self.storage = storage
        self.namespace = namespace
    }

    private static func key(_ name: String, _ namespace: Namespace) -> RecordKey {
        RecordKey(.tokenRole, scope: namespace.uuid, name)
    }

    package func names() throws -> [String] { try storage.read { try $0.names(.tokenRole, scope: namespace.uuid) } }

    package func role(_ name: String) throws -> TokenRole? {
        try storage.read { try TokenRoles.role($0, name, in: namespace) }
    }

    package static func role(_ reader: any StorageReader, _ name: String, in namespace: Namespace) throws -> TokenRole?
    {
        try reader.value(TokenRole.self, key(name, namespace))
    }

    package func update(_ name: String, _ change: @escaping @Sendable (inout TokenRole) throws -> Void) async throws {
        try await storage.write { [namespace] transaction in
            guard try namespace.exists(transaction) else { throw Registry.noNamespace }
            var role = try TokenRoles.role(transaction, name, in: namespace) ?? TokenRole()
            try change(&role)
            try transaction.put(TokenRoles.key(name, namespace), value: role)
        }
    }

    package func delete(_ name: String) async throws {
        try await storage.write { [namespace] in try $0.delete(TokenRoles.key(name, namespace)) }
    }
}
