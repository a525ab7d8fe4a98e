import NIOCore
import NIOHTTP1

/// A request line and its headers, checked; and how long the body is.
struct RequestHead {
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
    }

    let head: HTTPRequestHead
    let framing: Framing

    /// - Parameter bytes: from the request line to the last header's CRLF.
    init(_ bytes: ByteBufferView, headerLimit: Int) throws {
        var lines = try RequestHead.lines(bytes)
        guard !lines.isEmpty else { throw HTTPParserError.invalidMethod }
        let (method, target, version) = try RequestHead.requestLine(lines.removeFirst())
        guard lines.count <= headerLimit else { throw HTTPParserError.headerOverflow }
        var headers = HTTPHeaders()
        headers.reserveCapacity(lines.count)
        for line in lines {
            let header = try RequestHead.header(line)
            headers.add(name: header.name, value: header.value)
        }
        framing = try RequestHead.framing(headers, version: version)
        RequestHead.settleConnection(&headers, version: version)
        head = HTTPRequestHead(version: version, method: method, uri: target, headers: headers)
    }

    private static func lines(_ bytes: ByteBufferView) throws -> [ByteBufferView] {
        var lines: [ByteBufferView] = []
        var rest = bytes
        while let feed = rest.firstIndex(of: 0x0A) {
            let line = rest[..<feed]
            guard line.last == 0x0D else { throw HTTPParserError.lfExpected }
            lines.append(line.dropLast())
            rest = rest[(feed + 1)...]
        }
        return lines
    }

    private static func requestLine(_ line: ByteBufferView) throws -> (HTTPMethod, String, HTTPVersion) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw HTTPParserError.invalidURL }
        guard parts[0].count <= 32, !parts[0].isEmpty, parts[0].allSatisfy(isToken) else {
            throw HTTPParserError.invalidMethod
        }
        guard !parts[1].isEmpty, parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw HTTPParserError.invalidURL
        }
        let version: HTTPVersion =
            switch String(decoding: parts[2], as: UTF8.self) {
            case "HTTP/1.1": .http1_1
            case "HTTP/1.0": .http1_0
            default: throw HTTPParserError.invalidVersion
            }
        let method = HTTPMethod(rawValue: String(decoding: parts[0], as: UTF8.self))
        return (method, try originForm(String(decoding: parts[1], as: UTF8.self)), version)
    }

    /// Path and query. The absolute form, which proxies send, loses its scheme and authority.
    private static func originForm(_ target: String) throws -> String {
        if target.hasPrefix("/") || target == "*" { return target }
        for scheme in ["http://", "https://"] where target.hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            return rest.firstIndex { $0 == "/" || $0 == "?" }.map { index in
                rest[index] == "/" ? String(rest[index...]) : "/" + rest[index...]
            } ?? "/"
        }
        throw HTTPParserError.invalidURL
    }

    /// One field line. Throws for folded lines (they begin with a blank) and for control characters in a value.
    static func header(_ line: ByteBufferView) throws -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
            throw HTTPParserError.invalidHeaderToken
        }
        guard line[..<colon].allSatisfy(isToken) else { throw HTTPParserError.invalidHeaderToken }
        var value = line[(colon + 1)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw HTTPParserError.invalidHeaderToken
        }
        return (String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    /// `tchar` of https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func framing(_ headers: HTTPHeaders, version: HTTPVersion) throws -> Framing {
        let hosts = headers["host"].count
        guard hosts == 1 || (hosts == 0 && version == .http1_0) else { throw HTTPParserError.invalidHeaderToken }
        let encodings = headers["transfer-encoding"]
        let lengths = headers["content-length"]
        if !encodings.isEmpty {
            guard lengths.isEmpty else { throw HTTPParserError.unexpectedContentLength }
            guard encodings.count == 1, encodings[0].lowercased() == "chunked", version == .http1_1 else {
                throw HTTPParserError.unknown
            }
            return .chunked
        }
        guard let text = lengths.first else { return .none }
        guard lengths.count == 1, (1...18).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(text)
        else { throw HTTPParserError.invalidContentLength }
        return .length(length)
    }

    /// The server behind looks for exactly `close`; here every spelling of it, and HTTP/1.0's default, become that.
    private static func settleConnection(_ headers: inout HTTPHeaders, version: HTTPVersion) {
        let options = headers[canonicalForm: "connection"].map { $0.lowercased() }
        let closes = options.contains("close") || (version == .http1_0 && !options.contains("keep-alive"))
        headers.remove(name: "connection")
        if closes { headers.add(name: "connection", value: "close") }
    }
}
