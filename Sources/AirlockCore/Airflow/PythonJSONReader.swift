/// `json.loads` of CPython 3.11, down to which texts it refuses and how:
/// https://github.com/python/cpython/blob/v3.11.7/Modules/_json.c
struct PythonJSONReader {
    enum Failure: Error {
        /// Python's `JSONDecodeError`, which Airflow often catches, at a byte of the text.
        case syntax(Int)
        /// Other errors, which Airflow does not catch: an integer beyond `sys.get_int_max_str_digits()`, and the
        /// interpreter's recursion limit.
        case numberTooLong(Int)
        case nestedTooDeeply(Int)

        var offset: Int {
            switch self {
            case .syntax(let offset), .numberTooLong(let offset), .nestedTooDeeply(let offset): offset
            }
        }
    }

    /// A member of the outermost object, where it was written; repeats included.
    struct Member {
        let name: PythonString
        let nameOffset: Int
        let valueOffset: Int
        let value: PythonJSON
        let field: ConnectionError.Field?

        init(name: PythonString, nameOffset: Int, valueOffset: Int, value: PythonJSON) {
            self.name = name
            self.nameOffset = nameOffset
            self.valueOffset = valueOffset
            self.value = value
            field = ConnectionError.Field(name)
        }
    }

    /// Python's limit is 1000 less the frames in use when `json.loads` is called, which differs from place to place. Within
    /// a few levels of it Airflow and this reader may disagree.
    static let depthLimit = 980

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var depth = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    static func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(Failure) -> PythonJSON {
        var reader = PythonJSONReader(bytes)
        reader.skipBlanks()
        let value = try reader.value()
        try reader.end()
        return value
    }

    static func read(_ bytes: [UInt8]) throws(Failure) -> PythonJSON {
        let result = bytes.withUnsafeBufferPointer { pointer in
            Result { () throws(Failure) in try read(pointer) }
        }
        return try result.get()
    }

    static func read(_ text: String) throws(Failure) -> PythonJSON {
        var text = text
        let result = text.withUTF8 { pointer in
            Result { () throws(Failure) in try read(pointer) }
        }
        return try result.get()
    }

    /// The members of a text that is one object; `nil` when it is another value.
    static func members(_ bytes: [UInt8]) throws(Failure) -> [Member]? {
        let result = bytes.withUnsafeBufferPointer { pointer in
            Result { () throws(Failure) -> [Member]? in
                var reader = PythonJSONReader(pointer)
                reader.skipBlanks()
                var found: [Member]? = []
                if reader.peek == UInt8(ascii: "{") {
                    try reader.members { (member) in found?.append(member) }
                } else {
                    _ = try reader.value()
                    found = nil
                }
                try reader.end()
                return found
            }
        }
        return try result.get()
    }

