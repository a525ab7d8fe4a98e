import Foundation
import Testing

@testable import AirlockCore

/// Texts made of real ones at random, for the parsers that strangers and operators feed: whatever comes in, they answer, soon,
/// and what they accept they have understood.
///
/// The seed is fixed; with AIRLOCK_LONG=1 it is a new one each time, and the run takes minutes. AIRLOCK_FUZZ_SEED repeats a run. Each
/// text is written to a file before it is parsed, so that one that ends the process can be looked at.
struct ParserFuzzTests {
    @Test func `The JSON parser answers whatever it is given, and reads again what it wrote`() throws {
        try Fuzz(name: "json", corpus: Corpus.json, words: Corpus.jsonWords).run { bytes in
            let parsed: (json: JSON, ranges: JSON.MemberRanges?)
            do throws(JSON.SyntaxError) {
                parsed = try JSON.parsed(bytes)
            } catch {
                return (0...bytes.count).contains(error.offset) ? nil : "an offset outside of the text"
            }
            guard let again = try? JSON(parsing: parsed.json.bytes), again == parsed.json else {
                return "what it wrote it does not read again"
            }
            for (name, range) in parsed.ranges?.members ?? [] {
                guard let value = try? JSON(parsing: bytes[range]) else { return "a range that is no value" }
                let isLast = parsed.ranges?[name] == range
                if isLast, parsed.json[name] != value { return "a range of another value" }
            }
            if let value = try? JSON(parsing: bytes, refusesRepeats: true), value != parsed.json {
                return "the two ways of reading differ"
            }
            return nil
        }
    }

    @Test func `The policy parser answers whatever it is given, and names a line that exists`() throws {
        try Fuzz(name: "policy", corpus: Corpus.policies, words: Corpus.policyWords).run { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            let lines = 1 + text.utf8.count { $0 == 0x0A }
            do throws(PolicyBlock.ParseError) {
                let block = try PolicyBlock(parsing: text)
                if block.members.contains(where: { !(1...lines).contains($0.line) }) {
                    return "a line that is not there"
                }
            } catch {
                return (1...lines).contains(error.line) ? nil : "a line that is not there"
            }
            guard let rules = try? Policy(name: "p", text: text).rules() else { return nil }
            let access = AccessControl(rules: rules)
            for rule in rules {
                // The rule itself, at the path it is written for, is never granted more than all rules together say.
                let granted = rules.filter { $0.path == rule.path }.reduce(into: Capabilities()) {
                    $0.formUnion($1.capabilities)
                }
                let isPlain = !rule.path.contains("*") && !rule.path.contains("+")
                if isPlain, access.allows(.read, on: rule.path), !granted.contains(.read) || granted.isDenied {
                    return "more is granted than is written"
                }
            }
            return nil
        }
    }

    @Test func `The parser of references answers whatever it is given, and repeats no option`() throws {
        try Fuzz(name: "reference", corpus: Corpus.references, words: Corpus.referenceWords).run { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let parsed = try? ReferenceText(text) else { return nil }
            for reference in parsed.references {
                if reference.name.utf8.contains(UInt8(ascii: "?")) { return "a name with options" }
                if (try? SecretPath(reference.place.joined(separator: "/"))) == nil { return "a path that is none" }
                if reference.field.isEmpty { return "no field" }
                // What names the same place in other words is the same.
                let parts = (reference.place + [reference.field]).map { PercentEncoding.encode($0) }
                guard let again = try? ReferenceText("{vault://\(parts.joined(separator: "/"))}").references.first,
                    again.place.joined(separator: "/") == reference.place.joined(separator: "/"),
                    again.field == reference.field
                else { return "what it means it does not read again" }
            }
            return nil
        }
    }
}

/// One fuzz run.
private struct Fuzz {
    let name: String
    let corpus: [[UInt8]]
    let words: [[UInt8]]

    private static let environment = ProcessInfo.processInfo.environment
    private static let isLong = environment["AIRLOCK_LONG"] == "1"
    private static let longRun = Duration.seconds(90)
    private static let shortCount = 2000
    /// No text is larger than this; a slow machine parses it in far less time than this.
    private static let sizeLimit = 1 << 18
    private static let deadline = Duration.seconds(60)

