import Testing

@testable import AirlockCore

struct ReferenceTests {
    private static func reference(_ text: String) throws -> Reference {
        try #require(ReferenceText(text).references.first)
    }

    private static func fault(_ text: String) -> ReferenceFault? {
        do throws(ReferenceFault) {
            _ = try ReferenceText(text)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Reading

    @Test func `The last part is the field, and what is before it the place`() throws {
        let reference = try ReferenceTests.reference("{vault://hashicorp-vault/customer/acme/name}")
        #expect(reference.place == ["hashicorp-vault", "customer", "acme"])
        #expect(reference.field == "name")
        #expect(reference.version == nil)
        #expect(try ReferenceTests.reference("{vault://secret/a/b#12}").version == 12)
    }

    @Test func `Parts are decoded each by itself, and a plus is a plus`() throws {
        let reference = try ReferenceTests.reference("{vault://se%20cret/a%2Fb/100%25+1/%C3%A9/c%2Fd%7D%3F%23}")
        #expect(reference.place == ["se cret", "a/b", "100%+1", "é"])
        #expect(reference.field == "c/d}?#")
    }

    @Test func `Texts that Swift calls equal are two references when their bytes differ`() throws {
        let composed = try ReferenceTests.reference("{vault://secret/a/\u{E9}}")
        let decomposed = try ReferenceTests.reference("{vault://secret/a/e\u{301}}")
        #expect(composed.field == decomposed.field)
        #expect(composed != decomposed)
    }

    @Test func `Options may come in any order, and the version after them`() throws {
        let reference = try ReferenceTests.reference(
            "{vault://secret/a/b?url_encode=true&default=a%26b+c&json=/x~1y/~01/0&base64_decode=false#3}")
        #expect(reference.options.pointer == ["x/y", "~1", "0"])
        #expect(reference.options.standard?.revealed == "a&b+c")
        #expect(reference.options.isForURL)
        #expect(!reference.options.isBase64)
        #expect(reference.version == 3)
    }

    @Test(arguments: [
        "no reference", "", "{vault://}", "{vault://a}", "{vault://a/b", "{vault:///a/b}", "{vault://a//b}",
        "{vault://a/b/}", "{vault://a/../b}", "{vault://a/./b}", "{vault://a/%2E%2E/b}", "{vault://a%2F/b}",
        "{vault://a/b%}", "{vault://a/b%zz}", "{vault://a/%FF}", "{vault://a/%00/b}", "{vault://a/b\u{7}}",
        "{vault://a/{b}", "{vault://a/b#}", "{vault://a/b#0}", "{vault://a/b#-1}", "{vault://a/b#1x}",
        "{vault://a/b#+1}", "{vault://a/b#1?default=x}", "{vault://a/b#99999999999999999999}",
        "{vault://a/b?default}", "{vault://a/b?default=x&}", "{vault://a/b?default=x&default=y}",
        "{vault://a/b?json=x}", "{vault://a/b?json=}", "{vault://a/b?base64_decode=yes}", "{vault://a/b?url_encode=1}",
        "{vault://a/b?DEFAULT=x}", "{vault://a/b?ttl=5}", "{vault://a/b?neg_ttl=5}", "{vault://a/b?prefix=x}",
        "{vault://good/a/b}{vault://bad}",
    ])
    func `What says nothing sure is refused`(text: String) {
        #expect(ReferenceTests.fault(text)?.kind == .malformed)
    }

    @Test func `A refusal and a name repeat nothing of an option`() throws {
        let fault = try #require(ReferenceTests.fault("{vault://a/b?default=hunter2&jsn=/hunter2}"))
        #expect(fault.message == "it has an unknown option; did you mean json?")
        let reference = try ReferenceTests.reference("{vault://secret/a/b?default=hunter2#4}")
        #expect(reference.name == "{vault://secret/a/b#4}")
        var dumped = ""
        dump(reference, to: &dumped)
        #expect(!("\(reference)" + String(reflecting: reference) + dumped).contains("hunter2"))
    }

    // MARK: Values

    private static let secret: JSON = [
        "text": "a b/ü", "number": .number("1.50"), "yes": true, "null": JSON.null, "object": ["k": ["x", "y"]],
        "json": #"{"a": {"b/c": [1, "two"]}, "n": null}"#, "base64": "aGk=\n",
        "url64": "_w==", "bytes": "/w==", "": "empty",
    ]

    private static func value(_ text: String, in secret: JSON? = secret) throws -> String {
        String(decoding: try reference(text).value(in: secret).bytes, as: UTF8.self)
    }

    @Test(arguments: [
        ("text", "a b/ü"), ("number", "1.50"), ("yes", "true"), ("object", #"{"k":["x","y"]}"#),
        ("object?json=/k", #"["x","y"]"#), ("object?json=/k/1", "y"), ("json?json=/a/b~1c/1", "two"),
        ("base64?base64_decode=true", "hi"), ("text?url_encode=true", "a%20b%2F%C3%BC"),
        ("text?default=other", "a b/ü"),
        ("none?default=other", "other"), ("null?default=other", "other"), ("json?json=/n&default=other", "other"),
        ("json?json=/x/y&default=%7B%7D", "{}"), ("none?default=aGk&base64_decode=true&url_encode=true", "aGk"),
    ])
    func `A field is worth its text, or the JSON of what else it is`(field: String, value: String) throws {
        #expect(try ReferenceTests.value("{vault://secret/a/\(field)}") == value)
    }

    @Test func `A default stands for a secret that is not there`() throws {
        #expect(try ReferenceTests.value("{vault://secret/a/b?default=}", in: nil) == "")
        #expect(throws: ReferenceFault.absent("there is no such secret")) {
            try ReferenceTests.value("{vault://secret/a/b}", in: nil)
        }
    }

    @Test(arguments: [
        ("none", ReferenceFault.Kind.absent), ("null", .absent), ("object?json=/k/2", .absent),
        ("object?json=/k/01", .absent), ("object?json=/k/-1", .absent), ("object?json=/k/x", .absent),
        ("number?json=/a", .absent), ("text?json=/a", .unusable), ("text?base64_decode=true", .unusable),
        ("url64?base64_decode=true", .unusable), ("text?json=/a&default=x", .unusable),
        ("text?base64_decode=true&default=x", .unusable),
    ])
    func `What has no value is said; a default hides no value that cannot be used`(
        field: String, kind: ReferenceFault.Kind
    ) throws {
        do {
            _ = try ReferenceTests.value("{vault://secret/a/\(field)}")
            Issue.record("it has a value")
        } catch let fault as ReferenceFault {
            #expect(fault.kind == kind)
            #expect(!fault.message.contains("a b"))
        }
    }

    @Test func `Bytes that are no text are a value, but not where text is wanted`() throws {
        let payload = try ReferenceTests.reference("{vault://secret/a/bytes?base64_decode=true}").value(
            in: ReferenceTests.secret)
        #expect(payload.bytes == [0xFF])
        #expect(throws: ReferenceFault.self) { try Result<SecretPayload, ReferenceFault>.success(payload).text.get() }
    }
}
