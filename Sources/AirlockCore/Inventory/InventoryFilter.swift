/// Which secrets an inventory shows. In steps, so that nothing is asked of a vault for what the earlier ones leave out.
package struct InventoryFilter: Sendable {
    package var kind: Explanation.Kind?
    /// Patterns, in which `*` stands for any text.
    package var id: String?
    package var connType: String?
    package var host: String?
    /// Empty: what belongs to no team.
    package var team: String?
    package var source: String?
    /// One of `Freshness.names`.
    package var freshness: String?
    /// Not read since.
    package var unusedSince: Timestamp?

    package init() {}

    package func admits(_ place: InventoryItem.Place) -> Bool {
        (kind ?? place.kind) == place.kind && matches(id, place.id) && team.map { $0 == place.team ?? "" } ?? true
            && source.map(place.sources.contains) ?? true
    }

    package func admits(_ read: LastRead?) -> Bool {
        guard let unusedSince, let read else { return true }
        return read.moment < unusedSince
    }

    package func admits(_ freshness: Freshness?) -> Bool {
        self.freshness.map { $0 == freshness?.name } ?? true
    }

    package func admits(_ description: InventoryItem.Description) -> Bool {
        matches(connType, description.connType) && matches(host, description.host)
    }

    private func matches(_ pattern: String?, _ text: String?) -> Bool {
        guard let pattern else { return true }
        return text.map { Glob.matches(pattern, $0) } ?? false
    }
}
