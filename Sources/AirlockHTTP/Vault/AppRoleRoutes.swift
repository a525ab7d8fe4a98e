import AirlockCore
import HTTPTypes

/// The AppRole login below its auth mount (VAULT-PROTOCOL 8).
enum AppRoleRoutes {
    static let table: [Route] =
        [
            // A read too ends in the complaint about the missing role id, as on OpenBao.
            Route("login", access: .open, fields: ["role_id", "secret_id"], [.write: login, .read: login]),
            Route("role", fields: ListPage.fields, [.list: list]),
            Route(
                "role/{name:}", exists: exists, fields: AppRoleFields.names,
                [.read: read, .write: write, .delete: delete]),
            Route(
                "role/{name:}/role-id", fields: ["role_name", "role_id"], [.read: readRoleID, .write: writeRoleID]),
            Route(
                "role/{name:}/secret-id", fields: secretIDFields,
                [.write: makeSecretID(custom: false), .list: listSecretIDs]),
            Route(
                "role/{name:}/custom-secret-id", fields: secretIDFields.union(["secret_id"]),
                [.write: makeSecretID(custom: true)]),
            Route("role/{name:}/secret-id/lookup/", fields: ["role_name", "secret_id"], [.write: lookupSecretID]),
            Route(
                "role/{name:}/secret-id/destroy/", fields: ["role_name", "secret_id"],
                [.write: destroySecretID, .delete: destroySecretID]),
            Route(
                "role/{name:}/secret-id-accessor/lookup/", fields: ["role_name", "secret_id_accessor"],
                [.write: lookupAccessor]),
            Route(
                "role/{name:}/secret-id-accessor/destroy/", fields: ["role_name", "secret_id_accessor"],
                [.write: destroyAccessor, .delete: destroyAccessor]),
            Route("role/{name:}/local-secret-ids", fields: ["role_name"], [.read: readLocalSecretIDs]),
            Route("tidy/secret-id", fields: [], [.write: tidy]),
        ]
        + AppRoleFields.paths.map { path in
            Route(
                "role/{name:}/\(path.path)", fields: path.names,
                [.read: readField(path), .write: writeField(path), .delete: resetField(path)])
        }

    private static let secretIDFields = ListPage.fields.union([
        "metadata", "cidr_list", "token_bound_cidrs", "ttl", "num_uses",
    ])

    private static func roles(_ call: Call) throws -> AppRoles {
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        return AppRoles(
            storage: call.services.storage, mount: mount, failures: call.services.failures, now: call.services.now)
    }

    private static let login: Route.Handler = { call in
        guard let roleID = try call.fields.string("role_id"), !roleID.isEmpty else {
            throw AirlockError(.vaultServerError, "missing role_id")
        }
        let secretID = try call.fields.string("secret_id")
        return try await call.countingLogin(at: call.mount?.path ?? "") {
            // What is wrapped lies on the disk before its answer: so must the token in it.
            try await roles(call).login(
                roleID: roleID, secretID: secretID, source: call.request.source, isDurable: call.request.wrapTTL != nil
            ).response
        }
    }

    // MARK: Roles

    private static func exists(_ call: Call) throws -> Bool { try roles(call).role(call["name"]) != nil }

    private static let list: Route.Handler = { call in
        try .keys(try ListPage(call).cut(try roles(call).names()))
    }

    private static let read: Route.Handler = { call in
        guard let role = try roles(call).role(call["name"]) else { throw AirlockError.absent }
        return .data(AppRoleFields.members(role))
    }

    private static let write: Route.Handler = { call in
        let fields = call.fields
        guard let mount = call.mount else { throw AirlockError.unsupportedPath }
        let id = try fields.string("role_id")
        guard id != "" else {
            throw AirlockError.badRequest("invalid role_id supplied, or failed to generate a role_id")
        }
        let local = try fields.flag("local_secret_ids")
        let warnings = try await roles(call).update(call["name"], localSecretIDs: local) { role in
            if let id { role.roleID = id }
            return try AppRoleFields.apply(fields, to: &role, mount: mount)
        }
        return .noContent(warnings: warnings)
    }

    private static let delete: Route.Handler = { call in
        try await roles(call).delete(call["name"])
        return .noContent
    }

    private static let readRoleID: Route.Handler = { call in
        guard let role = try roles(call).role(call["name"]) else { throw AirlockError.absent }
        return .data([.init("role_id", .string(role.roleID))])
    }

    private static let writeRoleID: Route.Handler = { call in
        let id = try Fields.validated { try call.fields.string("role_id") }
        guard try exists(call) else { throw AirlockError.unsupportedPath }
        guard let id, !id.isEmpty else { throw AirlockError.badRequest("missing role_id") }
        try await roles(call).update(call["name"], creates: false) { $0.roleID = id }
        return .noContent
    }

    // MARK: Single fields

    private static let readLocalSecretIDs: Route.Handler = { call in
        guard let role = try roles(call).role(call["name"]) else { throw AirlockError.absent }
        return .data([.init("local_secret_ids", .bool(role.localSecretIDs))])
    }

    private static func readField(_ path: AppRoleFields.Path) -> Route.Handler {
        { call in
            guard let role = try roles(call).role(call["name"]) else { throw AirlockError.absent }
            let members = [JSON.Member(path.field.name, path.field.read(role))]
            return .data(members + TokenFields.legacyMembers(members, role.token))
        }
    }

