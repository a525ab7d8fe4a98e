package import AirlockCore

/// What the Vault surface asks of a mount beside reads, in Conjur's terms. What Conjur cannot do is refused by name.
extension ConjurUpstream {
    /// Answers as a KV mount does.
    /// - Throws: `AirlockError` for what Conjur has nothing for.
    package func forward(_ request: ForwardedRequest, as credential: Credential) async throws -> ForwardedAnswer {
        try requireOwn(credential)
        let (part, path) = place(request)
        switch (request.method, part) {
        case ("GET", .names): return try await names(path, request.query, as: credential)
        case ("POST", .data), ("PUT", .data): return try await write(try SecretPath(path), request.body)
        case ("DELETE", .data), ("DELETE", .names), ("POST", .removal), ("PUT", .removal):
            throw AirlockError(
                .notAllowed,
                "Conjur removes variables by policy: load one with !delete, or without the variable, in Conjur itself")
        case ("PATCH", .data):
            throw AirlockError(.notAllowed, "a mount in Conjur has no PATCH: write the whole secret")
        default:
            throw AirlockError(.notAllowed, "a mount in Conjur has no KV metadata and no settings")
        }
    }

    private enum Part { case data, names, removal, other }

    /// What a request below the mount is about. Reads of secrets do not come here, so that on KV version 1 a `GET` is a list.
    private func place(_ request: ForwardedRequest) -> (Part, path: String) {
        guard kvVersion == 2 else { return (request.method == "GET" ? .names : .data, request.path) }
        let parts = request.path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let path = parts.count == 2 ? parts[1] : ""
        switch parts[0] {
        case "data": return (.data, path)
        case "metadata": return (.names, path)
        case "delete", "undelete", "destroy": return (.removal, path)
        default: return (.other, path)
        }
    }

    // MARK: Lists

    private func names(_ text: String, _ query: String, as credential: Credential) async throws -> ForwardedAnswer {
        let folder = try SecretPath.folder(text)
        switch query {
        case "list=true":
            let names = try await list(folder, as: credential)
            guard !names.isEmpty else { return ForwardedAnswer(404, ["errors": .array([])]) }
            return ForwardedAnswer(200, ["data": ["keys": .strings(names)]])
        case "scan=true":
            let names = try await secrets(below: folder, as: credential)
            return ForwardedAnswer(200, ["data": names.isEmpty ? .object([]) : ["keys": .strings(names)]])
        case "": throw AirlockError(.notAllowed, "a mount in Conjur has no KV metadata and no settings")
        default:
            throw AirlockError.badRequest("a mount in Conjur is listed whole: leave out after, limit and the like")
        }
    }

    // MARK: Writes

    private func write(_ path: SecretPath, _ body: SecretPayload) async throws -> ForwardedAnswer {
        let fields = try fields(in: body, of: path)
        switch mapping.kind {
        case .variable: try await write(fields[0].value, to: mapping.id(path.text))
        case .fields: try await write(fields, to: path)
        }
        return kvVersion == 2
            ? ForwardedAnswer(200, ["data": ConjurUpstream.metadata(nil)])
            : ForwardedAnswer(status: 204, body: .init([]))
    }

    private func write(_ text: String, to id: String) async throws {
        if try await set(id, text) { return }
        try await make([id])
        guard try await set(id, text) else { throw ConjurUpstream.unseen }
    }

    /// All variables are there before the first one is set: what can be refused whole is.
    private func write(_ fields: [(name: String, value: String)], to path: SecretPath) async throws {
        let known = Set(try await self.fields(of: path).map { ExactText($0.name) })
        let stays = known.subtracting(fields.map { ExactText($0.name) }).map(\.text).sorted()
        guard stays.isEmpty else {
            throw AirlockError.badRequest(
                "Conjur removes variables by policy, so a write cannot drop fields: give \(stays.joined(separator: ", ")) too"
            )
        }
        func id(_ field: String) -> String { mapping.id("\(path.text)/\(field)") }
        let missing = fields.map(\.name).filter { !known.contains(ExactText($0)) }
        if !missing.isEmpty { try await make(missing.map(id)) }
        for (index, field) in fields.enumerated() {
            do {
                guard try await set(id(field.name), field.value) else { throw ConjurUpstream.unseen }
            } catch  where index > 0 {
                let reason = (error as? UpstreamError)?.message ?? (error as? AirlockError)?.message ?? "cancelled"
                throw UpstreamError(.broken, "some fields are written and others are not: \(reason)")
            }
        }
    }

