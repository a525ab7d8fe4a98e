import Testing

@testable import AirlockCore

struct SecretPathTests {
    @Test(arguments: [
        "a", "connections/pg", "a/b c", "a/...", "a/..b", "a/b.", "é", "cafe\u{301}", "a/\u{301}b", "%2e%2e", "a\\b",
        "+", "*", "a?b#c", "\u{202E}", "a\u{600}", "a\u{600}/b",
    ])
    func `A path that is a path is kept as it is`(text: String) throws {
        #expect(try Array(SecretPath(text).text.utf8) == Array(text.utf8))
        #expect(try Array(SecretPath.folder(text).utf8) == Array((text + "/").utf8))
        #expect(try Array(SecretPath.folder(text + "/").utf8) == Array((text + "/").utf8))
    }

    @Test(arguments: ["", "/", "a/", "a/b/", "a/\u{301}/", "a\u{600}/"])
    func `A path ending in a slash cannot be written to`(text: String) {
        #expect(throws: AirlockError.badRequest("cannot write to a path ending in '/'")) { try SecretPath(text) }
    }

    @Test(arguments: [".", "..", "a/..", "../a", "a/../b", "a/./b", "./a"])
    func `A relative path is refused`(text: String) {
        #expect(throws: AirlockError.badRequest("relative paths not supported")) { try SecretPath(text) }
        #expect(throws: AirlockError.badRequest("relative paths not supported")) { try SecretPath.folder(text) }
    }

    /// With a combining mark on it, a slash is another character to Swift, but the same byte to everything else.
    @Test(arguments: ["/a", "a//b", "//", "a//\u{301}b", "/\u{301}a", "\u{301}//a"])
    func `An empty part is refused`(text: String) {
        #expect(throws: AirlockError.self) { try SecretPath(text) }
    }

    @Test(arguments: ["a\0", "a\nb", "\t", "a/\u{7F}", "a\u{85}", "\r\n", "a\u{1B}[0m"])
    func `A control character is refused without a word`(text: String) {
        #expect(throws: AirlockError(.badRequest, nil)) { try SecretPath(text) }
        #expect(throws: AirlockError(.badRequest, nil)) { try SecretPath.folder(text) }
    }

    @Test func `A path longer than the limit is refused, in bytes`() {
        #expect(throws: AirlockError.self) { try SecretPath(String(repeating: "x", count: 4097)) }
        #expect(throws: AirlockError.self) { try SecretPath(String(repeating: "é", count: 2049)) }
        #expect(throws: Never.self) { try SecretPath(String(repeating: "é", count: 2048)) }
        #expect(throws: Never.self) { try SecretPath(String(repeating: "x", count: 4096)) }
    }

    @Test func `The root of a mount is an empty folder`() throws {
        #expect(try SecretPath.folder("") == "")
    }

    /// To Swift these texts are equal; to a vault they are two paths, and to a policy two rights.
    @Test func `Canonically equivalent paths are two paths`() throws {
        let (composed, combined) = (try SecretPath("caf\u{E9}"), try SecretPath("cafe\u{301}"))
        #expect(composed.text == combined.text)
        #expect(composed != combined)
        #expect(composed == (try SecretPath("caf\u{E9}")))
        #expect(Set([composed, combined, composed]).count == 2)
    }

    @Test func `Paths sort by their bytes`() throws {
        let sorted = try ["Z", "a", "a-b", "a/b", "a0", "é"].map { try SecretPath($0) }
        #expect(sorted.shuffled().sorted() == sorted)
    }
}
