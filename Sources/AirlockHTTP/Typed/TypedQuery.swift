import AirlockCore
import HTTPTypes

/// The query of a typed call. What the call does not know is refused, not ignored.
struct TypedQuery: Sendable {
    enum Format: String, Sendable, CaseIterable { case fields, uri, json }

    struct Ordering: Sendable {
        let name: String
        let isDescending: Bool
    }

    private(set) var mountPoint: String?
    private(set) var format = Format.fields
    private(set) var dialect = Dialect.sdk
    private(set) var limit = 50
    private(set) var offset = 0
    private var orderBy: [Ordering] = []
    /// All of them must match.
    private(set) var patterns: [IDPattern] = []
    private(set) var teamName: String?
    private(set) var updateMask: [String] = []
    /// Of the token whose lookup is explained.
    private(set) var accessor: String?

    /// Airflow's own.
    private static let orderingLimit = 10

    /// - Parameter known: what the call knows.
    init(_ fields: [(name: String, value: String)], known: [String]) throws {
        for (name, value) in fields {
            guard known.contains(name) else {
                let suggestion = nearestName(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
                throw TypedError(.unprocessableContent, "unknown query parameter\(suggestion)", at: ["query"])
            }
            func refused(_ reason: String) -> TypedError {
                TypedError(.unprocessableContent, "\(name): \(reason)", at: ["query", name])
            }
            switch name {
            case "mount_point":
                guard !value.isEmpty else { throw refused("must not be empty") }
                mountPoint = value
            case "format":
                guard let format = Format(rawValue: value) else { throw refused("must be fields, uri or json") }
                self.format = format
            case "dialect":
                guard let dialect = Dialect(rawValue: value) else { throw refused("must be sdk, server or 2.10") }
                self.dialect = dialect
            case "limit":
                guard let number = Int(value), (0...1000).contains(number) else { throw refused("must be 0 to 1000") }
                limit = number
            case "offset":
                guard let number = Int(value), number >= 0 else { throw refused("must be 0 or more") }
                offset = number
            case "order_by":
                // A `-` before a name goes down. Airflow takes one name at a time.
                orderBy += value.split(separator: ",").map { part in
                    Ordering(name: String(part.drop { $0 == "-" }), isDescending: part.hasPrefix("-"))
                }
            case "team_name":
                guard SecretName.isTeam(value) else { throw refused(SecretName.teamRule) }
                teamName = value
            case "accessor":
                guard !value.isEmpty else { throw refused("must not be empty") }
                accessor = value
            case "update_mask": updateMask.append(value)
            case _ where name.hasSuffix("_prefix_pattern"): patterns.append(IDPattern(prefix: value))
            case _ where name.hasSuffix("_pattern"): patterns.append(IDPattern(search: value))
            default: throw refused("is not understood")
            }
        }
    }

    /// - Throws: 400, as Airflow.
    func orderings(among known: [String]) throws -> [Ordering] {
        guard orderBy.count <= TypedQuery.orderingLimit else {
            throw TypedError(.badRequest, "order_by: more than \(TypedQuery.orderingLimit) are too many")
        }
        guard orderBy.allSatisfy({ known.contains($0.name) }) else {
            throw TypedError(.badRequest, "order_by: must be one of \(known.joined(separator: ", "))")
        }
        return orderBy
    }
}
