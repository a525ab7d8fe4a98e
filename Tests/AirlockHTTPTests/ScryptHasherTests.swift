import AirlockCore
import Testing

@testable import AirlockHTTP

struct ScryptHasherTests {
    private static let cheap = PasswordHash.Cost(rounds: 2, blockSize: 1, parallelism: 1)

    @Test func `The right password passes, any other and an unknown user's do not`() async throws {
        let hasher = ScryptHasher(cost: ScryptHasherTests.cheap)
        let hash = try await hasher.hash(SecretText("right"))
        #expect(try await hasher.verify(SecretText("right"), hash))
        #expect(try await !hasher.verify(SecretText("wrong"), hash))
        #expect(try await !hasher.verify(SecretText(""), hash))
        #expect(try await !hasher.verify(SecretText("right"), nil))
    }

    @Test func `The same password twice makes two hashes, and neither shows it`() async throws {
        let hasher = ScryptHasher(cost: ScryptHasherTests.cheap)
        let (one, other) = try await (hasher.hash(SecretText("right")), hasher.hash(SecretText("right")))
        #expect(one.salt != other.salt && one.key != other.key)
        #expect(!"\(one)".contains(one.key.revealed))
    }

    @Test func `A hash is checked at the cost it was made with`() async throws {
        let hash = try await ScryptHasher(cost: ScryptHasherTests.cheap).hash(SecretText("right"))
        let dearer = ScryptHasher(cost: PasswordHash.Cost(rounds: 4, blockSize: 2, parallelism: 2))
        #expect(try await dearer.verify(SecretText("right"), hash))
    }

    /// RFC 7914, section 12.
    @Test func `It is scrypt`() async throws {
        let hash = PasswordHash(
            cost: PasswordHash.Cost(rounds: 1024, blockSize: 8, parallelism: 16), salt: Array("NaCl".utf8),
            key: SecretText("/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWI="))
        #expect(try await ScryptHasher(cost: ScryptHasherTests.cheap).verify(SecretText("password"), hash))
    }

    @Test func `A flood of logins is told to come again, and what was let in is served`() async throws {
        let hasher = ScryptHasher(cost: PasswordHash.Cost(rounds: 1 << 8, blockSize: 8, parallelism: 1))
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<500 {
                group.addTask {
                    do {
                        _ = try await hasher.verify(SecretText("x"), nil)
                        return true
                    } catch {
                        #expect((error as? AirlockError)?.code == .tooMany)
                        return false
                    }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(outcomes.count(where: { $0 }) >= 65)
        #expect(outcomes.contains(false))
        #expect(try await !hasher.verify(SecretText("x"), nil), "and afterwards there is room again")
    }
}
