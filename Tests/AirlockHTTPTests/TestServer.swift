import AirlockCore
import AirlockStore
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing

@testable import AirlockHTTP

/// Both surfaces on a store of their own, as after a first start: the default policy, `secret/`, and the root token `root`.
/// The clock stands at
/// 2027-01-15T08:00:00Z until it is moved.
final class TestServer: Sendable {
    static let webhookSecret = "the-webhook-secret-of-the-tests!"

    let hits: Hits
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
        let conjur = ConjurSurface(services: services, mountPath: "secret/", bodyLimit: 4096)
        try await conjur.account.makeRootPolicy()
        hits = Hits(services: services, rules: ListenerRules())
        surfaces = Surfaces(
            vault: VaultSurface(services: services, bodyLimit: 4096),
            typed: TypedSurface(services: services, settings: TypedSettings(), bodyLimit: 4096),
            conjur: conjur)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.root) }

    func wait(seconds: Int) { clock.advance(seconds: seconds) }

    struct Answer {
        let status: Int
        let headers: HTTPFields
        let body: [UInt8]
    }

    /// Both ways: what memory would answer before the request is, and right after, must be what it is answered.
    func answer(_ method: String, _ path: String, headers: HTTPFields, body: [UInt8]) async throws -> Answer {
        let before = try hit(method, path, headers)
        let answer = try await ordinaryAnswer(method, path, headers: headers, body: body)
        for hit in [before, try hit(method, path, headers)].compactMap(\.self) {
            #expect(hit.status == answer.status, "\(method) \(path)")
            #expect(hit.headers == answer.headers, "\(method) \(path)")
            #expect(try TestServer.withoutID(hit.body) == TestServer.withoutID(answer.body), "\(method) \(path)")
            if path.hasPrefix("/v1/") { #expect(hit.body != answer.body, "the id of an answer is its own") }
        }
        return answer
    }

    /// What memory answers, `nil` when that is left to the ordinary way.
    func hit(_ method: String, _ path: String, _ headers: HTTPFields) throws -> Answer? {
        var request = ByteBuffer(string: "\(method) \(path) HTTP/1.1\r\nHost: airlock\r\n")
        for header in headers { request.writeString("\(header.name.rawName): \(header.value)\r\n") }
        request.writeString("\r\n")
        var bytes = ByteBuffer()
        guard case .answered = hits.answer(&request, into: &bytes) else { return nil }
        #expect(request.readableBytes == 0)
        let text = bytes.readString(length: bytes.readableBytes) ?? ""
        let parts = try #require(text.firstRange(of: "\r\n\r\n"))
        let lines = text[..<parts.lowerBound].split(separator: "\r\n")
        #expect(lines.first == "HTTP/1.1 200 OK")
        var answered = HTTPFields()
        for line in lines.dropFirst() {
            let colon = try #require(line.firstRange(of: ": "))
            answered.append(
                HTTPField(
                    name: try #require(HTTPField.Name(String(line[..<colon.lowerBound]))),
                    value: String(line[colon.upperBound...])))
        }
        let body = Array(text[parts.upperBound...].utf8)
        #expect(answered[.contentLength] == "\(body.count)")
        #expect(answered[.date] == "Fri, 15 Jan 2027 08:00:00 GMT" || clock.hasMoved)
        // The server behind the surfaces adds the date.
        answered[.date] = nil
        return Answer(status: 200, headers: answered, body: body)
    }

    private static func withoutID(_ body: [UInt8]) throws -> JSON? {
        let json = try JSON(parsing: body)
        return .object(json.members?.map { $0.name == "request_id" ? .init($0.name, .null) : $0 } ?? [])
    }

    private func ordinaryAnswer(
        _ method: String, _ path: String, headers: HTTPFields, body: [UInt8]
    ) async throws -> Answer {
        let head = HTTPRequest(
            method: .init(method)!, scheme: "http", authority: "airlock", path: path, headerFields: headers)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let context = ConnectionContext(channel: EmbeddedChannel(), logger: Logger(label: "test"))
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
    var hasMoved: Bool { now.nanoseconds != 1_800_000_000_000_000_000 }

    func advance(seconds: Int) { moment.withLock { $0 = $0.adding(seconds: seconds) } }
}

/// An answer's body in one piece.
private final class CollectedBody: ResponseBodyWriter, Sendable {
    private let collected = Mutex<[UInt8]>([])

    var bytes: [UInt8] { collected.withLock { $0 } }

    func write(_ buffer: ByteBuffer) async throws { collected.withLock { $0 += Array(buffer.readableBytesView) } }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
