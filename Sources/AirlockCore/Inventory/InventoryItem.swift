/// A connection or variable as an inventory shows it: where it lies, what it is, and how it is used. No login, password, extra
/// or value is in here.
package struct InventoryItem: Sendable {
    /// What is known before the secret is looked at.
    package struct Place: Sendable {
        package let kind: Explanation.Kind
        package let id: String
        /// `nil` for what belongs to no team.
        package let team: String?
        /// Below the mount.
        package let path: SecretPath
        /// From the root namespace, ending in `/`; empty for the root.
        package let namespace: String
        /// Ends in `/`.
        package let mount: String
        /// `embedded`, an upstream's address, or several in the order they are asked.
        package let sources: [String]

        package init(
            kind: Explanation.Kind, id: String, team: String?, path: SecretPath, namespace: String, mount: String,
            sources: [String]
        ) {
            self.kind = kind
            self.id = id
            self.team = team
            self.path = path
            self.namespace = namespace
            self.mount = mount
            self.sources = sources
        }

        /// Names the secret among all there are, and is the order of an inventory.
        package var fullPath: String { namespace + mount + path.text }
    }

    /// What is in it, as far as it may be shown.
    package struct Description: Sendable, Equatable {
        package var connType: String?
        package var host: String?
        package var port: Int?
        package var schema: String?
        package var error: String?

        package init(error: String? = nil) { self.error = error }

        /// - Parameter data: the secret's data object.
        package init(_ kind: Explanation.Kind, _ data: [UInt8]) {
            switch kind {
            case .variable:
                if (try? Variable(data: data)) == nil { error = Description.unreadable(kind) }
            case .connection:
                guard let connection = try? ConnectionPayload.read(data) else {
                    error = Description.unreadable(kind)
                    return
                }
                // What is read otherwise than it was meant may have its password in the host or the schema.
                guard !ConnectionLint.findings(inPayload: data).contains(where: { $0.severity == .error }) else {
                    error = "Airflow reads this connection otherwise than it was meant; explain says why"
                    return
                }
                (connType, host) = (connection.connType, connection.host)
                (port, schema) = (connection.port, connection.schema)
            }
        }

        private static func unreadable(_ kind: Explanation.Kind) -> String {
            "Airflow cannot read this \(kind.rawValue); explain says why"
        }
    }

    package let place: Place
    package let description: Description
    /// KV version 2.
    package let version: Int?
    package let updated: Timestamp?
    package let lastRead: LastRead?
    /// What the cache has of it; `nil` where there is no cache.
    package let freshness: Freshness?

    package init(
        place: Place, description: Description, version: Int?, updated: Timestamp?, lastRead: LastRead?,
        freshness: Freshness?
    ) {
        self.place = place
        self.description = description
        self.version = version
        self.updated = updated
        self.lastRead = lastRead
        self.freshness = freshness
    }

    /// - Parameter showsAccessor: of the token that read it last.
    package func json(showsAccessor: Bool) -> JSON {
        [
            "path": .string(place.fullPath), "namespace": .string(place.namespace), "mount": .string(place.mount),
            "kind": .string(place.kind.rawValue), "id": .string(place.id), "team": .orNull(place.team),
            "conn_type": .orNull(description.connType), "host": .orNull(description.host),
            "port": description.port.map { .integer($0) } ?? .null, "schema": .orNull(description.schema),
            "error": .orNull(description.error), "version": version.map { .integer($0) } ?? .null,
            "updated": .orNull(updated?.rfc3339), "last_read": .orNull(lastRead?.moment.rfc3339),
            "last_reader": lastRead.map { reader($0, showsAccessor: showsAccessor) } ?? .null,
            "source": .string(place.sources.joined(separator: ",")), "freshness": .orNull(freshness?.name),
        ]
    }

    private func reader(_ read: LastRead, showsAccessor: Bool) -> JSON {
        [
            "display_name": .string(read.displayName), "entity_id": .string(read.entityID),
            "accessor": showsAccessor ? .string(read.accessor) : .null,
        ]
    }
}

extension Freshness {
    package static let names = ["fresh", "stale", "absent"]

    package var name: String {
        switch self {
        case .fresh: Freshness.names[0]
        case .stale: Freshness.names[1]
        case .absent: Freshness.names[2]
        }
    }
}
