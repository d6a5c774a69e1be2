// Package prometheus shows the metrics of a Socket.IO server to Prometheus.
//
// A [Collector] reads the server's counters when it is scraped, and costs nothing
// otherwise. [Histograms] measure durations, through hooks and an interceptor, and cost a
// little for every event. Both are a [prometheus.Collector].
//
// The number of series is bounded, whatever clients do: see [Options] and
// docs/metrics.md.
package prometheus
