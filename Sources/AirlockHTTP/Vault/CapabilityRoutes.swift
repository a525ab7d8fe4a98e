import AirlockCore

/// `sys/capabilities`, `-self` and `-accessor` (VAULT-PROTOCOL 10.5).
enum CapabilityRoutes {
    static let table: [Route] = [
        Route("capabilities", fields: ["token", "path", "paths"], [.write: ofToken]),
        Route("capabilities-self", fields: ["token", "path", "paths"], [.write: ofSelf]),
        Route("capabilities-accessor", fields: ["accessor", "path", "paths"], [.write: ofAccessor]),
        Route("internal/ui/resultant-acl", [.read: resultant]),
    ]

    /// Each path is compared with every wildcard of the policies, and any token may ask.
    private static let pathLimit = 1000

    private static let ofSelf: Route.Handler = { call in
        try answer(call, paths(call), for: try call.requirePrincipal())
    }

    private static let ofToken: Route.Handler = { call in
        _ = try Fields.validated { try call.fields.string("token") }
        guard let token = call.fields["token"]?.text, !token.isEmpty else {
            throw AirlockError(.vaultServerError, AirlockError.multi("no token found"))
        }
        let paths = try paths(call)
        guard let found = try call.services.tokens.lookup(text: token) else {
            throw AirlockError.badRequest(AirlockError.multi("invalid token"))
        }
        return try answer(call, paths, for: try call.services.principal(found))
    }

    private static let ofAccessor: Route.Handler = { call in
        guard let accessor = try Fields.validated({ try call.fields.string("accessor") }), !accessor.isEmpty else {
            throw AirlockError.badRequest("missing accessor")
        }
        guard let found = try call.services.tokens.lookup(accessor: accessor) else {
            throw AirlockError.badRequest(AirlockError.multi("invalid accessor"))
        }
        return try answer(call, try paths(call), for: try call.services.principal(found))
    }

    private static let resultant: Route.Handler = { call in
        guard let listed = try call.requirePrincipal().access.listed else { return .data([.init("root", true)]) }
        func object(_ rules: [(path: String, names: [String])]) -> JSON {
            .object(rules.map { .init($0.path, ["capabilities": .strings($0.names)]) })
        }
        return .data([
            .init("exact_paths", object(listed.exact)), .init("glob_paths", object(listed.prefixes)),
            .init("root", false),
        ])
    }

    private static func paths(_ call: Call) throws -> [String] {
        let paths = try list(call, "paths") ?? list(call, "path") ?? []
        guard !paths.isEmpty else { throw AirlockError.badRequest("paths must be supplied") }
        guard !paths.contains("") else { throw AirlockError.badRequest(AirlockError.multi("missing path")) }
        guard paths.count <= pathLimit else {
            throw AirlockError.badRequest("at most \(pathLimit) paths at a time, \(paths.count) were sent")
        }
        return paths
    }

    /// As lenient as OpenBao: true is the text 1, and an object without members a list of nothing.
    private static func list(_ call: Call, _ name: String) throws -> [String]? {
        switch call.fields[name] {
        case .bool(let flag)?: [flag ? "1" : "0"]
        case .object(let members)? where members.isEmpty: []
        default: try call.fields.list(name)
        }
    }

    private static func answer(_ call: Call, _ paths: [String], for principal: Principal) throws -> VaultResponse {
        var seen: Set<ExactText> = []
        var members = paths.filter { seen.insert(ExactText($0)).inserted }
            .map { JSON.Member($0, .strings(names(principal, on: $0, call))) }
        if paths.count == 1, let only = members.first { members.append(.init("capabilities", only.value)) }
        return .data(members, repeatsData: true)
    }

    /// A path may lead into a namespace below, where a token of that namespace has rights.
    private static func names(_ principal: Principal, on path: String, _ call: Call) -> [String] {
        let bare = path.utf8.first == UInt8(ascii: "/") ? String(Substring(path.utf8.dropFirst())) : path
        let (registry, rest) = call.services.registry.descend(bare)
        return principal.seen(from: registry.namespace).access.names(on: rest)
    }
}
