/// A part of the Vault surface with its own mounts, ways to log in, policies and tokens (VAULT-PROTOCOL 11). A namespace made
/// anew under an old name is another one: it has another uuid.
package struct Namespace: Sendable, Codable, Equatable {
    /// From the root, ending in `/`; empty for the root.
    package let path: String
    /// Follows a point at the end of the namespace's tokens and accessors. Empty for the root.
    package let id: String
    /// The scope of the namespace's records; empty for the root.
    package let uuid: String

    package static let root = Namespace(path: "", id: "", uuid: "")

    /// What lies beside the mounts of every namespace, and what a header says for the root.
    private static let reserved: Set<String> = ["root", "sys", "audit", "auth", "cubbyhole", "identity"]
    /// Bytes of a whole path, so that a path of the longest secret below it can still be asked for.
    private static let pathLimit = 1024
    private static let idLength = 6

    private init(path: String, id: String, uuid: String) {
        self.path = path
        self.id = id
        self.uuid = uuid
    }

    /// - Throws: `AirlockError` for a name that a path, a header or a policy could not say without doubt.
    init(name: String, in parent: Namespace) throws {
        func refused(_ reason: String) -> AirlockError { .badRequest(reason) }
        guard !name.utf8.contains(UInt8(ascii: "/")) else { throw refused("namespace name cannot contain /") }
        _ = try SecretPath(name)
        guard !Namespace.reserved.contains(name) else {
            throw refused("\"\(name)/\" is a reserved path and cannot be used as a namespace name")
        }
        for wildcard in ["+", "*"] where name.unicodeScalars.contains(Unicode.Scalar(wildcard)!) {
            throw refused(
                "\"\(name)\" contains wildcard characters that cannot be used in a namespace name: '\(wildcard)'")
        }
        guard !name.unicodeScalars.contains(where: \.properties.isWhitespace) else {
            throw refused("\"\(name)\" contains space characters that cannot be used in a namespace name")
        }
        path = parent.path + name + "/"
        guard path.utf8.count <= Namespace.pathLimit else {
            throw refused("the namespace's path is longer than \(Namespace.pathLimit) bytes")
        }
        id = RandomText.alphanumeric(Namespace.idLength)
        uuid = RandomText.uuid()
    }

    /// The parts of a path. Bytes, not characters: a combining mark after a slash must not hide the slash.
    static func names(_ path: String) -> [Substring] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
    }

    package var isRoot: Bool { uuid.isEmpty }

    /// What ends the namespace's tokens and accessors.
    package var suffix: String { isRoot ? "" : ".\(id)" }

    /// The id that a token's text ends with, if it has the look of one.
    package static func id(endingToken text: String) -> String? {
        guard let point = text.lastIndex(of: "."), case let id = text[text.index(after: point)...],
            id.utf8.count == idLength
        else { return nil }
        return String(id)
    }

    /// The way from `other` to here: empty when they are the same, `nil` when this one does not lie in it.
    package func path(from other: Namespace) -> String? {
        guard path.utf8.starts(with: other.path.utf8) else { return nil }
        return String(Substring(path.utf8.dropFirst(other.path.utf8.count)))
    }

    /// Whether it is still there: nothing is added to one that is gone.
    func exists(_ reader: any StorageReader) throws -> Bool {
        var scope = Namespace.root.uuid
        for name in Namespace.names(path) {
            let key = RecordKey(.namespace, scope: scope, String(name))
            guard let record = try reader.value(NamespaceRecord.self, key) else { return false }
            scope = record.namespace.uuid
        }
        return scope == uuid
    }
}

/// A namespace as its parent keeps it.
package struct NamespaceRecord: Sendable, Codable {
    package let namespace: Namespace
    package var customMetadata: [String: String]
}
