import AirlockCore
import Crypto
import Foundation

/// The operator's key, which opens the data keys. Where it comes from, first found first taken: `--key-file`,
/// `AIRLOCK_KEY_FILE`, the systemd credential `airlock-key` (https://systemd.io/CREDENTIALS/), and at last a file made in the
/// data directory on its first start. There is no mode without a key.
package struct OperatorKey: Sendable {
    let key: SymmetricKey
    /// The file's path, for messages.
    package let origin: String
    /// The key was made by Airlock and lies beside the data it protects.
    package let liesBesideData: Bool

    package static let fileName = "airlock.key"
    package static let credentialName = "airlock-key"

    /// - Parameters:
    ///   - path: an explicit key file, which must exist.
    ///   - isFirstStart: the database does not exist yet; only then may a key be made.
    /// - Throws: `AirlockError` that says which file is missing or wrong.
    package static func find(
        path: String?, environment: [String: String], directory: DataDirectory, isFirstStart: Bool
    ) throws -> OperatorKey {
        if let explicit = path ?? environment["AIRLOCK_KEY_FILE"], !explicit.isEmpty {
            return try OperatorKey(file: explicit, liesBesideData: false)
        }
        if let credentials = environment["CREDENTIALS_DIRECTORY"] {
            let file = "\(credentials)/\(credentialName)"
            if FileManager.default.fileExists(atPath: file) {
                return try OperatorKey(file: file, liesBesideData: false)
            }
        }
        let file = directory.path(fileName)
        if !FileManager.default.fileExists(atPath: file) {
            guard isFirstStart else {
                throw AirlockError(
                    .broken, "the key file \(file) is missing",
                    hint: "the database cannot be opened without it: put it back, or name it with --key-file")
            }
            let key = SymmetricKey(size: .bits256)
            let text = key.withUnsafeBytes { Data($0).base64EncodedString() } + "\n"
            try directory.createFile(fileName, contents: Array(text.utf8))
        }
        return try OperatorKey(file: file, liesBesideData: true)
    }

    private init(file: String, liesBesideData: Bool) throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw AirlockError(
                .broken, "the key file \(file) cannot be read", hint: "check that it exists and who may read it")
        }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let bytes = Data(base64Encoded: text), bytes.count == 32 else {
            throw AirlockError(
                .broken, "the key file \(file) does not hold a key",
                hint: "it must hold 32 random bytes in base64; make one with: head -c 32 /dev/urandom | base64")
        }
        key = SymmetricKey(data: bytes)
        origin = file
        self.liesBesideData = liesBesideData
    }
}
