/// JSON Merge Patch (https://www.rfc-editor.org/rfc/rfc7396). What the patch does not name keeps its order and its digits.
package enum JSONMerge {
    package static func apply(_ patch: JSON, to bytes: [UInt8]) throws -> [UInt8] {
        merged(try JSON(parsing: bytes), patch).bytes
    }

    private static func merged(_ target: JSON, _ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var members = target.members ?? []
        var places: [ExactText: Int] = [:]
        for (place, member) in members.enumerated() { places[ExactText(member.name)] = place }
        var removed: Set<Int> = []
        for change in changes {
            switch (places[ExactText(change.name)], change.value) {
            case (let place?, .null): removed.insert(place)
            case (nil, .null): continue
            case (let place?, let value): members[place].value = merged(members[place].value, value)
            case (nil, let value): members.append(.init(change.name, merged(.object([]), value)))
            }
        }
        return .object(members.enumerated().filter { !removed.contains($0.offset) }.map(\.element))
    }
}
