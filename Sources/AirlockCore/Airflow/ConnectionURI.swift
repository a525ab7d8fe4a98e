/// Airflow's connection URI, read exactly as Airflow reads it: `Connection(uri=...)`, `Connection.from_uri`.
/// - https://github.com/apache/airflow/blob/2.10.5/airflow/models/connection.py
/// - https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/models/connection.py
/// - https://github.com/apache/airflow/blob/3.3.2/task-sdk/src/airflow/sdk/definitions/connection.py
///
/// Half a surrogate pair has no place in a Swift string, so a text with one cannot come here; Python would keep it.
package enum ConnectionURI {
    package static func parse(_ text: String, dialect: Dialect = .sdk) throws(ConnectionError) -> Connection {
        var text = text
        let result = text.withUTF8 { bytes in
            Result { () throws(ConnectionError) in try parse(bytes, dialect: dialect) }
        }
        return try result.get()
    }

    /// - Parameter bytes: UTF-8, not checked again.
    package static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, dialect: Dialect
    ) throws(ConnectionError) -> Connection {
        // Airflow's database models take an empty URI for none.
        if bytes.isEmpty, dialect != .sdk { return Connection() }
        let outline = Outline(bytes)
        if outline.isSimple {
            let url = try PythonURL(splitting: bytes)
            return try connection(url, bytes, protocol: nil, dialect)
        }
        guard outline.schemes <= 2 else { throw ConnectionError(.tooManySchemes, at: outline.thirdScheme) }
        return try parseTwice(bytes, schemes: outline.schemes, dialect)
    }

    /// What one pass over the bytes tells.
    private struct Outline {
        /// How many `://` there are, up to three.
        var schemes = 0
        var thirdScheme: Int?
        /// One `://`, straight behind a scheme in lower case at the very start, and nothing Python would drop. Then the text that
        /// Airflow splits the second time differs from the first in nothing but the scheme, and one split will do.
        var isSimple = false

        init(_ bytes: UnsafeBufferPointer<UInt8>) {
            var first = -1
            var dropped = bytes.first.map { $0 <= 0x20 } ?? false
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                if byte == UInt8(ascii: ":") {
                    if index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "/"),
                        bytes[index + 2] == UInt8(ascii: "/")
                    {
                        schemes += 1
                        if schemes == 1 { first = index }
                        if schemes == 3 {
                            thirdScheme = index
                            return
                        }
                        index += 2
                    }
                } else if PythonURL.isDropped(byte) {
                    dropped = true
                }
                index += 1
            }
            guard schemes == 1, !dropped, PythonURL.schemeEnd(bytes) == first else { return }
            isSimple = bytes[..<first].allSatisfy { PythonURL.lowerASCII($0) == $0 }
        }
    }

    /// Airflow's own way: split, take the scheme's text out of the whole URI wherever it stands, split what is left.
    private static func parseTwice(
        _ bytes: UnsafeBufferPointer<UInt8>, schemes: Int, _ dialect: Dialect
    ) throws(ConnectionError) -> Connection {
        let first = PythonURL.cleaned(bytes)
        let scheme = try withSplit(first) { url, bytes throws(ConnectionError) in
            bytes[url.scheme].map(PythonURL.lowerASCII)
        }
        let hasProtocol = schemes == 2
        let rest = replacing(bytes, scheme + Array("://".utf8), with: hasProtocol ? [] : Array("//".utf8))
        if hasProtocol {
            let head = rest[..<(schemeMark(rest) ?? rest.endIndex)]
            guard !head.contains(where: { $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: ":") }) else {
                throw ConnectionError(.hostSchemeAfterUserinfo)
            }
        }
        let second = rest.withUnsafeBufferPointer(PythonURL.cleaned)
        return try withSplit(second) { url, bytes throws(ConnectionError) in
            let proto = bytes[url.scheme].map(PythonURL.lowerASCII)
            var found = try connection(url, bytes, protocol: hasProtocol ? proto : nil, dialect)
            found.connType = connectionType(scheme[...])
            return found
        }
    }

    private static func withSplit<T>(
        _ text: [UInt8], _ body: (PythonURL, UnsafeBufferPointer<UInt8>) throws(ConnectionError) -> T
    ) throws(ConnectionError) -> T {
        let result = text.withUnsafeBufferPointer { bytes in
            Result { () throws(ConnectionError) in
                do throws(ConnectionError) {
                    return try body(PythonURL(splitting: bytes), bytes)
                } catch {
                    // The places in a rewritten text would mislead.
                    throw ConnectionError(error.reason, field: error.field)
                }
            }
        }
        return try result.get()
    }

    private static func schemeMark(_ bytes: [UInt8]) -> Int? {
        bytes.indices.dropLast(2).first {
            bytes[$0] == UInt8(ascii: ":") && bytes[$0 + 1] == UInt8(ascii: "/") && bytes[$0 + 2] == UInt8(ascii: "/")
        }
    }

    /// `text.replace(old, new)`.
    private static func replacing(
        _ bytes: UnsafeBufferPointer<UInt8>, _ old: [UInt8], with new: [UInt8]
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == old[0], index + old.count <= bytes.count,
                bytes[index..<(index + old.count)].elementsEqual(old)
            {
                out += new
                index += old.count
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return out
    }
}

