/// Metrics as text, format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
package struct PrometheusText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What is measured when it is asked for.
    package struct Gauge: Sendable {
        package let name: String
        package let help: String
        package var samples: [(labels: [(name: String, value: String)], value: Double)] = []

        package init(_ name: String, help: String) {
            self.name = name
            self.help = help
        }

        package mutating func add(_ labels: (name: String, value: String)..., value: Double) {
            samples.append((labels, value))
        }
    }

    package private(set) var text = ""

    /// Each metric is described, also before it has a value, so that an alert can be written for it.
    package init(_ metrics: Metrics, gauges: [Gauge]) {
        let counters = metrics.counters
        for name in Metrics.Counter.allCases {
            describe(name.rawValue, name.help, type: "counter")
            for (series, value) in PrometheusText.sorted(counters, of: name) {
                add(name.rawValue, Array(zip(name.labels, series.labels)), "\(value)")
            }
        }
        let latencies = metrics.latencies
        for name in Metrics.Latency.allCases {
            describe(name.rawValue, name.help, type: "histogram")
            for (series, value) in PrometheusText.sorted(latencies, of: name) {
                add(value, of: name.rawValue, Array(zip(name.labels, series.labels)))
            }
        }
        for gauge in gauges {
            describe(gauge.name, gauge.help, type: "gauge")
            for (labels, value) in gauge.samples { add(gauge.name, labels, PrometheusText.number(value)) }
        }
    }

    private static func sorted<Name, Value>(
        _ values: [Metrics.Series<Name>: Value], of name: Name
    ) -> [(Metrics.Series<Name>, Value)] {
        values.filter { $0.key.name == name }.sorted { $0.key.labels.lexicographicallyPrecedes($1.key.labels) }
            .map { ($0.key, $0.value) }
    }

    private mutating func describe(_ name: String, _ help: String, type: String) {
        let help = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func add(_ name: String, _ labels: [(name: String, value: String)], _ value: String) {
        let pairs = labels.map { "\($0.name)=\"\(PrometheusText.escaped($0.value))\"" }.joined(separator: ",")
        text += name + (pairs.isEmpty ? "" : "{\(pairs)}") + " \(value)\n"
    }

    private mutating func add(
        _ distribution: Metrics.Distribution, of name: String, _ labels: [(name: String, value: String)]
    ) {
        var count: UInt64 = 0
        for (place, more) in distribution.counts.enumerated() {
            count += more
            let bounds = Metrics.Latency.bounds
            let bound = place < bounds.count ? PrometheusText.number(bounds[place]) : "+Inf"
            add(name + "_bucket", labels + [("le", bound)], "\(count)")
        }
        add(name + "_sum", labels, PrometheusText.number(distribution.sum))
        add(name + "_count", labels, "\(count)")
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func number(_ value: Double) -> String { Int64(exactly: value).map(String.init) ?? "\(value)" }
}
