/// A request and its answer as the audit log tells them: members, names and order as in Vault's log (docs/audit.md).
package struct AuditedRequest: Sendable {
    /// Where the data of an answer holds secrets.
    package enum Secrets: Sendable {
        case nowhere
        case everywhere
        case member(String)
    }

    package enum Place: Sendable {
        case own(Namespace)
        /// A vault's, without slashes at its ends.
        case vault(String)

        fileprivate var json: JSON {
            switch self {
            case .own(.root): ["id": "root"]
            case .own(let namespace): ["id": .string(namespace.id), "path": .string(namespace.path)]
            case .vault(let path): ["path": .string(path + "/")]
            }
        }
    }

    package let id: String
    package var operation: String
    package let path: String
    package let namespace: Place
    /// The client's address.
    package let source: String?
    /// The token as it was sent, good or not.
    package let token: SecretPayload?
    /// What it was recognised as.
    package var principal: Token?
    /// What the policies say; `nil` when they are asked later.
    package var isAllowed: Bool?
    package var mount: Mount?
    package var data = JSON.null
    package var secrets = Secrets.everywhere
    /// Seconds.
    package var wrapTTL: Int?

    package init(
        id: String, operation: String, path: String, namespace: Place, source: String?, token: SecretPayload?
    ) {
        self.id = id
        self.operation = operation
        self.path = path
        self.namespace = namespace
        self.source = source
        self.token = token
    }
}

/// What came of it.
package struct AuditedAnswer: Sendable {
    package var data = JSON.null
    /// A token that was made or renewed, as its client gets it.
    package var auth = JSON.null
    /// The name of that token.
    package var displayName: String?
    package var wrapInfo = JSON.null
    package var warnings: [String] = []
    /// Where the answer came from, on a mount of a vault.
    package var cache: String?
    /// The text that the client gets.
    package var error: String?

    package init() {}
}

