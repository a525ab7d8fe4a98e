package import AirlockCore
import Crypto
import CryptoExtras
import Foundation
import Synchronization

/// Passwords through scrypt. A login costs tens of milliseconds and 32 MiB, so a flood of them is cut short here: so many
/// run at once, so many wait, the rest is told to come again.
package final class ScryptHasher: PasswordHasher {
    /// 32 MiB (RFC 7914: 128 * rounds * blockSize).
    package static let standardCost = PasswordHash.Cost(rounds: 1 << 15, blockSize: 8, parallelism: 1)

    private static let waitingLimit = 64
    private static let keyLength = 32

    private let cost: PasswordHash.Cost
    private let queue: OperationQueue
    private let pending = Mutex(0)
    /// What an unknown user's password is compared with: the work is the same, and nothing equals it.
    private let nobody: PasswordHash

    package init(cost: PasswordHash.Cost = standardCost) {
        self.cost = cost
        queue = OperationQueue()
        queue.maxConcurrentOperationCount = max(1, min(4, ProcessInfo.processInfo.activeProcessorCount / 2))
        nobody = PasswordHash(cost: cost, salt: ScryptHasher.random(16), key: SecretText(""))
    }

    package func hash(_ password: SecretText) async throws -> PasswordHash {
        let salt = ScryptHasher.random(16)
        return PasswordHash(
            cost: cost, salt: salt, key: SecretText(try await key(password, cost, salt).base64EncodedString()))
    }

    package func verify(_ password: SecretText, _ hash: PasswordHash?) async throws -> Bool {
        let expected = hash ?? nobody
        let made = try await key(password, expected.cost, expected.salt)
        guard let wanted = Data(base64Encoded: expected.key.revealed) else { return false }
        return ScryptHasher.isEqual(made, wanted) && hash != nil
    }

    /// Compares in constant time, as swift-crypto does for message authentication codes.
    private static func isEqual(_ one: Data, _ other: Data) -> Bool {
        let key = SymmetricKey(size: .bits256)
        let code = HMAC<SHA256>.authenticationCode(for: one, using: key)
        return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: other, using: key)
    }

    private static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in generator.next() }
    }

    private func key(_ password: SecretText, _ cost: PasswordHash.Cost, _ salt: [UInt8]) async throws -> Data {
        let limit = queue.maxConcurrentOperationCount + ScryptHasher.waitingLimit
        let isFull = pending.withLock { pending in
            guard pending < limit else { return true }
            pending += 1
            return false
        }
        guard !isFull else { throw AirlockError(.tooMany, "too many logins at once; try again in a second") }
        defer { pending.withLock { $0 -= 1 } }
        return try await withCheckedThrowingContinuation { continuation in
            queue.addOperation {
                continuation.resume(
                    with: Result {
                        try KDF.Scrypt.deriveKey(
                            from: Array(password.revealed.utf8), salt: salt, outputByteCount: ScryptHasher.keyLength,
                            rounds: cost.rounds, blockSize: cost.blockSize, parallelism: cost.parallelism
                        ).withUnsafeBytes { Data($0) }
                    })
            }
        }
    }
}
