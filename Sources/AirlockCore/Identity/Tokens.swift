/// Client tokens: issue, recognise, renew, revoke. Digests, never texts, are stored. A token is recognised wherever it comes
/// from; issued, looked up and listed are those of one namespace.
package struct Tokens: Sendable {
    package struct Found: Sendable {
        package let digest: String
        package let token: Token
    }

    private let storage: any Storage
    private let namespace: Namespace
    private let now: Now

    package init(storage: any Storage, namespace: Namespace, now: @escaping Now) {
        self.storage = storage
        self.namespace = namespace
        self.now = now
    }

    // MARK: Recognising

    /// The live token a client presents; what it is presented for is one of its uses only once `use` has counted it.
    /// - Parameters:
    ///   - source: the client's address, for tokens bound to address blocks.
    /// - Throws: `AirlockError.invalidToken`, for every reason alike.
    package func recognise(_ text: String, source: String?) throws -> Found {
        let now = now()
        guard let found = try storage.read({ try TokenRecords.live($0, text: text, now: now) }) else {
            throw AirlockError.invalidToken
        }
        if !found.token.boundCIDRs.isEmpty {
            guard let source, found.token.boundCIDRs.contains(where: { $0.contains(source) }) else {
                throw AirlockError.invalidToken
            }
        }
        return found
    }

    /// Counts one use of a token that has a number of them, durably, before the request is served.
    package func use(_ found: Found) async throws -> Found {
        guard found.token.usesLeft != 0 else { return found }
        let (digest, now) = (found.digest, now())
        return try await storage.write { transaction in
            guard var token = try TokenRecords.live(transaction, digest, now: now),
                token.accessor == found.token.accessor
            else { throw AirlockError.invalidToken }
            if token.usesLeft > 0 { token.usesLeft = token.usesLeft == 1 ? Token.usedUp : token.usesLeft - 1 }
            try TokenRecords.put(transaction, token, digest: digest)
            if token.usesLeft == Token.usedUp { try transaction.delete(RecordKey(.wrapped, digest)) }
            return Found(digest: digest, token: token)
        }
    }

    /// A token of the namespace or of one below.
    package func lookup(text: String) throws -> Found? {
        let now = now()
        return try storage.read { try TokenRecords.live($0, text: text, now: now) }
            .flatMap { $0.token.namespace.path(from: namespace) == nil ? nil : $0 }
    }

    package func lookup(accessor: String) throws -> Found? {
        let now = now()
        return try storage.read { try TokenRecords.live($0, accessor: accessor, now: now) }
            .flatMap { isOwn($0.token) ? $0 : nil }
    }

    private func isOwn(_ token: Token) -> Bool { token.namespace.uuid == namespace.uuid }

    package func accessors() throws -> [String] {
        let now = now()
        return try storage.read { reader in
            try reader.names(.token, scope: "").compactMap { try TokenRecords.live(reader, $0, now: now) }
                .filter(isOwn).map(\.accessor)
        }
    }

    // MARK: Issuing

    package func issue(_ request: TokenRequest) async throws -> IssuedToken {
        try await storage.write { transaction in try issue(request, in: transaction) }
    }

    /// The same inside a transaction that has more to do, such as checking the role of a login.
    package func issue(_ request: TokenRequest, in transaction: any StorageTransaction) throws -> IssuedToken {
        guard !request.policies.contains(Policy.wrapping) else {
            throw AirlockError.badRequest("cannot assign policy \"\(Policy.wrapping)\"")
        }
        guard try namespace.exists(transaction) else { throw AirlockError.invalidToken }
        let made = try issued(request)
        if let text = request.chosenText, try TokenRecords.live(transaction, text: text, now: made.token.issued) != nil
        {
            throw AirlockError.badRequest("cannot create a token with a duplicate ID")
        }
        if let link = request.parent {
            guard var parent = try TokenRecords.live(transaction, link.digest, now: made.token.issued),
                parent.accessor == link.accessor
            else { throw AirlockError.invalidToken }
            if !parent.hasChildren {
                parent.hasChildren = true
                try TokenRecords.put(transaction, parent, digest: link.digest)
            }
        }
        try TokenRecords.put(transaction, made.token, digest: made.digest)
        return made
    }

    /// The token as it will be stored, and its text. Pure but for the clock and the random source.
    package func issued(_ request: TokenRequest) throws -> IssuedToken {
        let now = now()
        var ttl = (ttl: 0, warnings: [String]())
        if !request.neverExpires {
            ttl = try TokenLifetime.granted(
                wanted: request.ttl, fallback: request.defaultTTL,
                period: TokenLifetime.lesser(request.period, request.rolePeriod), maxTTL: request.maxTTL,
                explicitMaxTTL: TokenLifetime.lesser(request.explicitMaxTTL, request.roleExplicitMaxTTL),
                elapsed: 0)
        }
        let made =
            request.chosenText.map { TokenName.make(chosen: $0, in: namespace, storage.digest) }
            ?? TokenName.make(in: namespace, now: now, storage.digest)
        let token = Token(
            accessor: made.accessor, policies: request.policies, path: request.path,
            displayName: request.displayName, meta: request.meta, issued: now, creationTTL: ttl.ttl,
            expires: request.neverExpires ? nil : now.adding(seconds: ttl.ttl), lastTTL: ttl.ttl,
            explicitMaxTTL: request.explicitMaxTTL,
            period: request.period, usesLeft: request.uses, usesGranted: request.uses > 0 ? request.uses : nil,
            renewable: request.renewable && !request.neverExpires, parent: request.parent, entityID: request.entityID,
            issuedThrough: request.issuedThrough,
            loginRole: request.loginRole, tokenRole: request.tokenRole, boundCIDRs: request.boundCIDRs,
            certificateDigest: request.certificateDigest, upstream: request.upstream,
            home: namespace.isRoot ? nil : namespace)
        return IssuedToken(
            text: SecretPayload(Array(made.text.utf8)), token: token, digest: made.name, warnings: ttl.warnings)
    }

    // MARK: Renewing, revoking, tidying

    /// - Parameters:
    ///   - increment: seconds; 0 means what was granted last.
    ///   - limits: asked once it is known that the token is renewable.
    package func renew(
        _ found: Found, increment: Int,
        limits: @escaping @Sendable (any StorageReader, Token) throws -> RenewalLimits
    ) async throws -> (Token, [String]) {
        let now = now()
        return try await storage.write { transaction in
            guard var token = try TokenRecords.live(transaction, found.digest, now: now) else {
                throw AirlockError.badRequest("token not found")
            }
            guard token.renewable else { throw AirlockError.badRequest("lease is not renewable") }
            let limits = try limits(transaction, token)
            let granted = try TokenLifetime.granted(
                wanted: increment, fallback: limits.ttl ?? token.lastTTL, period: limits.period,
                maxTTL: limits.maxTTL, explicitMaxTTL: limits.explicitMaxTTL,
                elapsed: now.seconds - token.issued.seconds)
            token.expires = now.adding(seconds: granted.ttl)
            token.lastRenewal = now
            token.lastTTL = granted.ttl
            try TokenRecords.put(transaction, token, digest: found.digest)
            try Cubbyhole.extend(transaction, of: token)
            return (token, granted.warnings)
        }
    }

    /// The token and all its descendants are dead once this returns.
    /// - Parameter orphansChildren: its children live on as orphans instead.
    package func revoke(_ found: Found, orphansChildren: Bool = false) async throws {
        try await storage.write { transaction in
            guard let token = try TokenRecords.token(transaction, found.digest),
                token.accessor == found.token.accessor
            else { return }
            guard orphansChildren else {
                return try TokenRecords.deleteTree(transaction, token, digest: found.digest)
            }
            try TokenRecords.delete(transaction, token, digest: found.digest)
            guard token.hasChildren else { return }
            for (digest, child) in try transaction.values(Token.self, .token)
            where child.parent?.accessor == token.accessor {
                var orphan = child
                orphan.parent = nil
                orphan.lostParent = true
                try TokenRecords.put(transaction, orphan, digest: digest)
            }
        }
    }

    /// Drops the records of tokens whose time is up, or whose parent is gone.
    package func tidy() async throws {
        let now = now()
        try await storage.write { transaction in
            for (digest, token) in try transaction.values(Token.self, .token)
            where try TokenRecords.live(transaction, digest, now: now) == nil {
                try TokenRecords.delete(transaction, token, digest: digest)
            }
        }
    }
}
