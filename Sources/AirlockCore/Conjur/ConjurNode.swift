/// The part of YAML that Conjur's policies use: block lists and maps, tagged and quoted scalars, lists in brackets on one line,
/// comments. Whatever else YAML has is refused with its line: what is read otherwise than it was meant gives the wrong rights.
package struct ConjurNode: Sendable, Equatable {
    package enum Value: Sendable, Equatable {
        case nothing
        case text(String)
        case list([ConjurNode])
        case map([Member])
    }

    package struct Member: Sendable, Equatable {
        package let name: String
        package let line: Int
        package let value: ConjurNode
    }

    /// Without its exclamation mark.
    package let tag: String?
    package let line: Int
    package let value: Value

    /// Nothing but blanks and comments is `nothing`.
    /// - Throws: `ConjurPolicy.Fault`
    package init(parsing text: String) throws(ConjurPolicy.Fault) {
        var parser = try ConjurYAML(text)
        self = try parser.document()
    }

    init(tag: String? = nil, line: Int, value: Value) {
        self.tag = tag
        self.line = line
        self.value = value
    }
}

private struct ConjurYAML {
    private typealias Fault = ConjurPolicy.Fault

    private struct Line {
        let number: Int
        /// Blanks before the text.
        var indent: Int
        var text: [Unicode.Scalar]

        var isItem: Bool { text[0] == "-" && (text.count == 1 || text[1] == " ") }
    }

    private var lines: [Line] = []
    private var place = 0

    private static let depthLimit = 32

    init(_ text: String) throws(ConjurPolicy.Fault) {
        var quote: Unicode.Scalar?
        var begun: (number: Int, text: [Unicode.Scalar])?
        for (index, raw) in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var scalars = Array(raw)
            if scalars.last == "\r" { scalars.removeLast() }
            try ConjurYAML.check(scalars, line: index + 1)
            let goesOn = ConjurYAML.removeComment(&scalars, quote: &quote)
            let number = begun?.number ?? index + 1
            if let before = begun {
                let rest = scalars.drop { $0 == " " }
                guard rest.count < scalars.count, !rest.isEmpty else {
                    throw Fault(line: index + 1, reason: "a text that goes on here is indented")
                }
                scalars = before.text + ["\n"] + rest
            }
            begun = goesOn ? (number, scalars) : nil
            if !goesOn { try add(scalars, number: number) }
        }
        if let begun { throw Fault(line: begun.number, reason: "a quoted text does not end") }
    }

    private mutating func add(_ scalars: [Unicode.Scalar], number: Int) throws(ConjurPolicy.Fault) {
        var scalars = scalars
        while scalars.last == " " { scalars.removeLast() }
        let indent = scalars.prefix { $0 == " " }.count
        let rest = Array(scalars.dropFirst(indent))
        guard !rest.isEmpty else { return }
        // YAML takes tabs in some places and not in others.
        guard !scalars.contains("\t") else { throw Fault(line: number, reason: "a tab is not supported: use blanks") }
        if lines.isEmpty, indent == 0, rest == Array("---".unicodeScalars) { return }
        lines.append(Line(number: number, indent: indent, text: rest))
    }

    /// Some readers of YAML end a line at each of these (https://yaml.org/spec/1.1/#id871136), others do not.
    private static func check(_ text: [Unicode.Scalar], line: Int) throws(ConjurPolicy.Fault) {
        let isRefused = text.contains { scalar in
            switch scalar {
            case "\t": false
            case "\u{2028}", "\u{2029}", "\u{FEFF}": true
            default: scalar.properties.generalCategory == .control
            }
        }
        guard !isRefused else {
            throw Fault(line: line, reason: "a control character or a line separator is not supported")
        }
    }

    /// A number sign begins a comment at the start of a line or after a blank, but not in quotes.
    /// - Parameter quote: which one is open where the line begins, on a line that goes on with a text.
    /// - Returns: whether a text in double quotes goes on in the next line: there is a backslash at the end.
    private static func removeComment(_ text: inout [Unicode.Scalar], quote: inout Unicode.Scalar?) -> Bool {
        var index = 0
        while index < text.count {
            let scalar = text[index]
            let follows = index == 0 || " \t[,".unicodeScalars.contains(text[index - 1])
            if let open = quote {
                if open == "\"", scalar == "\\" { index += 1 } else if scalar == open { quote = nil }
            } else if scalar == "#", index == 0 || text[index - 1] == " " {
                text.removeSubrange(index...)
                return false
            } else if scalar == "\"" || scalar == "'", follows {
                quote = scalar
            }
            index += 1
        }
        // The last backslash was not the end of an escape itself.
        let goesOn = index > text.count
        if !goesOn { quote = nil }
        return goesOn
    }

    mutating func document() throws(ConjurPolicy.Fault) -> ConjurNode {
        guard let first = lines.first else { return ConjurNode(line: 1, value: .nothing) }
        let node = try block(indent: first.indent, depth: 0)
        if place < lines.count {
            throw Fault(line: lines[place].number, reason: "it is indented otherwise than what it belongs to")
        }
        return node
    }

    /// The list or map whose lines have this indent.
    private mutating func block(indent: Int, depth: Int) throws(ConjurPolicy.Fault) -> ConjurNode {
        let first = lines[place]
        guard depth < ConjurYAML.depthLimit else { throw Fault(line: first.number, reason: "it is nested too deep") }
        return first.isItem
            ? try list(indent: indent, depth: depth) : try map(indent: indent, depth: depth)
    }

    private mutating func list(indent: Int, depth: Int) throws(ConjurPolicy.Fault) -> ConjurNode {
        let number = lines[place].number
        var items: [ConjurNode] = []
        while place < lines.count, lines[place].indent == indent, lines[place].isItem {
            let line = lines[place]
            let rest = line.text.dropFirst()
            let blanks = rest.prefix { $0 == " " }.count
            let text = Array(rest.dropFirst(blanks))
            let isNested = !text.isEmpty && text[0] != "!" && (isItem(text) || ConjurScalars.key(text) != nil)
            if isNested {
                // As if what follows the dash stood on a line of its own.
                let inner = indent + 1 + blanks
                lines[place] = Line(number: line.number, indent: inner, text: text)
                items.append(try block(indent: inner, depth: depth + 1))
            } else {
                place += 1
                items.append(try node(text, line.number, above: indent, depth: depth))
            }
        }
        return ConjurNode(line: number, value: .list(items))
    }

    private func isItem(_ text: [Unicode.Scalar]) -> Bool { Line(number: 0, indent: 0, text: text).isItem }

    private mutating func map(indent: Int, depth: Int) throws(ConjurPolicy.Fault) -> ConjurNode {
        let number = lines[place].number
        var members: [ConjurNode.Member] = []
        var names: Set<ExactText> = []
        while place < lines.count, lines[place].indent == indent, !lines[place].isItem {
            let line = lines[place]
            guard let (name, rest) = ConjurScalars.key(line.text) else {
                throw Fault(line: line.number, reason: "expected a list item or `name: value`")
            }
            guard names.insert(ExactText(name)).inserted else {
                throw Fault(line: line.number, reason: "a member is there twice")
            }
            place += 1
            // The items of a list may stand as far left as the name that they belong to.
            let isListBelow =
                rest.isEmpty && place < lines.count && lines[place].indent == indent && lines[place].isItem
            let value =
                isListBelow
                ? try block(indent: indent, depth: depth + 1)
                : try node(rest, line.number, above: indent, depth: depth)
            members.append(.init(name: name, line: line.number, value: value))
        }
        return ConjurNode(line: number, value: .map(members))
    }

    /// A value: its tag and the text on its line, or the block below, whose lines are indented by more than `above`.
    private mutating func node(_ text: [Unicode.Scalar], _ line: Int, above: Int, depth: Int) throws(ConjurPolicy.Fault)
        -> ConjurNode
    {
        var scalars = ConjurScalars(text, line: line)
        let tag = try scalars.tag()
        if !scalars.isAtEnd {
            let value = try scalars.wholeValue()
            return ConjurNode(tag: tag, line: line, value: value)
        }
        guard place < lines.count, lines[place].indent > above else {
            return ConjurNode(tag: tag, line: line, value: .nothing)
        }
        let below = try block(indent: lines[place].indent, depth: depth + 1)
        return ConjurNode(tag: tag, line: line, value: below.value)
    }
}

