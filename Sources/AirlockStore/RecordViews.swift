import AirlockCore

/// One consistent view of the database, and of the tokens that are not written yet as they were just before.
struct SnapshotView: StorageReader {
    let rows: RecordRows
    let tokens: UnwrittenTokens.View
    let front: Front
    /// Before the view was opened.
    let begun: Front.Moment

    func record(_ key: RecordKey) throws -> [UInt8]? {
        if let entry = tokens.entry(key) { return try entry.token.recorded }
        let bytes = try rows.record(key)
        if let bytes { keep(bytes, of: key, size: bytes.count) }
        return bytes
    }

    func value<Value: Decodable & Sendable>(_ type: Value.Type, _ key: RecordKey) throws -> Value? {
        if let entry = tokens.entry(key) { return entry.token as? Value }
        guard let bytes = try rows.record(key) else { return nil }
        let value = try RecordValue.decode(type, bytes)
        keep(value, of: key, size: bytes.count)
        return value
    }

    private func keep(_ value: some Sendable, of key: RecordKey, size: Int) {
        if key.kind.isRemembered { front.keep(value, of: key, size: size, since: begun) }
    }

    func names(_ kind: RecordKind, scope: String) throws -> [String] {
        let names = try rows.names(kind, scope: scope)
        guard kind == .token, !tokens.entries.isEmpty else { return names }
        return Set(names).union(tokens.entries.keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func children(_ kind: RecordKind, scope: String, folder: String) throws -> [String] {
        try rows.children(kind, scope: scope, folder: folder)
    }

    func digest(_ text: String) -> String { rows.digest(text) }
}

/// One transaction's view of the records. Tokens that it would see are written into it first.
struct TransactionView: StorageTransaction {
    let rows: RecordRows
    let tokens: UnwrittenTokens
    let changes: RecordChanges
    let front: Front

    private func see(_ key: RecordKey) throws {
        guard key.kind == .token, tokens.isMissing(key) else { return }
        for token in tokens.take(closing: false) { try rows.put(token) }
    }

    private func see(_ kind: RecordKind) throws {
        guard kind == .token else { return }
        for token in tokens.take(closing: true) { try rows.put(token) }
    }

    func record(_ key: RecordKey) throws -> [UInt8]? {
        try see(key)
        return try rows.record(key)
    }

    func value<Value: Decodable & Sendable>(_ type: Value.Type, _ key: RecordKey) throws -> Value? {
        try see(key)
        // What an open transaction changes memory has forgotten already.
        if key.kind.isRemembered, let known = front.record(key) as? Value { return known }
        return try rows.record(key).map { try RecordValue.decode(type, $0) }
    }

    func names(_ kind: RecordKind, scope: String) throws -> [String] {
        try see(kind)
        return try rows.names(kind, scope: scope)
    }

    func children(_ kind: RecordKind, scope: String, folder: String) throws -> [String] {
        try see(kind)
        return try rows.children(kind, scope: scope, folder: folder)
    }

    func digest(_ text: String) -> String { rows.digest(text) }

    func put(_ key: RecordKey, _ bytes: [UInt8], expires: Timestamp?) throws {
        try see(key)
        changes.note(key)
        try rows.put(key, bytes, expires: expires)
    }

    func put<Value: Encodable & Sendable>(_ key: RecordKey, value: Value, expires: Timestamp?) throws {
        try put(key, RecordValue.encode(value), expires: expires)
    }

    func delete(_ key: RecordKey) throws {
        try see(key)
        changes.note(key)
        try rows.delete(key)
    }

    func deleteAll(_ kind: RecordKind, scope: String) throws {
        try see(kind)
        changes.noteAll(kind, scope: scope)
        try rows.deleteAll(kind, scope: scope)
    }
}

/// What memory alone knows. Whoever asks for more, or writes anything but a token that may be lost, is told to ask the database.
final class MemoryView: StorageTransaction {
    /// A token that was put.
    struct Put {
        let digest: String
        let token: Token
    }

    private struct Unknown: Error {}

    private let front: Front
    private let tokens: UnwrittenTokens
    private let sealer: Sealer
    private var asked: [RecordKey] = []
    private(set) var put: Put?
    /// Something was asked or written that is not for memory alone, also when whoever did so made light of the error.
    private(set) var isIncomplete = false

    init(front: Front, tokens: UnwrittenTokens, sealer: Sealer) {
        (self.front, self.tokens, self.sealer) = (front, tokens, sealer)
    }

    /// Whether all that was asked is so, now and at once.
    func isTrue(since begun: Front.Moment) -> Bool { !isIncomplete && front.areUnchanged(asked, since: begun) }

    private func unknown() -> Unknown {
        isIncomplete = true
        return Unknown()
    }

    private func known<Value>(_ type: Value.Type, _ key: RecordKey) throws -> Value {
        guard key.kind.isRemembered, let value = front.record(key) as? Value else { throw unknown() }
        asked.append(key)
        return value
    }

    func record(_ key: RecordKey) throws -> [UInt8]? {
        if let entry = tokens.entry(key) { return try entry.token.recorded }
        return try known([UInt8].self, key)
    }

    func value<Value: Decodable & Sendable>(_ type: Value.Type, _ key: RecordKey) throws -> Value? {
        if let token = tokens.entry(key)?.token as? Value { return token }
        return try known(type, key)
    }

    func names(_ kind: RecordKind, scope: String) throws -> [String] { throw unknown() }

    func children(_ kind: RecordKind, scope: String, folder: String) throws -> [String] { throw unknown() }

    func digest(_ text: String) -> String { sealer.digest(text) }

    func put<Value: Encodable & Sendable>(_ key: RecordKey, value: Value, expires: Timestamp?) throws {
        guard key.kind == .token, put == nil, let token = value as? Token, token.mayBeLost else { throw unknown() }
        put = Put(digest: key.name, token: token)
    }

    func put(_ key: RecordKey, _ bytes: [UInt8], expires: Timestamp?) throws { throw unknown() }

    func delete(_ key: RecordKey) throws { throw unknown() }

    func deleteAll(_ kind: RecordKind, scope: String) throws { throw unknown() }
}

extension Token {
    /// As it will lie in the database.
    fileprivate var recorded: [UInt8] { get throws { try recordText ?? RecordValue.encode(self) } }
}

extension RecordRows {
    /// Nothing changes for whoever has known it from memory.
    func put(_ entry: UnwrittenTokens.Entry) throws {
        try put(RecordKey(.token, entry.digest), entry.token.recorded, expires: entry.token.expires)
    }
}
