/// Reads the lines of a `.env` file; `EnvFile` says what counts as one.
struct EnvFileParser {
    private(set) var entries: [EnvFile.Entry] = []
    private(set) var faults: [EnvFile.Fault] = []

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1

    private struct Refusal: Error { let reason: String }

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            faults.append(.init(line: 1, reason: "the file is UTF-16; save it as UTF-8"))
            return
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        while position < bytes.count {
            let (start, startLine) = (position, line)
            do throws(Refusal) {
                try readLine()
            } catch {
                faults.append(.init(line: startLine, reason: error.reason))
                // Going on with the very next line keeps one unclosed quote from hiding the rest of the file.
                (position, line) = (start, startLine)
            }
            skipLine()
        }
    }

    private mutating func readLine() throws(Refusal) {
        skipBlanks()
        guard let first = peek, !isLineEnd(position), first != Byte.hash else { return }
        let startLine = line
        guard lineEnd(from: position) - position <= ImportCandidate.sizeLimit else {
            throw Refusal(reason: ImportCandidate.tooLarge)
        }
        let name = try readName()
        skipBlanks()
        let value = try readValue()
        entries.append(
            .init(name: name, value: SecretText(value.text), line: startLine, hasReference: value.hasReference))
    }

    // MARK: Name

    private mutating func readName() throws(Refusal) -> String {
        let end = lineEnd(from: position)
        guard let equals = bytes[position..<end].firstIndex(of: Byte.equals) else {
            throw Refusal(
                reason: "there is no '=' in this line; "
                    + "if it is the rest of a value that began above, put quotes around the whole value")
        }
        var slice = bytes[position..<equals]
        if slice.starts(with: "export".utf8), let next = slice.dropFirst(6).first, isBlank(next) {
            slice = slice.dropFirst(7).drop(while: isBlank)
        }
        while let last = slice.last, isBlank(last) { slice = slice.dropLast() }
        guard !slice.isEmpty else { throw Refusal(reason: "there is no name before '='") }
        guard let name = String(validating: slice, as: UTF8.self), name.count <= 250,
            name.unicodeScalars.allSatisfy(isNameScalar)
        else {
            throw Refusal(
                reason: "what stands before '=' is no name (letters, digits, '_', '.' and '-'); "
                    + "a line is NAME=value")
        }
        position = equals + 1
        // What is left of a multi-line base64 value would pass for a name (`Zm9v==`) and be printed as one.
        let hasNoValue = bytes[position..<end].allSatisfy { $0 == Byte.equals || isBlank($0) }
        let isVariableName = slice.allSatisfy {
            $0 == UInt8(ascii: "_") || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0)
        }
        if hasNoValue, !isVariableName || faults.last?.line == line - 1 {
            throw Refusal(
                reason: "this looks like the rest of a value above; put quotes around a whole value of several lines")
        }
        return name
    }

    // MARK: Value

    private struct Value {
        var text: String
        var hasReference = false
    }

    private mutating func readValue() throws(Refusal) -> Value {
        switch peek {
        case Byte.single: return try readSingleQuoted()
        case Byte.double: return try readDoubleQuoted()
        default: return try readUnquoted()
        }
    }

    private mutating func readUnquoted() throws(Refusal) -> Value {
        let end = lineEnd(from: position)
        let rest = bytes[position..<end]
        if rest.first == Byte.hash, position > 0, isBlank(bytes[position - 1]) { return Value(text: "") }
        if let first = rest.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            guard let close = EnvFileParser.jsonEnd(rest) else {
                throw Refusal(
                    reason: "the bracket at the start of the value is not closed in this line; "
                        + "put single quotes around a value of several lines")
            }
            if onlyComment(rest[close...]) { return try decoded(rest[..<close]) }
        }
        var cut = rest.endIndex
        for index in rest.indices.dropFirst() where rest[index] == Byte.hash && isBlank(rest[index - 1]) {
            cut = index
            break
        }
        var value = rest[..<cut]
        while let last = value.last, isBlank(last) { value = value.dropLast() }
        return try decoded(value)
    }

    private func decoded(_ slice: ArraySlice<UInt8>) throws(Refusal) -> Value {
        Value(text: try utf8(slice), hasReference: EnvFileParser.refers(slice))
    }

    private mutating func readSingleQuoted() throws(Refusal) -> Value {
        let openLine = line
        var text: [UInt8] = []
        while true {
            position += 1
            guard let close = bytes.firstIndex(of: Byte.single, from: position) else { throw neverClosed }
            guard close - position + text.count <= ImportCandidate.sizeLimit else {
                throw Refusal(reason: ImportCandidate.tooLarge)
            }
            append(bytes[position..<close], to: &text)
            position = close + 1
            guard bytes[position...].starts(with: [Byte.backslash, Byte.single, Byte.single]) else { break }
            text.append(Byte.single)
            position += 2
        }
        try finishQuoted(text, openLine: openLine)
        return Value(text: try utf8(text[...]))
    }

    private mutating func readDoubleQuoted() throws(Refusal) -> Value {
        let openLine = line
        var text: [UInt8] = []
        var hasReference = false
        position += 1
        while let byte = peek, byte != Byte.double {
            guard text.count <= ImportCandidate.sizeLimit else { throw Refusal(reason: ImportCandidate.tooLarge) }
            if byte == Byte.backslash, position + 1 < bytes.count {
                let next = bytes[position + 1]
                if let meant = EnvFileParser.escapes[next] {
                    text.append(meant)
                    position += 2
                    continue
                }
            }
            if byte == Byte.dollar, position + 1 < bytes.count { hasReference = hasReference || refers(at: position) }
            append(bytes[position...position], to: &text)
            position += 1
        }
        guard peek == Byte.double else { throw neverClosed }
        position += 1
        try finishQuoted(text, openLine: openLine)
        return Value(text: try utf8(text[...]), hasReference: hasReference)
    }

    private let neverClosed = Refusal(reason: "the quote that opens the value is never closed")

    /// Keeps count of the lines; a CRLF inside quotes is one newline.
    private mutating func append(_ slice: ArraySlice<UInt8>, to text: inout [UInt8]) {
        for index in slice.indices {
            if slice[index] == Byte.newline { line += 1 }
            if slice[index] == 13, index + 1 < bytes.count, bytes[index + 1] == Byte.newline { continue }
            text.append(slice[index])
        }
    }

    private func finishQuoted(_ text: [UInt8], openLine: Int) throws(Refusal) {
        guard onlyComment(bytes[position..<lineEnd(from: position)]) else {
            throw Refusal(
                reason: "there is text after the closing quote; put single quotes around a value that holds double "
                    + "quotes, such as JSON, and a blank before a comment")
        }
        guard line > openLine else { return }
        for inner in text.split(separator: Byte.newline, omittingEmptySubsequences: false).dropFirst() {
            let start = inner.drop(while: isBlank)
            if start.starts(with: "AIRFLOW_".utf8) || start.starts(with: "export AIRFLOW_".utf8) {
                throw Refusal(
                    reason: "the value runs on over a line that begins with AIRFLOW_: its quote is not closed")
            }
        }
    }
}

