import Synchronization

/// Counters and latencies, for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). Labels are names of
/// mounts, upstreams and outcomes: never a path, an id or anything a client chooses.
package final class Metrics: Sendable {
    package enum Counter: String, Sendable, CaseIterable {
        case reads = "airlock_reads_total"
        case coalesced = "airlock_reads_coalesced_total"
        case unanswered = "airlock_reads_unanswered_total"
        case cacheRejected = "airlock_cache_rejected_total"
        case cacheEvicted = "airlock_cache_evicted_total"
        case invalidations = "airlock_invalidations_total"
        case logins = "airlock_logins_total"
        case upstreamRequests = "airlock_upstream_requests_total"
        case upstreamLogins = "airlock_upstream_logins_total"
    }

    package enum Latency: String, Sendable, CaseIterable {
        case requests = "airlock_request_seconds"
        case upstreamRequests = "airlock_upstream_request_seconds"
    }

    package struct Distribution: Sendable {
        /// Observations at or below each bound of `Latency.bounds`, not cumulated.
        package var counts = [UInt64](repeating: 0, count: Latency.bounds.count + 1)
        package var sum = 0.0

        fileprivate mutating func note(_ seconds: Double, at place: Int) {
            counts[place] += 1
            sum += seconds
        }
    }

    package struct Series<Name: Hashable & Sendable>: Hashable, Sendable {
        package let name: Name
        /// Values, in the order of the name's `labels`.
        package let labels: [String]
    }

    /// One series of a latency, for who observes it often.
    package final class Histogram: Sendable {
        private let distribution = Mutex(Distribution())

        fileprivate init() {}

        package func observe(seconds: Double) {
            let place = Latency.bounds.firstIndex { seconds <= $0 } ?? Latency.bounds.count
            distribution.withLock { $0.note(seconds, at: place) }
        }

        fileprivate var value: Distribution { distribution.withLock { $0 } }
    }

    /// One series of a counter, for who adds to it often.
    package final class Count: Sendable {
        private let count = Atomic<UInt64>(0)

        fileprivate init() {}

        package func add(_ amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

        fileprivate var value: UInt64 { count.load(ordering: .relaxed) }
    }

    private struct Values {
        var counters: [Series<Counter>: Count] = [:]
        var latencies: [Series<Latency>: Histogram] = [:]
    }

    private let values = Mutex(Values())

    /// The secrets mounts that have a name of their own; `nil`: all. Any other is one that a client named, and counts as `*`.
    private let mounts: Set<String>?

    package init(mounts: Set<String>? = nil) { self.mounts = mounts }

    /// - Parameter labels: values of the counter's `labels`, in order.
    package func add(_ counter: Counter, _ labels: String..., by amount: UInt64 = 1) {
        count(counter, labels).add(amount)
    }

    /// - Parameter labels: values of the counter's `labels`, in order.
    package func count(_ counter: Counter, _ labels: String...) -> Count { count(counter, labels) }

    private func count(_ counter: Counter, _ labels: [String]) -> Count {
        var labels = labels
        if counter.isOfSecretsMount, let mounts, !mounts.contains(labels[0]) { labels[0] = "*" }
        let series = Series(name: counter, labels: labels)
        return values.withLock { values in
            if let known = values.counters[series] { return known }
            let made = Count()
            values.counters[series] = made
            return made
        }
    }

    package func observe(_ latency: Latency, _ labels: String..., seconds: Double) {
        histogram(Series(name: latency, labels: labels)).observe(seconds: seconds)
    }

    /// - Parameter labels: values of the latency's `labels`, in order.
    package func histogram(_ latency: Latency, _ labels: String...) -> Histogram {
        histogram(Series(name: latency, labels: labels))
    }

    private func histogram(_ series: Series<Latency>) -> Histogram {
        values.withLock { values in
            if let known = values.latencies[series] { return known }
            let made = Histogram()
            values.latencies[series] = made
            return made
        }
    }

    package var counters: [Series<Counter>: UInt64] { values.withLock { $0.counters }.mapValues(\.value) }
    package var latencies: [Series<Latency>: Distribution] { values.withLock { $0.latencies }.mapValues(\.value) }
}

extension Metrics.Counter {
    fileprivate var isOfSecretsMount: Bool { self != .logins && labels.first == "mount" }

    package var labels: [String] {
        switch self {
        case .reads: ["mount", "outcome"]
        case .coalesced, .unanswered, .cacheRejected, .cacheEvicted, .invalidations: ["mount"]
        case .logins: ["mount", "result"]
        case .upstreamRequests, .upstreamLogins: ["upstream", "result"]
        }
    }

    package var help: String {
        switch self {
        case .reads: "Reads of secrets on mounts with a cache, by where the answer came from."
        case .coalesced: "Reads that waited for a fetch that another read had begun."
        case .unanswered: "Reads answered 503: the backend could not be asked and nothing usable was cached."
        case .cacheRejected: "Cache entries that did not open: altered, moved, or fetched from elsewhere."
        case .cacheEvicted: "Cache entries dropped to stay within the limits."
        case .invalidations: "Cache entries marked expired by an invalidation."
        case .logins: "Logins of clients, by the mount they logged in at; `upstream` is the vault that decides."
        case .upstreamRequests:
            "Requests to an upstream, by what came of them: an HTTP status class or a kind of failure."
        case .upstreamLogins: "Logins to an upstream, Airlock's own and those of clients that it had verified there."
        }
    }
}

extension Metrics.Latency {
    /// Seconds.
    package static let bounds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    package var labels: [String] {
        switch self {
        case .requests: ["surface"]
        case .upstreamRequests: ["upstream"]
        }
    }

    package var help: String {
        switch self {
        case .requests: "Time to answer a request, by surface."
        case .upstreamRequests: "Time an upstream took to answer."
        }
    }
}
