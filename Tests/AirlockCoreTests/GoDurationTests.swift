import Testing

@testable import AirlockCore

/// VAULT-PROTOCOL 1.4; https://pkg.go.dev/time#ParseDuration.
struct GoDurationTests {
    private static let second: Int64 = 1_000_000_000

    @Test(arguments: [
        ("", 0), ("0", 0), ("90", 90 * second), ("-1", -second), ("1h30m", 5400 * second), ("1.5h", 5400 * second),
        ("10ms", 10_000_000), ("2d", 172_800 * second),
        ("1d12h", 129_600 * second), ("1us", 1_000), ("1µs", 1_000), ("1μs", 1_000), ("1ns", 1),
        ("-1h", -3600 * second), ("+5s", 5 * second), (".5s", second / 2), ("5.s", 5 * second),
        ("1h0m0s", 3600 * second), ("0s", 0), ("99999h", 359_996_400 * second), ("9223372036", 9_223_372_036 * second),
    ])
    func `A duration that Vault takes is taken`(text: String, nanoseconds: Int64) {
        #expect(GoDuration.parse(text) == nanoseconds)
    }

    @Test(arguments: [
        "1w", "1y", "1H", " 5m ", "5m ", " 5m", "90.7", "bogus", "h", ".", ".s", "-", "+", "--1s", "1h-5m", "1 h",
        "1e3s", "0x1s", "٣s", "1.2.3s", "1hm", "9223372037", "999999999999h",
        "1s\0", "inf", "nans", "s1",
    ])
    func `Anything else is no duration`(text: String) {
        #expect(GoDuration.parse(text) == nil)
    }

    @Test(arguments: [
        (0, "0s"), (1, "1ns"), (1_500, "1.5µs"), (10_000_000, "10ms"), (1_500_000_000, "1.5s"), (60 * second, "1m0s"),
        (5400 * second, "1h30m0s"), (3600 * second, "1h0m0s"),
        (-90 * second, "-1m30s"), (3_601_000_000_001, "1h0m1.000000001s"), (Int64.max, "2562047h47m16.854775807s"),
        (Int64.min, "-2562047h47m16.854775808s"),
    ])
    func `A duration is written as Go writes it`(nanoseconds: Int64, text: String) {
        #expect(GoDuration.format(nanoseconds) == text)
    }

    @Test(arguments: [
        (2_764_800, "768h"), (5400, "1h30m"), (90, "1m30s"), (60, "1m"), (5, "5s"), (0, "0s"), (3605, "1h0m5s"),
        (600, "10m"), (36_000, "10h"),
    ])
    func `In a warning the zero units at its end are left out`(seconds: Int, text: String) {
        #expect(GoDuration.short(seconds: seconds) == text)
    }
}
