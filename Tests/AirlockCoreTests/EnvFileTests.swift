import Testing

@testable import AirlockCore

struct EnvFileTests {
    static let canary = "canary-9d41"

    /// The one entry of a text, as "NAME|value".
    private func entry(_ text: String) throws -> String {
        let file = EnvFile(parsing: text)
        #expect(file.faults.isEmpty)
        let entry = try #require(file.entries.first)
        #expect(file.entries.count == 1)
        return "\(entry.name)|\(entry.value.revealed)"
    }

    private func fault(_ text: String) throws -> String {
        let fault = try #require(EnvFile(parsing: text).faults.first)
        return "\(fault.line): \(fault.reason)"
    }

    @Test(arguments: [
        ("A=b", "A|b"), ("A=", "A|"), ("A =  b  ", "A|b"), ("\tA\t=\tb", "A|b"), ("export A=b", "A|b"),
        ("export\tA=b", "A|b"), ("exported=b", "exported|b"), ("A=b=c==", "A|b=c=="), ("A=b\r\n", "A|b"),
        ("\u{FEFF}A=b", "A|b"), ("# note\n\n  \nA=b\n\n#end", "A|b"), ("A=b", "A|b"), ("my.id-1=b", "my.id-1|b"),
        ("A=é 日本", "A|é 日本"),
    ])
    func `Plain lines give their names and values`(text: String, expected: String) throws {
        #expect(try entry(text) == expected)
    }

    @Test(arguments: [
        ("A=b # note", "A|b"), ("A=b\t# note", "A|b"), ("A=b#c", "A|b#c"), ("A=#b", "A|#b"), ("A= # note", "A|"),
        ("A=p#1#2 # it's a note", "A|p#1#2"), ("A='b' # note", "A|b"), ("A=\"b\"  # note", "A|b"),
        ("A='b # c'", "A|b # c"), ("A=b #", "A|b"),
    ])
    func `A comment begins at a hash with a blank before it`(text: String, expected: String) throws {
        #expect(try entry(text) == expected)
    }

