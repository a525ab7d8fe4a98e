import AirlockCore

/// The part of a list that its reader asks for: `limit` keys that come after the key `after`. Only some lists have it, and no
/// scan (VAULT-PROTOCOL 2.6); on the others the two are fields like any that nobody knows.
struct ListPage {
    static let fields: Set<String> = ["after", "limit"]

    private let after: String
    /// 0 and negative numbers: no limit.
    private let limit: Int

    init(_ call: Call) throws {
        after = call.request.query["after"] ?? ""
        limit = try call.queryInteger("limit") ?? 0
    }

    /// - Parameter keys: in byte order.
    func cut(_ keys: [String]) -> [String] {
        let rest = keys.drop { !after.utf8.lexicographicallyPrecedes($0.utf8) }
        return Array(limit > 0 ? rest.prefix(limit) : rest)
    }
}

extension Call {
    func queryInteger(_ name: String) throws -> Int? {
        guard let text = request.query[name] else { return nil }
        return try Fields.validated { try Fields([name: .string(text)]).integer(name) }
    }

    /// Throws what OpenBao checks before it calls a handler, and lets pass what the handler would have said.
    func checkTypes(_ body: () throws -> Void) throws {
        do {
            try Fields.validated(body)
        } catch let error as AirlockError where error.message?.hasPrefix("Field validation failed: ") == true {
            throw error
        } catch is AirlockError {}
    }
}

extension VaultResponse {
    /// Keys as a scan answers them: nothing found is no error.
    static func scanned(_ keys: [String]) -> VaultResponse {
        .data(keys.isEmpty ? [] : [.init("keys", .strings(keys))])
    }
}
