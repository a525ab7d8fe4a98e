/// A password as it is stored: the way back is as dear as its cost says.
package struct PasswordHash: Sendable, Codable, Equatable {
    /// scrypt's own parameters (RFC 7914). Each hash holds them, so that they can grow.
    package struct Cost: Sendable, Codable, Equatable {
        package let rounds: Int
        package let blockSize: Int
        package let parallelism: Int

        package init(rounds: Int, blockSize: Int, parallelism: Int) {
            self.rounds = rounds
            self.blockSize = blockSize
            self.parallelism = parallelism
        }
    }

    package let cost: Cost
    package let salt: [UInt8]
    /// Base 64.
    package let key: SecretText

    package init(cost: Cost, salt: [UInt8], key: SecretText) {
        self.cost = cost
        self.salt = salt
        self.key = key
    }
}

/// Makes and checks password hashes, off the threads that serve, so many at once and no more.
package protocol PasswordHasher: Sendable {
    /// - Throws: `AirlockError` with code `tooMany` when too many wait already.
    func hash(_ password: SecretText) async throws -> PasswordHash
    /// Takes as long without a hash as with one.
    /// - Returns: whether the password is the hash's, `false` without a hash.
    func verify(_ password: SecretText, _ hash: PasswordHash?) async throws -> Bool
}
