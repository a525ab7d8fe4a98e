import Foundation

/// What the embedded store keeps, one kind a row group. The raw value is what an operator sees in the database.
package enum RecordKind: String, Sendable, CaseIterable {
    case namespace
    case mount
    case authMount = "auth_mount"
    case policy
    case kvConfig = "kv_config"
    case kvMetadata = "kv_metadata"
    case kvVersion = "kv_version"
    case kvSecret = "kv_secret"
    case cubbyhole
    case token
    case tokenAccessor = "token_accessor"
    case rootToken = "root_token"
    case wrapped
    case remount
    case tokenRole = "token_role"
    case role
    case roleID = "role_id"
    case secretID = "secret_id"
    case secretIDAccessor = "secret_id_accessor"
    case loginConfig = "login_config"
    case upstreamLogin = "upstream_login"
    case upstreamRight = "upstream_right"
    case auditKey = "audit_key"
    case lastRead = "last_read"
    case conjur
}

/// The identity of one record. All of it is bound into the record's seal, so a row moved elsewhere does not open.
package struct RecordKey: Sendable, Hashable {
    package let kind: RecordKind
    /// What the record belongs to: a namespace's or a mount's uuid, an AppRole, a token, a kind of Conjur's. Empty for the root namespace and the
    /// whole store.
    package let scope: String
    package let name: String
    package let version: Int

    package init(_ kind: RecordKind, scope: String = "", _ name: String, version: Int = 0) {
        self.kind = kind
        self.scope = scope
        self.name = name
        self.version = version
    }
}

/// One consistent view of the embedded store. Every value that decides an answer lies inside a record's seal.
package protocol StorageReader {
    /// The record's opened bytes, `nil` when there is none.
    /// - Throws: `AirlockError` with code `broken` when the record is there but does not open.
    func record(_ key: RecordKey) throws -> [UInt8]?
    /// The same for a record that was put as a value.
    func value<Value: Decodable & Sendable>(_ type: Value.Type, _ key: RecordKey) throws -> Value?
    /// Names in byte order.
    func names(_ kind: RecordKind, scope: String) throws -> [String]
    /// What lies directly in `folder` (empty, or ending in `/`): names without the folder's own path, subfolders with a
    /// trailing `/`, in byte order. A name that is also a folder appears twice.
    func children(_ kind: RecordKind, scope: String, folder: String) throws -> [String]
    /// The same as `Storage.digest`.
    func digest(_ text: String) -> String
}

/// A view that also writes. All of it is committed, durably, before `Storage.write` returns, or none of it.
package protocol StorageTransaction: StorageReader {
    /// - Parameter expires: when the sweeper may drop the record; it never decides an answer.
    func put(_ key: RecordKey, _ bytes: [UInt8], expires: Timestamp?) throws
    func put<Value: Encodable & Sendable>(_ key: RecordKey, value: Value, expires: Timestamp?) throws
    func delete(_ key: RecordKey) throws
    /// Deletes every version of every name in the scope.
    func deleteAll(_ kind: RecordKind, scope: String) throws
}

/// The embedded store: sealed records with transactions.
package protocol Storage: Sendable {
    func read<T>(_ body: (any StorageReader) throws -> T) throws -> T
    /// Runs after every earlier write and before every later one; returns once the change would survive a power cut.
    func write<T: Sendable>(_ body: @escaping @Sendable (any StorageTransaction) throws -> T) async throws -> T
    /// Logs somebody in without the disk: a token that may be lost (`Token.mayBeLost`) is known to every reader and every
    /// write from now on, and written soon, or before anything that must see it.
    /// - Parameter body: runs as in `write`, but on what memory holds.
    /// - Returns: `nil`, and nothing has happened, where that is not enough: `write` will do.
    func writeBehind<T>(_ body: (any StorageTransaction) throws -> T) -> T?
    /// Hears of every change before the write returns.
    var front: Front { get }
    /// A keyed digest, in hex: what stands in the database for a token, an accessor or a secret id.
    func digest(_ text: String) -> String
    /// Adds a new sealing key; records written from now on use it, older ones stay readable.
    func rotateKey() async throws
    /// The number of the sealing key in use, counted from 1, and when it was made.
    func keyStatus() throws -> (term: Int, installed: Timestamp)
}

extension RecordKind {
    /// Read so often that memory holds it decoded (`KnownRecords.swift`). Nothing secret is in it.
    package var isRemembered: Bool {
        [.namespace, .mount, .authMount, .role, .roleID, .secretID, .loginConfig, .token].contains(self)
    }
}

/// How a value lies in a record.
package enum RecordValue {
    package static func encode(_ value: some Encodable) throws -> [UInt8] { try Array(JSONEncoder().encode(value)) }

    package static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }
}

extension Storage {
    package func writeBehind<T>(_ body: (any StorageTransaction) throws -> T) -> T? { nil }
}

extension StorageReader {
    package func values<Value: Decodable & Sendable>(_ type: Value.Type, _ kind: RecordKind, scope: String = "") throws
        -> [(name: String, value: Value)]
    {
        try names(kind, scope: scope).compactMap { name in
            try value(type, RecordKey(kind, scope: scope, name)).map { (name, $0) }
        }
    }
}

extension StorageTransaction {
    package func put(_ key: RecordKey, value: some Encodable & Sendable) throws {
        try put(key, value: value, expires: nil)
    }
}

/// Random text for tokens, accessors and ids. The system generator is cryptographically secure
/// (https://developer.apple.com/documentation/swift/systemrandomnumbergenerator).
package enum RandomText {
    /// In the order of their bytes.
    private static let alphanumerics = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    package static func alphanumeric(_ count: Int) -> String {
        var (generator, text) = (SystemRandomNumberGenerator(), [UInt8]())
        text.reserveCapacity(count)
        // Each number costs a system call: all of it is used, six bits a letter. What names no letter is thrown away, so that
        // all are equally likely.
        while text.count < count {
            var number = generator.next()
            for _ in 0..<10 where text.count < count {
                let index = Int(number & 63)
                number >>= 6
                if index < alphanumerics.count { text.append(alphanumerics[index]) }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// A number in letters that sort as numbers do; what does not fit is cut off at the front.
    package static func alphanumeric(counting number: Int, _ count: Int) -> String {
        var (number, letters) = (max(0, number), [UInt8](repeating: alphanumerics[0], count: count))
        for place in letters.indices.reversed() {
            letters[place] = alphanumerics[number % alphanumerics.count]
            number /= alphanumerics.count
        }
        return String(decoding: letters, as: UTF8.self)
    }

    /// Letters that are the same for what was digested, each from a byte of a hex digest: at most 32. Some come a little more often
    /// than others.
    package static func alphanumeric(fromDigest digest: String, _ count: Int) -> String {
        let (digits, letters) = (Array(digest.utf8), alphanumerics)
        return String(unsafeUninitializedCapacity: count) { text in
            for place in 0..<count {
                let (high, low) = (
                    Hexadecimal.value(digits[2 * place]) ?? 0, Hexadecimal.value(digits[2 * place + 1]) ?? 0
                )
                text[place] = letters[Int(high << 4 | low) % letters.count]
            }
            return count
        }
    }

    package static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    package static func uuid() -> String { UUID().uuidString.lowercased() }

    /// The first 16 bytes of a hex digest in a uuid's notation: an id that is stable for what was digested.
    package static func uuid(fromDigest digest: String) -> String {
        var text = Array(digest.utf8.prefix(32))
        for place in [20, 16, 12, 8] { text.insert(UInt8(ascii: "-"), at: place) }
        return String(decoding: text, as: UTF8.self)
    }
}
