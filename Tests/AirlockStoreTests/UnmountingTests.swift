import AirlockCore
import AirlockStore
import GRDB
import Testing

/// What was on its way to a mount when the mount was dropped: it leaves no row that nothing would list or remove.
struct UnmountingTests {
    private let temporary = TemporaryStore()
    private static let secret = SecretPayload(Array("{}".utf8))

    private var now: Now { { [temporary] in temporary.now } }

    private func rows() throws -> [String] {
        try temporary.outside { try String.fetchAll($0, sql: "SELECT kind || ' ' || name FROM record ORDER BY 1") }
    }

    private func expectRefused(
        _ name: String, sourceLocation: SourceLocation = #_sourceLocation, _ write: () async throws -> Void
    ) async {
        let error = await #expect(throws: AirlockError.self, "\(name)", sourceLocation: sourceLocation) {
            try await write()
        }
        #expect(error?.code == .notFound, "\(name)", sourceLocation: sourceLocation)
    }

    @Test(arguments: ["dropped", "made anew", "moved"])
    func `A write to a KV mount that went away meanwhile is refused and leaves nothing`(_ fate: String) async throws {
        let storage = try temporary.open().storage
        let registry = try Registry(storage: storage)
        let mount = Mount(path: "kv/", engine: .kv, description: "", options: ["version": "2"])
        let (a, b) = (try SecretPath("a"), try SecretPath("b"))
        let versioned = KVVersioned(storage: storage, mount: mount, now: now)
        let plain = KVPlain(storage: storage, mount: mount)
        try await registry.enable(mount)
        _ = try await versioned.write(a, data: UnmountingTests.secret, cas: nil)
        if fate == "moved" {
            try await registry.move(Remount(from: "kv/", to: "other/"), id: "move", now: temporary.now)
        } else {
            try await registry.disable("kv/")
        }
        if fate == "made anew" {
            try await registry.enable(Mount(path: "kv/", engine: .kv, description: "", options: ["version": "2"]))
        }
        let before = try rows()
        for path in [a, b] {
            await expectRefused("write") {
                _ = try await versioned.write(path, data: UnmountingTests.secret, cas: nil)
            }
            await expectRefused("metadata") {
                _ = try await versioned.updateMetadata(path, cas: nil, creates: true) { _ in }
            }
            await expectRefused("patch") { _ = try await versioned.patch(path, merge: .object([]), cas: nil) }
            await expectRefused("delete") { try await versioned.delete(path, versions: nil) }
            await expectRefused("undelete") { try await versioned.undelete(path, versions: [1]) }
            await expectRefused("destroy") { try await versioned.destroy(path, versions: [1]) }
            await expectRefused("delete metadata") { try await versioned.deleteMetadata(path) }
            await expectRefused("version 1 write") { try await plain.write(path, data: UnmountingTests.secret) }
            await expectRefused("version 1 update") { try await plain.update(path) { _ in UnmountingTests.secret } }
            await expectRefused("version 1 delete") { try await plain.delete(path) }
        }
        await expectRefused("config") { try await versioned.updateConfig { $0.casRequired = true } }
        #expect(try rows() == before)
    }

    @Test func `Of writers that race the dropping of their mount none leaves anything`() async throws {
        let storage = try temporary.open().storage
        let registry = try Registry(storage: storage)
        let mount = Mount(path: "kv/", engine: .kv, description: "", options: ["version": "2"])
        try await registry.enable(mount)
        let versioned = KVVersioned(storage: storage, mount: mount, now: now)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    guard let path = try? SecretPath("k\(number)") else { return }
                    _ = try? await versioned.write(path, data: UnmountingTests.secret, cas: nil)
                }
            }
            group.addTask { try? await registry.disable("kv/") }
        }
        #expect(registry.mounts.isEmpty)
        #expect(try rows().filter { $0.hasPrefix("kv_") } == [])
    }

    @Test func `Nothing is added to a way to log in that was meanwhile dropped`() async throws {
        let storage = try temporary.open().storage
        let registry = try Registry(storage: storage)
        func dropped(_ engine: Mount.Engine) async throws -> Mount {
            let mount = Mount(path: "\(engine.rawValue)/", engine: engine, description: "", options: nil)
            try await registry.enableAuth(mount)
            try await registry.disableAuth(mount.path)
            return mount
        }
        let appRoles = AppRoles(
            storage: storage, mount: try await dropped(.approle), failures: LoginFailures(now: now), now: now)
        await expectRefused("approle") { try await appRoles.update("r") { $0.roleID = "rid" } }
        let certRoles = CertRoles(storage: storage, mount: try await dropped(.cert), now: now)
        await expectRefused("cert config") { try await certRoles.records.writeConfig { _ in .init() } }
        let records = LoginRecords<String, String>(storage: storage, mount: try await dropped(.jwt))
        await expectRefused("jwt role") { try await records.writeRole("r") { _ in ("role", ()) } }
        await expectRefused("jwt config") { try await records.writeConfig { _ in "config" } }
        #expect(try rows().filter { $0.hasPrefix("role") || $0.hasPrefix("login") } == [])
    }
}
