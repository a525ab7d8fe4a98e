import Testing

@testable import AirlockCore

struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (1_795_252_812_859_452_146, "2026-11-21T09:20:12.859452146Z"),
        (1_795_252_812_106_400_890, "2026-11-21T09:20:12.10640089Z"),
        (1_795_252_812_500_000_000, "2026-11-21T09:20:12.5Z"), (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"), (-1_000_000_000, "1969-12-31T23:59:59Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00Z"), (Int64.max, "2262-04-11T23:47:16.854775807Z"),
        (Int64.min, "1677-09-21T00:12:43.145224192Z"),
    ])
    func `A moment is written in UTC, without zeros at its end`(nanoseconds: Int64, text: String) {
        #expect(Timestamp(nanoseconds: nanoseconds).rfc3339 == text)
    }

    @Test func `An absurd duration means never, and does not overflow`() {
        let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
        #expect(now.adding(seconds: .max).nanoseconds == .max)
        #expect(now.adding(seconds: 10_000_000_000).nanoseconds == .max)
        #expect(now.adding(seconds: 60).seconds(after: now) == 60)
        #expect(now.seconds(after: now.adding(seconds: 60)) == 0)
        #expect(now.adding(nanoseconds: 59_999_999_999).seconds(after: now) == 59)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2026-11-21T09:15:20.10640089Z", 1_795_252_520_106_400_890),
        ("2000-02-29T23:59:59.999999999Z", 951_868_799_999_999_999), ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("2026-11-21T10:15:20+01:00", 1_795_252_520_000_000_000),
        ("2026-11-21T03:45:20-05:30", 1_795_252_520_000_000_000),
        ("2026-11-21t09:15:20.1064008901234z", 1_795_252_520_106_400_890),
    ])
    func `A text of RFC 3339 is read to the nanosecond`(text: String, nanoseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [-6_000_000_000_000_000_001, -1, 0, 1, 1_795_252_520_106_400_890, 4_102_444_800_000_000_000])
    func `What is written is read back`(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        #expect(Timestamp(rfc3339: time.rfc3339) == time)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-11-21T09:15:20", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T09:15:20.Z", "2026-11-21T09:15:20+1:00", "2026-11-21T09:15:20Zx", "2026-11-21T09:15:2éZ",
        "9999-12-31T23:59:59Z", "+026-11-21T09:15:20Z", "2026-11-21T09:15:20+01:", "2026-00-10T00:00:00Z",
    ])
    func `Any other text is no time`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }
}
