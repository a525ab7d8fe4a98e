import AirlockCore
import HTTPTypes

/// `sys/metrics`: what has been counted, and the state of the mounts that have a cache, as Prometheus reads it.
enum MetricsRoutes {
    static let table: [Route] = [Route("metrics", fields: ["format"], [.read: read])]

    private static let read: Route.Handler = { call in
        guard [nil, "prometheus"].contains(call.request.query["format"]) else {
            throw AirlockError.badRequest("format must be prometheus, or be left out")
        }
        let services = call.services
        var start = PrometheusText.Gauge("process_start_time_seconds", help: "When Airlock started, since 1970 UTC.")
        start.add(value: Double(services.started.nanoseconds) / 1e9)
        let bound = services.registry.bound.all
        let gauges = caches(bound, now: services.now()) + [upstreams(bound), start]
        return VaultResponse(
            status: .ok, body: .text(PrometheusText(services.metrics, gauges: gauges).text, PrometheusText.contentType))
    }

    private static func caches(_ mounts: [BoundMount], now: Timestamp) -> [PrometheusText.Gauge] {
        var entries = PrometheusText.Gauge("airlock_cache_entries", help: "Answers kept.")
        var bytes = PrometheusText.Gauge("airlock_cache_bytes", help: "Sealed bytes of the answers kept.")
        var negatives = PrometheusText.Gauge(
            "airlock_cache_negatives", help: "Answers kept that say that there is nothing.")
        var oldest = PrometheusText.Gauge(
            "airlock_cache_oldest_entry_seconds", help: "Age of the oldest answer kept; 0 when there is none.")
        var stale = PrometheusText.Gauge(
            "airlock_cache_oldest_stale_entry_seconds",
            help: "Age of the oldest answer kept that is no longer fresh; 0 when there is none.")
        for bound in mounts {
            let status = bound.cacheStatus
            let mount = (name: "mount", value: bound.mount.path)
            func age(_ moment: Timestamp?) -> Double { moment.map { Double(now.seconds(after: $0)) } ?? 0 }
            entries.add(mount, value: Double(status.entries))
            bytes.add(mount, value: Double(status.bytes))
            negatives.add(mount, value: Double(status.negatives))
            oldest.add(mount, value: age(status.oldest))
            stale.add(mount, value: age(status.oldestStale(at: now, bound.readThrough.rule)))
        }
        return [entries, bytes, negatives, oldest, stale]
    }

    /// Two logins at one address are one upstream here: it is up when every login there works.
    private static func upstreams(_ mounts: [BoundMount]) -> PrometheusText.Gauge {
        var up: [String: Bool] = [:]
        for upstream in mounts.flatMap(\.upstreams) {
            up[upstream.origin, default: true] = up[upstream.origin, default: true] && !upstream.state.isOpen
        }
        var gauge = PrometheusText.Gauge(
            "airlock_upstream_up", help: "1 while an upstream is asked, 0 while it is not because it did not answer.")
        for (address, isUp) in up.sorted(by: { $0.key < $1.key }) {
            gauge.add(("upstream", address), value: isUp ? 1 : 0)
        }
        return gauge
    }
}
