import AirlockCore
import NIOCore

/// Plain reads, answered from memory: from the bytes of a request to the bytes of its answer, or to nothing, and then the
/// ordinary way answers.
struct Hits: Sendable {
    let services: Services
    let rules: ListenerRules
    private let clock = ClockText()
    private let ids = RequestIDs()
    private let latencies: (vault: Metrics.Histogram, typed: Metrics.Histogram)

    init(services: Services, rules: ListenerRules) {
        self.services = services
        self.rules = rules
        latencies = (
            services.metrics.histogram(.requests, "vault"), services.metrics.histogram(.requests, "typed")
        )
    }

    enum Outcome {
        /// Then the request is taken off `requests`, and its answer stands at the end of `answers`.
        case answered
        /// The ordinary way knows.
        case unknown
        /// A login whose body has not come yet.
        case begun
    }

    /// Answers the request that the bytes begin with, if memory can.
    /// - Parameter peer: the address at the other end of the connection.
    func answer(
        _ requests: inout ByteBuffer, into answers: inout ByteBuffer, from peer: @autoclosure () -> String? = nil
    ) -> Outcome {
        if answerRead(&requests, into: &answers) { return .answered }
        let begun = services.now()
        switch requests.withUnsafeReadableBytes(PlainLogin.find) {
        case .login(let login): return answer(login, begun, peer(), &requests, into: &answers) ? .answered : .unknown
        case .begun: return .begun
        case nil: return .unknown
        }
    }

    private func answerRead(_ requests: inout ByteBuffer, into answers: inout ByteBuffer) -> Bool {
        let begun = services.now()
        let found = requests.withUnsafeReadableBytes { bytes -> (hit: Hit, length: Int)? in
            guard let read = PlainRead(bytes), read.isDeliberate || !rules.requiresRequestHeader,
                let hit = services.storage.front.hit(token: read.token, target: read.target, now: begun)
            else { return nil }
            return (hit, read.length)
        }
        guard let found else { return false }
        requests.moveReaderIndex(forwardBy: found.length)
        write(found.hit, now: begun, into: &answers)
        note(found.hit, since: begun)
        return true
    }

    /// What the ordinary way does besides answering.
    private func note(_ hit: Hit, since begun: Timestamp) {
        let (kept, place) = (hit.kept, hit.kept.place)
        // Further hits in the same second say nothing new.
        if !kept.isNoted(hit.reader, second: begun.seconds), services.reads.hasRoom(forOneNotedIn: kept.notedSecond) {
            services.reads.note(kept.path, on: place.mount, isStored: place.hits == nil, by: hit.reader.token)
            kept.note(hit.reader, second: begun.seconds)
        }
        place.hits?.add()
        observe(kept.surface == .vault ? latencies.vault : latencies.typed, since: begun)
    }

    private func observe(_ latency: Metrics.Histogram, since begun: Timestamp) {
        let nanoseconds = services.now().nanoseconds - begun.nanoseconds
        latency.observe(seconds: Double(max(0, nanoseconds)) / 1e9)
    }

    // MARK: Logins

    private func answer(
        _ login: PlainLogin, _ begun: Timestamp, _ peer: String?, _ requests: inout ByteBuffer,
        into answers: inout ByteBuffer
    ) -> Bool {
        let front = services.storage.front
        let moment = front.moment
        guard login.isDeliberate || !rules.requiresRequestHeader,
            let mount = services.registry.authMount(named: login.mountPath), mount.engine == .approle
        else { return false }
        let roles = AppRoles(
            storage: services.storage, mount: mount, failures: services.failures, now: services.now)
        guard let issued = roles.knownLogin(roleID: login.roleID, secretID: login.secretID, source: peer) else {
            return false
        }
        front.keep(issued, access: services.registry.accessControl(issued.token.policies), since: moment)
        requests.moveReaderIndex(forwardBy: login.length)
        write(issued, now: begun, into: &answers)
        services.metrics.add(.logins, mount.path, "ok")
        observe(latencies.vault, since: begun)
        return true
    }

