/// Names for places, as Kong's vault entities have a prefix and a `base_path`: with `kong=secret/teams/etl`,
/// `{vault://kong/db/password}` is the field `password` of `secret/teams/etl/db`. A prefix goes before a mount of the same name.
package struct ReferencePrefixes: Sendable {
    private var places: [ExactText: String] = [:]

    package static let none = ReferencePrefixes()

    private init() {}

    /// - Throws: a fault of the kind `malformed`.
    package init(_ pairs: some Sequence<(name: String, place: String)>) throws(ReferenceFault) {
        for (name, place) in pairs {
            guard !name.isEmpty, !name.contains("/") else { throw .malformed("a prefix is a name without a '/'") }
            let trimmed = place.split(separator: "/").joined(separator: "/")
            guard (try? SecretPath(trimmed)) != nil else {
                throw .malformed("the place of a prefix is a mount, or a path below one: mount/path")
            }
            guard places.updateValue(trimmed, forKey: ExactText(name)) == nil else {
                throw .malformed("a prefix is given twice")
            }
        }
    }

    /// Where a reference's secret lies: a mount and a path below it.
    func path(of reference: Reference) -> String {
        let first = reference.place[0]
        return ([places[ExactText(first)] ?? first] + reference.place.dropFirst()).joined(separator: "/")
    }
}
