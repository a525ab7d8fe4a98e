/// When a secret was read last and by whom, in the names of the audit log. The token itself is nowhere in it.
package struct LastRead: Sendable, Codable, Equatable {
    package let moment: Timestamp
    package let displayName: String
    package let accessor: String
    /// Empty for tokens made by tokens.
    package let entityID: String

    package init(by token: Token, at moment: Timestamp) {
        self.moment = moment
        displayName = token.displayName
        accessor = token.accessor
        entityID = token.entityID
    }

    /// How long it is kept. Beyond that, "long ago" and "never" are the same.
    package static let keptDays = 400

    private static let day = 86_400

    /// When the sweeper may drop the record, to within 30 days: the column is readable without the key.
    var expires: Timestamp {
        let step = 30 * LastRead.day
        let next = (moment.seconds / step + 1) * step
        return Timestamp(nanoseconds: 0).adding(seconds: next + LastRead.keptDays * LastRead.day)
    }
}