/// One line of the audit log.
package struct AuditEntry: Sendable {
    /// The members that both entries of a request have; hashed once.
    private let auth: [UInt8]
    private let request: [UInt8]
    private let answered: AuditedRequest
    private let hash: AuditHash

    package init(_ audited: AuditedRequest, hash: AuditHash) {
        self.hash = hash
        answered = audited
        auth = AuditEntry.auth(audited, hash).bytes
        request = AuditEntry.request(audited, hash).bytes
    }

    /// - Parameter error: why it goes no further.
    package func requestLine(at moment: Timestamp, error: String? = nil) -> [UInt8] {
        line("request", at: moment, auth: .verbatim(auth), answer: nil, error: error)
    }

    package func responseLine(at moment: Timestamp, _ answer: AuditedAnswer) -> [UInt8] {
        var members = AuditEntry.mountMembers(answered)
        var auth = JSON.verbatim(self.auth)
        if !answer.auth.isNull {
            let issued = issued(answer)
            members.insert(.init("auth", issued), at: 0)
            // A login is made by the one who was logged in.
            if answered.principal == nil { auth = issued }
        }
        if !answer.wrapInfo.isNull { members.append(.init("wrap_info", wrapInfo(answer.wrapInfo))) }
        if !answer.data.isNull { members.append(.init("data", data(answer.data))) }
        if !answer.warnings.isEmpty { members.append(.init("warnings", .strings(answer.warnings))) }
        if let cache = answer.cache { members.append(.init("cache", .string(cache))) }
        return line("response", at: moment, auth: auth, answer: .object(members), error: answer.error)
    }

    private func line(
        _ type: String, at moment: Timestamp, auth: JSON, answer: JSON?, error: String?
    ) -> [UInt8] {
        var members: [JSON.Member] = [
            .init("time", .string(moment.rfc3339)), .init("type", .string(type)), .init("auth", auth),
            .init("request", .verbatim(request)),
        ]
        if let answer { members.append(.init("response", answer)) }
        if let error { members.append(.init("error", .string(error))) }
        return JSON.object(members).bytes + [0x0A]
    }

    // MARK: Who asks

    private static func auth(_ audited: AuditedRequest, _ hash: AuditHash) -> JSON {
        var members: [JSON.Member] = []
        let results = audited.isAllowed.map { JSON.Member("policy_results", ["allowed": .bool($0)]) }
        guard let token = audited.principal else {
            if let results { members.append(results) }
            return .object(members + [.init("token_type", "default")])
        }
        // Where an upstream decides, its names say more than Airlock's own.
        let policies = JSON.strings(token.upstream?.policies ?? token.policies)
        if let sent = audited.token { members.append(.init("client_token", .string(hash.text(sent)))) }
        members += [
            .init("accessor", .string(hash.text(token.accessor))),
            .init("display_name", .string(token.displayName)),
            .init("policies", policies), .init("token_policies", policies),
        ]
        if let results { members.append(results) }
        if let meta = token.meta, !meta.isEmpty {
            let sorted = meta.sorted { $0.key < $1.key }
            members.append(.init("metadata", .object(sorted.map { .init($0.key, .string($0.value)) })))
        }
        // The use that this request is has been counted already.
        if token.usesLeft != 0 { members.append(.init("remaining_uses", .integer(max(0, token.usesLeft) + 1))) }
        if !token.entityID.isEmpty { members.append(.init("entity_id", .string(token.entityID))) }
        members.append(.init("token_type", "service"))
        if token.creationTTL > 0 { members.append(.init("token_ttl", .integer(token.creationTTL))) }
        let issued = Timestamp(nanoseconds: token.issued.nanoseconds / 1_000_000_000 * 1_000_000_000)
        members.append(.init("token_issue_time", .string(issued.rfc3339)))
        return .object(members)
    }

    /// The `auth` member of an answer, without what only its client may know.
    private func issued(_ answer: AuditedAnswer) -> JSON {
        let auth = answer.auth
        func hashed(_ name: String) -> JSON.Member? {
            auth[name]?.text.flatMap { $0.isEmpty ? nil : .init(name, .string(hash.text($0))) }
        }
        func copied(_ name: String, as other: String? = nil) -> JSON.Member? {
            guard let value = auth[name], !value.isNull, value.text != "", value.integer != 0 else { return nil }
            return .init(other ?? name, value)
        }
        let members = [
            hashed("client_token"), hashed("accessor"), answer.displayName.map { .init("display_name", .string($0)) },
            copied("policies"), copied("token_policies"), copied("metadata"), copied("num_uses"), copied("entity_id"),
            copied("token_type"), copied("lease_duration", as: "token_ttl"),
        ]
        return .object(members.compactMap(\.self))
    }

    // MARK: What is asked and answered

    private static func request(_ audited: AuditedRequest, _ hash: AuditHash) -> JSON {
        var members: [JSON.Member] = [.init("id", .string(audited.id)), .init("operation", .string(audited.operation))]
        members += mountMembers(audited)
        if let token = audited.token { members.append(.init("client_token", .string(hash.text(token)))) }
        if let token = audited.principal {
            members.append(.init("client_token_accessor", .string(hash.text(token.accessor))))
        }
        members += [.init("namespace", audited.namespace.json), .init("path", .string(audited.path))]
        if !(audited.data.members?.isEmpty ?? audited.data.isNull) {
            members.append(.init("data", hash.hashed(audited.data, as: .secret)))
        }
        if let ttl = audited.wrapTTL { members.append(.init("wrap_ttl", .integer(ttl))) }
        if let source = audited.source { members.append(.init("remote_address", .string(source))) }
        return .object(members)
    }

    private func data(_ json: JSON) -> JSON {
        switch answered.secrets {
        case .nowhere: return hash.hashed(json, as: .answer)
        case .everywhere: return hash.hashed(json, as: .secret)
        case .member(let name):
            guard let members = json.members else { return hash.hashed(json, as: .secret) }
            let (secret, rest) = (members.filter { $0.name == name }, members.filter { $0.name != name })
            return .object(
                (hash.hashed(.object(secret), as: .secret).members ?? [])
                    + (hash.hashed(.object(rest), as: .answer).members ?? []))
        }
    }

    private static func mountMembers(_ audited: AuditedRequest) -> [JSON.Member] {
        guard let mount = audited.mount else { return [] }
        let isAuth = audited.path.hasPrefix("auth/")
        let within = !mount.namespace.isRoot && mount.engine.isBuiltIn ? "ns_" : ""
        return [
            .init("mount_point", .string(mount.namespace.path + (isAuth ? "auth/" : "") + mount.path)),
            .init("mount_type", .string(within + mount.engine.rawValue)),
            .init("mount_accessor", .string(mount.accessor)),
            .init("mount_class", isAuth ? "auth" : "secret"),
        ]
    }

    /// Of a wrapped answer: its times and its path are readable.
    private func wrapInfo(_ json: JSON) -> JSON {
        let readable: Set<String> = ["ttl", "creation_time", "creation_path"]
        return .object(
            (json.members ?? []).map { member in
                readable.contains(member.name)
                    ? member : .init(member.name, hash.hashed(member.value, as: .secret))
            })
    }
}
