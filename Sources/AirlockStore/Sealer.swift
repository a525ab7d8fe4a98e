import AirlockCore
import Crypto
import Foundation

/// Seals and opens records with AES-256-GCM, and digests tokens with HMAC-SHA256. Data keys are made here, kept in the
/// database sealed with the operator's key, and never leave this type.
struct Sealer: Sendable {
    /// A data key as it lies in the database.
    struct SealedKey {
        let term: Int
        let sealed: Data
        let installed: Timestamp
    }

    /// The term of the key that digests tokens.
    static let digestTerm = 0

    private let dataKeys: [Int: SymmetricKey]
    /// Begun with the key of the digests: each digest goes on from here.
    private let digestCode: HMAC<SHA256>
    let currentTerm: Int
    let installed: Timestamp

    /// - Throws: `AirlockError` when the operator's key does not open the data keys.
    init(opening keys: [SealedKey], with operatorKey: OperatorKey) throws {
        var opened: [Int: SymmetricKey] = [:]
        for key in keys {
            do {
                let box = try AES.GCM.SealedBox(combined: key.sealed)
                let bytes = try AES.GCM.open(
                    box, using: operatorKey.key, authenticating: Sealer.binding(term: key.term))
                opened[key.term] = SymmetricKey(data: bytes)
            } catch {
                throw AirlockError(
                    .broken, "the sealing key does not open this database",
                    hint: """
                        \(operatorKey.origin) is not the key this data directory was made with, or the database is \
                        damaged: give the right key (--key-file), or restore the directory from a backup
                        """)
            }
        }
        guard let digestKey = opened.removeValue(forKey: Sealer.digestTerm), let newest = opened.keys.max() else {
            throw AirlockError(
                .broken, "the database holds no sealing keys",
                hint: "its first start was cut short or it is damaged: restore the data directory from a backup")
        }
        dataKeys = opened
        digestCode = HMAC(key: digestKey)
        currentTerm = newest
        installed = keys.first { $0.term == newest }?.installed ?? Timestamp(nanoseconds: 0)
    }

    /// A new random data key, sealed with the operator's key.
    static func makeKey(term: Int, with operatorKey: OperatorKey, now: Timestamp) throws -> SealedKey {
        let key = SymmetricKey(size: .bits256)
        let sealed = try key.withUnsafeBytes { bytes in
            try AES.GCM.seal(Data(bytes), using: operatorKey.key, authenticating: binding(term: term))
        }
        return SealedKey(term: term, sealed: sealed.combined!, installed: now)
    }

    func seal(_ bytes: [UInt8], to binding: SealBinding) throws -> Data {
        let box = try AES.GCM.seal(
            bytes, using: dataKeys[currentTerm]!, authenticating: binding.bytes(term: currentTerm))
        return box.combined!
    }

    /// - Returns: `nil` when what is sealed was damaged, moved or sealed with another key.
    func open(_ sealed: Data, term: Int, boundTo binding: SealBinding) -> [UInt8]? {
        guard let dataKey = dataKeys[term], let box = try? AES.GCM.SealedBox(combined: sealed),
            let bytes = try? AES.GCM.open(box, using: dataKey, authenticating: binding.bytes(term: term))
        else { return nil }
        return Array(bytes)
    }

    func digest(_ text: String) -> String {
        var code = digestCode
        code.update(data: Array(text.utf8))
        return code.finalize().withUnsafeBytes(Hexadecimal.text)
    }

    private static func binding(term: Int) -> Data { Data("airlock sealing key 1 term \(term)".utf8) }
}

/// What a seal is bound to: what is sealed to one binding opens with no other.
struct SealBinding {
    /// Keeps what is sealed for one purpose from opening for another.
    let purpose: String
    var texts: [String] = []
    var numbers: [Int] = []

    /// Every text is preceded by its length, so that no two bindings of one purpose give the same bytes.
    func bytes(term: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        bytes.append(contentsOf: purpose.utf8)
        for text in texts {
            withUnsafeBytes(of: UInt64(text.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: text.utf8)
        }
        for number in numbers + [term] {
            withUnsafeBytes(of: Int64(number).bigEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}

extension RecordKey {
    /// Existing databases are sealed to these bytes: a change of them needs another format.
    var binding: SealBinding {
        SealBinding(purpose: "airlock record 1", texts: [kind.rawValue, scope, name], numbers: [version])
    }
}
