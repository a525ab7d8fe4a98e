import AirlockCore

/// The head of a plain read, where it stands in memory: a GET of HTTP/1.1 with no more than the headers that the usual clients
/// send, none of which changes the answer. As strict as `RequestDecoder` on what it takes, which decodes all the rest.
struct PlainRead {
    /// The text of the token.
    let token: UnsafeRawBufferPointer
    let target: UnsafeRawBufferPointer
    /// `X-Vault-Request: true` is there.
    let isDeliberate: Bool
    /// Bytes, up to and with the empty line.
    let length: Int

    /// A longer head is no plain read's.
    private static let limit = 8192

    private enum Header: UInt8 {
        case token, authorization, request, host, accept, acceptEncoding, userAgent, connection

        /// - Parameter name: in whatever case.
        init?(_ name: UnsafeRawBufferPointer) {
            // By length, so that a name is compared with one other at most.
            let (known, header): (StaticString, Header)
            switch name.count {
            case 4: (known, header) = ("host", .host)
            case 6: (known, header) = ("accept", .accept)
            case 10 where name[0] | 0x20 == UInt8(ascii: "u"): (known, header) = ("user-agent", .userAgent)
            case 10: (known, header) = ("connection", .connection)
            case 13 where name[0] | 0x20 == UInt8(ascii: "x"): (known, header) = ("x-vault-token", .token)
            case 13: (known, header) = ("authorization", .authorization)
            case 15 where name[0] | 0x20 == UInt8(ascii: "x"): (known, header) = ("x-vault-request", .request)
            case 15: (known, header) = ("accept-encoding", .acceptEncoding)
            default: return nil
            }
            guard PlainRead.isSame(name, known) else { return nil }
            self = header
        }

        var bit: UInt8 { 1 << rawValue }
    }

    /// - Returns: `nil` where it is another request, or not whole yet.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard PlainRead.starts(bytes, with: "GET /") else { return nil }
        var place = 5
        while place < bytes.count, 0x21...0x7E ~= bytes[place], bytes[place] != UInt8(ascii: "#") { place += 1 }
        let target = UnsafeRawBufferPointer(rebasing: bytes[4..<place])
        let version: StaticString = " HTTP/1.1\r\n"
        guard PlainRead.starts(UnsafeRawBufferPointer(rebasing: bytes[place...]), with: version) else { return nil }
        place += version.utf8CodeUnitCount

        var (seen, token, isDeliberate) = (UInt8(0), UnsafeRawBufferPointer?.none, false)
        while place < min(bytes.count, PlainRead.limit), bytes[place] != 0x0D {
            guard let line = PlainRead.line(bytes, from: place), let header = Header(line.name), seen & header.bit == 0
            else { return nil }
            seen |= header.bit
            switch header {
            case .token: token = line.value
            case .authorization:
                guard PlainRead.starts(line.value, with: "Bearer ") else { return nil }
                token = PlainRead.trimmed(UnsafeRawBufferPointer(rebasing: line.value[7...]))
            case .request: isDeliberate = PlainRead.isEqual(line.value, "true")
            case .connection: guard PlainRead.isSame(line.value, "keep-alive") else { return nil }
            case .host, .accept, .acceptEncoding, .userAgent: break
            }
            place = line.end
        }
        guard place + 1 < bytes.count, bytes[place] == 0x0D, bytes[place + 1] == 0x0A,
            // Which of two ways to send a token counts is the ordinary way's to say.
            seen & Header.token.bit == 0 || seen & Header.authorization.bit == 0,
            seen & Header.host.bit != 0, let token, !token.isEmpty
        else { return nil }
        (self.token, self.target, self.isDeliberate, length) = (token, target, isDeliberate, place + 2)
    }

    /// A field line: its name, its value without blanks around it, and where the next one begins.
    static func line(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, end: Int)? {
        var colon = start
        while colon < bytes.count, bytes[colon] != UInt8(ascii: ":") {
            // Of all that a name may have, the known ones have letters and hyphens.
            guard bytes[colon] > 0x20 else { return nil }
            colon += 1
        }
        var end = colon
        while end < bytes.count, bytes[end] >= 0x20 && bytes[end] != 0x7F || bytes[end] == 0x09 { end += 1 }
        guard end + 1 < bytes.count, bytes[end] == 0x0D, bytes[end + 1] == 0x0A else { return nil }
        let value = UnsafeRawBufferPointer(rebasing: bytes[(colon + 1)..<end])
        return (UnsafeRawBufferPointer(rebasing: bytes[start..<colon]), trimmed(value), end + 2)
    }

    private static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (start, end) = (0, value.count)
        while start < end, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
        while start < end, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: value[start..<end])
    }

    static func starts(_ bytes: UnsafeRawBufferPointer, with known: StaticString) -> Bool {
        bytes.count >= known.utf8CodeUnitCount
            && isEqual(UnsafeRawBufferPointer(rebasing: bytes[..<known.utf8CodeUnitCount]), known)
    }

    static func isEqual(_ bytes: UnsafeRawBufferPointer, _ known: StaticString) -> Bool {
        guard bytes.count == known.utf8CodeUnitCount else { return false }
        for place in bytes.indices where bytes[place] != known.utf8Start[place] { return false }
        return true
    }

    /// But for the case of ASCII letters.
    /// - Parameter known: in lower case.
    static func isSame(_ bytes: UnsafeRawBufferPointer, _ known: StaticString) -> Bool {
        guard bytes.count == known.utf8CodeUnitCount else { return false }
        for place in bytes.indices {
            let byte = bytes[place]
            let isUpper = UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
            guard (isUpper ? byte | 0x20 : byte) == known.utf8Start[place] else { return false }
        }
        return true
    }
}
