/// A JSON value as Python's `json` module reads and writes it: whole numbers of any size, `NaN`, text that may hold half a
/// surrogate pair, a repeated name taking the last value at its first place.
/// https://docs.python.org/3.11/library/json.html
package indirect enum PythonJSON: Sendable {
    case null
    case bool(Bool)
    /// Decimal digits with an optional minus, as `str(int)` gives them.
    case integer(String)
    case float(Double)
    case string(PythonString)
    case array([PythonJSON])
    case object([(name: PythonString, value: PythonJSON)])

    /// `bool(value)`.
    var isTruthy: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let digits): digits != "0"
        case .float(let value): value != 0
        case .string(let text): !text.bytes.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let members): !members.isEmpty
        }
    }

    /// `json.dumps(value)`: ASCII only, a blank after each comma and colon.
    func dump(into out: inout [UInt8]) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .integer(let digits): out += digits.utf8
        case .float(let value): out += PythonFloat.json(value).utf8
        case .string(let text): PythonString.dump(text.bytes, into: &out)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out += ", ".utf8 }
                element.dump(into: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out += ", ".utf8 }
                PythonString.dump(member.name.bytes, into: &out)
                out += ": ".utf8
                member.value.dump(into: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    var dumped: String {
        var out: [UInt8] = []
        dump(into: &out)
        return String(decoding: out, as: UTF8.self)
    }
}

/// Such values hold secrets, so their text is not for logs.
extension PythonJSON: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "PythonJSON(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A Python string: code points, of which some may be halves of surrogate pairs, in UTF-8 extended to them (WTF-8).
package struct PythonString: Hashable, Sendable {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    init(_ text: String) { bytes = Array(text.utf8) }

    /// `nil` with half a surrogate pair in it: a Swift string cannot hold that.
    package var text: String? { hasLoneSurrogate ? nil : String(decoding: bytes, as: UTF8.self) }

    var hasLoneSurrogate: Bool {
        bytes.indices.dropLast().contains { bytes[$0] == 0xED && bytes[$0 + 1] >= 0xA0 }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// `json.dumps(text)` with `ensure_ascii`, as UTF-16 escapes.
    static func dump(_ bytes: [UInt8], into out: inout [UInt8]) {
        bytes.withUnsafeBufferPointer { dump($0, into: &out) }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        0x20...0x7E ~= byte && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    static func dump(_ bytes: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var index = 0
        while index < bytes.count {
            let start = index
            while index < bytes.count, isPlain(bytes[index]) { index += 1 }
            out += UnsafeBufferPointer(rebasing: bytes[start..<index])
            guard index < bytes.count else { break }
            let byte = bytes[index]
            if byte < 0x80 {
                dumpASCII(byte, into: &out)
                index += 1
                continue
            }
            let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
            var code = UInt32(byte & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07))
            for offset in 1..<length { code = code << 6 | UInt32(bytes[index + offset] & 0x3F) }
            index += length
            if code < 0x10000 {
                escape(UInt16(code), into: &out)
            } else {
                escape(UInt16(0xD800 + (code - 0x10000) >> 10), into: &out)
                escape(UInt16(0xDC00 + (code - 0x10000) & 0x3FF), into: &out)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func dumpASCII(_ byte: UInt8, into out: inout [UInt8]) {
        let short: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): short = byte
        case 0x08: short = UInt8(ascii: "b")
        case 0x09: short = UInt8(ascii: "t")
        case 0x0A: short = UInt8(ascii: "n")
        case 0x0C: short = UInt8(ascii: "f")
        case 0x0D: short = UInt8(ascii: "r")
        default:
            escape(UInt16(byte), into: &out)
            return
        }
        out.append(UInt8(ascii: "\\"))
        out.append(short)
    }

    private static func escape(_ unit: UInt16, into out: inout [UInt8]) {
        out += "\\u".utf8
        for shift in [12, 8, 4, 0] { out.append(hexDigits[Int(unit >> UInt16(shift)) & 15]) }
    }
}

extension PythonString: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "PythonString(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
