/// The part of HCL 1 that policies use (https://github.com/hashicorp/hcl/tree/hcl1), and its JSON spelling: members
/// `name = "text"`, `name = ["a", "b"]`, `name = 1`, and labelled blocks `path "x" { ... }`.
package struct PolicyBlock: Sendable, Equatable {
    package struct Member: Sendable, Equatable {
        package let name: String
        package var value: Value
        package let line: Int
    }

    package struct Labelled: Sendable, Equatable {
        package let label: String
        package let block: PolicyBlock
    }

    package enum Value: Sendable, Equatable {
        case text(String)
        case list([String])
        case blocks([Labelled])
        /// A number, a boolean or an object: nothing a policy uses, kept so that the caller can name the member it refuses.
        case other
    }

    package struct ParseError: Error, Equatable {
        package let line: Int
        package let reason: String
    }

    package var members: [Member]
    package let line: Int

    package init(parsing text: String) throws(ParseError) {
        if text.drop(while: \.isWhitespace).first == "{" {
            try self.init(json: text)
        } else {
            var parser = HCLParser(text)
            self = try parser.document()
        }
    }

    private init(json text: String) throws(ParseError) {
        let parsed: JSON
        do {
            parsed = try JSON(parsing: text.utf8, refusesRepeats: true)
        } catch {
            let line = 1 + text.utf8.prefix(error.offset).count { $0 == 0x0A }
            throw ParseError(line: line, reason: error.reason)
        }
        try self.init(block: parsed)
    }

    package init(members: [Member], line: Int) {
        self.members = members
        self.line = line
    }

    /// JSON gives no lines of its own: errors in JSON policies name the member and say line 1.
    private init(block json: JSON) throws(ParseError) {
        guard let members = json.members else { throw ParseError(line: 1, reason: "expected an object") }
        self.members = []
        line = 1
        for member in members { self.members.append(try PolicyBlock.member(member)) }
    }

    private static func labelled(_ json: JSON) throws(ParseError) -> [Labelled] {
        guard let members = json.members else { throw ParseError(line: 1, reason: "\"path\" must hold objects") }
        var blocks: [Labelled] = []
        for member in members {
            blocks.append(Labelled(label: member.name, block: try PolicyBlock(block: member.value)))
        }
        return blocks
    }

    private static func member(_ member: JSON.Member) throws(ParseError) -> Member {
        var value = Value.other
        switch member.value {
        case .array(let elements) where member.name == "path" && !elements.isEmpty:
            var blocks: [Labelled] = []
            for element in elements { blocks += try labelled(element) }
            value = .blocks(blocks)
        case _ where member.name == "path": value = .blocks(try labelled(member.value))
        case .string(let text): value = .text(text)
        case .array(let elements):
            let texts = elements.compactMap(\.text)
            if texts.count == elements.count { value = .list(texts) }
        default: break
        }
        return Member(name: member.name, value: value, line: 1)
    }
}

private struct HCLParser {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var depth = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ reason: String) -> PolicyBlock.ParseError { .init(line: line, reason: reason) }

    mutating func document() throws(PolicyBlock.ParseError) -> PolicyBlock {
        let block = PolicyBlock(members: try members(), line: 1)
        guard peek == nil else { throw failure("unexpected '}'") }
        return block
    }

    /// Members up to a closing brace or the end of the text; several `path` blocks gather under one member.
    private mutating func members() throws(PolicyBlock.ParseError) -> [PolicyBlock.Member] {
        var members: [PolicyBlock.Member] = []
        while true {
            try skipBlanks()
            if peek == UInt8(ascii: ",") {
                position += 1
                continue
            }
            guard let byte = peek, byte != UInt8(ascii: "}") else { return members }
            let start = line
            let name = try word()
            try skipBlanks()
            if peek == UInt8(ascii: "=") {
                position += 1
                members.append(.init(name: name, value: try value(), line: start))
            } else {
                let labelled = try labelledBlock()
                if let place = members.firstIndex(where: { $0.name == name }),
                    case .blocks(let earlier) = members[place].value
                {
                    members[place].value = .blocks(earlier + [labelled])
                } else {
                    members.append(.init(name: name, value: .blocks([labelled]), line: start))
                }
            }
        }
    }

    private mutating func labelledBlock() throws(PolicyBlock.ParseError) -> PolicyBlock.Labelled {
        guard peek != UInt8(ascii: "{") else { throw failure("a block needs a label") }
        let label = try word()
        try skipBlanks()
        guard peek == UInt8(ascii: "{") else { throw failure("expected '{'") }
        return .init(label: label, block: try block())
    }

    private mutating func block() throws(PolicyBlock.ParseError) -> PolicyBlock {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 16 else { throw failure("nested too deeply") }
        let start = line
        position += 1
        let members = try members()
        guard peek == UInt8(ascii: "}") else { throw failure("missing '}'") }
        position += 1
        return PolicyBlock(members: members, line: start)
    }

    private mutating func value() throws(PolicyBlock.ParseError) -> PolicyBlock.Value {
        try skipBlanks()
        switch peek {
        case UInt8(ascii: "\""): return .text(try quoted())
        case UInt8(ascii: "["): return try list()
        case UInt8(ascii: "{"):
            _ = try block()
            return .other
        default:
            _ = try word()
            return .other
        }
    }

    private mutating func list() throws(PolicyBlock.ParseError) -> PolicyBlock.Value {
        position += 1
        var texts: [String] = []
        while true {
            try skipBlanks()
            switch peek {
            case UInt8(ascii: "]"):
                position += 1
                return .list(texts)
            case UInt8(ascii: "\""):
                texts.append(try quoted())
                try skipBlanks()
                guard peek == UInt8(ascii: ",") || peek == UInt8(ascii: "]") else {
                    throw failure("expected ',' or ']'")
                }
                if peek == UInt8(ascii: ",") { position += 1 }
            default: throw failure("a list may hold strings only")
            }
        }
    }

    /// A bare word or a quoted text.
    private mutating func word() throws(PolicyBlock.ParseError) -> String {
        if peek == UInt8(ascii: "\"") { return try quoted() }
        let start = position
        while let byte = peek, HCLParser.isWordByte(byte) { position += 1 }
        guard position > start else { throw failure("unexpected character") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"):
            true
        default: byte >= 0x80
        }
    }

    private mutating func quoted() throws(PolicyBlock.ParseError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte != 0x0A else { break }
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escaped = peek else { break }
            position += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): text.append(escaped)
            default: throw failure("unknown escape in a string")
            }
        }
        guard peek == UInt8(ascii: "\"") else { throw failure("literal not terminated") }
        position += 1
        return String(decoding: text, as: UTF8.self)
    }

    /// Blanks and comments: `#`, `//` and `/* */`.
    private mutating func skipBlanks() throws(PolicyBlock.ParseError) {
        while let byte = peek {
            let next = position + 1 < bytes.count ? bytes[position + 1] : 0
            switch (byte, next) {
            case (0x0A, _):
                line += 1
                position += 1
            case (0x20, _), (0x09, _), (0x0D, _): position += 1
            case (UInt8(ascii: "#"), _), (UInt8(ascii: "/"), UInt8(ascii: "/")):
                while let byte = peek, byte != 0x0A { position += 1 }
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                position += 2
                while position + 1 < bytes.count,
                    !(bytes[position] == UInt8(ascii: "*") && bytes[position + 1] == UInt8(ascii: "/"))
                {
                    if bytes[position] == 0x0A { line += 1 }
                    position += 1
                }
                guard position + 1 < bytes.count else { throw failure("comment not terminated") }
                position += 2
            default: return
            }
        }
    }
}