    private static func writeField(_ path: AppRoleFields.Path) -> Route.Handler {
        { call in
            let fields = call.fields
            guard try exists(call) else {
                try call.checkTypes { try path.check(fields) }
                throw AirlockError.unsupportedPath
            }
            guard fields[path.field.name] != nil || path.legacy.map({ fields[$0] != nil }) ?? false else {
                if path.isOptional { return .noContent }
                throw AirlockError.badRequest("missing \(path.legacy == "period" ? "period" : path.field.name)")
            }
            try await roles(call).update(call["name"], creates: false) { role in
                try path.field.write(fields, &role)
                let isDisordered = role.token.maxTTL > 0 && role.token.ttl > role.token.maxTTL
                if isDisordered, !path.disorder.isEmpty { throw AirlockError.badRequest(path.disorder) }
            }
            return .noContent
        }
    }

    private static func resetField(_ path: AppRoleFields.Path) -> Route.Handler {
        { call in
            guard try roles(call).role(call["name"]) != nil else { return .noContent }
            try await roles(call).update(call["name"], creates: false) { path.reset(&$0) }
            return .noContent
        }
    }

    // MARK: Secret ids

    private static func makeSecretID(custom: Bool) -> Route.Handler {
        { call in
            let fields = call.fields
            var request = AppRoles.SecretIDRequest()
            request.ttl = try fields.seconds("ttl")
            request.uses = try fields.integer("num_uses")
            let metadataText = try fields.string("metadata") ?? ""
            if custom {
                guard let text = try fields.string("secret_id"), !text.isEmpty else {
                    throw AirlockError.badRequest("missing secret_id")
                }
                request.chosenText = text
            }
            let role = try roles(call).roleWithSecretIDs(call["name"])
            request.cidrs = try fields.cidrs("cidr_list") ?? []
            request.tokenCIDRs = try fields.cidrs("token_bound_cidrs") ?? []
            try request.check(against: role)
            request.metadata = try metadata(metadataText)
            let (text, secret) = try await roles(call).makeSecretID(call["name"], request)
            return .data([
                .init("secret_id", .string(String(decoding: text.bytes, as: UTF8.self))),
                .init("secret_id_accessor", .string(secret.accessor)),
                .init("secret_id_num_uses", .integer(secret.usesLeft)), .init("secret_id_ttl", .integer(secret.ttl)),
            ])
        }
    }

    /// A JSON object, sent as a string.
    private static func metadata(_ text: String) throws -> [String: String] {
        guard !text.isEmpty else { return [:] }
        guard let members = (try? JSON(parsing: text))?.members, members.allSatisfy({ $0.value.text != nil }) else {
            throw AirlockError.badRequest("failed to parse metadata: it must be a JSON object of strings, as a string")
        }
        return Dictionary(members.map { ($0.name, $0.value.text ?? "") }) { _, last in last }
    }

    /// - Throws: Vault's own 500 where there is no such role.
    private static func requireRole(_ call: Call) throws {
        guard try roles(call).role(call["name"]) != nil else {
            throw AirlockError(
                .vaultServerError, AirlockError.multi("role \"\(call["name"].lowercased())\" does not exist"))
        }
    }

    private static let tidy: Route.Handler = { call in
        try await roles(call).tidy()
        return .tidied
    }

    private static let listSecretIDs: Route.Handler = { call in
        guard try roles(call).role(call["name"]) != nil else {
            throw AirlockError.badRequest("role \"\(call["name"].lowercased())\" does not exist")
        }
        return try .keys(try ListPage(call).cut(try roles(call).secretIDAccessors(call["name"])))
    }

    private static let lookupSecretID: Route.Handler = { call in
        guard let text = try call.fields.string("secret_id"), !text.isEmpty else {
            throw AirlockError.badRequest("missing secret_id")
        }
        try requireRole(call)
        guard let secret = try roles(call).secretID(call["name"], text: text) else { return .noContent }
        return .data(members(secret))
    }

    private static let destroySecretID: Route.Handler = { call in
        guard let text = try call.fields.string("secret_id"), !text.isEmpty else {
            throw AirlockError.badRequest("missing secret_id")
        }
        try requireRole(call)
        _ = try await roles(call).destroySecretID(call["name"], text: text)
        return .noContent
    }

    private static let lookupAccessor: Route.Handler = { call in
        let accessor = try call.fields.string("secret_id_accessor") ?? ""
        guard !accessor.isEmpty else { throw AirlockError.badRequest("missing secret_id_accessor") }
        try requireRole(call)
        guard let secret = try roles(call).secretID(call["name"], accessor: accessor) else {
            let text = "failed to find accessor entry for secret_id_accessor: \"\(accessor)\""
            return .data([.init("error", .string(text))], status: .notFound)
        }
        return .data(members(secret))
    }

    private static let destroyAccessor: Route.Handler = { call in
        let accessor = try call.fields.string("secret_id_accessor") ?? ""
        guard !accessor.isEmpty else { throw AirlockError.badRequest("missing secret_id_accessor") }
        try requireRole(call)
        guard try await roles(call).destroySecretID(call["name"], accessor: accessor) else {
            throw AirlockError(
                .vaultServerError,
                AirlockError.multi("failed to find accessor entry for secret_id_accessor: \"\(accessor)\""))
        }
        return .noContent
    }

    private static func members(_ secret: SecretID) -> [JSON.Member] {
        [
            .init("cidr_list", .strings(secret.cidrs.map(\.given))),
            .init("creation_time", .string(secret.created.rfc3339)),
            // Go's zero time stands for never.
            .init("expiration_time", .string(secret.expires?.rfc3339 ?? "0001-01-01T00:00:00Z")),
            .init("last_updated_time", .string(secret.updated.rfc3339)),
            .init(
                "metadata", .object(secret.metadata.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
            ),
            .init("secret_id_accessor", .string(secret.accessor)),
            .init("secret_id_num_uses", .integer(secret.usesLeft)), .init("secret_id_ttl", .integer(secret.ttl)),
            .init("token_bound_cidrs", .strings(secret.tokenCIDRs.map(\.given))),
        ]
    }
}
