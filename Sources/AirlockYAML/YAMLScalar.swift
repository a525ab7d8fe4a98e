import AirlockCore

/// A YAML scalar, and what it is besides text. YAML 1.2's core schema says so; Airflow reads YAML 1.1, where `no` is false,
/// `0123` is 83 and `2024-01-01` a date. What the two read differently is `ambiguous`: text where a text belongs, refused
/// elsewhere.
/// - https://yaml.org/spec/1.2.2/#103-core-schema
/// - https://github.com/yaml/pyyaml/blob/6.0.2/lib/yaml/resolver.py
package struct YAMLScalar {
    package enum Kind {
        case text
        case null
        case bool(Bool)
        /// Digits that JSON takes too.
        case number
        case ambiguous
        /// An explicit core tag, such as `!!int`, in front of what is no such thing.
        case mistagged
    }

    package let text: String
    package let kind: Kind

    var isMerge: Bool { if case .ambiguous = kind { text == "<<" } else { false } }

    /// JSON's names are text; digits make the same text in both.
    package var isName: Bool {
        switch kind {
        case .text, .number: true
        case .null, .bool, .ambiguous, .mistagged: false
        }
    }

    static let foreignTag = "a tag other than YAML's core ones; remove it"

    static func kind(_ event: YAMLEvent, isPlain: Bool) throws(YAMLFault) -> Kind {
        guard case .scalar(let text, _) = event.content else { return .text }
        guard let tag = event.tag else { return isPlain ? plain(text) : .text }
        let core = "tag:yaml.org,2002:"
        if tag == "!" || tag == core + "str" { return .text }
        guard tag.hasPrefix(core), ["null", "bool", "int", "float"].contains(tag.dropFirst(core.count)) else {
            throw event.fault(foreignTag)
        }
        switch (plain(text), tag.dropFirst(core.count)) {
        case (.null, "null"): return .null
        case (.bool(let value), "bool"): return .bool(value)
        case (.number, "float"): return .number
        case (.number, "int") where text.utf8.allSatisfy { 0x30...0x39 ~= $0 || $0 == UInt8(ascii: "-") }:
            return .number
        default: return .mistagged
        }
    }

    static func plain(_ text: String) -> Kind {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "=", "<<": return .ambiguous
        default: break
        }
        guard let first = text.utf8.first, 0x2B...0x39 ~= first else { return .text }
        if isNumber(text) { return .number }
        return isAmbiguous(text) ? .ambiguous : .text
    }

    /// YAML 1.1 wants a point and a sign with an exponent, JSON and YAML 1.2 do not: `1e3` is text in one of them.
    private static func isNumber(_ text: String) -> Bool {
        guard case .number? = try? JSON(parsing: text) else { return false }
        guard let exponent = text.utf8.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) else { return true }
        let sign = text.utf8[text.utf8.index(after: exponent)]
        return text.utf8.contains(UInt8(ascii: ".")) && (sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"))
    }

    /// Other numbers of either version (`0123`, `+5`, `1_000`, `.5`, `0x1F`, `1:30`, `.inf`), dates and times.
    private static func isAmbiguous(_ text: String) -> Bool {
        var rest = Rest(bytes: Array(text.utf8)[...])
        if rest.isDate { return true }
        if !rest.take("-") { _ = rest.take("+") }
        let word = String(decoding: rest.bytes, as: UTF8.self)
        if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(word) { return true }
        if ["0x", "0o", "0b"].contains(word.prefix(2)) {
            rest.bytes = rest.bytes.dropFirst(2)
            return rest.takeAll { $0 == UInt8(ascii: "_") || Character(Unicode.Scalar($0)).isHexDigit } > 0
                && rest.bytes.isEmpty
        }
        let startsWithDigit = rest.bytes.first.map(Rest.isDigit) ?? false
        var count = rest.takeDigits()
        guard startsWithDigit || count == 0 else { return false }
        while startsWithDigit, rest.take(":") { if rest.takeDigits() == 0 { return false } }
        if rest.take(".") { count += rest.takeDigits() }
        if rest.take("e") || rest.take("E") {
            if !rest.take("-") { _ = rest.take("+") }
            if rest.takeDigits() == 0 { return false }
        }
        return count > 0 && rest.bytes.isEmpty
    }

    /// What is left of a text while its grammar is followed.
    private struct Rest {
        var bytes: ArraySlice<UInt8>

        static func isDigit(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard bytes.first == UInt8(ascii: character) else { return false }
            bytes = bytes.dropFirst()
            return true
        }

        mutating func takeAll(_ isWanted: (UInt8) -> Bool) -> Int {
            let count = bytes.count
            bytes = bytes.drop(while: isWanted)
            return count - bytes.count
        }

        /// Underscores count, as in YAML 1.1.
        mutating func takeDigits() -> Int { takeAll { Rest.isDigit($0) || $0 == UInt8(ascii: "_") } }

        /// A date, alone or with a time behind it.
        var isDate: Bool {
            var rest = self
            guard rest.takeAll(Rest.isDigit) == 4, rest.take("-"), 1...2 ~= rest.takeAll(Rest.isDigit), rest.take("-"),
                1...2 ~= rest.takeAll(Rest.isDigit)
            else { return false }
            if rest.bytes.isEmpty { return true }
            let gap = rest.takeAll { [0x20, 0x09, UInt8(ascii: "T"), UInt8(ascii: "t")].contains($0) }
            return gap > 0 && rest.takeAll(Rest.isDigit) > 0 && rest.take(":")
        }
    }
}
