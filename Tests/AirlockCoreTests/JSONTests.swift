import Testing

@testable import AirlockCore

/// Secrets are kept as they were sent: digits, order and names.
struct JSONTests {
    /// Where the members of a body lie, by the other reader of bodies.
    private static func ranges(_ bytes: [UInt8]) throws -> JSON.MemberRanges? { try JSON.parsed(bytes).ranges }

    private func again(_ text: String) throws -> String {
        String(decoding: try JSON(parsing: text).bytes, as: UTF8.self)
    }

    @Test(arguments: [
        "0", "-0", "1.0", "1.50", "1e3", "1E+3", "1e-3", "-1.5e10", "12345678901234567890123",
        "0.1000000000000000055511151231257827", "1e308",
        "123456789.123456789123456789",
    ])
    func `A number comes back as it was written`(number: String) throws {
        #expect(try again(number) == number)
        #expect(try again("{\"a\":[\(number)]}") == "{\"a\":[\(number)]}")
    }

    @Test(arguments: [
        "01", "+1", "1.", ".5", "1e", "1e+", "-", "0x1", "1_000", "NaN", "Infinity", "-Infinity", "1e400", "-1e400",
        "٣", "1 2",
    ])
    func `What is no JSON number is refused`(text: String) {
        #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: text) }
    }

    @Test(arguments: ["NaN", "Infinity", "-Infinity", "nan"])
    func `What is not a number in JSON is refused`(word: String) {
        #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: "[\(word)]") }
    }

