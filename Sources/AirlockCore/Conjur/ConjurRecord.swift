/// What the account keeps of a variable, a policy, a host or the user `admin`. Values of variables are not here: they are
/// secrets of the mount.
package struct ConjurRecord: Sendable, Codable, Equatable {
    /// A right that a policy gave a host.
    package struct Right: Sendable, Codable, Equatable {
        let kind: String
        let name: String
        package var privileges: Set<ConjurPolicy.Privilege>
        /// Which policy gave it.
        package let policy: String

        func isGiven(by branch: String) -> Bool { policy.utf8.elementsEqual(branch.utf8) }

        package var resource: ConjurID { ConjurID(ConjurKind(rawValue: kind) ?? .variable, name) }
    }

    /// Which policy it was loaded with.
    package let policy: String
    package let created: Timestamp
    package var annotations: [String: String]
    /// Of the API key, where it has one.
    package var keyDigest: String?
    package var rights: [Right] = []
    /// Of a policy: how often it has been loaded.
    package var version = 0

    func isLoaded(with branch: String) -> Bool { policy.utf8.elementsEqual(branch.utf8) }

    static func key(_ id: ConjurID) -> RecordKey { RecordKey(.conjur, scope: id.kind.rawValue, id.name.text) }
}

extension StorageReader {
    func conjurRecord(_ id: ConjurID) throws -> ConjurRecord? {
        try value(ConjurRecord.self, ConjurRecord.key(id))
    }

    func conjurRecords(_ kind: ConjurKind) throws -> [(id: ConjurID, record: ConjurRecord)] {
        try values(ConjurRecord.self, .conjur, scope: kind.rawValue).map { (ConjurID(kind, $0.name), $0.value) }
    }
}
