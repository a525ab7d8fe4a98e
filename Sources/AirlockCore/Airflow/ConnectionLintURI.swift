/// The places of a URI's parts, as their writer meant them.
private struct Layout {
    /// All the places of `://`.
    var marks: [Int]
    var scheme: Range<Int>
    /// Behind the scheme, and behind a second one of the host's own, as in `http://https://host`.
    var authority: Range<Int>
    var path: Range<Int>
    var query: Range<Int>?
    var fragment: Int?

    init?(_ bytes: [UInt8], _ range: Range<Int>) {
        marks = []
        var index = range.lowerBound
        while index + 2 < range.upperBound {
            if bytes[index] == UInt8(ascii: ":"), bytes[index + 1] == UInt8(ascii: "/"),
                bytes[index + 2] == UInt8(ascii: "/")
            {
                marks.append(index)
                index += 3
            } else {
                index += 1
            }
        }
        guard let first = marks.first else { return nil }
        scheme = range.lowerBound..<first
        var start = first + 3
        if marks.count > 1, Layout.isScheme(bytes[start..<marks[1]]) { start = marks[1] + 3 }
        let rest = bytes[start..<range.upperBound]
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
        authority = start..<(end ?? range.upperBound)
        fragment = bytes[authority.upperBound..<range.upperBound].firstIndex(of: UInt8(ascii: "#"))
        let stop = fragment ?? range.upperBound
        let question = bytes[authority.upperBound..<stop].firstIndex(of: UInt8(ascii: "?"))
        path = authority.upperBound..<(question ?? stop)
        query = question.map { ($0 + 1)..<stop }
    }

    static func isScheme(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, PythonURL.isLetter(first) else { return false }
        return bytes.allSatisfy {
            PythonURL.isLetter($0) || 0x30...0x39 ~= $0 || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: ".")
        }
    }
}

extension ConnectionLint.Linter {
    mutating func lintURI(_ range: Range<Int>, _ dialect: Dialect) {
        lintControlCharacters(range)
        guard let layout = Layout(bytes, range) else {
            add(
                .noScheme, at: range.lowerBound,
                "there is no `://`; Airflow takes the text for a path, less its first character",
                fix: "write `TYPE://` in front")
            return
        }
        guard lintScheme(layout) else { return }
        lintMarks(layout)
        lintAuthority(layout, range)
        lintPercents(layout.authority.lowerBound..<(layout.fragment ?? range.upperBound))
        if let query = layout.query { lintQuery(query) }
        if let fragment = layout.fragment, !findings.contains(where: { $0.offset == fragment }) {
            add(
                .fragment, at: fragment, "what follows `#` is dropped",
                fix: "percent-encode `#` as %23 at byte \(fragment), or remove what follows")
        }
        lintReading(range, dialect)
    }

    private mutating func lintControlCharacters(_ range: Range<Int>) {
        guard let place = range.first(where: { bytes[$0] < 0x20 || bytes[$0] == 0x7F }) else { return }
        add(
            .controlCharacter, at: place, "a control character; Airflow silently removes some of them",
            fix: "remove it, or percent-encode it as \(escape(bytes[place])) at byte \(place)")
    }

    func escape(_ byte: UInt8) -> String {
        var out: [UInt8] = [UInt8(ascii: "%")]
        for digit in [byte >> 4, byte & 15] { out.append(digit < 10 ? 0x30 + digit : 0x41 - 10 + digit) }
        return String(decoding: out, as: UTF8.self)
    }

    // MARK: The scheme

    /// - Returns: whether what follows can be looked at.
    private mutating func lintScheme(_ layout: Layout) -> Bool {
        let scheme = bytes[layout.scheme]
        let start = layout.scheme.lowerBound
        let known = KnownTypes.scheme(scheme)
        guard Layout.isScheme(scheme) else {
            lintInvalidScheme(scheme, known)
            return false
        }
        if scheme.elementsEqual("https".utf8) {
            add(
                .schemeHTTPS, at: start, .connType, "this makes a connection of type https, for which there is no hook",
                fix: "write `http://` and give https as the schema: `http://HOST:PORT/https`")
        } else if let plus = scheme.firstIndex(of: UInt8(ascii: "+")) {
            let type = KnownTypes.scheme(scheme[..<plus]).map { $0 == "postgresql" ? "postgres" : $0 }
            add(
                .schemeDriver, at: plus, .connType,
                "a driver behind `+` becomes part of the type, for which there is no hook",
                fix: type.map { "write `\($0)://`" }
                    ?? "remove the `+` at byte \(plus) and what follows it, up to `://`")
        } else if let upper = scheme.firstIndex(where: { 0x41...0x5A ~= $0 }) {
            add(
                .schemeUppercase, at: upper, .connType, "the type is read in lower case",
                fix: known.map { "write `\($0)://`" } ?? "write the type in lower case")
        }
        return true
    }

