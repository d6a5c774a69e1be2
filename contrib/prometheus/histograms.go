package prometheus

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/socketio-go/socketio"
)

// Histograms measure how long handlers, acks, connects, upgrades and heartbeats take.
// Each is a classic and a native histogram. Set [Histograms.Hooks] in the options of one
// server, and call [Histograms.Measure] for its namespaces.
type Histograms struct {
	namespaces     *namespaceLabels
	events, emits  *labelSet
	handler, ack   *prometheus.HistogramVec
	connect, pongs *prometheus.HistogramVec
	upgrade        prometheus.Histogram
}

var _ prometheus.Collector = (*Histograms)(nil)

// NewHistograms returns histograms. A nil opts means the defaults.
func NewHistograms(opts *Options) *Histograms {
	if opts == nil {
		opts = new(Options)
	}
	buckets := opts.Buckets
	if buckets == nil {
		buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	}
	options := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{
			Namespace: "socketio", Name: name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}
	}
	vec := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(options(name, help), labels)
	}
	return &Histograms{
		namespaces: newNamespaceLabels(opts),
		events:     newLabelSet(MaxEvents),
		emits:      newLabelSet(MaxEvents),
		handler:    vec("handler_duration_seconds", "Time that the handlers of an event took.", "namespace", "event", "result"),
		ack:        vec("ack_duration_seconds", "Time from an event to the ack of its receiver.", "namespace", "event", "result"),
		connect:    vec("connect_duration_seconds", "Time from CONNECT to the end of the middleware.", "namespace", "result"),
		pongs:      vec("heartbeat_rtt_seconds", "Time from a ping to its pong.", "transport"),
		upgrade:    prometheus.NewHistogram(options("upgrade_duration_seconds", "Time from the handshake of a WebSocket to the end of the upgrade.")),
	}
}

func (h *Histograms) collectors() []prometheus.Collector {
	return []prometheus.Collector{h.handler, h.ack, h.connect, h.pongs, h.upgrade}
}

// Describe implements [prometheus.Collector].
func (h *Histograms) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range h.collectors() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (h *Histograms) Collect(ch chan<- prometheus.Metric) {
	for _, c := range h.collectors() {
		c.Collect(ch)
	}
}

// Hooks returns hooks for the options of a server. Those of next, which may be nil, are
// called as well.
func (h *Histograms) Hooks(next *socketio.Hooks) *socketio.Hooks {
	hooks := new(socketio.Hooks)
	if next != nil {
		*hooks = *next
	}
	was := *hooks
	hooks.Connect = func(s *socketio.Socket, took time.Duration, err error) {
		h.connect.WithLabelValues(h.namespaces.of(s.Namespace()), resultOf(err)).Observe(took.Seconds())
		if was.Connect != nil {
			was.Connect(s, took, err)
		}
	}
	hooks.Upgrade = func(sockets []*socketio.Socket, took time.Duration) {
		h.upgrade.Observe(took.Seconds())
		if was.Upgrade != nil {
			was.Upgrade(sockets, took)
		}
	}
	hooks.Pong = func(c socketio.Connection, rtt time.Duration) {
		h.pongs.WithLabelValues(c.Transport.String()).Observe(rtt.Seconds())
		if was.Pong != nil {
			was.Pong(c, rtt)
		}
	}
	hooks.Ack = func(s *socketio.Socket, event string, took time.Duration, err error) {
		h.ack.WithLabelValues(h.namespaces.of(s.Namespace()), h.emits.label(event), resultOf(err)).Observe(took.Seconds())
		if was.Ack != nil {
			was.Ack(s, event, took, err)
		}
	}
	return hooks
}

// Measure measures the handlers of namespaces, or of the children of templates. It adds
// an interceptor to each of them. Call it before other interceptors are added, so that
// it includes their time.
func (h *Histograms) Measure(namespaces ...*socketio.Namespace) {
	for _, n := range namespaces {
		label := h.namespaces.of(n)
		n.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
			event := Other // clients choose names that have no handler
			if s.Handles(m.Event) {
				event = h.events.label(m.Event)
			}
			began, result := time.Now(), "panic"
			defer func() {
				h.handler.WithLabelValues(label, event, result).Observe(time.Since(began).Seconds())
			}()
			results, err := next(ctx, m)
			result = resultOf(err)
			return results, err
		})
	}
}

// resultOf returns the label of an error.
func resultOf(err error) string {
	var refused *socketio.Error
	var panicked *socketio.PanicError
	var arguments *socketio.DecodeError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &panicked):
		return "panic"
	case errors.As(err, &arguments):
		return "bad_arguments"
	case errors.As(err, &refused):
		return "refused"
	case errors.Is(err, socketio.ErrClosed):
		return "closed"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "error"
}
