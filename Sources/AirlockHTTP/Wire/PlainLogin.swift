import AirlockCore

/// The bytes of an AppRole login as the usual clients send it: a POST or PUT of HTTP/1.1 with a short JSON object of the two
/// ids and nothing else. As strict as `PlainRead`; whatever is sent otherwise goes the ordinary way.
struct PlainLogin {
    enum Found {
        case login(PlainLogin)
        /// It looks like one so far, and the rest of its body is still on its way.
        case begun
    }

    /// Of the way to log in, below `auth/`, ending in `/`.
    let mountPath: String
    let roleID: String
    let secretID: String
    /// `X-Vault-Request: true` is there.
    let isDeliberate: Bool
    /// Bytes, with the body.
    let length: Int

    /// Longer ones are no plain login's.
    private static let limits = (head: 4096, body: 4096)

    private enum Header: UInt8 {
        case request, host, accept, acceptEncoding, userAgent, connection, contentType, contentLength

        init?(_ name: UnsafeRawBufferPointer) {
            let (known, header): (StaticString, Header)
            switch (name.count, name.first.map { $0 | 0x20 }) {
            case (4, _): (known, header) = ("host", .host)
            case (6, _): (known, header) = ("accept", .accept)
            case (10, UInt8(ascii: "u")): (known, header) = ("user-agent", .userAgent)
            case (10, _): (known, header) = ("connection", .connection)
            case (12, _): (known, header) = ("content-type", .contentType)
            case (14, _): (known, header) = ("content-length", .contentLength)
            case (15, UInt8(ascii: "x")): (known, header) = ("x-vault-request", .request)
            case (15, _): (known, header) = ("accept-encoding", .acceptEncoding)
            default: return nil
            }
            guard PlainRead.isSame(name, known) else { return nil }
            self = header
        }

        var bit: UInt8 { 1 << rawValue }
    }

    /// - Returns: `nil` where it is another request.
    static func find(in bytes: UnsafeRawBufferPointer) -> Found? {
        guard let (mountPath, headers) = target(of: bytes) else { return nil }
        var (place, seen, isDeliberate, bodyLength) = (headers, UInt8(0), false, Int?.none)
        while place < min(bytes.count, limits.head), bytes[place] != 0x0D {
            guard let line = PlainRead.line(bytes, from: place), let header = Header(line.name), seen & header.bit == 0
            else { return nil }
            seen |= header.bit
            switch header {
            case .request: isDeliberate = PlainRead.isEqual(line.value, "true")
            case .connection: guard PlainRead.isSame(line.value, "keep-alive") else { return nil }
            case .contentType: guard PlainRead.isEqual(line.value, "application/json") else { return nil }
            case .contentLength: bodyLength = number(line.value)
            case .host, .accept, .acceptEncoding, .userAgent: break
            }
            place = line.end
        }
        guard place + 1 < bytes.count, bytes[place] == 0x0D, bytes[place + 1] == 0x0A, seen & Header.host.bit != 0,
            let bodyLength, 1...limits.body ~= bodyLength
        else { return nil }
        let end = place + 2 + bodyLength
        guard end <= bytes.count else { return .begun }
        guard let body = try? JSON(parsing: bytes[(place + 2)..<end]), let members = body.members, members.count == 2,
            let roleID = body["role_id"]?.text, let secretID = body["secret_id"]?.text, !roleID.isEmpty
        else { return nil }
        return .login(
            PlainLogin(
                mountPath: mountPath, roleID: roleID, secretID: secretID, isDeliberate: isDeliberate, length: end))
    }

    /// The mount's path, and where the headers begin.
    private static func target(of bytes: UnsafeRawBufferPointer) -> (mountPath: String, end: Int)? {
        let (post, put): (StaticString, StaticString) = ("POST /v1/auth/", "PUT /v1/auth/")
        let start: Int
        if PlainRead.starts(bytes, with: post) {
            start = post.utf8CodeUnitCount
        } else if PlainRead.starts(bytes, with: put) {
            start = put.utf8CodeUnitCount
        } else {
            return nil
        }
        // Of all that a mount's path may have, what is spelled in one way only.
        var place = start
        while place < bytes.count, isPlain(bytes[place]) { place += 1 }
        let (version, name): (StaticString, StaticString) = (" HTTP/1.1\r\n", "login")
        let path = bytes[start..<place]
        guard PlainRead.starts(UnsafeRawBufferPointer(rebasing: bytes[place...]), with: version),
            path.count > name.utf8CodeUnitCount + 1
        else { return nil }
        let split = place - name.utf8CodeUnitCount
        guard PlainRead.isEqual(UnsafeRawBufferPointer(rebasing: bytes[split..<place]), name),
            bytes[split - 1] == UInt8(ascii: "/")
        else { return nil }
        return (String(decoding: bytes[start..<split], as: UTF8.self), place + version.utf8CodeUnitCount)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// Digits only, and few.
    private static func number(_ text: UnsafeRawBufferPointer) -> Int? {
        guard 1...4 ~= text.count, text.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return text.reduce(0) { $0 * 10 + Int($1) - 0x30 }
    }
}
