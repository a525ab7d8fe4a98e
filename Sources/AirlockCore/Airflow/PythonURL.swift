/// `urllib.parse.urlsplit` of CPython 3.11.7 and the properties of what it returns:
/// https://github.com/python/cpython/blob/v3.11.7/Lib/urllib/parse.py
///
/// Works on the bytes of a text, for speed; every delimiter is ASCII, so UTF-8 needs no decoding.
struct PythonURL {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    private(set) var scheme = 0..<0
    private(set) var netloc = 0..<0
    private(set) var path = 0..<0
    private(set) var query = 0..<0

    /// Splits bytes that `needsCleaning` is false for.
    init(splitting bytes: Bytes) throws(ConnectionError) {
        var rest = 0
        if let colon = PythonURL.schemeEnd(bytes) {
            scheme = 0..<colon
            rest = colon + 1
        }
        if rest + 1 < bytes.count, bytes[rest] == UInt8(ascii: "/"), bytes[rest + 1] == UInt8(ascii: "/") {
            var end = rest + 2
            while end < bytes.count, !PythonURL.endsNetloc(bytes[end]) { end += 1 }
            netloc = (rest + 2)..<end
            rest = end
            try PythonURL.checkBrackets(bytes, netloc)
        }
        var end = rest
        var question: Int?
        while end < bytes.count, bytes[end] != UInt8(ascii: "#") {
            if question == nil, bytes[end] == UInt8(ascii: "?") { question = end }
            end += 1
        }
        path = rest..<(question ?? end)
        if let question { query = (question + 1)..<end }
        try PythonURL.checkNormalization(bytes, netloc)
    }

    private static func endsNetloc(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }

    /// The place of the `:` behind a valid scheme: an ASCII letter, then letters, digits, `+`, `-` and `.`.
    static func schemeEnd(_ bytes: Bytes) -> Int? {
        guard let first = bytes.first, isLetter(first) else { return nil }
        var index = 1
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: ":") { return index }
            guard isLetter(byte) || 0x30...0x39 ~= byte || byte == 0x2B || byte == 0x2D || byte == 0x2E else {
                return nil
            }
            index += 1
        }
        return nil
    }

    static func isLetter(_ byte: UInt8) -> Bool { 0x61...0x7A ~= byte | 0x20 }

    static func lowerASCII(_ byte: UInt8) -> UInt8 { 0x41...0x5A ~= byte ? byte | 0x20 : byte }
}

// MARK: - Cleaning

extension PythonURL {
    /// Whether Python would first drop characters: control characters and blanks in front, tab, CR and LF anywhere.
    static func needsCleaning(_ bytes: Bytes) -> Bool {
        if let first = bytes.first, first <= 0x20 { return true }
        return bytes.contains(where: isDropped)
    }

    static func cleaned(_ bytes: Bytes) -> [UInt8] {
        bytes.drop(while: { $0 <= 0x20 }).filter { !isDropped($0) }
    }

    static func isDropped(_ byte: UInt8) -> Bool { byte == 0x09 || byte == 0x0A || byte == 0x0D }
}

// MARK: - Refusals

extension PythonURL {
    private static func checkBrackets(_ bytes: Bytes, _ netloc: Range<Int>) throws(ConnectionError) {
        let part = bytes[netloc]
        let open = part.firstIndex(of: UInt8(ascii: "["))
        let close = part.firstIndex(of: UInt8(ascii: "]"))
        guard open != nil || close != nil else { return }
        guard let open, close != nil else { throw ConnectionError(.unbalancedBracket, at: open ?? close) }
        let host = part[(open + 1)...].prefix { $0 != UInt8(ascii: "]") }
        guard PythonAddress.isBracketedHost(host) else { throw ConnectionError(.badBracketedHost, at: open) }
    }

    /// Python refuses a network part in which NFKC makes a new delimiter. No delimiter takes part in a composition, so it is
    /// enough to look for the 19 characters whose own compatibility form contains one (Unicode 14).
    private static func checkNormalization(_ bytes: Bytes, _ netloc: Range<Int>) throws(ConnectionError) {
        guard let place = firstHiddenDelimiter(bytes, netloc) else { return }
        throw ConnectionError(.hiddenDelimiter, at: place)
    }

