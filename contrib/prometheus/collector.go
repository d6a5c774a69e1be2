package prometheus

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/socketio-go/socketio"
)

// cacheTime is how long a Collector keeps what it has read, because reading looks at
// every connection.
const cacheTime = time.Second

// A Collector shows the counters of a server. It reads them when it is scraped, at most
// once a second.
type Collector struct {
	io         *socketio.Server
	namespaces *namespaceLabels

	mu     sync.Mutex // guards the following
	readAt time.Time
	last   []prometheus.Metric
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a collector of the counters of io. Register it once in a
// registry; several servers in one registry need [prometheus.WrapRegistererWith] with a
// label that tells them apart. A nil opts means the defaults.
func NewCollector(io *socketio.Server, opts *Options) *Collector {
	if opts == nil {
		opts = new(Options)
	}
	return &Collector{io: io, namespaces: newNamespaceLabels(opts)}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("socketio_"+name, help, labels, nil)
}

var (
	connections = desc("connections", "Connections that are open.", "transport", "protocol")
	closed      = desc("connections_closed_total", "Connections that have ended.", "reason")
	sockets     = desc("sockets", "Sockets that are connected.", "namespace")
	rooms       = desc("rooms", "Rooms that have a socket, without the own rooms of sockets.", "namespace")
	connects    = desc("connects_total", "Sockets that have connected.", "namespace")
	disconnects = desc("disconnects_total", "Sockets that have disconnected.", "namespace", "reason")
	recoveries  = desc("recoveries_total", "Clients that asked to resume a session.", "namespace", "result")
	queued      = desc("queued_bytes", "Memory of messages that wait to be written.")
	inbox       = desc("inbox_events", "Events that wait for their handlers.")
	paused      = desc("readers_paused", "Connections that are not read because their inboxes are full.")

	emitted = desc("messages_emitted_total", "Messages that were emitted to open connections.")
	written = desc("messages_written_total", "Messages that were written to the network.")
	dropped = desc("messages_dropped_total", "Messages that were not written.", "reason")
	pending = desc("messages_pending", "Messages that wait to be written.")

	refused       = desc("requests_refused_total", "Requests that were refused.", "code")
	panics        = desc("panics_total", "Panics of functions of the application.")
	handlerErrors = desc("handler_errors_total", "Errors that handlers and middleware returned.")
	badArguments  = desc("bad_arguments_total", "Events whose arguments did not fit their handler.")
	stuck         = desc("stuck_handlers_total", "Connections that were closed because a handler did not return.")
	unhandled     = desc("unhandled_events_total", "Events without a handler.")
	unanswered    = desc("unanswered_acks_total", "Events whose ack was never sent.")
	badPackets    = desc("bad_packets_total", "Connections that were closed because of a malformed packet.")
	lateAcks      = desc("late_acks_total", "Acks that were not awaited.")
	slow          = desc("slow_clients_total", "Connections that were closed because the client was slow.")

	clusterReady     = desc("cluster_ready", "Whether every namespace is connected to the cluster.")
	clusterPublished = desc("cluster_published_total", "Messages sent to other servers.")
	clusterReceived  = desc("cluster_received_total", "Messages received from other servers.")
	clusterLost      = desc("cluster_lost_total", "Messages that were lost between servers.")
	clusterMalformed = desc("cluster_malformed_total", "Messages of other servers that were not understood.")

	buildInfo = desc("build_info", "The version of the library.", "version", "goversion")

	descs = []*prometheus.Desc{
		connections, closed, sockets, rooms, connects, disconnects, recoveries, queued, inbox, paused,
		emitted, written, dropped, pending,
		refused, panics, handlerErrors, badArguments, stuck, unhandled, unanswered, badPackets, lateAcks, slow,
		clusterReady, clusterPublished, clusterReceived, clusterLost, clusterMalformed, buildInfo,
	}
)

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	if c.last == nil || time.Since(c.readAt) >= cacheTime {
		c.last, c.readAt = c.read(), time.Now()
	}
	list := c.last
	c.mu.Unlock()
	for _, m := range list {
		ch <- m
	}
}

// A reading collects metrics.
type reading []prometheus.Metric

func (r *reading) gauge(d *prometheus.Desc, v float64, labels ...string) {
	*r = append(*r, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
}

func (r *reading) counter(d *prometheus.Desc, v uint64, labels ...string) {
	*r = append(*r, prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...))
}