    @Test(arguments: [
        (#"A='b'"#, "A|b"), (#"A="b""#, "A|b"), (#"A=''"#, "A|"), (#"A='b\n'"#, #"A|b\n"#),
        (#"A="b\nc\td\re""#, "A|b\nc\td\re"), (#"A="a\"b\\c\$d\`e\'f""#, #"A|a"b\c$d`e'f"#), (#"A="\q""#, #"A|\q"#),
        (#"A='it'\''s'"#, "A|it's"), (#"A=it's"#, "A|it's"), (#"A=b"c""#, #"A|b"c""#), (#"A='  b '"#, "A|  b "),
        (#"A='say "hi"'"#, #"A|say "hi""#),
    ])
    func `Quotes are taken off and escapes decoded between double ones`(text: String, expected: String) throws {
        #expect(try entry(text) == expected)
    }

    @Test(arguments: [
        (#"A={"b": "c #d"} # note"#, #"A|{"b": "c #d"}"#), (#"A={"b": "}\" #"}"#, #"A|{"b": "}\" #"}"#),
        (#"A=[1, {"a": 2}]"#, #"A|[1, {"a": 2}]"#), (#"A='{"b": "it\"s"}'"#, #"A|{"b": "it\"s"}"#),
        ("A='{\n \"b\": 1\r\n}'", "A|{\n \"b\": 1\n}"), ("A={{ ds }}/x # note", "A|{{ ds }}/x"),
        (#"A="{\"b\": \"c\"}""#, #"A|{"b": "c"}"#),
    ])
    func `JSON values stay whole`(text: String, expected: String) throws {
        #expect(try entry(text) == expected)
    }

    @Test func `Quoted values may hold several lines and later line numbers stay right`() {
        let file = EnvFile(parsing: "A='1\n2\r\n3'\nB=\"x\n\ny\"\nnonsense\nC=z")
        #expect(file.entries.map(\.name) == ["A", "B", "C"])
        #expect(file.entries.map(\.line) == [1, 4, 8])
        #expect(file.entries.map(\.value.revealed) == ["1\n2\n3", "x\n\ny", "z"])
        #expect(file.faults.map(\.line) == [7])
    }

    @Test(arguments: [
        ("A=b\n\(canary)", "2: there is no '='"), ("\n=\(canary)", "2: there is no name"),
        ("export \(canary)", "1: there is no '='"), ("pg \(canary)=x", "1: what stands before '='"),
        ("postgres://\(canary)@h?a=b", "1: what stands before '='"),
        ("A='\(canary)", "1: the quote that opens the value is never closed"),
        ("A=\"{\"\(canary)\": 1}\"", "1: there is text after the closing quote"),
        ("A='\(canary)'#note", "1: there is text after the closing quote"),
        ("A={\"\(canary)\": \n}", "1: the bracket at the start of the value is not closed"),
        ("A=\(canary)\u{0}", "1: the value has a NUL"),
        ("A=\"\(canary)\nAIRFLOW_CONN_B=\"", "1: the value runs on over a line that begins with AIRFLOW_"),
        ("A=\"\(canary)\nexport AIRFLOW_CONN_B=x\"", "1: the value runs on over a line that begins with AIRFLOW_"),
    ])
    func `A bad line is told by number and reason and never by its text`(text: String, expected: String) throws {
        let said = try fault(text)
        #expect(said.hasPrefix(expected))
        #expect(!said.contains(EnvFileTests.canary))
    }

    @Test func `An unclosed quote does not hide the lines below it`() {
        let file = EnvFile(parsing: "A='b\nB=c\nC=d")
        #expect(file.faults.map(\.line) == [1])
        #expect(file.entries.map(\.name) == ["B", "C"])
    }

    @Test func `The rest of an unquoted multi-line secret is not taken for a name`() {
        let file = EnvFile(parsing: "A=-----BEGIN KEY-----\nY2FuYXJ5\nY2FuYXJ5Zg==\nB=c")
        #expect(file.entries.map(\.name) == ["A", "B"])
        #expect(file.faults.map(\.line) == [2, 3])
    }

    @Test func `Bytes that are not UTF-8 are refused`() throws {
        let latin1 = EnvFile(parsing: Array("A=b\nB=".utf8) + [0xE4, 0x0A] + Array("C=d".utf8))
        #expect(latin1.faults.map(\.line) == [2])
        #expect(latin1.entries.map(\.name) == ["A", "C"])
        #expect(EnvFile(parsing: [0xFF, 0xFE, 0x41, 0x00]).faults.first?.reason.contains("UTF-16") == true)
    }

    @Test func `References to other variables are noticed and not expanded`() {
        let file = EnvFile(parsing: "A=${B}\nC=\"$(cat x)\"\nD='${B}'\nE=\"\\${B}\"\nF=pa$word")
        #expect(file.entries.map(\.hasReference) == [true, true, false, false, false])
        #expect(file.entries.map(\.value.revealed) == ["${B}", "$(cat x)", "${B}", "${B}", "pa$word"])
    }

    @Test func `Values cannot be printed`() {
        let file = EnvFile(parsing: "A=\(EnvFileTests.canary)")
        var dumped = ""
        dump(file, to: &dumped)
        for text in ["\(file)", String(reflecting: file), dumped] { #expect(!text.contains(EnvFileTests.canary)) }
    }

    @Test func `Any bytes at all are read without a crash`() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("A=b'\"\\#{}[] \n\r$(\t\u{FEFF}x".utf8) + [0, 0xFF]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...24)).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            let file = EnvFile(parsing: bytes)
            let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).count
            #expect(file.entries.allSatisfy { $0.line >= 1 && $0.line <= lines })
            #expect(file.faults.allSatisfy { $0.line >= 1 && $0.line <= lines })
        }
    }
}
