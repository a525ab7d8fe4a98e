import AirlockCore
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Plain reads of the Vault surface, answered from memory: from the head of a request to the bytes of its answer, or to
/// nothing, and then the ordinary way answers.
struct Hits: Sendable {
    let services: Services
    let rules: ListenerRules
    private let clock = ClockText()
    private let ids = RequestIDs()

    init(services: Services, rules: ListenerRules) {
        self.services = services
        self.rules = rules
    }

    /// Headers that a plain read may have, at most once each; all but the token change nothing in the answer.
    private enum Header: Int {
        case token, request, host, accept, userAgent, acceptEncoding

        private static let names: [(name: String, header: Header)] = [
            ("x-vault-token", .token), ("x-vault-request", .request), ("host", .host), ("accept", .accept),
            ("user-agent", .userAgent), ("accept-encoding", .acceptEncoding),
        ]

        init?(_ name: String) {
            guard let known = Header.names.first(where: { Hits.isSame(name, $0.name) }) else { return nil }
            self = known.header
        }

        var bit: Int { 1 << rawValue }
    }

    /// But for the case of ASCII letters.
    private static func isSame(_ name: String, _ lowercased: String) -> Bool {
        name.utf8.count == lowercased.utf8.count
            && zip(name.utf8, lowercased.utf8).allSatisfy { given, wanted in
                given == wanted || (UInt8(ascii: "A")...UInt8(ascii: "Z") ~= given && given | 0x20 == wanted)
            }
    }

    func answer(_ head: HTTPRequestHead, allocator: ByteBufferAllocator) -> ByteBuffer? {
        let begun = services.now()
        guard let token = token(head), let hit = hit(token, head.uri, now: begun) else { return nil }
        let answer = rendered(hit, now: begun, allocator: allocator)
        note(hit, since: begun)
        return answer
    }

    /// The token of a plain read.
    private func token(_ head: HTTPRequestHead) -> String? {
        guard head.method == .GET, head.version == .http1_1 else { return nil }
        var (seen, token, isDeliberate) = (0, "", false)
        for (name, value) in head.headers {
            guard let header = Header(name), seen & header.bit == 0 else { return nil }
            seen |= header.bit
            if header == .token { token = value }
            if header == .request { isDeliberate = value == "true" }
        }
        guard !token.isEmpty, isDeliberate || !rules.requiresRequestHeader else { return nil }
        return token
    }

    private func hit(_ token: String, _ target: String, now: Timestamp) -> Hit? {
        services.storage.front.hit(PresentedToken(Array(token.utf8)), target: Array(target.utf8), now: now)
    }

    /// What the ordinary way does besides answering.
    private func note(_ hit: Hit, since begun: Timestamp) {
        services.reads.note(hit.path, on: hit.mount, isStored: hit.isStored, by: hit.token)
        if !hit.isStored { services.metrics.add(.reads, hit.mount.path, Served.Outcome.hit.rawValue) }
        let nanoseconds = services.now().nanoseconds - begun.nanoseconds
        services.metrics.observe(.requests, "vault", seconds: Double(max(0, nanoseconds)) / 1e9)
    }

    // MARK: Rendering

    private static let opening = """
        HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n\
        Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n
        """
    private static let beforeID = "{\"request_id\":\""
    private static let beforeLease = "\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":"
    private static let beforeData = ",\"data\":"
    private static let afterData = ",\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n"

    /// The very bytes of `VaultResponse.rendered` and of the server's encoder.
    private func rendered(_ hit: Hit, now: Timestamp, allocator: ByteBufferAllocator) -> ByteBuffer {
        let lease = String(hit.answer.leaseDuration)
        let data = hit.answer.data.bytes
        let length =
            Hits.beforeID.utf8.count + RequestIDs.length + Hits.beforeLease.utf8.count + lease.utf8.count
            + Hits.beforeData.utf8.count + data.count + Hits.afterData.utf8.count
        var buffer = allocator.buffer(capacity: length + 384)
        buffer.writeString(Hits.opening)
        if let age = hit.age { buffer.writeString("X-Cache: HIT\r\nAge: \(age)\r\n") }
        buffer.writeString("Content-Length: \(length)\r\nDate: ")
        buffer.writeString(clock.text(at: now))
        buffer.writeString("\r\n\r\n")
        buffer.writeString(Hits.beforeID)
        buffer.writeBytes(ids.next())
        buffer.writeString(Hits.beforeLease)
        buffer.writeString(lease)
        buffer.writeString(Hits.beforeData)
        buffer.writeBytes(data)
        buffer.writeString(Hits.afterData)
        return buffer
    }
}
