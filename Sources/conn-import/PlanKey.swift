import AirlockCore
import Crypto
import Foundation

/// The key of one plan's digests, by which content can be recognised that must not stand in a file.
struct PlanKey: Sendable {
    private let key: SymmetricKey

    init() { key = SymmetricKey(size: .bits256) }

    /// - Returns: `nil` for what is no such key.
    init?(hex: String) {
        let digits = Array(hex.utf8)
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap { place in
            UInt8(String(decoding: digits[place...(place + 1)], as: UTF8.self), radix: 16)
        }
        guard digits.count == 64, bytes.count == 32 else { return nil }
        key = SymmetricKey(data: bytes)
    }

    var hex: String { key.withUnsafeBytes { PlanKey.hex($0) } }

    /// The same content at two paths has two digests.
    func digest(_ data: SecretPayload, at path: String) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Array(path.utf8) + [0])
        code.update(data: ImportContent.canonical(data))
        return PlanKey.hex(code.finalize())
    }

    func state(of found: Secret?, at path: String, in mount: ImportMount) -> ImportState {
        ImportState(
            version: mount.isVersioned ? found?.version ?? 0 : nil, digest: found?.data.map { digest($0, at: path) })
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
