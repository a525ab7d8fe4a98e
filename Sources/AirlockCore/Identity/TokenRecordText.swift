extension Token {
    /// The record of a login's token: what its `Codable` writes, in a fifth of the time, since each login waits its turn for it.
    /// - Returns: `nil` for a token with more to it; `RecordValue` writes any.
    package var recordText: [UInt8]? {
        guard upstream == nil, home == nil else { return nil }
        var members: [JSON.Member] = [
            .init("accessor", .string(accessor)), .init("policies", .strings(policies)), .init("path", .string(path)),
            .init("displayName", .string(displayName)), .init("issued", .integer(issued.nanoseconds)),
            .init("creationTTL", .integer(creationTTL)), .init("lastTTL", .integer(lastTTL)),
            .init("explicitMaxTTL", .integer(explicitMaxTTL)), .init("period", .integer(period)),
            .init("usesLeft", .integer(usesLeft)), .init("renewable", .bool(renewable)),
            .init("hasChildren", .bool(hasChildren)), .init("entityID", .string(entityID)),
            .init("boundCIDRs", .strings(boundCIDRs.map(\.given))),
        ]
        func add(_ name: String, _ value: JSON?) {
            if let value { members.append(.init(name, value)) }
        }
        add("meta", meta.map { .object($0.map { .init($0.key, .string($0.value)) }) })
        add("expires", expires.map { .integer($0.nanoseconds) })
        add("usesGranted", usesGranted.map { .integer($0) })
        add("parent", parent.map { ["digest": .string($0.digest), "accessor": .string($0.accessor)] })
        add("lostParent", lostParent.map { .bool($0) })
        add("issuedThrough", issuedThrough.map { .string($0) })
        add("loginRole", loginRole.map { .string($0) })
        add("tokenRole", tokenRole.map { .string($0) })
        add("certificateDigest", certificateDigest.map { .string($0) })
        add("lastRenewal", lastRenewal.map { .integer($0.nanoseconds) })
        return JSON.object(members).bytes
    }
}