    @Test func `Members keep their order, and blanks go`() throws {
        #expect(
            try again(" { \"z\" : [ 1 , true , null ] ,\n\"a\"\t: { } , \"m\" : [ ] }\r\n")
                == "{\"z\":[1,true,null],\"a\":{},\"m\":[]}")
    }

    @Test func `Of a repeated name the last value counts`() throws {
        #expect(try again("{\"a\":1,\"b\":2,\"a\":3}") == "{\"a\":3,\"b\":2}")
        #expect(try again("{\"\\u0061\":1,\"a\":3}") == "{\"a\":3}")
        let text = Array("{\"data\":{\"x\":1},\"data\": {\"x\":2.0} }".utf8)
        let range = try #require(try JSONTests.ranges(text)?["data"])
        #expect(String(decoding: text[range], as: UTF8.self) == "{\"x\":2.0}")
    }

    @Test func `Names that only look alike are two names`() throws {
        let json = try JSON(parsing: "{\"caf\u{E9}\":1,\"cafe\u{301}\":2}")
        #expect(json.members?.count == 2)
        #expect(json["caf\u{E9}"] == 1)
        #expect(json["cafe\u{301}"] == 2)
        let text = Array("{\"cafe\u{301}\":2,\"caf\u{E9}\":1}".utf8)
        let ranges = try #require(try JSONTests.ranges(text))
        #expect(ranges["caf\u{E9}"].map { Array(text[$0]) } == Array("1".utf8))
        #expect(JSON.string("\u{E9}") != JSON.string("e\u{301}"))
    }

    @Test func `A merge patch touches the very name it names`() throws {
        func patched(_ text: String, _ patch: String) throws -> String {
            String(decoding: try JSONMerge.apply(JSON(parsing: patch), to: Array(text.utf8)), as: UTF8.self)
        }
        #expect(try patched("{\"caf\u{E9}\":1}", "{\"cafe\u{301}\":null}") == "{\"caf\u{E9}\":1}")
        #expect(
            try Array(patched("{\"caf\u{E9}\":1}", "{\"cafe\u{301}\":2}").utf8)
                == Array("{\"caf\u{E9}\":1,\"cafe\u{301}\":2}".utf8))
    }

    /// https://www.rfc-editor.org/rfc/rfc7396#appendix-A
    @Test(arguments: [
        ("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"),
        ("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"), ("{\"a\":\"b\"}", "{\"a\":null}", "{}"),
        ("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"),
        ("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"), ("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"),
        ("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"),
        ("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"),
        ("[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"), ("{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"),
        ("{\"a\":\"foo\"}", "null", "null"), ("{\"a\":\"foo\"}", "\"bar\"", "\"bar\""),
        ("{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"), ("[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"),
        ("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"),
        ("{\"n\":1.0,\"k\":1e3}", "{\"k\":2.50}", "{\"n\":1.0,\"k\":2.50}"),
    ])
    func `A merge patch does what RFC 7396 says`(original: String, patch: String, result: String) throws {
        let merged = try JSONMerge.apply(JSON(parsing: patch), to: Array(original.utf8))
        #expect(String(decoding: merged, as: UTF8.self) == result)
    }

    @Test func `Nesting has a limit, and up to it all is read`() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            #expect(try again(nested(256, open, close)) == nested(256, open, close))
            let error = #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: nested(257, open, close)) }
            #expect(error?.reason == "nested too deeply")
            #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: String(repeating: open, count: 1_000_000)) }
            #expect(throws: JSON.SyntaxError.self) {
                try JSONTests.ranges(Array("{\"x\":\(nested(256, open, close))}".utf8))
            }
        }
        // The limit is of depth, not of number.
        #expect(try JSON(parsing: "[" + String(repeating: "[],", count: 1_000) + "[]]").elements?.count == 1_001)
    }

    @Test(arguments: [
        ("\"\\u0041\\n\\t\\/\\\\\\\"\"", "A\n\t/\\\""), ("\"\\ud83d\\ude00\"", "\u{1F600}"),
        ("\"\\ud800\"", "\u{FFFD}"), ("\"\\ude00x\"", "\u{FFFD}x"),
        ("\"\\ud800\\u0041\"", "\u{FFFD}A"), ("\"\\ud800\\ud83d\\ude00\"", "\u{FFFD}\u{1F600}"), ("\"é\\u00e9\"", "éé"),
        ("\"\\u0000\"", "\0"), ("\"\u{7F}\"", "\u{7F}"),
    ])
    func `Escapes are read as Go reads them`(text: String, value: String) throws {
        #expect(try JSON(parsing: text).text.map { Array($0.unicodeScalars) } == Array(value.unicodeScalars))
    }

    @Test func `What Go escapes is escaped`() {
        let text = JSON.string("<a>&\"\\\u{0}\u{1F}\n\r\té\u{7F}")
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == "\"\\u003ca\\u003e\\u0026\\\"\\\\\\u0000\\u001f\\n\\r\\té\u{7F}\"")
    }

    static let canary = "canary77"

    @Test(arguments: [
        ("", 0), ("{", 1), ("{\"\(canary)\"", 11), ("{\"\(canary)\":", 12), ("{\"\(canary)\" 1}", 12),
        ("{\"a\":\"\(canary)}", 15), ("[\"\(canary)\" 2]", 12), ("\(canary)", 0),
        ("{\(canary):1}", 1), ("{'a':1}", 1), ("[1,]", 3), ("{\"a\":1,}", 7), ("{\"\(canary)\":tru}", 15),
        ("1 \(canary)", 2), ("\"\\x\(canary)\"", 3), ("\"a\n\(canary)\"", 2),
        ("\"\\u12x\(canary)\"", 5), ("[1] {\"\(canary)\":1}", 4), ("nul", 3), ("\u{FEFF}{}", 0), ("\u{A0}1", 0),
    ])
    func `An error has a place and a reason, and none of the text`(text: String, offset: Int) {
        let error = #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: text) }
        #expect(error?.offset == offset)
        #expect(error?.reason.isEmpty == false)
        #expect(!String(reflecting: error).contains(JSONTests.canary))
        // Both readers of a body refuse the same texts.
        #expect(throws: JSON.SyntaxError.self) { try JSONTests.ranges(Array(text.utf8)) }
    }

    @Test(
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xC3], [0xF8, 0x88, 0x80, 0x80, 0x80]] as [[UInt8]])
    func `Text that is no UTF-8 is refused`(bytes: [UInt8]) {
        for quoted in [
            [0x22] + bytes + [0x22], [0x22, 0x5C, 0x6E] + bytes + [0x22], [0x7B, 0x22] + bytes + Array("\":1}".utf8),
        ] {
            #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: quoted) }
        }
    }

    @Test func `A parsed value does not print what it holds`() throws {
        let json = try JSON(parsing: "{\"\(JSONTests.canary)\":[\"\(JSONTests.canary)\"]}")
        var dumped = ""
        dump(json, to: &dumped)
        dump([json], to: &dumped)
        for shown in ["\(json)", String(reflecting: json), String(describing: [json]), dumped] {
            #expect(!shown.contains(JSONTests.canary))
            #expect(shown.contains("redacted"))
        }
    }
}
