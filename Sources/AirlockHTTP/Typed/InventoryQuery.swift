import AirlockCore
import HTTPTypes

/// The query of `/api/v2/inventory`. What is not known is refused, not ignored.
struct InventoryQuery: Sendable {
    var filter = InventoryFilter()
    /// `nil`: every mount that the principal may list, in this namespace and those below it.
    var mountPoint: String?
    var limit = 100
    /// The page begins after this path.
    var after: String?

    static let known = [
        "kind", "id", "conn_type", "host", "team", "mount_point", "source", "freshness", "unused_days", "limit",
        "after",
    ]

    init(_ fields: [(name: String, value: String)], now: Timestamp) throws {
        for (name, value) in fields {
            func refused(_ reason: String) -> TypedError {
                TypedError(.unprocessableContent, "\(name): \(reason)", at: ["query", name])
            }
            func filled() throws -> String {
                guard !value.isEmpty else { throw refused("must not be empty") }
                return value
            }
            func number(_ range: ClosedRange<Int>) throws -> Int {
                guard let number = Int(value), range.contains(number) else {
                    throw refused("must be \(range.lowerBound) to \(range.upperBound)")
                }
                return number
            }
            switch name {
            case "kind":
                guard let kind = Explanation.Kind(rawValue: value) else {
                    throw refused("must be connection or variable")
                }
                filter.kind = kind
            case "id": filter.id = try filled()
            case "conn_type": filter.connType = try filled()
            case "host": filter.host = try filled()
            case "team":
                guard value.isEmpty || (try? SecretPath(value)) != nil, !value.utf8.contains(UInt8(ascii: "/")) else {
                    throw refused("must be the name of a team, or empty for what belongs to none")
                }
                filter.team = value
            case "mount_point": mountPoint = try filled()
            case "source": filter.source = try filled()
            case "freshness":
                guard Freshness.names.contains(value) else {
                    throw refused("must be " + Freshness.names.joined(separator: ", "))
                }
                filter.freshness = value
            case "unused_days":
                filter.unusedSince = now.adding(seconds: -86_400 * (try number(1...LastRead.keptDays)))
            case "limit": limit = try number(1...10_000)
            case "after": after = try filled()
            default:
                let suggestion = nearestName(to: name, among: Self.known).map { "; did you mean \($0)?" } ?? ""
                throw TypedError(.unprocessableContent, "unknown query parameter\(suggestion)", at: ["query"])
            }
        }
    }
}