func (c *Collector) read() []prometheus.Metric {
	var r reading
	st := c.io.Stats()
	r.gauge(connections, float64(st.Transports.Polling), "polling", "4")
	r.gauge(connections, float64(st.Transports.WebSocket), "websocket", "4")
	r.gauge(connections, float64(st.Transports.PollingV2), "polling", "3")
	r.gauge(connections, float64(st.Transports.WebSocketV2), "websocket", "3")
	for reason, n := range st.Closed.All() {
		r.counter(closed, n, string(reason))
	}
	r.gauge(queued, float64(st.QueuedBytes))
	r.gauge(inbox, float64(st.InboxEvents))
	r.gauge(paused, float64(st.PausedReaders))

	r.counter(emitted, st.Messages.Emitted)
	r.counter(written, st.Messages.Written)
	r.counter(dropped, st.Messages.DroppedVolatile, "volatile")
	r.counter(dropped, st.Messages.DroppedSlow, "slow")
	r.counter(dropped, st.Messages.DroppedClosed, "closed")
	r.gauge(pending, float64(st.Messages.Pending))

	r.counter(refused, st.Refused.UnknownTransport, "unknown_transport")
	r.counter(refused, st.Refused.UnknownSession, "unknown_session")
	r.counter(refused, st.Refused.BadMethod, "bad_method")
	r.counter(refused, st.Refused.BadRequest, "bad_request")
	r.counter(refused, st.Refused.Forbidden, "forbidden")
	r.counter(refused, st.Refused.BadVersion, "bad_version")
	r.counter(refused, st.Refused.Busy, "busy")
	r.counter(panics, st.Panics)
	r.counter(handlerErrors, st.HandlerErrors)
	r.counter(badArguments, st.BadArguments)
	r.counter(stuck, st.StuckHandlers)
	r.counter(unhandled, st.Unhandled)
	r.counter(unanswered, st.UnansweredAcks)
	r.counter(badPackets, st.BadPackets)
	r.counter(lateAcks, st.LateAcks)
	r.counter(slow, st.Slow)

	if st.Cluster.Enabled {
		ready := 0.0
		if st.Cluster.Connected {
			ready = 1
		}
		r.gauge(clusterReady, ready)
		r.counter(clusterPublished, st.Cluster.Published)
		r.counter(clusterReceived, st.Cluster.Received)
		r.counter(clusterLost, st.Cluster.Lost)
		r.counter(clusterMalformed, st.Cluster.Malformed)
	}
	c.readNamespaces(&r)
	r.gauge(buildInfo, 1, version, runtime.Version())
	return r
}

// namespaceSums are the counters of the namespaces that share a label.
type namespaceSums struct {
	sockets, rooms int
	connects       uint64
	disconnects    map[socketio.Reason]uint64
	recovery       socketio.RecoveryStats
}

func (c *Collector) readNamespaces(r *reading) {
	sums := make(map[string]*namespaceSums)
	for n := range c.io.Templates() {
		c.addNamespace(sums, n)
	}
	for n := range c.io.Namespaces() {
		if n.Template() == nil {
			c.addNamespace(sums, n)
		}
	}
	for label, sum := range sums {
		r.gauge(sockets, float64(sum.sockets), label)
		r.gauge(rooms, float64(sum.rooms), label)
		r.counter(connects, sum.connects, label)
		for reason, n := range sum.disconnects {
			r.counter(disconnects, n, label, string(reason))
		}
		r.counter(recoveries, sum.recovery.Recovered, label, "recovered")
		r.counter(recoveries, sum.recovery.Expired, label, "expired")
		r.counter(recoveries, sum.recovery.Evicted, label, "evicted")
		r.counter(recoveries, sum.recovery.Failed, label, "failed")
	}
}

func (c *Collector) addNamespace(sums map[string]*namespaceSums, n *socketio.Namespace) {
	label := c.namespaces.of(n)
	sum := sums[label]
	if sum == nil {
		sum = &namespaceSums{disconnects: make(map[socketio.Reason]uint64)}
		sums[label] = sum
	}
	st := n.Stats()
	sum.sockets += st.Sockets
	sum.rooms += st.Rooms
	sum.connects += st.Connects
	for reason, n := range st.Disconnects.All() {
		sum.disconnects[reason] += n
	}
	sum.recovery.Recovered += st.Recovery.Recovered
	sum.recovery.Expired += st.Recovery.Expired
	sum.recovery.Evicted += st.Recovery.Evicted
	sum.recovery.Failed += st.Recovery.Failed
}

// version is that of the library in this program, or "(devel)".
var version = func() string {
	const library = "github.com/socketio-go/socketio"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == library && m.Version != "" {
			return m.Version
		}
	}
	return "(devel)"
}()
