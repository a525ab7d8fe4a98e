import AirlockCore

/// `sys/capabilities`, `-self` and `-accessor` (VAULT-PROTOCOL 10.5).
enum CapabilityRoutes {
    static let table: [Route] = [
        Route("capabilities", [.write: ofToken]),
        Route("capabilities-self", [.write: ofSelf]),
        Route("capabilities-accessor", [.write: ofAccessor]),
        Route("internal/ui/resultant-acl", [.read: resultant]),
    ]

    /// Each path is compared with every wildcard of the policies, and any token may ask.
    private static let pathLimit = 1000

    private static let ofSelf: Route.Handler = { call in
        try answer(call, access: try call.requirePrincipal().access)
    }

    private static let ofToken: Route.Handler = { call in
        guard let found = try call.services.tokens.lookup(text: try call.fields.string("token") ?? "") else {
            throw AirlockError.badRequest(AirlockError.multi("invalid token"))
        }
        return try answer(call, access: call.services.registry.accessControl(found.token.policies))
    }

    private static let ofAccessor: Route.Handler = { call in
        guard let found = try call.services.tokens.lookup(accessor: try call.fields.string("accessor") ?? "") else {
            throw AirlockError.badRequest(AirlockError.multi("invalid accessor"))
        }
        return try answer(call, access: call.services.registry.accessControl(found.token.policies))
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

    private static func answer(_ call: Call, access: AccessControl) throws -> VaultResponse {
        let paths = try call.fields.list("paths") ?? call.fields.list("path") ?? []
        guard !paths.isEmpty else { throw AirlockError.badRequest("paths must be supplied") }
        guard paths.count <= pathLimit else {
            throw AirlockError.badRequest("at most \(pathLimit) paths at a time, \(paths.count) were sent")
        }
        var seen: Set<ExactText> = []
        var members = paths.filter { seen.insert(ExactText($0)).inserted }
            .map { JSON.Member($0, .strings(access.names(on: $0))) }
        if paths.count == 1, let only = members.first { members.append(.init("capabilities", only.value)) }
        return .data(members, repeatsData: true)
    }
}
