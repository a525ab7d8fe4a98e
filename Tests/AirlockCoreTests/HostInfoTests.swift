import AirlockCore
import Testing

/// The kernel's texts, read.
struct HostInfoTests {
    @Test func `Each processor is told with its vendor, its model and its speed`() {
        let text = """
            processor\t: 0
            vendor_id\t: AuthenticAMD
            model name\t: AMD EPYC: 9R14
            cpu MHz\t\t: 2596.120
            flags\t\t: fpu vme

            processor\t: 1
            vendor_id\t: AuthenticAMD

            """
        #expect(
            HostInfo.processors(text) == [
                .init(vendor: "AuthenticAMD", model: "AMD EPYC: 9R14", megahertz: "2596.120"),
                .init(vendor: "AuthenticAMD"),
            ])
        #expect(HostInfo.processors("").isEmpty)
    }

    @Test func `Memory is told in bytes`() {
        let text = "MemTotal:       24684100 kB\nMemFree:          100 kB\nHugePages_Total:       0\n"
        #expect(HostInfo.memory(text) == ["MemTotal": 25_276_518_400, "MemFree": 102_400])
    }
}
