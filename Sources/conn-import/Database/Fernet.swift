import AirlockCore
import Crypto
import CryptoExtras
import Foundation

/// One Fernet key, which opens tokens as Airflow does: their age does not count.
/// https://github.com/fernet/spec/blob/master/Spec.md
struct Fernet: Sendable {
    private let signingKey: SymmetricKey
    private let encryptionKey: SymmetricKey

    private static let version: UInt8 = 0x80
    private static let timestampEnd = 1 + 8
    private static let ivEnd = timestampEnd + 16
    private static let macLength = 32

    /// - Parameter text: 32 bytes in base64 with the alphabet of URLs.
    init?(key text: some StringProtocol) {
        guard let bytes = CompactJWT.decoded(text.utf8), bytes.count == 32 else { return nil }
        signingKey = SymmetricKey(data: bytes[..<16])
        encryptionKey = SymmetricKey(data: bytes[16...])
    }

    /// What was encrypted, or `nil` when this is no token of this key.
    func open(_ token: [UInt8]) -> [UInt8]? {
        guard let bytes = CompactJWT.decoded(token), bytes.count >= Fernet.ivEnd + Fernet.macLength,
            bytes[0] == Fernet.version
        else { return nil }
        let macStart = bytes.count - Fernet.macLength
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                bytes[macStart...], authenticating: bytes[..<macStart], using: signingKey),
            let iv = try? AES._CBC.IV(ivBytes: bytes[Fernet.timestampEnd..<Fernet.ivEnd]),
            let text = try? AES._CBC.decrypt(bytes[Fernet.ivEnd..<macStart], using: encryptionKey, iv: iv)
        else { return nil }
        return Array(text)
    }
}

/// The keys of an Airflow, the old ones too.
struct FernetKeys: Sendable {
    private let keys: [Fernet]

    var count: Int { keys.count }

    func open(_ token: [UInt8]) -> [UInt8]? {
        for key in keys { if let bytes = key.open(token) { return bytes } }
        return nil
    }

    /// The keys of the files, then those of Airflow's setting `[core] fernet_key`. Neither given is an Airflow that does not
    /// encrypt.
    init(files: [String], environment: [String: String]) throws {
        var keys: [Fernet] = []
        for name in files {
            let found = try FernetKeys.parse(String(decoding: try SourceFile.contents(name), as: UTF8.self), from: name)
            guard !found.isEmpty else { throw ConnImport.UsageError(message: "there is no Fernet key in \(name)") }
            keys += found
        }
        let variable = "AIRFLOW__CORE__FERNET_KEY"
        let indirect = ["\(variable)_CMD", "\(variable)_SECRET"].first { environment[$0]?.isEmpty == false }
        if let text = environment[variable] {
            keys += try FernetKeys.parse(text, from: variable)
        } else if files.isEmpty, let indirect {
            throw ConnImport.UsageError(
                message: "\(indirect) is not carried out here; give the key itself by --fernet-key-file or \(variable)")
        }
        self.keys = keys
    }

    /// Keys with commas between them, as Airflow has them, or blanks or lines.
    private static func parse(_ text: String, from place: String) throws -> [Fernet] {
        let parts = text.split { $0 == "," || $0.isWhitespace }
        return try parts.enumerated().map { index, part in
            guard let key = Fernet(key: part) else {
                throw ConnImport.UsageError(
                    message: "key \(index + 1) in \(place) is no Fernet key, which is 32 bytes in URL-safe base64")
            }
            return key
        }
    }
}
