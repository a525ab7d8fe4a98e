/// The rules about user, password, host and port of a URI.
struct AuthorityLint {
    let bytes: [UInt8]
    /// What Airflow takes for user, password, host and port: up to the first `/`, `?` or `#`.
    let range: Range<Int>
    let end: Int
    let query: Range<Int>?
    private(set) var findings: [Finding] = []

    init(bytes: [UInt8], range: Range<Int>, end: Int, query: Range<Int>?) {
        self.bytes = bytes
        self.range = range
        self.end = end
        self.query = query
    }

    private mutating func add(
        _ code: Finding.Code, at offset: Int, _ field: ConnectionError.Field?, _ message: String, fix: String
    ) {
        findings.append(Finding(code: code, offset: offset, field: field, message: message, fix: fix))
    }

    mutating func lint() {
        let at = bytes[range].lastIndex(of: UInt8(ascii: "@"))
        let userinfo = at.map { range.lowerBound..<$0 }
        let hostinfo = (at.map { $0 + 1 } ?? range.lowerBound)..<range.upperBound
        if let userinfo, let inner = bytes[userinfo].firstIndex(of: UInt8(ascii: "@")) {
            add(
                .atSignInUserinfo, at: inner, .password, "the last `@` ends the password; other readers take the first",
                fix: "percent-encode `@` as %40 at byte \(inner)")
        }
        lintBrackets(userinfo, hostinfo)
        lintNormalization(userinfo)
        lintPort(hostinfo, hasAt: at != nil)
        // Where a password was cut short, what looks like the host is none.
        if !findings.contains(where: { $0.code == .delimiterInUserinfo }) { lintCase(hostinfo) }
    }

    private mutating func lintBrackets(_ userinfo: Range<Int>?, _ hostinfo: Range<Int>) {
        let isBracket = { (byte: UInt8) in byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]") }
        if let userinfo, let place = bytes[userinfo].firstIndex(where: isBracket) {
            let name = bytes[place] == UInt8(ascii: "[") ? "`[` as %5B" : "`]` as %5D"
            add(
                .bracket, at: place, .password, "a bracket before the host is taken for part of an IPv6 address",
                fix: "percent-encode \(name) at byte \(place)")
            return
        }
        guard let place = bytes[hostinfo].firstIndex(where: isBracket) else { return }
        let host = Array(bytes[hostinfo])
        let isValid = host.withUnsafeBufferPointer { host in
            guard let open = host.firstIndex(of: UInt8(ascii: "[")), let close = host.firstIndex(of: UInt8(ascii: "]")),
                open < close
            else { return false }
            return PythonAddress.isBracketedHost(host[(open + 1)..<close])
        }
        guard !isValid else { return }
        add(
            .bracket, at: place, .host, "the brackets hold no IPv6 address",
            fix: "write the address as in [2001:db8::1], or percent-encode the brackets as %5B and %5D")
    }

    private mutating func lintNormalization(_ userinfo: Range<Int>?) {
        guard let place = bytes.withUnsafeBufferPointer({ PythonURL.firstHiddenDelimiter($0, range) }) else { return }
        let escaped = bytes[place..<(place + 3)].map { byte in
            "%" + String(byte, radix: 16, uppercase: true)
        }
        let isInUserinfo = userinfo?.contains(place) ?? false
        add(
            .hiddenDelimiter, at: place, isInUserinfo ? .password : .host,
            "a character that normalization turns into a delimiter is refused, and the message repeats the password",
            fix: "percent-encode it as \(escaped.joined()) at byte \(place)")
    }

    private mutating func lintPort(_ hostinfo: Range<Int>, hasAt: Bool) {
        let host = bytes[hostinfo]
        let behind = host.lastIndex(of: UInt8(ascii: "]")) ?? hostinfo.lowerBound
        let rest = bytes[range.upperBound..<end]
        if !hasAt, host.contains(UInt8(ascii: ":")), let late = rest.firstIndex(of: UInt8(ascii: "@")),
            query?.contains(late) != true
        {
            addDelimiter(at: range.upperBound)
            return
        }
        guard let colon = host[behind...].firstIndex(of: UInt8(ascii: ":")), colon + 1 < hostinfo.upperBound else {
            return
        }
        let port = bytes[(colon + 1)..<hostinfo.upperBound]
        if let wrong = port.first(where: { !(0x30...0x39 ~= $0) }) {
            lintWrongPort(port, wrong, isFollowedByAt: rest.contains(UInt8(ascii: "@")))
        } else if port.reduce(0, { min(100_000, $0 * 10 + Int($1 - 0x30)) }) > 65535 {
            add(
                .portOutOfRange, at: colon + 1, .port, "a port is at most 65535",
                fix: hasAt ? "correct the port at byte \(colon + 1)" : "if this is a password, write `@HOST` behind it")
        } else if !hasAt, let query, query.lowerBound == hostinfo.upperBound + 1 {
            add(
                .noAtSign, at: colon, .port, "without `@` this is a host and a port, not a user and a password",
                fix: "if a user and a password are meant, write `@` before the `?` at byte \(hostinfo.upperBound)")
        }
    }

    private mutating func lintWrongPort(_ port: ArraySlice<UInt8>, _ wrong: UInt8, isFollowedByAt: Bool) {
        if port.contains(UInt8(ascii: ",")) {
            add(
                .severalHosts, at: port.startIndex, .port, "several hosts with ports are refused",
                fix: "use JSON with all of them as `host`")
        } else if isFollowedByAt, range.upperBound < end {
            addDelimiter(at: range.upperBound)
        } else {
            add(
                .portNotNumber, at: port.startIndex, .port, "the port is no number, and Airflow's message repeats it",
                fix: "write the port in digits; percent-encode a `:` that is data as %3A at byte \(port.startIndex - 1)"
            )
        }
    }

    private mutating func addDelimiter(at place: Int) {
        let character = String(decoding: [bytes[place]], as: UTF8.self)
        let escaped = "%" + String(bytes[place], radix: 16, uppercase: true)
        add(
            .delimiterInUserinfo, at: place, .password,
            "`\(character)` before the `@` ends the host, and the rest is read as a path",
            fix: "percent-encode `\(character)` as \(escaped) at byte \(place)")
    }

    private mutating func lintCase(_ hostinfo: Range<Int>) {
        let host = bytes[hostinfo].prefix { $0 != UInt8(ascii: "%") }
        let text = String(decoding: host, as: UTF8.self)
        guard PythonText.lower(text) != text else { return }
        let place = host.firstIndex { 0x41...0x5A ~= $0 } ?? hostinfo.lowerBound
        add(
            .hostUppercase, at: place, .host, "a host in a URI is read in lower case",
            fix: "use JSON if the case of the host matters, else write it in lower case")
    }
}
