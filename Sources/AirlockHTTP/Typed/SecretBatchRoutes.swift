import AirlockCore
import HTTPTypes

/// `POST /api/v2/secrets/batch`: many reads and writes of one mount's secrets in one request, for `conn-import`. Each action is
/// the same call as on the Vault surface, with its rights, its answer and its entries in the audit log. Those that write share
/// the commits of the store.
enum SecretBatchRoutes {
    /// A body of more would hold up the others.
    private static let limit = 500

    static let batch: TypedSurface.Handler = { call in
        let principal = try call.requirePrincipal()
        guard principal.token.usesGranted == nil, principal.token.upstream?.isCounted != true else {
            throw TypedError(.forbidden, "a token for a limited number of requests makes one call a request")
        }
        let body = try TypedBody(call.body, known: ["mount_point", "actions"])
        let mount = try mount(try body.required("mount_point"), call, principal)
        guard let elements = body["actions"]?.elements, (1...limit).contains(elements.count) else {
            throw body.invalid("actions", "must be a list of 1 to \(limit)")
        }
        // All of the request is understood before any of it is done.
        let requests = try elements.enumerated().map { index, element in
            try request(element, at: body.location + ["actions", String(index)], mount, call)
        }
        guard Set(requests.map(\.path)).count == requests.count else {
            throw body.invalid("actions", "name a path twice, and they are done in no order")
        }
        let vault = VaultSurface(services: call.surface.services, bodyLimit: call.surface.bodyLimit)
        // All writes of a batch share a commit of the store; a vault is asked a few at a time, for others wait in its line too.
        let width = call.surface.services.registry.bound[mount.path]?.upstream == nil ? requests.count : 16
        let results = try await withThrowingTaskGroup(of: (Int, JSON).self) { group in
            var results = [JSON](repeating: .null, count: requests.count)
            for (index, request) in requests.enumerated() {
                if index >= width, let (done, result) = try await group.next() { results[done] = result }
                group.addTask { (index, try await result(of: request, vault, principal, call)) }
            }
            for try await (done, result) in group { results[done] = result }
            return results
        }
        return TypedResponse(body: ["results": .array(results)])
    }

    private static func mount(_ name: String, _ call: TypedCall, _ principal: Principal) throws -> Mount {
        let path = name.split(separator: "/").joined(separator: "/") + "/"
        guard let mount = call.surface.services.mount(for: path, opening: principal), mount.path == path,
            mount.engine == .kv
        else {
            // Whether a mount exists is told only to those who may reach something in it.
            throw principal.access.allows(.read, on: path + "x")
                ? TypedError(.notFound, "there is no KV mount \"\(path)\"")
                : TypedError(.forbidden, "permission denied")
        }
        return mount
    }

    private enum Action: String, CaseIterable {
        case read, write
        /// A read to compare with, by who copies secrets: one that only an import looked at is still unused.
        case check
    }

    private static func request(
        _ element: JSON, at location: [String], _ mount: Mount, _ call: TypedCall
    ) throws -> VaultRequest {
        let body = try TypedBody(element, known: ["action", "path", "data", "cas"], at: location)
        let action: Action = try body.choice("action")
        guard let path = try? SecretPath(try body.required("path")) else {
            throw body.invalid("path", "must be a secret's path below the mount")
        }
        let isVersioned = mount.kvVersion == 2
        let full = mount.path + (isVersioned ? "data/" : "") + path.text
        guard action == .write else {
            guard !body.has("data"), !body.has("cas") else { throw body.invalid("data", "and cas belong to a write") }
            var request = try VaultRequest(.read, full, body: nil, headers: call.headers, source: call.source)
            request.isNoted = action == .read
            return request
        }
        guard let data = body["data"], data.members != nil else { throw body.invalid("data", "must be a JSON object") }
        guard isVersioned else {
            guard !body.has("cas") else { throw body.invalid("cas", "cannot be honoured on a version 1 mount") }
            return try VaultRequest(.write, full, body: data, headers: call.headers, source: call.source)
        }
        guard let cas = body["cas"]?.integer, cas >= 0 else {
            throw body.invalid("cas", "must be the version that is replaced, 0 for none")
        }
        return try VaultRequest(
            .write, full, body: ["data": data, "options": ["cas": .integer(cas)]], headers: call.headers,
            source: call.source)
    }

    private static func result(
        of request: VaultRequest, _ vault: VaultSurface, _ principal: Principal, _ call: TypedCall
    ) async throws -> JSON {
        do {
            let response = try await vault.answer(request, as: principal)
            return result(response.status, response.content)
        } catch {
            let error = try Surfaces.explained(error, logger: call.logger)
            return result(error.vaultStatus, ["errors": .strings(error.message.map { [$0] } ?? [])])
        }
    }

    private static func result(_ status: HTTPResponse.Status, _ body: JSON) -> JSON {
        ["status": .integer(status.code), "body": body]
    }
}

extension VaultResponse {
    /// The body as JSON; null where there is none.
    var content: JSON {
        switch body {
        case .none, .text: .null
        case .bare(let json): json
        case .envelope(let envelope): envelope.json
        case .verbatim(let payload): payload.bytes.isEmpty ? .null : payload.json
        }
    }
}