/// What stands on one line.
private struct ConjurScalars {
    private typealias Fault = ConjurPolicy.Fault

    private let text: [Unicode.Scalar]
    private let line: Int
    private var place = 0

    init(_ text: [Unicode.Scalar], line: Int) {
        self.text = text
        self.line = line
    }

    var isAtEnd: Bool { place >= text.count }

    private func fault(_ reason: String) -> ConjurPolicy.Fault { ConjurPolicy.Fault(line: line, reason: reason) }

    /// `name:` with what follows, when the text is a member of a map. Names are words, as all of Conjur's are, or an
    /// annotation's; they are not quoted.
    static func key(_ text: [Unicode.Scalar]) -> (name: String, rest: [Unicode.Scalar])? {
        guard
            let colon = text.indices.first(where: { text[$0] == ":" && ($0 + 1 == text.count || text[$0 + 1] == " ") })
        else { return nil }
        let name = text[..<colon]
        guard !name.isEmpty, name.allSatisfy({ $0.properties.isAlphabetic || isKeyMark($0) }) else { return nil }
        return (string(name), Array(text[(colon + 1)...].drop { $0 == " " }))
    }

    private static func isKeyMark(_ scalar: Unicode.Scalar) -> Bool {
        ("0"..."9").contains(scalar) || "-_/.".unicodeScalars.contains(scalar)
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private mutating func skipBlanks() {
        while !isAtEnd, text[place] == " " || text[place] == "\t" { place += 1 }
    }

    mutating func tag() throws(ConjurPolicy.Fault) -> String? {
        guard !isAtEnd, text[place] == "!" else { return nil }
        let name = text[(place + 1)...].prefix { ("a"..."z").contains($0) || $0 == "-" }
        place += 1 + name.count
        guard !name.isEmpty, isAtEnd || " ,]".unicodeScalars.contains(text[place]) else {
            throw fault("a tag is an exclamation mark and small letters")
        }
        skipBlanks()
        return ConjurScalars.string(name)
    }

    mutating func wholeValue() throws(ConjurPolicy.Fault) -> ConjurNode.Value {
        let value: ConjurNode.Value = text[place] == "[" ? .list(try flowList()) : try scalar(inList: false)
        skipBlanks()
        guard isAtEnd else { throw fault("there is more on the line than one value") }
        return value
    }

    /// `[a, !host b]`
    private mutating func flowList() throws(ConjurPolicy.Fault) -> [ConjurNode] {
        place += 1
        var items: [ConjurNode] = []
        while true {
            skipBlanks()
            guard !isAtEnd else { throw fault("a list in brackets ends on its own line") }
            if text[place] == "]" { break }
            let tag = try tag()
            let hasText = !isAtEnd && text[place] != "," && text[place] != "]"
            items.append(ConjurNode(tag: tag, line: line, value: hasText ? try scalar(inList: true) : .nothing))
            skipBlanks()
            guard !isAtEnd, text[place] == "," else { continue }
            place += 1
        }
        place += 1
        return items
    }

    private mutating func scalar(inList: Bool) throws(ConjurPolicy.Fault) -> ConjurNode.Value {
        switch text[place] {
        case "\"": return .text(try doubleQuoted())
        case "'": return .text(try singleQuoted())
        case "&", "*": throw fault("anchors and aliases are not supported: write it out")
        case "|", ">": throw fault("text over several lines is not supported")
        case "[", "{": throw fault("a list or a map in brackets cannot stand here")
        case "]", "}", ",", "%", "@", "`", "?", "!": throw fault("a value cannot begin with this: put it in quotes")
        default: break
        }
        let start = place
        if text[place] == "-", place + 1 < text.count, text[place + 1] == " " {
            throw fault("a value cannot begin with this: put it in quotes")
        }
        while !isAtEnd {
            if inList, text[place] == "," || text[place] == "]" { break }
            if text[place] == "\n" { throw fault("only a text in double quotes can go on in the next line") }
            if text[place] == ":", place + 1 == text.count || text[place + 1] == " " {
                throw fault("a colon with a blank after it belongs in quotes")
            }
            // Only behind a quote that is no quote here would one not have been taken for a comment.
            if text[place] == "#", text[place - 1] == " " || text[place - 1] == "\t" {
                throw fault("a number sign with a blank before it belongs in quotes")
            }
            place += 1
        }
        var plain = text[start..<place]
        while plain.last == " " || plain.last == "\t" { plain.removeLast() }
        guard !["-", "~", "null", "Null", "NULL"].contains(ConjurScalars.string(plain)) else {
            throw fault("a value is missing; a name like this belongs in quotes")
        }
        return .text(ConjurScalars.string(plain))
    }

    /// Two quotes stand for one.
    private mutating func singleQuoted() throws(ConjurPolicy.Fault) -> String {
        var out: [Unicode.Scalar] = []
        place += 1
        while !isAtEnd {
            let scalar = text[place]
            place += 1
            if scalar == "\n" { break }
            guard scalar == "'" else {
                out.append(scalar)
                continue
            }
            guard !isAtEnd, text[place] == "'" else { return ConjurScalars.string(out) }
            out.append("'")
            place += 1
        }
        throw fault("a quoted text ends on its own line")
    }

    private static let escapes: [Unicode.Scalar: Unicode.Scalar] = [
        "\"": "\"", "\\": "\\", "/": "/", " ": " ", "t": "\t", "n": "\n", "r": "\r", "_": "\u{A0}", "L": "\u{2028}",
        "P": "\u{2029}",
    ]
    private static let hexadecimalEscapes: [Unicode.Scalar: Int] = ["x": 2, "u": 4, "U": 8]

    private mutating func doubleQuoted() throws(ConjurPolicy.Fault) -> String {
        var out: [Unicode.Scalar] = []
        place += 1
        while !isAtEnd {
            let scalar = text[place]
            place += 1
            if scalar == "\"" { return ConjurScalars.string(out) }
            guard scalar == "\\" else {
                out.append(scalar)
                continue
            }
            guard !isAtEnd else { break }
            let escape = text[place]
            place += 1
            if escape == "\n" { continue }
            if let plain = ConjurScalars.escapes[escape] {
                out.append(plain)
            } else if let count = ConjurScalars.hexadecimalEscapes[escape] {
                let digits = text[place...].prefix(count)
                place += digits.count
                guard digits.count == count, let code = UInt32(ConjurScalars.string(digits), radix: 16),
                    let escaped = Unicode.Scalar(code)
                else { throw fault("an escape names no character") }
                out.append(escaped)
            } else {
                throw fault("an escape is not known")
            }
        }
        throw fault("a quoted text ends on its own line")
    }
}
