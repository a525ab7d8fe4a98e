import Testing

@testable import AirlockCore

struct PrometheusTextTests {
    private static func lines(_ metrics: Metrics, _ gauges: [PrometheusText.Gauge] = []) -> [String] {
        PrometheusText(metrics, gauges: gauges).text.split(separator: "\n").map(String.init)
    }

    @Test func `Counters stand below their description, sorted by label`() throws {
        let metrics = Metrics()
        metrics.add(.reads, "b/", "HIT")
        metrics.add(.reads, "a/", "MISS", by: 3)
        metrics.add(.reads, "b/", "HIT")
        let lines = PrometheusTextTests.lines(metrics)
        let type = try #require(lines.firstIndex(of: "# TYPE airlock_reads_total counter"))
        #expect(lines[type - 1] == "# HELP airlock_reads_total \(Metrics.Counter.reads.help)")
        #expect(
            lines[(type + 1)...].prefix(2) == [
                "airlock_reads_total{mount=\"a/\",outcome=\"MISS\"} 3",
                "airlock_reads_total{mount=\"b/\",outcome=\"HIT\"} 2",
            ])
    }

    @Test func `A histogram's buckets are cumulative and end with its sum and count`() {
        let metrics = Metrics()
        for seconds in [0.000_25, 0.3, 99] { metrics.observe(.requests, "vault", seconds: seconds) }
        let lines = PrometheusTextTests.lines(metrics).filter { $0.hasPrefix("airlock_request_seconds") }
        #expect(lines.count == Metrics.Latency.bounds.count + 3)
        for line in [
            "airlock_request_seconds_bucket{surface=\"vault\",le=\"0.0001\"} 0",
            "airlock_request_seconds_bucket{surface=\"vault\",le=\"0.00025\"} 1",
            "airlock_request_seconds_bucket{surface=\"vault\",le=\"0.5\"} 2",
            "airlock_request_seconds_bucket{surface=\"vault\",le=\"10\"} 2",
            "airlock_request_seconds_bucket{surface=\"vault\",le=\"+Inf\"} 3",
            "airlock_request_seconds_sum{surface=\"vault\"} 99.30025",
            "airlock_request_seconds_count{surface=\"vault\"} 3",
        ] { #expect(lines.contains(line), "\(line)") }
    }

    @Test func `Quotes, backslashes and line ends in a label's value are escaped`() {
        var gauge = PrometheusText.Gauge("g", help: "One \\ two\nthree.")
        gauge.add(("mount", "a\"b\\c\nd/"), value: 1.5)
        gauge.add(value: 7)
        #expect(
            PrometheusTextTests.lines(Metrics(), [gauge]).suffix(4) == [
                "# HELP g One \\\\ two\\nthree.", "# TYPE g gauge", "g{mount=\"a\\\"b\\\\c\\nd/\"} 1.5", "g 7",
            ])
    }

    @Test func `Every metric is described before it has a value`() {
        let lines = PrometheusTextTests.lines(Metrics())
        let names = Metrics.Counter.allCases.map(\.rawValue) + Metrics.Latency.allCases.map(\.rawValue)
        #expect(lines.count == 2 * names.count)
        for name in names { #expect(lines.contains { $0.hasPrefix("# HELP \(name) ") && $0.hasSuffix(".") }) }
    }

    @Test func `Mounts that clients name are one mount to the metrics, ways to log in are not`() {
        let metrics = Metrics(mounts: ["airflow/"])
        for n in 0..<300 { metrics.add(.reads, "client-\(n)/", "MISS") }
        metrics.add(.reads, "airflow/", "MISS")
        metrics.add(.logins, "approle/", "ok")
        let lines = PrometheusTextTests.lines(metrics).filter { !$0.hasPrefix("#") }
        #expect(
            lines == [
                "airlock_reads_total{mount=\"*\",outcome=\"MISS\"} 300",
                "airlock_reads_total{mount=\"airflow/\",outcome=\"MISS\"} 1",
                "airlock_logins_total{mount=\"approle/\",result=\"ok\"} 1",
            ])
    }
}