    // MARK: Rendering

    // The very bytes of `VaultResponse.rendered`, of `TypedResponse.rendered` and of the server's encoder.

    private static let status: StaticString = "HTTP/1.1 200 OK\r\n"
    private static let vaultHeaders: StaticString = """
        Cache-Control: no-store\r\nContent-Type: application/json\r\n\
        Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n
        """
    private static let typedHeaders: StaticString = "Cache-Control: no-store\r\nContent-Type: application/json\r\n"
    private static let beforeID: StaticString = "{\"request_id\":\""
    private static let beforeLease: StaticString = "\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":"
    private static let beforeData: StaticString = ",\"data\":"
    private static let afterData: StaticString = ",\"wrap_info\":null,\"warnings\":null,\"auth\":null}\n"

    /// Bytes of an answer without its data, at most.
    private static let frame = 640

    private func write(_ hit: Hit, now: Timestamp, into answers: inout ByteBuffer) {
        answers.writeWithUnsafeMutableBytes(minimumWritableBytes: Hits.frame + hit.kept.dataCount) { memory in
            var writer = ByteWriter(memory)
            switch hit.kept.surface {
            case .vault: writeVault(hit, now, &writer)
            case .typed: writeTyped(hit, now, &writer)
            }
            return writer.count
        }
    }

    private func writeVault(_ hit: Hit, _ now: Timestamp, _ writer: inout ByteWriter) {
        let length =
            Hits.beforeID.utf8CodeUnitCount + RequestIDs.length + Hits.beforeLease.utf8CodeUnitCount
            + ByteWriter.digits(hit.kept.leaseDuration) + Hits.beforeData.utf8CodeUnitCount + hit.kept.dataCount
            + Hits.afterData.utf8CodeUnitCount
        writer.write(Hits.status)
        writer.write(Hits.vaultHeaders)
        writeOrigin(hit, &writer)
        writeEnd(of: length, now, &writer)
        writer.write(Hits.beforeID)
        writer.write(RequestIDs.length, ids.next)
        writer.write(Hits.beforeLease)
        writer.write(hit.kept.leaseDuration)
        writer.write(Hits.beforeData)
        hit.kept.withData { writer.write($0) }
        writer.write(Hits.afterData)
    }

    private func write(_ issued: IssuedToken, now: Timestamp, into answers: inout ByteBuffer) {
        let envelope = VaultResponse.Envelope(
            auth: issued.token.auth(text: issued.text), warnings: issued.warnings,
            requestID: String(unsafeUninitializedCapacity: RequestIDs.length) { text in
                ids.next(into: UnsafeMutableRawBufferPointer(text))
                return RequestIDs.length
            })
        let body = envelope.json.bytes + [0x0A]
        answers.writeWithUnsafeMutableBytes(minimumWritableBytes: Hits.frame + body.count) { memory in
            var writer = ByteWriter(memory)
            writer.write(Hits.status)
            writer.write(Hits.vaultHeaders)
            writeEnd(of: body.count, now, &writer)
            body.withUnsafeBytes { writer.write($0) }
            return writer.count
        }
    }

    private func writeTyped(_ hit: Hit, _ now: Timestamp, _ writer: inout ByteWriter) {
        writer.write(Hits.status)
        writeOrigin(hit, &writer)
        writer.write(Hits.typedHeaders)
        writeEnd(of: hit.kept.dataCount, now, &writer)
        hit.kept.withData { writer.write($0) }
    }

    private func writeOrigin(_ hit: Hit, _ writer: inout ByteWriter) {
        guard let age = hit.age else { return }
        writer.write("X-Cache: HIT\r\nAge: ")
        writer.write(age)
        writer.write("\r\n")
    }

    private func writeEnd(of length: Int, _ now: Timestamp, _ writer: inout ByteWriter) {
        writer.write("Content-Length: ")
        writer.write(length)
        writer.write("\r\nDate: ")
        writer.write(ClockText.length) { clock.write(now, into: $0) }
        writer.write("\r\n\r\n")
    }
}
