import AirlockCore
import AirlockStore
import GRDB
import Testing

/// From KV version 1 to version 2 (VAULT-PROTOCOL 4): nothing is lost, and nothing is seen halfway.
struct KVUpgradeTests {
    private let temporary = TemporaryStore()
    private static let old = Mount(path: "old/", engine: .kv, description: "", options: ["version": "1"])
    private static let secret = SecretPayload(Array(#"{"big":12345678901234567890123,"z":1.50,"a":null}"#.utf8))

    private func upgrade(_ storage: SQLiteStorage) async throws -> Registry {
        let registry = try Registry(storage: storage)
        if registry.mount(named: "old/") == nil { try await registry.enable(KVUpgradeTests.old) }
        try await registry.tune("old/", auth: false) { [temporary] mount, transaction in
            mount.options = ["version": "2"]
            try KVUpgrade.run(transaction, mount, now: temporary.now)
        }
        return registry
    }

    @Test func `Each secret is version 1 of its key, byte for byte, also after a restart`() async throws {
        do {
            let opened = try temporary.open()
            try await Registry(storage: opened.storage).enable(KVUpgradeTests.old)
            let plain = KVPlain(storage: opened.storage, mount: KVUpgradeTests.old)
            for path in ["a", "team/pg", "team/deep/x"] {
                try await plain.write(try SecretPath(path), data: KVUpgradeTests.secret)
            }
            _ = try await upgrade(opened.storage)
            try opened.storage.close()
        }
        let storage = try temporary.open().storage
        let mount = try #require(try Registry(storage: storage).mount(named: "old/"))
        #expect(mount.kvVersion == 2)
        let versioned = KVVersioned(storage: storage, mount: mount, now: { [temporary] in temporary.now })
        for path in ["a", "team/pg", "team/deep/x"] {
            let stored = try #require(try versioned.read(try SecretPath(path), version: nil))
            #expect(stored.data == KVUpgradeTests.secret)
            #expect(stored.version == 1)
            #expect(stored.metadata.oldestVersion == 1)
            #expect(stored.state.created == temporary.now)
        }
        #expect(try versioned.list(folder: "") == ["a", "team/"])
        #expect(try versioned.scan(folder: "") == ["a", "team/pg", "team/deep/x"])
        #expect(try await versioned.write(try SecretPath("a"), data: KVUpgradeTests.secret, cas: 1).version == 2)
        let left = try temporary.outside {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM record WHERE kind = 'kv_secret'")
        }
        #expect(left == 0)
    }

    @Test func `A call that still takes the mount for version 1 gets no answer that is wrong, and writes nothing`()
        async throws
    {
        let storage = try temporary.open().storage
        let path = try SecretPath("a")
        try await Registry(storage: storage).enable(KVUpgradeTests.old)
        let late = KVPlain(storage: storage, mount: KVUpgradeTests.old)
        try await late.write(path, data: KVUpgradeTests.secret)
        _ = try await upgrade(storage)
        func expectUnavailable(_ call: () async throws -> Void) async {
            let error = await #expect(throws: AirlockError.self) { try await call() }
            #expect(error?.code == .unavailable)
        }
        await expectUnavailable { _ = try late.read(path) }
        await expectUnavailable { _ = try late.list(folder: "") }
        await expectUnavailable { _ = try late.scan(folder: "") }
        await expectUnavailable { try await late.write(path, data: SecretPayload([])) }
        await expectUnavailable { try await late.delete(path) }
        await expectUnavailable { try await late.update(path) { _ in SecretPayload([]) } }
    }

    @Test func `An upgrade that fails changes nothing`() async throws {
        struct Failure: Error {}
        let storage = try temporary.open().storage
        let path = try SecretPath("a")
        let plain = KVPlain(storage: storage, mount: KVUpgradeTests.old)
        let registry = try Registry(storage: storage)
        try await registry.enable(KVUpgradeTests.old)
        try await plain.write(path, data: KVUpgradeTests.secret)
        await #expect(throws: Failure.self) {
            try await registry.tune("old/", auth: false) { [temporary] mount, transaction in
                mount.options = ["version": "2"]
                try KVUpgrade.run(transaction, mount, now: temporary.now)
                throw Failure()
            }
        }
        #expect(registry.mount(named: "old/")?.kvVersion == 1)
        #expect(try plain.read(path) == KVUpgradeTests.secret)
    }

    @Test func `Writers in the middle of it either come along or are told to come again`() async throws {
        let storage = try temporary.open().storage
        let plain = KVPlain(storage: storage, mount: KVUpgradeTests.old)
        let registry = try Registry(storage: storage)
        try await registry.enable(KVUpgradeTests.old)
        let written = try await withThrowingTaskGroup(of: SecretPath?.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let path = try SecretPath("k\(number)")
                    do {
                        try await plain.write(path, data: KVUpgradeTests.secret)
                        return path
                    } catch let error as AirlockError where error.code == .unavailable {
                        return nil
                    }
                }
            }
            group.addTask {
                _ = try await upgrade(storage)
                return nil
            }
            return try await group.reduce(into: [SecretPath]()) { if let path = $1 { $0.append(path) } }
        }
        let versioned = KVVersioned(
            storage: storage, mount: KVUpgradeTests.old, now: { [temporary] in temporary.now })
        for path in written { #expect(try versioned.read(path, version: nil)?.data == KVUpgradeTests.secret) }
        #expect(try versioned.list(folder: "").count == written.count)
    }
}