    /// One JSON string and nothing else, as in a line of `airlock uri`.
    static func string(_ bytes: UnsafeBufferPointer<UInt8>) throws(Failure) -> PythonString {
        var reader = PythonJSONReader(bytes)
        reader.skipBlanks()
        guard reader.peek == UInt8(ascii: "\"") else { throw .syntax(reader.position) }
        let text = try reader.string()
        try reader.end()
        return text
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func end() throws(Failure) {
        skipBlanks()
        guard position == bytes.count else { throw .syntax(position) }
    }

    private mutating func value() throws(Failure) -> PythonJSON {
        switch peek {
        case UInt8(ascii: "{"):
            var found: [(name: PythonString, value: PythonJSON)] = []
            var places: [PythonString: Int] = [:]
            try members { member in
                if let place = places[member.name] {
                    found[place].value = member.value
                } else {
                    places[member.name] = found.count
                    found.append((member.name, member.value))
                }
            }
            return .object(found)
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t") where take("true"): return .bool(true)
        case UInt8(ascii: "f") where take("false"): return .bool(false)
        case UInt8(ascii: "n") where take("null"): return .null
        case UInt8(ascii: "N") where take("NaN"): return .float(.nan)
        case UInt8(ascii: "I") where take("Infinity"): return .float(.infinity)
        case UInt8(ascii: "-") where take("-Infinity"): return .float(-.infinity)
        case let byte? where byte == UInt8(ascii: "-") || 0x30...0x39 ~= byte: return try number()
        default: throw .syntax(position)
        }
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        for index in 0..<count where bytes[position + index] != word.utf8Start[index] { return false }
        position += count
        return true
    }

    private mutating func nest() throws(Failure) {
        depth += 1
        guard depth <= PythonJSONReader.depthLimit else { throw .nestedTooDeeply(position) }
    }

    private mutating func members(_ body: (Member) -> Void) throws(Failure) {
        try nest()
        defer { depth -= 1 }
        position += 1
        skipBlanks()
        if peek == UInt8(ascii: "}") {
            position += 1
            return
        }
        while true {
            let nameOffset = position
            guard peek == UInt8(ascii: "\"") else { throw .syntax(position) }
            let name = try string()
            skipBlanks()
            guard peek == UInt8(ascii: ":") else { throw .syntax(position) }
            position += 1
            skipBlanks()
            let valueOffset = position
            body(Member(name: name, nameOffset: nameOffset, valueOffset: valueOffset, value: try value()))
            skipBlanks()
            switch peek {
            case UInt8(ascii: ","):
                position += 1
                skipBlanks()
            case UInt8(ascii: "}"):
                position += 1
                return
            default: throw .syntax(position)
            }
        }
    }

    private mutating func array() throws(Failure) -> PythonJSON {
        try nest()
        defer { depth -= 1 }
        position += 1
        skipBlanks()
        var elements: [PythonJSON] = []
        if peek == UInt8(ascii: "]") {
            position += 1
            return .array([])
        }
        while true {
            elements.append(try value())
            skipBlanks()
            switch peek {
            case UInt8(ascii: ","):
                position += 1
                skipBlanks()
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw .syntax(position)
            }
        }
    }

    private mutating func skipDigits() {
        while let byte = peek, 0x30...0x39 ~= byte { position += 1 }
    }

    private func isDigit(at index: Int) -> Bool { index < bytes.count && 0x30...0x39 ~= bytes[index] }

    /// A point or an exponent without digits behind it ends the number before it.
    private mutating func number() throws(Failure) -> PythonJSON {
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        guard isDigit(at: position) else { throw .syntax(start) }
        let digits = position
        if peek == UInt8(ascii: "0") { position += 1 } else { skipDigits() }
        let wholeEnd = position
        if peek == UInt8(ascii: "."), isDigit(at: position + 1) {
            position += 1
            skipDigits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            var exponent = position + 1
            if exponent < bytes.count, bytes[exponent] == UInt8(ascii: "+") || bytes[exponent] == UInt8(ascii: "-") {
                exponent += 1
            }
            if isDigit(at: exponent) {
                position = exponent
                skipDigits()
            }
        }
        if position == wholeEnd {
            guard wholeEnd - digits <= PythonText.integerDigitLimit else { throw .numberTooLong(start) }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            return .integer(text == "-0" ? "0" : text)
        }
        return .float(Double(String(decoding: bytes[start..<position], as: UTF8.self)) ?? .nan)
    }
}

// MARK: - Strings

extension PythonJSONReader {
    private mutating func string() throws(Failure) -> PythonString {
        position += 1
        var text: [UInt8] = []
        while true {
            let start = position
            while let byte = peek, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                position += 1
            }
            text += bytes[start..<position]
            switch peek {
            case UInt8(ascii: "\""):
                position += 1
                return PythonString(text)
            case UInt8(ascii: "\\"): try escape(into: &text)
            default: throw .syntax(position)
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(Failure) {
        position += 1
        guard let byte = peek else { throw .syntax(position) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            guard var code = hex4(at: position) else { throw .syntax(position) }
            position += 4
            if code & 0xFC00 == 0xD800, take("\\u") {
                if let low = hex4(at: position), low & 0xFC00 == 0xDC00 {
                    code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
                    position += 4
                } else {
                    position -= 2
                }
            }
            PythonJSONReader.append(code, to: &text)
        default: throw .syntax(position - 1)
        }
    }

    private func hex4(at index: Int) -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[index..<(index + 4)] {
            guard let digit = Hexadecimal.value(byte) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private static func append(_ code: UInt32, to text: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (code >> shift) & 0x3F) }
        switch code {
        case 0..<0x80: text.append(UInt8(code))
        case 0x80..<0x800: text += [UInt8(0xC0 | code >> 6), tail(0)]
        case 0x800..<0x10000: text += [UInt8(0xE0 | code >> 12), tail(6), tail(0)]
        default: text += [UInt8(0xF0 | code >> 18), tail(12), tail(6), tail(0)]
        }
    }
}
