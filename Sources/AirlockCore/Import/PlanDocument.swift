/// A plan as a file: JSON, laid out with one item on each line, so that a hundred thousand are read and written one by one.
/// There are no secrets in it; its digests are keyed with a key of its own.
package struct PlanDocument: Sendable {
    package struct Header: Sendable, Equatable {
        /// Names the plan to its journal.
        package let id: String
        /// Of the digests, in hex. Who has it and guesses a value can see whether the guess is right.
        package let key: String
        /// Of the server, which the one who applies it has to name too: a plan must not say where a token is sent.
        package let address: String
        package let namespace: String?
        package let mount: String
        package let kvVersion: Int
        /// How the sources were named on the command line; `nil` where that may hold a secret.
        package let sources: [String]?
        /// Others in the sources were rejected, and left out at the user's word.
        package let skipsRejected: Bool
        package let count: Int

        package init(
            id: String, key: String, address: String, namespace: String?, mount: String, kvVersion: Int,
            sources: [String]?, skipsRejected: Bool, count: Int
        ) {
            self.id = id
            self.key = key
            self.address = address
            self.namespace = namespace
            self.mount = mount
            self.kvVersion = kvVersion
            self.sources = sources
            self.skipsRejected = skipsRejected
            self.count = count
        }
    }

    /// What is wrong with a file that should be a plan.
    package struct Fault: Error, Sendable, Equatable {
        package let line: Int
        package let reason: String
    }

    package let header: Header
    package let items: [PlannedItem]

    package init(header: Header, items: [PlannedItem]) {
        self.header = header
        self.items = items
    }

    // MARK: Writing

    private static let format = 1

    /// In pieces, which follow one another.
    package func write(_ emit: ([UInt8]) throws -> Void) rethrows {
        let members: [JSON.Member] = [
            .init("conn_import_plan", .integer(PlanDocument.format)), .init("id", .string(header.id)),
            .init("key", .string(header.key)), .init("address", .string(header.address)),
            .init("namespace", .orNull(header.namespace)), .init("mount", .string(header.mount)),
            .init("kv_version", .integer(header.kvVersion)),
            .init("sources", header.sources.map(JSON.strings) ?? .null),
            .init("skip_rejected", .bool(header.skipsRejected)), .init("count", .integer(header.count)),
        ]
        try emit(Array(JSON.object(members).bytes.dropLast()) + Array(",\"items\":[\n".utf8))
        for (index, item) in items.enumerated() {
            try emit(item.json.bytes + Array((index + 1 < items.count ? ",\n" : "\n").utf8))
        }
        try emit(Array("]}\n".utf8))
    }

    // MARK: Reading

    package init(parsing bytes: [UInt8]) throws(Fault) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let opening = Array(",\"items\":[".utf8)
        guard let first = lines.first, first.count > opening.count, first.suffix(opening.count).elementsEqual(opening),
            let json = try? JSON(parsing: first.dropLast(opening.count) + [UInt8(ascii: "}")]),
            json["conn_import_plan"] != nil
        else { throw Fault(line: 1, reason: "this is no plan as conn-import writes it; make a plan with --out") }
        guard json["conn_import_plan"]?.integer == PlanDocument.format, let header = Header(json) else {
            throw Fault(line: 1, reason: "this plan has a format that this conn-import does not know; make it anew")
        }
        guard lines.count == header.count + 3, lines[header.count + 1].elementsEqual("]}".utf8), lines.last == [] else {
            throw Fault(line: lines.count, reason: "the plan is not complete; make it anew")
        }
        var items: [PlannedItem] = []
        items.reserveCapacity(header.count)
        for (index, line) in lines[1..<(header.count + 1)].enumerated() {
            let bare = line.last == UInt8(ascii: ",") ? line.dropLast() : line
            guard let json = try? JSON(parsing: bare), let item = PlannedItem(json) else {
                throw Fault(line: index + 2, reason: "this is no item of a plan; make the plan anew")
            }
            items.append(item)
        }
        self.init(header: header, items: items)
    }
}

extension PlanDocument.Header {
    fileprivate init?(_ json: JSON) {
        guard let id = json["id"]?.text, let key = json["key"]?.text, let address = json["address"]?.text,
            let mount = json["mount"]?.text, let kvVersion = json["kv_version"]?.integer,
            let sources = json["sources"], sources.isNull || sources.elements != nil,
            let skips = json["skip_rejected"]?.boolean,
            let count = json["count"]?.integer, count >= 0
        else { return nil }
        self.init(
            id: id, key: key, address: address, namespace: json["namespace"]?.text, mount: mount, kvVersion: kvVersion,
            sources: sources.elements?.compactMap(\.text), skipsRejected: skips, count: count)
    }
}

extension PlannedItem {
    fileprivate var json: JSON {
        .object([
            .init("kind", .string(target.kind.rawValue)), .init("team", .orNull(target.team)),
            .init("id", .string(target.id)), .init("origin", .string(origin)), .init("path", .string(path)),
            .init("action", .string(action.rawValue)), .init("version", replaces.version.map(JSON.integer) ?? .null),
            .init("found", .orNull(replaces.digest)), .init("content", .string(content)),
        ])
    }

    fileprivate init?(_ json: JSON) {
        guard let kind = json["kind"]?.text.flatMap(ImportTarget.Kind.init(rawValue:)), let id = json["id"]?.text,
            let origin = json["origin"]?.text, let path = json["path"]?.text,
            let action = json["action"]?.text.flatMap(ImportAction.init(rawValue:)),
            let content = json["content"]?.text, (try? SecretPath(path)) != nil
        else { return nil }
        self.init(
            target: ImportTarget(kind, team: json["team"]?.text, id: id), origin: origin, path: path, action: action,
            replaces: ImportState(version: json["version"]?.integer, digest: json["found"]?.text), content: content)
    }
}
