import Synchronization
import Testing

@testable import AirlockCore

/// Secrets by mount and path, and what was asked.
private final class Shelf: ReferenceSource {
    private let mounts: [ReferenceMount]
    private let secrets: [String: JSON]
    private let refused: Set<String>
    private let log = Mutex<[String]>([])

    init(mounts: [String: Int], secrets: [String: JSON] = [:], refused: Set<String> = []) {
        self.mounts = mounts.map { ReferenceMount(path: $0.key, kvVersion: $0.value) }
        self.secrets = secrets
        self.refused = refused
    }

    var asked: [String] { log.withLock { $0.sorted() } }

    func mount(of path: String) async throws -> ReferenceMount {
        log.withLock { $0.append("mount of \(path)") }
        guard let mount = mounts.first(where: { "\(path)/".hasPrefix($0.path) }) else {
            throw ReferenceFault(.denied, "there is no such mount")
        }
        return mount
    }

    func secret(_ path: SecretPath, version: Int?, in mount: ReferenceMount) async throws -> JSON? {
        let name = mount.path + path.text + (version.map { "#\($0)" } ?? "")
        log.withLock { $0.append(name) }
        if refused.contains(name) { throw ReferenceFault(.denied, "permission denied") }
        return secrets[name]
    }
}

struct ReferenceResolverTests {
    private static func resolved(
        _ texts: [String], from shelf: Shelf, prefixes: [String: String] = [:]
    ) async throws -> [String] {
        let prefixes = try ReferencePrefixes(prefixes.map { (name: $0.key, place: $0.value) })
        let resolver = ReferenceResolver(source: shelf, prefixes: prefixes)
        let texts = texts.map { text in Result { () throws(ReferenceFault) in try ReferenceText(text) } }
        return try await resolver.values(of: texts).map { result in
            switch result.text {
            case .success(let value): value
            case .failure(let fault): "! " + fault.message
            }
        }
    }

    @Test func `The mount ends where the server says, also after several parts`() async throws {
        let shelf = Shelf(
            mounts: ["team/kv/": 2, "secret/": 1],
            secrets: ["team/kv/db": ["p": "deep"], "secret/team/kv/db": ["p": "shallow"]])
        let values = try await ReferenceResolverTests.resolved(
            ["{vault://team/kv/db/p}", "{vault://secret/team/kv/db/p}", "{vault://team/kv/p}", "{vault://other/a/b}"],
            from: shelf)
        #expect(
            values == [
                "deep", "shallow",
                "! {vault://team/kv/p}: it names a mount and a field, but no secret: {vault://mount/path/field}",
                "! {vault://other/a/b}: there is no such mount",
            ])
    }

    @Test func `A secret is read once, and its mount asked for once, however many references name it`() async throws {
        let shelf = Shelf(
            mounts: ["secret/": 2],
            secrets: ["secret/db": ["login": "u", "password": "p"], "secret/db#1": ["login": "old"]])
        let values = try await ReferenceResolverTests.resolved(
            [
                "{vault://secret/db/login}:{vault://secret/db/password}@",
                "{vault://secret/db/password?url_encode=true}",
                "{vault://short/login}", "{vault://secret/db/login#1}",
            ], from: shelf, prefixes: ["short": "secret/db"])
        #expect(values == ["u:p@", "p", "u", "old"])
        #expect(shelf.asked.filter { !$0.hasPrefix("mount of") } == ["secret/db", "secret/db#1"])
        #expect(shelf.asked.filter { $0.hasPrefix("mount of") }.count == 1)
    }

    @Test func `A text fails by its own references alone`() async throws {
        let shelf = Shelf(mounts: ["secret/": 2], secrets: ["secret/a": ["k": "v"]], refused: ["secret/b"])
        let values = try await ReferenceResolverTests.resolved(
            [
                "{vault://secret/a/k}", "broken", "{vault://secret/a/k}{vault://secret/b/k?default=x}",
                "{vault://secret/c/k}",
            ], from: shelf)
        #expect(
            values == [
                "v", "! there is no reference in it: {vault://mount/path/field}",
                "! {vault://secret/b/k}: permission denied", "! {vault://secret/c/k}: there is no such secret",
            ])
    }

    @Test func `A prefix goes before a mount of its name`() async throws {
        let shelf = Shelf(mounts: ["secret/": 2, "kong/": 2], secrets: ["secret/etl/db": ["p": "prefixed"]])
        let values = try await ReferenceResolverTests.resolved(
            ["{vault://kong/db/p}"], from: shelf, prefixes: ["kong": "/secret/etl/"])
        #expect(values == ["prefixed"])
    }

    @Test(arguments: [("", "secret"), ("a/b", "secret"), ("a", ""), ("a", "/"), ("a", "secret/../x")])
    func `A prefix that leads nowhere is refused`(name: String, place: String) {
        #expect(throws: ReferenceFault.self) { try ReferencePrefixes([(name: name, place: place)]) }
    }

    @Test func `A short text that stands for more than memory holds is refused`() async throws {
        let large = String(repeating: "x", count: 1 << 20)
        let shelf = Shelf(mounts: ["secret/": 2], secrets: ["secret/a": ["k": .string(large)]])
        let many = String(repeating: "{vault://secret/a/k}", count: 33)
        let values = try await ReferenceResolverTests.resolved([many, "{vault://secret/a/k}"], from: shelf)
        #expect(values == ["! the values are more than 33554432 bytes together", large])
    }
}
