import AirlockCore
import AirlockStore
import Testing

/// A moved mount is at its new path and nowhere else, whatever happens to the server.
struct RemountTests {
    private let temporary = TemporaryStore()

    @Test func `A move is there after a restart, and told for a day`() async throws {
        do {
            let storage = try temporary.open().storage
            let registry = try Registry(storage: storage)
            try await registry.enable(Mount(path: "a/", engine: .kv, description: "", options: [:]))
            try await registry.move(Remount(from: "a/", to: "b/c/"), id: "move", now: temporary.now)
        }
        let storage = try temporary.open().storage
        let registry = try Registry(storage: storage)
        #expect(registry.mounts.map(\.path) == ["b/c/"])
        #expect(try Remount.done("move", in: storage)?.target == "b/c/")
        temporary.advance(seconds: 86_400)
        #expect(try await storage.sweep() > 0)
        #expect(try Remount.done("move", in: storage) == nil)
        #expect(registry.mounts.map(\.path) == ["b/c/"])
    }

    @Test func `Of two moves to one path one is done`() async throws {
        let opened = try temporary.open()
        let registry = try Registry(storage: opened.storage)
        for path in ["a/", "b/"] {
            try await registry.enable(Mount(path: path, engine: .kv, description: "", options: [:]))
        }
        let now = temporary.now
        let done = await withTaskGroup(of: Bool.self) { group in
            for path in ["a/", "b/"] {
                group.addTask {
                    do {
                        try await registry.move(Remount(from: path, to: "c/"), id: path, now: now)
                        return true
                    } catch { return false }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(done == 1)
        #expect(registry.mounts.count == 2)
        #expect(registry.mounts.contains { $0.path == "c/" })
    }

    @Test func `A mount stored before there was a listing visibility still opens`() async throws {
        let opened = try temporary.open()
        let old = """
            {"path":"old/","engine":"kv","uuid":"u","accessor":"kv_u","description":"","options":{"version":"2"},\
            "defaultLeaseTTL":0,"maxLeaseTTL":0,"tokenType":"default-service"}
            """
        try await opened.storage.put(RecordKey(.mount, "old/"), old)
        let mount = try #require(try Registry(storage: opened.storage).mount(named: "old/"))
        #expect(mount.listingVisibility == nil)
    }
}