// MARK: - From the parts of a URL to the fields of a connection

extension ConnectionURI {
    private static func connection(
        _ url: PythonURL, _ bytes: UnsafeBufferPointer<UInt8>, protocol proto: [UInt8]?, _ dialect: Dialect
    ) throws(ConnectionError) -> Connection {
        let authority = url.authority(bytes)
        var found = Connection(connType: connectionType(bytes[url.scheme]))
        if let port = authority.port { found.port = try PythonURL.port(bytes, port) }
        let host = host(bytes, authority)
        if let proto, !proto.isEmpty, !host.isEmpty {
            found.host = String(decoding: proto, as: UTF8.self) + "://" + host
        } else {
            found.host = host
        }
        found.login = authority.username.map { PythonQuoting.unquoted(bytes[$0]) }
        found.password = authority.password.map { PythonQuoting.unquoted(bytes[$0]) }
        if dialect.dropsEmptyPassword, found.password?.isEmpty == true { found.password = nil }
        found.schema = PythonQuoting.unquoted(afterFirstCharacter(bytes[url.path]))
        if !url.query.isEmpty { found.extra = try extra(bytes, url.query, dialect) }
        return found
    }

    /// `_normalize_conn_type`. https://github.com/apache/airflow/blob/2.10.5/airflow/models/connection.py
    static func normalizedType(_ type: String) -> String {
        if type == "postgresql" { return "postgres" }
        guard type.utf8.contains(UInt8(ascii: "-")) else { return type }
        return String(decoding: type.utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }

    private static func connectionType(_ scheme: some Collection<UInt8>) -> String {
        if scheme.count == 10, scheme.elementsEqual("postgresql".utf8) { return "postgres" }
        return String(unsafeUninitializedCapacity: scheme.count) { out in
            for (index, byte) in scheme.enumerated() {
                out.initializeElement(at: index, to: byte == UInt8(ascii: "-") ? UInt8(ascii: "_") : byte)
            }
            return scheme.count
        }
    }

    /// Airflow skips what ought to be a `/`, whatever it is.
    private static func afterFirstCharacter(
        _ bytes: Slice<UnsafeBufferPointer<UInt8>>
    ) -> Slice<UnsafeBufferPointer<UInt8>> {
        bytes.dropFirst().drop { $0 & 0xC0 == 0x80 }
    }

    /// `_parse_netloc_to_hostname`: lower case, unless a `/` comes to light in it.
    private static func host(_ bytes: UnsafeBufferPointer<UInt8>, _ authority: PythonURL.Authority) -> String {
        let name = bytes[authority.hostname]
        if name.allSatisfy({ $0 < 0x80 && $0 != UInt8(ascii: "%") }) {
            return String(unsafeUninitializedCapacity: name.count) { out in
                for (index, byte) in name.enumerated() {
                    out.initializeElement(at: index, to: PythonURL.lowerASCII(byte))
                }
                return name.count
            }
        }
        let host = PythonQuoting.unquoted(PythonURL.lowercasedHost(bytes, authority.hostname))
        guard host.utf8.contains(UInt8(ascii: "/")) else { return host }
        return PythonQuoting.unquoted(bytes[authority.hostinfo].prefix { $0 != UInt8(ascii: ":") })
    }

    private static func extra(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ dialect: Dialect
    ) throws(ConnectionError) -> String {
        let query = PythonQuery(bytes, range)
        if let whole = query.wholeExtra {
            let text = query.withBytes(whole) { String(decoding: $0, as: UTF8.self) }
            try ConnectionExtra.check(text, dialect)
            return text
        }
        var out: [UInt8] = []
        out.reserveCapacity(range.count + 8 * query.entries.count + 2)
        out.append(UInt8(ascii: "{"))
        for (index, entry) in query.entries.enumerated() {
            if index > 0 { out += ", ".utf8 }
            query.withBytes(entry.name) { PythonString.dump($0, into: &out) }
            out += ": ".utf8
            if dialect == .server, let value = try query.withBytes(entry.value, decoded).get() {
                value.dump(into: &out)
            } else {
                query.withBytes(entry.value) { PythonString.dump($0, into: &out) }
            }
        }
        out.append(UInt8(ascii: "}"))
        return String(decoding: out, as: UTF8.self)
    }

    /// The API server reads each value as JSON where it is JSON: https://github.com/apache/airflow/pull/59339
    private static func decoded(_ value: UnsafeBufferPointer<UInt8>) -> Result<PythonJSON?, ConnectionError> {
        guard !value.isEmpty else { return .success(nil) }
        do {
            return .success(try PythonJSONReader.read(value))
        } catch .syntax {
            return .success(nil)
        } catch {
            return .failure(ConnectionError(error.reason, field: .extra))
        }
    }
}

extension PythonJSONReader.Failure {
    var reason: ConnectionError.Reason {
        switch self {
        case .syntax: .notJSON
        case .numberTooLong: .numberTooLong
        case .nestedTooDeeply: .nestedTooDeeply
        }
    }
}
