import AirlockCore
import HTTPTypes

/// Loading policies.
enum ConjurPolicyRoutes {
    static let add: ConjurSurface.Handler = { try await load($0, .add, needing: .create) }
    static let change: ConjurSurface.Handler = { try await load($0, .change, needing: .update) }
    static let replace: ConjurSurface.Handler = { try await load($0, .replace, needing: .update) }

    /// Bytes; a parsed document is many times as large.
    private static let textLimit = 1024 * 1024

    private static func load(
        _ call: ConjurCall, _ mode: ConjurLoad.Mode, needing capability: Capabilities
    ) async throws -> ConjurResponse {
        let branch = call["id"]
        let access = try call.requirePrincipal().access
        let place = ConjurRules.path(ofPolicy: branch)
        guard (try? SecretPath(branch)) != nil, access.allows(capability, on: place) else {
            let mayKnow = [Capabilities.read, .create, .update].contains { access.allows($0, on: place) }
            throw mayKnow ? ConjurError(AirlockError.permissionDenied) : noPolicy(branch)
        }
        guard call.body.count <= textLimit else {
            throw AirlockError(.tooLarge, "a policy is at most \(textLimit) bytes: load it in parts")
        }
        guard let text = String(validating: call.body, as: UTF8.self) else {
            throw ConjurError(.unprocessableContent, "policy_invalid", "the policy is no UTF-8 text")
        }
        do {
            let load = ConjurLoad(try ConjurPolicy(parsing: text, branch: branch), mode: mode)
            // Values go first: were this cut short, they would be there without a policy that says so.
            let removed = try call.account.plan(load).removedVariables
            try await removeValues(of: removed, call)
            return answer(try await call.account.load(load, emptied: removed))
        } catch let fault as ConjurPolicy.Fault {
            throw invalid(fault)
        } catch let refusal as ConjurLoad.Refusal {
            switch refusal {
            case .fault(let fault): throw invalid(fault)
            case .noPolicy: throw noPolicy(branch)
            case .missing(let line):
                throw ConjurError(
                    .notFound, "not_found", "line \(line): a host or a resource is not there: declare it first")
            case .conflict:
                throw ConjurError(.conflict, "policy_conflict", "Concurrent policy load in progress, please retry")
            }
        }
    }

    private static func invalid(_ fault: ConjurPolicy.Fault) -> ConjurError {
        ConjurError(.unprocessableContent, "policy_invalid", "line \(fault.line): \(fault.reason)")
    }

    private static func noPolicy(_ branch: String) -> ConjurError {
        ConjurError(
            .notFound, "not_found", "Policy '\(branch)' not found in account '\(ConjurAccount.name)'")
    }

    /// Nothing is removed unless all of it may be.
    private static func removeValues(of removed: Set<ConjurID>, _ call: ConjurCall) async throws {
        guard !removed.isEmpty else { return }
        let variables = try call.variables()
        let paths = try removed.map { try SecretPath($0.name.text) }.sorted()
        for path in paths { try variables.authorizeRemoval(path) }
        for path in paths { try await variables.remove(path) }
    }

    private static func answer(_ loaded: ConjurAccount.Loaded) -> ConjurResponse {
        let roles = loaded.keys.map { id, key in
            JSON.Member(id.full, ["id": .string(id.full), "api_key": .string(key.revealed)])
        }
        return ConjurResponse(
            status: .created,
            body: .json(["created_roles": .object(roles), "version": .integer(loaded.version)]))
    }
}
