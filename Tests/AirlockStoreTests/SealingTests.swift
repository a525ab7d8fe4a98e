import AirlockCore
import AirlockStore
import Foundation
import GRDB
import Synchronization
import Testing

/// What is at rest cannot be read without the key, and cannot be altered without being noticed.
struct SealingTests {
    private static let canary = "canary-9d1f"
    private static let pg = RecordKey(.kvVersion, scope: "mount", "connections/pg", version: 1)
    private static let mysql = RecordKey(.kvVersion, scope: "mount", "connections/mysql", version: 1)

    private let temporary = TemporaryStore()

    private func filled() async throws -> TemporaryStore.Opened {
        let opened = try temporary.open()
        try await opened.storage.put(SealingTests.pg, SealingTests.canary)
        try await opened.storage.put(SealingTests.mysql, "other")
        return opened
    }

    /// `pg` does not open and the message helps; `mysql` is as it was.
    private func expectOnlyPGBroken(_ storage: SQLiteStorage, sourceLocation: SourceLocation = #_sourceLocation) throws
    {
        let error = expectBroken(sourceLocation: sourceLocation) { _ = try storage.text(SealingTests.pg) }
        #expect(error?.message == "a stored record does not open", sourceLocation: sourceLocation)
        #expect(error?.hint?.contains("connections/pg") == true, sourceLocation: sourceLocation)
        #expect(!String(reflecting: error).contains(SealingTests.canary), sourceLocation: sourceLocation)
        #expect(try storage.text(SealingTests.mysql) == "other", sourceLocation: sourceLocation)
    }

    @Test func `One flipped bit anywhere in a sealed value fails that one read`() async throws {
        let opened = try await filled()
        let sealed = try temporary.outside { database in
            try Data.fetchOne(database, sql: "SELECT sealed FROM record WHERE name = 'connections/pg'")
        }
        let original = try #require(sealed)
        #expect(original.count == 12 + SealingTests.canary.utf8.count + 16)
        for index in original.indices {
            var damaged = original
            damaged[index] ^= 1
            try temporary.outside { database in
                try database.execute(
                    sql: "UPDATE record SET sealed = ? WHERE name = 'connections/pg'", arguments: [damaged])
            }
            try expectOnlyPGBroken(opened.storage)
        }
        try temporary.outside { database in
            try database.execute(
                sql: "UPDATE record SET sealed = ? WHERE name = 'connections/pg'", arguments: [original])
        }
        #expect(try opened.storage.text(SealingTests.pg) == SealingTests.canary)
    }

    @Test func `What is written once the key is rotated can be read by those who began before, too`() async throws {
        let storage = try temporary.open().storage
        try await storage.put(SealingTests.pg, "0")
        let race = Race()
        // More of them than the database has readers: they wait for one another.
        let threads = (0..<8).map { _ in
            Thread {
                while !race.isDone.withLock({ $0 }) {
                    if (try? storage.text(SealingTests.pg)) == nil { race.failures.withLock { $0 += 1 } }
                }
            }
        }
        for thread in threads { thread.start() }
        for number in 1...20 {
            try await storage.rotateKey()
            try await storage.put(SealingTests.pg, String(number))
        }
        race.isDone.withLock { $0 = true }
        while threads.contains(where: \.isExecuting) { await Task.yield() }
        #expect(race.failures.withLock { $0 } == 0)
    }

    private final class Race: Sendable {
        let isDone = Mutex(false)
        let failures = Mutex(0)
    }

    @Test(arguments: [
        "x''", "x'00'", "zeroblob(27)", "zeroblob(28)", "zeroblob(100000)", "substr(sealed, 1, length(sealed) - 1)",
        "sealed || x'00'",
    ])
    func `A cut, longer or empty sealed value fails that one read`(value: String) async throws {
        let opened = try await filled()
        try temporary.outside { database in
            try database.execute(sql: "UPDATE record SET sealed = CAST(\(value) AS BLOB) WHERE name = 'connections/pg'")
        }
        try expectOnlyPGBroken(opened.storage)
    }

    @Test func `Two rows swapped open neither`() async throws {
        let opened = try await filled()
        try temporary.outside { database in
            let sealed = try Data.fetchAll(database, sql: "SELECT sealed FROM record ORDER BY name")
            for (sealed, name) in zip(sealed, ["connections/pg", "connections/mysql"]) {
                try database.execute(sql: "UPDATE record SET sealed = ? WHERE name = ?", arguments: [sealed, name])
            }
        }
        _ = expectBroken { _ = try opened.storage.text(SealingTests.pg) }
        _ = expectBroken { _ = try opened.storage.text(SealingTests.mysql) }
    }

    @Test(arguments: [
        ("kind", "kv_secret", RecordKey(.kvSecret, scope: "mount", "connections/pg", version: 1)),
        ("scope", "mounu", RecordKey(.kvVersion, scope: "mounu", "connections/pg", version: 1)),
        ("name", "connections/mine", RecordKey(.kvVersion, scope: "mount", "connections/mine", version: 1)),
        ("version", "2", RecordKey(.kvVersion, scope: "mount", "connections/pg", version: 2)),
    ])
    func `A row copied to another place does not open there`(column: String, value: String, key: RecordKey) async throws
    {
        let opened = try await filled()
        let columns = ["kind", "scope", "name", "version", "term", "sealed", "expires"]
        let copied = columns.map { $0 == column ? "'\(value)'" : $0 }.joined(separator: ", ")
        try temporary.outside { database in
            try database.execute(sql: "INSERT INTO record SELECT \(copied) FROM record WHERE name = 'connections/pg'")
        }
        _ = expectBroken { _ = try opened.storage.text(key) }
        #expect(try opened.storage.text(SealingTests.pg) == SealingTests.canary)
    }

    /// Without lengths in what is sealed, scope `mount` + name `connections/pg` and `mountc` + `onnections/pg` were one.
    @Test func `A boundary between scope and name cannot be moved`() async throws {
        let opened = try await filled()
        try temporary.outside { database in
            try database.execute(
                sql: "UPDATE record SET scope = 'mountc', name = 'onnections/pg' WHERE name = 'connections/pg'")
        }
        let moved = RecordKey(.kvVersion, scope: "mountc", "onnections/pg", version: 1)
        _ = expectBroken { _ = try opened.storage.text(moved) }
    }

    @Test(arguments: [0, 2, 3, -1])
    func `A changed term fails that one read`(term: Int) async throws {
        let opened = try await filled()
        try await opened.storage.rotateKey()
        try temporary.outside { database in
            try database.execute(sql: "UPDATE record SET term = ? WHERE name = 'connections/pg'", arguments: [term])
        }
        try expectOnlyPGBroken(opened.storage)
    }

    @Test func `A changed sweeping time changes no answer`() async throws {
        let opened = try await filled()
        try temporary.outside { database in try database.execute(sql: "UPDATE record SET expires = 1") }
        #expect(try opened.storage.text(SealingTests.pg) == SealingTests.canary)
    }

    @Test func `A broken record can be written anew`() async throws {
        let opened = try await filled()
        try temporary.outside { database in
            try database.execute(sql: "UPDATE record SET sealed = zeroblob(60) WHERE name = 'connections/pg'")
        }
        try expectOnlyPGBroken(opened.storage)
        try await opened.storage.put(SealingTests.pg, "new")
        #expect(try opened.storage.text(SealingTests.pg) == "new")
    }

    // MARK: What lies in the files

    @Test func `No file of the directory holds a secret, a token or a secret id in the clear`() async throws {
        let root = SecretPayload(Array("\(SealingTests.canary)-root".utf8))
        try await {
            let opened = try await filled()
            let storage = opened.storage
            try await RootToken.set(root, in: storage, now: { [temporary] in temporary.now })
            let mount = Mount(path: "approle/", engine: .approle, description: "", options: nil)
            try await Registry(storage: storage).enableAuth(mount)
            let now: Now = { [temporary] in temporary.now }
            let roles = AppRoles(storage: storage, mount: mount, failures: LoginFailures(now: now), now: now)
            try await roles.update("airflow") { $0.roleID = "\(SealingTests.canary)-role" }
            var request = AppRoles.SecretIDRequest()
            request.chosenText = "\(SealingTests.canary)-secret-id"
            request.metadata = ["note": SealingTests.canary]
            _ = try await roles.makeSecretID("airflow", request)
            let issued = try await roles.login(
                roleID: "\(SealingTests.canary)-role", secretID: request.chosenText, source: nil)
            let token = String(decoding: issued.text.bytes, as: UTF8.self)
            // Long enough to fill pages of its own, and overwritten, so that freed pages are searched too.
            for round in 0..<3 {
                let long = String(repeating: "\(SealingTests.canary) \(round) ", count: 2_000)
                try await storage.put(RecordKey(.kvSecret, scope: "mount", "long"), long)
            }
            try await storage.rotateKey()
            try expectUnreadable([SealingTests.canary, token])
            try storage.close()
        }()
        try expectUnreadable([SealingTests.canary])
    }

    private func expectUnreadable(_ secrets: [String]) throws {
        let files = try temporary.files()
        // The search finds what is there: names are in the clear, as `schema.sql` says.
        #expect(files.values.contains { $0.range(of: Data("connections/pg".utf8)) != nil })
        for (name, contents) in files {
            for secret in secrets {
                #expect(contents.range(of: Data(secret.utf8)) == nil, "\(name)")
                #expect(contents.range(of: Data(secret.utf8).base64EncodedData()) == nil, "\(name) in base64")
            }
        }
    }

    @Test func `Files are for the owner alone`() async throws {
        let opened = try await filled()
        defer { try? opened.storage.close() }
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(temporary.root) == 0o700)
        let names = try temporary.files().keys
        #expect(Set(names).isSuperset(of: ["store.db", "store.db-wal", "airlock.key", "lock"]))
        for name in names { #expect(try mode("\(temporary.root)/\(name)") == 0o600, "\(name)") }
    }

    @Test func `A token stands in the store as a keyed digest`() async throws {
        let opened = try await filled()
        let text = "s.\(SealingTests.canary)"
        try await RootToken.set(
            SecretPayload(Array(text.utf8)), in: opened.storage, now: { [temporary] in temporary.now })
        let names = try opened.storage.read { try $0.names(.token, scope: "") }
        #expect(names == [opened.storage.digest(text)])
        #expect(names.allSatisfy { $0.count == 64 && $0.allSatisfy(\.isHexDigit) })
        #expect(opened.storage.digest(text) == opened.storage.digest(text))
        #expect(opened.storage.digest(text) != opened.storage.digest(text + "x"))
        // Keyed: another store, which has another key, gives another digest of the same token.
        let other = TemporaryStore()
        #expect(try other.open().storage.digest(text) != opened.storage.digest(text))
    }

    @Test func `The same text sealed twice looks different`() async throws {
        let opened = try await filled()
        var seen: Set<Data> = []
        for _ in 0..<3 {
            try await opened.storage.put(SealingTests.pg, SealingTests.canary)
            try temporary.outside { database in
                if let sealed = try Data.fetchOne(
                    database, sql: "SELECT sealed FROM record WHERE name = 'connections/pg'")
                {
                    seen.insert(sealed)
                }
            }
        }
        #expect(seen.count == 3)
    }
}