// MARK: - Characters

extension EnvFileParser {
    private enum Byte {
        static let newline: UInt8 = 10
        static let hash = UInt8(ascii: "#")
        static let equals = UInt8(ascii: "=")
        static let single = UInt8(ascii: "'")
        static let double = UInt8(ascii: "\"")
        static let backslash = UInt8(ascii: "\\")
        static let dollar = UInt8(ascii: "$")
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, Byte.backslash: Byte.backslash,
        Byte.double: Byte.double, Byte.single: Byte.single, Byte.dollar: Byte.dollar,
        UInt8(ascii: "`"): UInt8(ascii: "`"),
    ]

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "_.-".unicodeScalars.contains(scalar)
    }

    private func isLineEnd(_ index: Int) -> Bool {
        bytes[index] == Byte.newline
            || bytes[index] == 13 && (index + 1 == bytes.count || bytes[index + 1] == Byte.newline)
    }

    /// The end of the line's text: before its CR, LF or CRLF.
    private func lineEnd(from start: Int) -> Int {
        let newline = bytes.firstIndex(of: Byte.newline, from: start) ?? bytes.count
        return newline > start && bytes[newline - 1] == 13 ? newline - 1 : newline
    }

    private mutating func skipBlanks() { while let byte = peek, isBlank(byte) { position += 1 } }

    private mutating func skipLine() {
        position = (bytes.firstIndex(of: Byte.newline, from: position) ?? bytes.count - 1) + 1
        line += 1
    }

    private func onlyComment(_ slice: ArraySlice<UInt8>) -> Bool {
        let rest = slice.drop(while: isBlank)
        return rest.isEmpty || rest.first == Byte.hash && rest.startIndex > slice.startIndex
    }

    private func utf8(_ slice: ArraySlice<UInt8>) throws(Refusal) -> String {
        guard !slice.contains(0) else { throw Refusal(reason: "the value has a NUL character") }
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw Refusal(reason: "the value is not valid UTF-8; save the file as UTF-8")
        }
        return text
    }

    private func refers(at index: Int) -> Bool { EnvFileParser.refers(bytes[index..<min(index + 2, bytes.count)]) }

    private static func refers(_ slice: ArraySlice<UInt8>) -> Bool {
        slice.indices.contains { index in
            slice[index] == Byte.dollar && index + 1 < slice.endIndex
                && (slice[index + 1] == UInt8(ascii: "{") || slice[index + 1] == UInt8(ascii: "("))
        }
    }

    /// Where the JSON object or array at the start of `slice` ends, by its brackets and strings alone.
    private static func jsonEnd(_ slice: ArraySlice<UInt8>) -> Int? {
        var depth = 0
        var index = slice.startIndex
        var inString = false
        while index < slice.endIndex {
            switch slice[index] {
            case Byte.backslash where inString: index += 1
            case Byte.double: inString.toggle()
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += inString ? 0 : 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= inString ? 0 : 1
                if depth == 0 { return index + 1 }
            default: break
            }
            index += 1
        }
        return nil
    }
}