    /// - Parameter check: what is wrong with what the parser made of a text, `nil` when nothing is.
    func run(_ check: ([UInt8]) -> String?) throws {
        let chosen = Fuzz.environment["AIRLOCK_FUZZ_SEED"].flatMap(UInt64.init)
        let seed = chosen ?? (Fuzz.isLong ? UInt64.random(in: 0 ..< .max) : 2026)
        let place = FileManager.default.temporaryDirectory.appendingPathComponent("airlock-fuzz-\(name)-\(getpid())")
        try Data("seed \(seed)\n".utf8).write(to: place)
        let file = open(place.path, O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        if Fuzz.isLong { print("fuzzing \(name) with seed \(seed); the text at hand is in \(place.path)") }
        try #require(corpus.count > 5)

        var generator = SplitMix(state: seed)
        let clock = ContinuousClock()
        let begun = clock.now
        var count = 0
        while Fuzz.isLong ? clock.now - begun < Fuzz.longRun : count < Fuzz.shortCount {
            let bytes = made(&generator)
            ftruncate(file, 0)
            _ = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
            let started = clock.now
            let wrong = check(bytes) ?? (clock.now - started > Fuzz.deadline ? "too slow" : nil)
            if let wrong {
                Issue.record(
                    "\(name), seed \(seed), case \(count): \(wrong): \(String(reflecting: String(decoding: bytes, as: UTF8.self)))"
                )
                return
            }
            count += 1
        }
        try FileManager.default.removeItem(at: place)
    }

    private func made(_ generator: inout SplitMix) -> [UInt8] {
        var bytes = corpus.randomElement(using: &generator)!
        for _ in 0..<Int.random(in: 0...6, using: &generator) { mutate(&bytes, &generator) }
        return Array(bytes.prefix(Fuzz.sizeLimit))
    }

    private func mutate(_ bytes: inout [UInt8], _ generator: inout SplitMix) {
        let start = Int.random(in: 0...bytes.count, using: &generator)
        let end = min(bytes.count, start + Int.random(in: 0...16, using: &generator))
        let word = words.randomElement(using: &generator)!
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: bytes.insert(contentsOf: word, at: start)
        case 1: bytes.replaceSubrange(start..<end, with: word)
        case 2: bytes.removeSubrange(start..<end)
        case 3: bytes.insert(contentsOf: bytes[start..<end], at: start)
        case 4: if start < bytes.count { bytes[start] = UInt8.random(in: .min ... .max, using: &generator) }
        case 5:
            let other = corpus.randomElement(using: &generator)!
            bytes = Array(bytes[..<start]) + other.suffix(Int.random(in: 0...other.count, using: &generator))
        case 6: bytes.removeLast(bytes.count - start)
        default:
            let count = Int.random(in: 0..<40, using: &generator) == 0 ? 30_000 : 20
            bytes.insert(contentsOf: Array(repeatElement(word, count: count).joined()), at: start)
        }
    }
}

/// https://prng.di.unimi.it/splitmix64.c
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Real texts: the requests of the comparison with OpenBao and of the transcripts, and the test vectors of connections.
private enum Corpus {
    private static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    static let json: [[UInt8]] = {
        var texts: [String] = []
        var files = [tests.appending(path: "e2e/differential.txt")]
        let transcripts = tests.appending(path: "AirlockHTTPTests/Transcripts")
        files += (try? FileManager.default.contentsOfDirectory(at: transcripts, includingPropertiesForKeys: nil)) ?? []
        for file in files.sorted(by: { $0.path < $1.path }) {
            for line in ((try? String(contentsOf: file, encoding: .utf8)) ?? "").split(separator: "\n") {
                guard let start = line.firstIndex(of: "{") else { continue }
                texts.append(String(line[start...].prefix { $0 != "\r" }))
            }
        }
        let vectors = tests.appending(path: "AirlockCoreTests/Fixtures/airflow-connection-vectors.json")
        let whole = (try? String(contentsOf: vectors, encoding: .utf8)) ?? ""
        texts.append(String(whole.prefix(20_000)))
        return texts.map { Array($0.utf8) }
    }()

    static let jsonWords: [[UInt8]] =
        [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "\\u0000", "null", "true", "false",
            "-", "0",
            "1e", "1e400", "-0.0", "1.", "\"a\":", "{\"a\":1}", "[[", " ", "\n", "\u{0}", "é", "e\u{301}", "/*",
            "99999999999999999999",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF]]

    static let references: [[UInt8]] = [
        "{vault://secret/db/password}", "{vault://kong/customer/acme/name#2}", "{vault://a/b%2Fc/d%20e?default=f%7D}",
        "postgres://{vault://secret/db/login}:{vault://secret/db/password?url_encode=true}@db/app",
        "{vault://secret/db/keys?json=/a/0/~1&base64_decode=true&default=#3}", "{vault://é/e\u{301}/%C3%A9+}", "{}",
    ].map { Array($0.utf8) }

    static let referenceWords: [[UInt8]] =
        [
            "{vault://", "{", "}", "/", "//", "..", "?", "#", "&", "=", "%", "%2F", "%00", "%7D", "%ff", "+", " ", "\n",
            "json=/", "json=", "base64_decode=true", "default=", "ttl=1", "#1", "#0", "é", "e\u{301}", "secret/",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3]]

    static let policies: [[UInt8]] = {
        var texts = [
            Policy.defaultText, #"{"path":{"secret/*":{"capabilities":["read"]}}}"#,
            #"{"path":[{"a":{"policy":"write"}},{"b":{"capabilities":[]}}]}"#,
            "path \"a/+/b*\" { capabilities = [\"create\", \"read\", \"update\", \"patch\", \"delete\", \"list\", \"scan\"] }",
            "# comment\n// another\n/* and\n one */ path \"x\" { policy = \"deny\" comment = \"why\" }",
            "name = \"n\"\npath \"a\" { allowed_parameters = { \"b\" = [\"c\"] } }",
            "path a { capabilities = [\"sudo\", \"root\"], }",
        ]
        let differential = tests.appending(path: "e2e/differential.txt")
        for line in ((try? String(contentsOf: differential, encoding: .utf8)) ?? "").split(separator: "\n") {
            guard let start = line.firstIndex(of: "{"), line.contains("\"policy\"") else { continue }
            let body = line[start...].split(separator: "  ").first.map(String.init) ?? ""
            if let text = (try? JSON(parsing: body))?["policy"]?.text { texts.append(text) }
        }
        return texts.map { Array($0.utf8) }
    }()

    static let policyWords: [[UInt8]] =
        [
            "{", "}", "[", "]", "=", ",", "\"", "\\", "\\n", "\\x", "#", "//", "/*", "*/", "\n", "\r\n", " ", "path",
            "path \"",
            "capabilities", "policy", "\"deny\"", "\"read\"", "+", "*", "+/", "+*", "{{", "}}", "<<EOF\n", "${", "1",
            "true",
            "\u{0}", "é", "e\u{301}", "a = {", "x {",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3]]
}