    private static let unseen = AirlockError(
        .permissionDenied, "the variable is there, but Airlock's login may not set it: permit it read, execute, update")

    /// What a write says, if Conjur can hold it.
    private func fields(in body: SecretPayload, of path: SecretPath) throws -> [(name: String, value: String)] {
        guard let json = try? JSON(parsing: body.bytes, refusesRepeats: true) else {
            throw AirlockError.badRequest("the body must be a JSON object without a repeated name")
        }
        if kvVersion == 2 {
            guard json["options"]?["cas"] == nil else {
                throw AirlockError.badRequest(
                    "Conjur cannot check and set: leave out options.cas, or give the mount kv_version 1")
            }
            guard json["data"]?.members != nil else { throw AirlockError.badRequest("no data provided") }
        }
        let members = (kvVersion == 2 ? json["data"] : json)?.members ?? []
        let name = mapping.fieldName(of: path)
        guard mapping.kind == .fields || members.map(\.name) == [name] else {
            throw AirlockError.badRequest("Conjur keeps one value here: the data must be one field, \(name)")
        }
        guard !members.isEmpty else { throw AirlockError.badRequest("missing data fields") }
        return try members.map { member in
            guard let text = member.value.text, !text.allSatisfy(\.isWhitespace) else {
                throw AirlockError.badRequest("Conjur keeps text that is not blank: write each field as a string")
            }
            guard (try? SecretPath(member.name)) != nil, !member.name.utf8.contains(UInt8(ascii: "/")) else {
                throw AirlockError.badRequest("a field's name is part of a variable's id here, and cannot hold a slash")
            }
            return (member.name, text)
        }
    }

    /// - Returns: `false` when there is no such variable, as far as the login can see.
    private func set(_ id: String, _ text: String) async throws -> Bool {
        var call = ConjurCall("POST", target("secrets", "variable", id), body: Array(text.utf8))
        call.contentType = "application/octet-stream"
        call.timeout = server.writeTimeout
        return try await server.perform(call) { try taken($0).status != 404 }
    }

    private func taken(_ response: UpstreamResponse) throws -> UpstreamResponse {
        guard response.status != 405 else {
            throw AirlockError(
                .notAllowed, "this Conjur takes no writes, as a follower does: name the leader's address")
        }
        return try ConjurShape.checked(response, server.origin)
    }

    /// Makes variables by policy, in the mount's branch.
    private func make(_ ids: [String]) async throws {
        let lines = ids.compactMap(mapping.below).map { "- !variable \(ConjurUpstream.quoted($0))\n" }
        let branch = mapping.branch.isEmpty ? ConjurKwargs.rootPolicy : mapping.branch
        var call = ConjurCall("POST", target("policies", "policy", branch), body: Array(lines.joined().utf8))
        call.contentType = "application/x-yaml"
        call.timeout = server.writeTimeout
        try await server.load(call) { response in
            if response.status == 422 {
                throw AirlockError.badRequest("Conjur refuses the policy that would make the variable (HTTP 422)")
            }
            guard try taken(response).status != 404 else {
                throw AirlockError.badRequest("Conjur has no policy branch \(branch), in which variables are made")
            }
        }
    }

    /// A text in YAML, in a form that every version of it reads alike.
    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case " "..."~": out.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16)
                let width = scalar.value > 0xFFFF ? 8 : 4
                out += (width == 8 ? "\\U" : "\\u") + String(repeating: "0", count: width - digits.count) + digits
            }
        }
        return out + "\""
    }
}

extension ForwardedAnswer {
    fileprivate init(_ status: Int, _ body: JSON) { self.init(status: status, body: SecretPayload(body.bytes)) }
}
