import AirlockCore
import AirlockStore
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import Synchronization

@testable import AirlockHTTP

/// Both surfaces on a store of their own, as after a first start: the default policy, `secret/`, and the root token `root`.
/// The clock stands at
/// 2027-01-15T08:00:00Z until it is moved.
final class TestServer: Sendable {
    static let webhookSecret = "the-webhook-secret-of-the-tests!"

    private let surfaces: Surfaces
    private let directory: DataDirectory
    private let clock: TestClock

    init() async throws {
        let clock = TestClock()
        self.clock = clock
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("airlock-\(UUID().uuidString)").path
        directory = try DataDirectory(root)
        let key = try OperatorKey.find(path: nil, environment: [:], directory: directory, isFirstStart: true)
        let storage = try SQLiteStorage(directory: directory, key: key, now: { clock.now })
        let registry = try Registry(storage: storage)
        try await registry.write(Policy(name: Policy.fallback, text: Policy.defaultText))
        try await registry.enable(Mount(path: "secret/", engine: .kv, description: "", options: ["version": "2"]))
        try await RootToken.set(SecretPayload(Array("root".utf8)), in: storage, now: { clock.now })
        let services = Services(
            storage: storage, registry: registry, metrics: Metrics(), upstream: nil, namespaces: [],
            webhook: Webhook(secret: SecretText(TestServer.webhookSecret), now: { clock.now }),
            reads: try await LastReads(storage: storage, now: { clock.now }),
            identity: IdentityServers(
                reader: SignatureKeyReader(), fetcher: NobodyAnswers(), keyFolder: nil, now: { clock.now },
                logger: Logger(label: "test")),
            hasher: ScryptHasher(cost: PasswordHash.Cost(rounds: 2, blockSize: 1, parallelism: 1)), now: { clock.now })
        surfaces = Surfaces(
            vault: VaultSurface(services: services, bodyLimit: 4096),
            typed: TypedSurface(services: services, settings: TypedSettings(), bodyLimit: 4096),
            conjur: ConjurSurface(services: services, mountPath: "secret/", bodyLimit: 4096))
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.root) }

    func wait(seconds: Int) { clock.advance(seconds: seconds) }

    struct Answer {
        let status: Int
        let headers: HTTPFields
        let body: [UInt8]
    }

    func answer(_ method: String, _ path: String, headers: HTTPFields, body: [UInt8]) async throws -> Answer {
        let head = HTTPRequest(
            method: .init(method)!, scheme: "http", authority: "airlock", path: path, headerFields: headers)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let context = ConnectionContext(
            source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test")))
        let response = try await surfaces.respond(to: request, context: context)
        let collected = CollectedBody()
        try await response.body.write(collected)
        return Answer(status: response.status.code, headers: response.headers, body: collected.bytes)
    }
}

/// As from a machine without a network.
struct NobodyAnswers: LoginFetcher {
    func fetch(_ question: LoginQuestion) async throws -> LoginAnswer {
        throw UpstreamError(.refused, "connection refused")
    }
}

final class TestClock: Sendable {
    private let moment = Mutex(Timestamp(nanoseconds: 1_800_000_000_000_000_000))

    var now: Timestamp { moment.withLock { $0 } }

    func advance(seconds: Int) { moment.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// An answer's body in one piece.
private final class CollectedBody: ResponseBodyWriter, Sendable {
    private let collected = Mutex<[UInt8]>([])

    var bytes: [UInt8] { collected.withLock { $0 } }

    func write(_ buffer: ByteBuffer) async throws { collected.withLock { $0 += Array(buffer.readableBytesView) } }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