    static func firstHiddenDelimiter(_ bytes: Bytes, _ netloc: Range<Int>) -> Int? {
        var index = netloc.lowerBound
        // All of them are three bytes long in UTF-8.
        while index + 2 < netloc.upperBound {
            if bytes[index] >= 0xE2, bytes[index] <= 0xEF {
                let code =
                    UInt32(bytes[index] & 0x0F) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6
                    | UInt32(bytes[index + 2] & 0x3F)
                switch code {
                case 0x2047...0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x2A74, 0xFE13, 0xFE16, 0xFE55, 0xFE56, 0xFE5F,
                    0xFE6B, 0xFF03, 0xFF0F, 0xFF1A, 0xFF1F, 0xFF20:
                    return index
                default: break
                }
            }
            index += 1
        }
        return nil
    }
}

// MARK: - User, password, host, port

extension PythonURL {
    struct Authority {
        var username: Range<Int>?
        var password: Range<Int>?
        /// All behind the last `@`.
        var hostinfo: Range<Int>
        var hostname: Range<Int>
        var port: Range<Int>?
    }

    func authority(_ bytes: Bytes) -> Authority {
        var hostinfo = netloc
        var username: Range<Int>?
        var password: Range<Int>?
        if let at = bytes[netloc].lastIndex(of: UInt8(ascii: "@")) {
            hostinfo = (at + 1)..<netloc.upperBound
            let colon = bytes[netloc.lowerBound..<at].firstIndex(of: UInt8(ascii: ":"))
            username = netloc.lowerBound..<(colon ?? at)
            if let colon { password = (colon + 1)..<at }
        }
        var hostname = hostinfo
        var portStart: Int?
        if let open = bytes[hostinfo].firstIndex(of: UInt8(ascii: "[")) {
            let close = bytes[(open + 1)..<hostinfo.upperBound].firstIndex(of: UInt8(ascii: "]"))
            hostname = (open + 1)..<(close ?? hostinfo.upperBound)
            if let close {
                portStart = bytes[close..<hostinfo.upperBound].firstIndex(of: UInt8(ascii: ":"))
            }
        } else if let colon = bytes[hostinfo].firstIndex(of: UInt8(ascii: ":")) {
            hostname = hostinfo.lowerBound..<colon
            portStart = colon
        }
        var port: Range<Int>?
        if let portStart, portStart + 1 < hostinfo.upperBound { port = (portStart + 1)..<hostinfo.upperBound }
        return Authority(
            username: username, password: password, hostinfo: hostinfo, hostname: hostname, port: port)
    }

    static func port(_ bytes: Bytes, _ range: Range<Int>) throws(ConnectionError) -> Int {
        var value = 0
        for index in range {
            guard 0x30...0x39 ~= bytes[index] else {
                throw ConnectionError(.portNotNumber, at: range.lowerBound, field: .port)
            }
            if value <= 65535 { value = value * 10 + Int(bytes[index] - 0x30) }
        }
        guard range.count <= PythonText.integerDigitLimit, value <= 65535 else {
            throw ConnectionError(.portOutOfRange, at: range.lowerBound, field: .port)
        }
        return value
    }

    /// The host in lower case, but for what follows a `%` (an IPv6 zone, or, as Python has it, a percent-escape).
    static func lowercasedHost(_ bytes: Bytes, _ range: Range<Int>) -> [UInt8] {
        let percent = bytes[range].firstIndex(of: UInt8(ascii: "%")) ?? range.upperBound
        let head = bytes[range.lowerBound..<percent]
        if head.allSatisfy({ $0 < 0x80 }) {
            return head.map(lowerASCII) + bytes[percent..<range.upperBound]
        }
        return Array(PythonText.lower(String(decoding: head, as: UTF8.self)).utf8) + bytes[percent..<range.upperBound]
    }
}
