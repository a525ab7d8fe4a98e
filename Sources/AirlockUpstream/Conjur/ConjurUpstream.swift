package import AirlockCore

/// Variables of Conjur as a mount's backend. Conjur knows no KV metadata: a secret has no version here, and where KV version
/// 2 wants one it is 0, which no KV secret has.
package struct ConjurUpstream: Upstream {
    let server: ConjurServer
    let mapping: ConjurMapping
    let kvVersion: Int

    package init(server: ConjurServer, kwargs: ConjurKwargs, kvVersion: Int) {
        self.server = server
        mapping = ConjurMapping(kwargs)
        self.kvVersion = kvVersion
    }

    package var identity: String {
        "conjur \(server.place) \(ConjurCall.encoded(server.account)) \(mapping.identity) v\(kvVersion)"
    }

    package var mountPath: String { mapping.branch + "/" }

    package var origin: String { server.origin }

    package var state: CircuitBreaker.State { server.breaker.state }

    // MARK: Reading

    package func read(_ path: SecretPath, version: Int?, as credential: Credential) async throws -> Secret? {
        try requireOwn(credential)
        switch mapping.kind {
        case .variable:
            guard let text = try await value(mapping.id(path.text), version: version) else { return nil }
            return secret([.init(mapping.fieldName(of: path), .string(text))], version: version)
        case .fields:
            guard version == nil else {
                throw AirlockError.badRequest("this mount keeps each field by itself in Conjur, and has no versions")
            }
            let values = try await values(of: try await fields(of: path))
            return values.isEmpty ? nil : secret(values, version: nil)
        }
    }

    private func secret(_ fields: [JSON.Member], version: Int?) -> Secret {
        let data = SecretPayload(JSON.object(fields).bytes)
        guard kvVersion == 2 else { return Secret(data: data, leaseDuration: Mount.systemLeaseTTL) }
        return Secret(data: data, metadata: SecretPayload(ConjurUpstream.metadata(version).bytes))
    }

    /// - Parameter version: which one was asked for, the only way to know.
    static func metadata(_ version: Int?) -> JSON {
        ["custom_metadata": .null, "deletion_time": "", "destroyed": false, "version": .integer(version ?? 0)]
    }

    private func value(_ id: String, version: Int? = nil) async throws -> String? {
        let call = ConjurCall("GET", target("secrets", "variable", id) + (version.map { "?version=\($0)" } ?? ""))
        return try await server.perform(call) { try ConjurShape.value($0, server.origin) }
    }

    /// The fields that a secret has, with or without a value, sorted.
    func fields(of path: SecretPath) async throws -> [(name: String, id: String)] {
        let found = try await ids().compactMap { id in mapping.field(of: id, in: path).map { (name: $0, id: id) } }
        return found.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// Those of the fields that have a value.
    private func values(of fields: [(name: String, id: String)]) async throws -> [JSON.Member] {
        var values: [ExactText: String] = [:]
        for chunk in ConjurBatch.chunks(of: fields.map(\.id), account: server.account) {
            if let batch = try await batch(chunk) {
                values.merge(batch) { $1 }
            } else {
                for id in chunk { values[ExactText(id)] = try await value(id) }
            }
        }
        return fields.compactMap { field in
            values[ExactText(field.id)].map { JSON.Member(field.name, .string($0)) }
        }
    }

    /// - Returns: `nil` when Conjur does not answer for all of them at once, as when one has no value.
    private func batch(_ ids: [String]) async throws -> [ExactText: String]? {
        guard ids.count > 1 else { return nil }
        let call = ConjurCall("GET", ConjurBatch.target(ids, account: server.account))
        return try await server.perform(call) { response -> [ExactText: String]? in
            guard ![404, 406, 414].contains(response.status) else { return nil }
            let values = try ConjurShape.values(response, server.origin)
            var found: [ExactText: String] = [:]
            for id in ids {
                guard let text = values[ExactText(ConjurShape.fullID(server.account, id))] else {
                    throw ConjurShape.noConjurAnswer
                }
                found[ExactText(id)] = text
            }
            return found
        }
    }

    // MARK: Listing

    package func list(_ folder: String, as credential: Credential) async throws -> [String] {
        let names = try await secrets(below: folder, as: credential).map { name in
            name.utf8.firstIndex(of: UInt8(ascii: "/")).map { String(name[...$0]) } ?? name
        }
        return Set(names.map(ExactText.init)).map(\.text).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The secrets at any depth below a folder, named from there, each once.
    func secrets(below folder: String, as credential: Credential) async throws -> [String] {
        try requireOwn(credential)
        let paths = Set(try await ids().compactMap(mapping.secret).map(ExactText.init)).map(\.text)
        return paths.filter { $0.utf8.starts(with: folder.utf8) }
            .map { String(decoding: $0.utf8.dropFirst(folder.utf8.count), as: UTF8.self) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// A resource comes with all its permissions, annotations and versions, and a parsed answer has a limit (`JSON.valueLimit`).
    private static let pageSize = 500

    /// Every variable that the login may see. Conjur's administrator may limit a list, also one that asks for no limit
    /// (`API_RESOURCE_LIST_LIMIT_MAX`): only an empty page, or one that is not full, is the last.
    private func ids() async throws -> [String] {
        let target = "resources/\(ConjurCall.encoded(server.account))/variable"
        var limit: Int? = ConjurUpstream.pageSize
        var all: [String] = []
        var seen: Set<ExactText> = []
        while true {
            let query = (limit.map { "limit=\($0)&" } ?? "") + "offset=\(all.count)"
            var call = ConjurCall("GET", "\(target)?\(query)")
            call.timeout = server.listTimeout
            let page = try await server.perform(call) { response -> [String]? in
                response.status == 422 && limit != nil
                    ? nil : try ConjurShape.ids(response, account: server.account, server.origin)
            }
            guard let page else {
                limit = nil
                continue
            }
            let known = seen.count
            seen.formUnion(page.map(ExactText.init))
            all += page
            // A page without anything new comes from a server that knows no pages.
            if seen.count == known || page.count < limit ?? 0 { return seen.map(\.text) }
        }
    }

    // MARK: Calls

    func target(_ what: String, _ kind: String, _ id: String) -> String {
        "\(what)/\(ConjurCall.encoded(server.account))/\(kind)/\(ConjurCall.encoded(id))"
    }

    func requireOwn(_ credential: Credential) throws(UpstreamError) {
        guard credential == .own else {
            throw UpstreamError(.unsupported, "\(server.origin) is asked with Airlock's own login only")
        }
    }
}

/// Several values by one request, whose ids are all in its URL.
enum ConjurBatch {
    /// Servers on the way stop at about 75 ids or 8 KiB (https://github.com/cyberark/conjur/pull/2712).
    static let idLimit = 50
    static let lengthLimit = 4000

    /// In order; an id that a list of ids cannot hold is by itself, for a request of its own.
    static func chunks(of ids: [String], account: String) -> [[String]] {
        var chunks: [[String]] = []
        var open: [String] = []
        for id in ids {
            // Conjur splits at commas after it has decoded the query.
            guard !id.utf8.contains(UInt8(ascii: ",")) else {
                chunks.append([id])
                continue
            }
            if open.count == idLimit || target(open + [id], account: account).utf8.count > lengthLimit {
                chunks.append(open)
                open = []
            }
            open.append(id)
        }
        return (chunks + [open]).filter { !$0.isEmpty }
    }

    static func target(_ ids: [String], account: String) -> String {
        "secrets?variable_ids=" + ids.map { ConjurCall.encoded(ConjurShape.fullID(account, $0)) }.joined(separator: ",")
    }
}
