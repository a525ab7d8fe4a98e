import AirlockCore
import Testing

struct IDPatternTests {
    @Test(arguments: [
        ("pg", "my_PG_1", true), ("p_1", "PG1", true), ("p_1", "p1", false), ("%a%b", "xaxbx", true),
        ("b%a", "ab", false), ("", "anything", true), ("~", "anything", true), ("a|b", "xbx", true),
        (" a | b ", "b", true), ("a|", "b", false), ("|", "a|b", true), ("|", "ab", false), ("~a", "ba", false),
        ("É", "café", true), ("_", "", false),
    ])
    func `A search is found anywhere, whatever the case, with SQL's wildcards`(
        _ pattern: String, id: String, isIn: Bool
    ) {
        #expect(IDPattern(search: pattern).matches(id) == isIn)
    }

    @Test(arguments: [
        ("pg", "pg_1", true), ("pg", "PG_1", false), ("pg", "my_pg", false), ("pg_", "pgx", true), ("p_", "pg", true),
        ("p_g", "pxg", false), ("~", "x", true), ("--", "x", true), ("a|b", "bx", true), ("", "x", true),
    ])
    func `A prefix is at the beginning, in its case, without signs at its end`(
        _ pattern: String, id: String, isIn: Bool
    ) {
        #expect(IDPattern(prefix: pattern).matches(id) == isIn)
    }

    @Test func `No pattern takes forever`() {
        let pattern = IDPattern(search: String(repeating: "%a", count: 400) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 200)))
    }
}
