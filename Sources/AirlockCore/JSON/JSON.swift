/// A JSON value that keeps every number as it was written: `1.0`, `1e3` and `12345678901234567890123` come back digit by
/// digit, which Foundation's decoder cannot do (it goes through `Double`).
///
/// A repeated member name: the last one wins, as in Go's decoder (Vault) and Python's (Airflow).
/// Texts compare by their code points, not by Swift's canonical equivalence: `é` in one code point and in two are two names.
package indirect enum JSON: Sendable {
    case null
    case bool(Bool)
    /// The number's own characters.
    case number(String)
    case string(String)
    case array([JSON])
    case object([Member])
    /// Bytes that are one JSON value already, written out untouched.
    case verbatim([UInt8])

    package struct Member: Sendable {
        package let name: String
        package var value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// Where an object's values lie in its bytes. Of a repeated name the last counts.
    package struct MemberRanges: Sendable {
        var members: [(name: String, value: Range<Int>)] = []

        package static let none = MemberRanges()

        package subscript(name: String) -> Range<Int>? {
            members.last { $0.name.utf8.elementsEqual(name.utf8) }?.value
        }
    }

    /// One member of the object that a whole file is. Offsets count from the start of the file.
    package struct FileMember {
        package let name: String
        package let nameOffset: Int
        package let value: JSON
        package let valueOffset: Int
        /// Where the names of the value's own members begin, when it is an object without a flaw.
        package let nameOffsets: [Int]
        /// A repeated member name or half a surrogate pair, which would silently become something else.
        package let flaw: SyntaxError?
    }

    /// What is wrong with a text that is no JSON, and where. It never holds any of the text.
    package struct SyntaxError: Error, Equatable {
        /// Bytes from the start of the text.
        package let offset: Int
        package let reason: String
    }

    /// Nesting deeper than this is refused, so that a hostile body cannot exhaust the stack.
    package static let depthLimit = 256

    /// More values than this in one text are refused, so that a body of commas cannot exhaust the memory: a value takes some
    /// fifty times the bytes here that it takes in the text. OpenBao stops at 1,000 strings.
    package static let valueLimit = 500_000

    /// Parses exactly one JSON value (RFC 8259) from UTF-8.
    /// - Parameter refusesRepeats: a repeated member name is an error: for texts in which dropping one would be a hole.
    /// - Throws: `SyntaxError`.
    package init(parsing bytes: some Sequence<UInt8>, refusesRepeats: Bool = false) throws(SyntaxError) {
        var parser = JSONParser(bytes: Array(bytes), refusesRepeats: refusesRepeats)
        self = try parser.document()
    }

    package init(parsing text: String) throws(SyntaxError) { try self.init(parsing: text.utf8) }

    /// Reads a file that is one object, and gives its members as they are read; a file may be larger than what one value may be.
    /// - Parameter stringLimit: longer strings are refused before they are held a second time.
    package static func forEachMember(
        of bytes: [UInt8], stringLimit: Int, _ body: (FileMember) -> Void
    ) throws(SyntaxError) {
        var parser = JSONParser(bytes: bytes, stringLimit: stringLimit)
        try parser.forEachMember(body)
    }

    /// The value that `bytes` hold and, when it is an object, where each member's value lies in them, so that a value can be
    /// kept exactly as it was sent.
    package static func parsed(_ bytes: [UInt8]) throws(SyntaxError) -> (json: JSON, ranges: MemberRanges?) {
        var parser = JSONParser(bytes: bytes)
        return try parser.documentWithRanges()
    }
}

extension JSON {
    package static func integer(_ value: some BinaryInteger) -> JSON { .number(String(value)) }

    package static func strings(_ values: some Sequence<String>) -> JSON { .array(values.map(JSON.string)) }

    /// The string, or JSON null.
    package static func orNull(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }

    package subscript(name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    package var elements: [JSON]? { if case .array(let elements) = self { elements } else { nil } }
    package var text: String? { if case .string(let text) = self { text } else { nil } }
    /// A whole number that fits.
    package var integer: Int? { if case .number(let digits) = self { Int(digits) } else { nil } }
    package var isNull: Bool { if case .null = self { true } else { false } }
    package var boolean: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The value's bytes: UTF-8, no blanks between tokens, members in their own order.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        write(to: &out)
        return out
    }

    package func write(to out: inout [UInt8]) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .number(let digits): out += digits.utf8
        case .string(let text): JSON.write(text, to: &out)
        case .verbatim(let bytes): out += bytes
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                element.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSON.write(member.name, to: &out)
                out.append(UInt8(ascii: ":"))
                member.value.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// Escapes `<`, `>` and `&` too, as Go's encoder does, so that bodies match Vault's.
    private static func write(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        // Nearly all text needs nothing escaped, and goes over in one piece.
        let isWritten = text.utf8.withContiguousStorageIfAvailable { bytes in
            guard bytes.allSatisfy(isPlain) else { return false }
            out.append(contentsOf: bytes)
            return true
        }
        if isWritten != true { writeEscaped(text, to: &out) }
        out.append(UInt8(ascii: "\""))
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
            false
        default: true
        }
    }

    private static func writeEscaped(_ text: String, to out: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case 0x0A: out += "\\n".utf8
            case 0x0D: out += "\\r".utf8
            case 0x09: out += "\\t".utf8
            case _ where isPlain(byte): out.append(byte)
            default:
                out += "\\u00".utf8
                out.append(hexDigits[Int(byte >> 4)])
                out.append(hexDigits[Int(byte & 15)])
            }
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}

extension JSON: Equatable {
    /// The same tokens in the same order.
    package static func == (left: JSON, right: JSON) -> Bool { left.bytes == right.bytes }
}

/// A value parsed from a request may hold secrets, so its text is not for logs.
extension JSON: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "JSON(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

// Not by `nil`: in an expression of type `JSON?` the literal would silently become a JSON null.
extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
}
