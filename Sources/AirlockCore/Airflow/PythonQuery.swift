/// `dict(parse_qsl(query, keep_blank_values=True))` of Python: a repeated name keeps its first place and its last value.
/// https://docs.python.org/3.11/library/urllib.parse.html#urllib.parse.parse_qsl
struct PythonQuery {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    /// A name or a value. Most need no decoding, and then stay where they are: this runs for each read of a connection.
    enum Text {
        case plain(Range<Int>)
        case decoded([UInt8])
    }

    private(set) var entries: [(name: Text, value: Text)] = []
    private let bytes: Bytes
    private var places: [[UInt8]: Int] = [:]

    /// Up to this many names a search through the list is quicker than hashing.
    private static let listLimit = 8

    /// - Parameter bytes: must outlive the query.
    init(_ bytes: Bytes, _ range: Range<Int>) {
        self.bytes = bytes
        var start = range.lowerBound
        while start < range.upperBound {
            var equals: Int?
            var end = start
            while end < range.upperBound, bytes[end] != UInt8(ascii: "&") {
                if equals == nil, bytes[end] == UInt8(ascii: "=") { equals = end }
                end += 1
            }
            if end > start {
                set(text(start..<(equals ?? end)), text((equals.map { $0 + 1 } ?? end)..<end))
            }
            start = end + 1
        }
    }

    /// The text's UTF-8.
    func withBytes<R>(_ text: Text, _ body: (Bytes) -> R) -> R {
        switch text {
        case .plain(let range): body(Bytes(rebasing: bytes[range]))
        case .decoded(let decoded): decoded.withUnsafeBufferPointer(body)
        }
    }

    func array(_ text: Text) -> [UInt8] {
        switch text {
        case .plain(let range): Array(bytes[range])
        case .decoded(let decoded): decoded
        }
    }

    /// The value of `__extra__`.
    var wholeExtra: Text? {
        entries.first { entry in withBytes(entry.name) { $0.count == 9 && $0.elementsEqual("__extra__".utf8) } }?.value
    }

    private func text(_ range: Range<Int>) -> Text {
        for index in range where bytes[index] == UInt8(ascii: "%") || bytes[index] == UInt8(ascii: "+") {
            return .decoded(PythonQuoting.queryText(bytes[range]))
        }
        return .plain(range)
    }

    private mutating func set(_ name: Text, _ value: Text) {
        if let place = place(of: name) {
            entries[place].value = value
            return
        }
        entries.append((name, value))
        if !places.isEmpty {
            places[array(name)] = entries.count - 1
        } else if entries.count > PythonQuery.listLimit {
            for (index, entry) in entries.enumerated() { places[array(entry.name)] = index }
        }
    }

    private func place(of name: Text) -> Int? {
        if !places.isEmpty { return places[array(name)] }
        return withBytes(name) { wanted in
            entries.firstIndex { entry in
                withBytes(entry.name) { $0.count == wanted.count && $0.elementsEqual(wanted) }
            }
        }
    }
}