    private mutating func lintInvalidScheme(_ scheme: ArraySlice<UInt8>, _ known: String?) {
        let start = scheme.startIndex
        if let colon = scheme.firstIndex(of: UInt8(ascii: ":")), Layout.isScheme(scheme[..<colon]) {
            add(
                .nestedScheme, at: colon, "behind the first `:` all is taken for a path, less its first character",
                fix: "use JSON, with the whole inner URL as `host`")
        } else if let underscore = scheme.firstIndex(of: UInt8(ascii: "_")),
            Layout.isScheme(scheme.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }[...])
        {
            add(
                .schemeUnderscore, at: underscore, .connType,
                "an underscore is not allowed in a scheme; Airflow takes the whole text for a path",
                fix: known.map { "write `\($0)://`" } ?? "write `-` for each `_` before `://`")
        } else {
            add(
                .schemeInvalid, at: start, .connType,
                "the text before `://` is no scheme; Airflow takes all of it for a path",
                fix: "begin with the type: a letter, then letters, digits and `-`, then `://`")
        }
    }

    // MARK: More than one `://`

    private mutating func lintMarks(_ layout: Layout) {
        for mark in layout.marks.dropFirst() where mark >= layout.authority.lowerBound {
            let fix = "percent-encode it as %3A%2F%2F at byte \(mark)"
            if let query = layout.query, query.contains(mark) {
                add(
                    .rawURLInQuery, at: mark, .extra,
                    "an unencoded `://` in the query makes Airflow lose the host, or refuse",
                    fix: fix)
            } else {
                add(
                    .straySchemeSeparator, at: mark, "a second `://` is read as the end of the host's own scheme",
                    fix: fix)
            }
        }
        if layout.marks.count > 2 {
            let mark = layout.marks[2]
            add(
                .tooManySchemes, at: mark, "more than two `://` are refused",
                fix: "percent-encode it as %3A%2F%2F at byte \(mark)")
        }
    }

    // MARK: Escapes

    private mutating func lintPercents(_ range: Range<Int>) {
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "%") else {
                index += 1
                continue
            }
            guard escapedByte(at: index, in: range) != nil else {
                add(
                    .percentStray, at: index, "a `%` without two hexadecimal digits is kept as it is",
                    fix: "write %25 at byte \(index) if a percent sign is meant")
                return
            }
            let start = index
            var run: [UInt8] = []
            while let byte = escapedByte(at: index, in: range) {
                run.append(byte)
                index += 3
            }
            if String(validating: run, as: UTF8.self) == nil {
                add(
                    .percentNotText, at: start, "escapes that are no UTF-8 become U+FFFD, and the value is lost",
                    fix: "encode the characters as UTF-8 before escaping them, as in %C3%A4")
                return
            }
        }
    }

    private func escapedByte(at index: Int, in range: Range<Int>) -> UInt8? {
        guard index + 2 < range.upperBound, bytes[index] == UInt8(ascii: "%"),
            let high = Hexadecimal.value(bytes[index + 1]), let low = Hexadecimal.value(bytes[index + 2])
        else { return nil }
        return high << 4 | low
    }

    // MARK: What the readers say

    /// Whatever a reader refuses is a finding, even where no rule above foresaw it.
    private mutating func lintReading(_ range: Range<Int>, _ dialect: Dialect) {
        guard !hasError else { return }
        let text = String(decoding: bytes[range], as: UTF8.self)
        for reader in [dialect] + Dialect.allCases.filter({ $0 != dialect }) {
            do throws(ConnectionError) {
                _ = try ConnectionURI.parse(text, dialect: reader)
            } catch {
                let code: Finding.Code
                switch error.reason {
                case .extraNotJSON: code = .extraNotJSON
                case .extraNotObject: code = .extraNotObject
                default: code = .refused
                }
                add(
                    code, at: range.lowerBound + (error.offset ?? 0), error.field,
                    "dialect \(reader.rawValue) refuses it: \(error.reason.rawValue)",
                    fix: "use JSON, with extra as an object")
                return
            }
        }
    }

    private mutating func lintAuthority(_ layout: Layout, _ range: Range<Int>) {
        var authority = AuthorityLint(
            bytes: bytes, range: layout.authority, end: range.upperBound, query: layout.query)
        authority.lint()
        for finding in authority.findings {
            add(finding.code, at: finding.offset, finding.field, finding.message, fix: finding.fix)
        }
    }
}
