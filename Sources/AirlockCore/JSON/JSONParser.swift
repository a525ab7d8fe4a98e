/// A strict RFC 8259 parser over UTF-8 bytes. `JSON` is its face; see there for why it exists.
struct JSONParser {
    private let bytes: [UInt8]
    private let refusesRepeats: Bool
    private let stringLimit: Int
    private var position = 0
    private var depth = 0
    private var values = 0
    /// The first place where the value says something else than it seems to: a repeated name, half a surrogate pair.
    private var flaw: JSON.SyntaxError?

    init(bytes: [UInt8], refusesRepeats: Bool = false, stringLimit: Int = .max) {
        self.bytes = bytes
        self.refusesRepeats = refusesRepeats
        self.stringLimit = stringLimit
    }

    mutating func document() throws(JSON.SyntaxError) -> JSON {
        skipBlanks()
        let value = try value()
        try end()
        return value
    }

    mutating func documentWithRanges() throws(JSON.SyntaxError) -> (json: JSON, ranges: JSON.MemberRanges?) {
        skipBlanks()
        guard peek == UInt8(ascii: "{") else { return (try document(), nil) }
        var ranges = JSON.MemberRanges()
        let json = try object { ranges.members.append(($0, $2)) }
        try end()
        return (json, ranges)
    }

    /// Reads a text that is one object member by member, so that never more than one value is held.
    mutating func forEachMember(_ body: (JSON.FileMember) -> Void) throws(JSON.SyntaxError) {
        skipBlanks()
        guard peek == UInt8(ascii: "{") else { throw failure(peek == nil ? "the file is empty" : "expected an object") }
        try members { (parser, name, nameOffset) throws(JSON.SyntaxError) in
            parser.values = 0
            let valueOffset = parser.position
            var offsets: [Int] = []
            let value =
                parser.peek == UInt8(ascii: "{")
                ? try parser.object { _, offset, _ in offsets.append(offset) } : try parser.value()
            body(
                JSON.FileMember(
                    name: name, nameOffset: nameOffset, value: value, valueOffset: valueOffset, nameOffsets: offsets,
                    flaw: parser.flaw))
            parser.flaw = nil
        }
        try end()
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ reason: String) -> JSON.SyntaxError { .init(offset: position, reason: reason) }

    private mutating func end() throws(JSON.SyntaxError) {
        skipBlanks()
        guard position == bytes.count else { throw failure("text after the value") }
    }

    private mutating func skipBlanks() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func value() throws(JSON.SyntaxError) -> JSON {
        values += 1
        guard values <= JSON.valueLimit else { throw failure("too many values") }
        switch peek {
        case UInt8(ascii: "{"):
            return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("unexpected end of JSON input")
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(JSON.SyntaxError) -> JSON {
        for index in 0..<word.utf8CodeUnitCount {
            guard peek == word.utf8Start[index] else { throw failure("invalid literal") }
            position += 1
        }
        return value
    }

    private mutating func nest() throws(JSON.SyntaxError) {
        depth += 1
        guard depth <= JSON.depthLimit else { throw failure("nested too deeply") }
    }

    private mutating func members(
        _ body: (inout JSONParser, String, _ nameOffset: Int) throws(JSON.SyntaxError) -> Void
    ) throws(JSON.SyntaxError) {
        try nest()
        defer { depth -= 1 }
        position += 1
        skipBlanks()
        if peek == UInt8(ascii: "}") {
            position += 1
            return
        }
        while true {
            guard peek == UInt8(ascii: "\"") else { throw failure("expected a member name") }
            let nameOffset = position
            let name = try string()
            skipBlanks()
            guard peek == UInt8(ascii: ":") else { throw failure("expected ':'") }
            position += 1
            skipBlanks()
            try body(&self, name, nameOffset)
            skipBlanks()
            switch peek {
            case UInt8(ascii: ","):
                position += 1
                skipBlanks()
            case UInt8(ascii: "}"):
                position += 1
                return
            default: throw failure("expected ',' or '}'")
            }
        }
    }

    /// - Parameter visit: told each member's name, where that begins and where its value lies.
    private mutating func object(
        _ visit: (_ name: String, _ nameOffset: Int, _ value: Range<Int>) -> Void = { _, _, _ in }
    ) throws(JSON.SyntaxError) -> JSON {
        var found: [JSON.Member] = []
        var places: [ExactText: Int] = [:]
        try members { (parser, name, nameOffset) throws(JSON.SyntaxError) in
            let start = parser.position
            let member = JSON.Member(name, try parser.value())
            visit(name, nameOffset, start..<parser.position)
            if let place = places[ExactText(name)] {
                guard !parser.refusesRepeats else { throw parser.failure("a repeated member name") }
                parser.flaw = parser.flaw ?? .init(offset: nameOffset, reason: "a repeated member name")
                found[place] = member
            } else {
                places[ExactText(name)] = found.count
                found.append(member)
            }
        }
        return .object(found)
    }

    private mutating func array() throws(JSON.SyntaxError) -> JSON {
        try nest()
        defer { depth -= 1 }
        position += 1
        skipBlanks()
        var elements: [JSON] = []
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
            default: throw failure("expected ',' or ']'")
            }
        }
    }

    private mutating func digits() throws(JSON.SyntaxError) {
        let start = position
        while let byte = peek, byte >= 0x30, byte <= 0x39 { position += 1 }
        guard position > start else { throw failure("invalid number") }
    }

    private mutating func number() throws(JSON.SyntaxError) -> JSON {
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        guard let first = peek, first >= 0x30, first <= 0x39 else { throw failure("invalid value") }
        if first == 0x30 { position += 1 } else { try digits() }
        if peek == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            position += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        // What no double can hold is refused, as Go does; digits beyond a double's precision are kept.
        guard Double(text)?.isFinite ?? false else { throw failure("number out of range") }
        return .number(text)
    }

    /// A string with a lone surrogate escape (`\ud800`) gets U+FFFD in its place, as in Go; invalid UTF-8 is refused.
    private mutating func string() throws(JSON.SyntaxError) -> String {
        position += 1
        let start = position
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw failure("control character in a string") }
            guard position - start < stringLimit else { throw failure("too long a string") }
            position += 1
        }
        if peek == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try utf8(bytes[start..<position])
        }
        var text = Array(bytes[start..<position])
        while let byte = peek {
            guard text.count < stringLimit else { throw failure("too long a string") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try utf8(text[...])
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw failure("control character in a string")
            default: text.append(byte)
            }
        }
        throw failure("unexpected end of JSON input")
    }

    private func utf8(_ slice: ArraySlice<UInt8>) throws(JSON.SyntaxError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else { throw failure("invalid UTF-8 in a string") }
        return text
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSON.SyntaxError) {
        guard let byte = peek else { throw failure("unexpected end of JSON input") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try hex4())
            if code & 0xFC00 == 0xD800, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            {
                let back = position
                position += 2
                let low = UInt32(try hex4())
                if low & 0xFC00 == 0xDC00 {
                    code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF)
                } else {
                    position = back
                }
            }
            let scalar = Unicode.Scalar(code)
            if scalar == nil { flaw = flaw ?? .init(offset: position - 6, reason: "half a surrogate pair") }
            text += String(Character(scalar ?? "\u{FFFD}")).utf8
        default: throw failure("invalid escape in a string")
        }
    }

    private mutating func hex4() throws(JSON.SyntaxError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("invalid \\u escape")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}
