package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/client"
)

// A report is the outcome of a load.
type report struct {
	URL     string  `json:"url"`
	Seconds float64 `json:"seconds"`
	Clients int     `json:"clients"`
	Joined  int64   `json:"joined"` // clients that have joined

	// Emitted = Answered + Unanswered + NotEmitted with -ack.
	Emitted    uint64 `json:"emitted"`
	Answered   uint64 `json:"answered"`
	Unanswered uint64 `json:"unanswered"`
	NotEmitted uint64 `json:"notEmitted"`

	Received   map[string]uint64 `json:"received"`   // events, by name
	PacketsIn  map[string]uint64 `json:"packetsIn"`  // of Socket.IO, by type
	PacketsOut map[string]uint64 `json:"packetsOut"` // the same
	Errors     map[string]uint64 `json:"errors"`     // by reason

	Answers      *latency `json:"answers,omitempty"`
	Delivery     *latency `json:"delivery,omitempty"`
	Lateness     *latency `json:"lateness,omitempty"` // of the generator
	Storms       int64    `json:"storms,omitempty"`
	Reconnection *latency `json:"reconnection,omitempty"`

	Dropped uint64 `json:"dropped"` // by the clients, because of lost connections and bounds
	Limited string `json:"limited,omitempty"`
}

// A latency has percentiles, in milliseconds.
type latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

func (l *load) report(took time.Duration) *report {
	return &report{
		URL: l.url, Seconds: took.Seconds(), Clients: l.clients, Joined: l.everyone.Load(),
		Emitted: l.emitted.Load(), Answered: l.acked.Load(), NotEmitted: l.refused.Load(),
		Unanswered: l.failed.Load() + uint64(max(0, l.pending.Load())),
		Received:   l.received.all(), PacketsIn: l.packetsIn.all(), PacketsOut: l.packets.all(), Errors: l.errors.all(),
		Answers: l.acks.latency(), Delivery: l.delivery.latency(), Lateness: l.lateness.latency(),
		Storms: l.storms.Load(), Reconnection: l.rejoined.latency(),
	}
}

// add adds what became of the events of a client.
func (r *report) add(s client.Stats) { r.Dropped += s.Dropped.Total() - s.Dropped.Refused }

// lateLimit is how late the generator may emit before its own load is what is measured.
const lateLimit = 50.0 // ms

// finish says whether the generator was the limit.
func (r *report) finish() {
	if r.Lateness != nil && r.Lateness.P99 > lateLimit {
		r.Limited = fmt.Sprintf("the generator is the limit: 1 %% of the events were emitted more than %.0f ms late. Use fewer clients, a lower rate, or another machine.", r.Lateness.P99)
	}
}

// String returns the report as text.
func (r *report) String() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("url", "%s", r.URL)
	row("clients", "%d of %d joined, in %.1f s", r.Joined, r.Clients, r.Seconds)
	row("emitted", "%d events, %.0f a second", r.Emitted, float64(r.Emitted)/r.Seconds)
	if r.Answers != nil || r.Unanswered > 0 {
		row("answered", "%d, not answered %d", r.Answered, r.Unanswered)
	}
	if r.NotEmitted > 0 || r.Dropped > 0 {
		row("lost", "%d not emitted, %d dropped", r.NotEmitted, r.Dropped)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Received)) {
		row("received", "%d %q, %.0f a second", r.Received[name], name, float64(r.Received[name])/r.Seconds)
	}
	for _, l := range []struct {
		name string
		*latency
	}{{"answers", r.Answers}, {"delivery", r.Delivery}, {"reconnection", r.Reconnection}, {"lateness", r.Lateness}} {
		if l.latency != nil {
			row(l.name, "p50 %.1f ms, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f", l.P50, l.P90, l.P99, l.P999, l.Max)
		}
	}
	if r.Storms > 0 {
		row("storms", "%d, in which all connections were cut", r.Storms)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Errors)) {
		row("error", "%d × %s", r.Errors[reason], reason)
	}
	if r.Limited != "" {
		fmt.Fprintln(&b, r.Limited)
	}
	return b.String()
}

// counts are numbers by name.
type counts struct {
	mu sync.RWMutex
	by map[string]*atomic.Uint64
}

func (c *counts) add(name string) {
	c.mu.RLock()
	n := c.by[name]
	c.mu.RUnlock()
	if n == nil {
		c.mu.Lock()
		if c.by == nil {
			c.by = make(map[string]*atomic.Uint64)
		}
		if n = c.by[name]; n == nil {
			n = new(atomic.Uint64)
			c.by[name] = n
		}
		c.mu.Unlock()
	}
	n.Add(1)
}

func (c *counts) all() map[string]uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make(map[string]uint64)
	for name, n := range c.by {
		all[name] = n.Load()
	}
	return all
}

func (c *counts) total() (sum uint64) {
	for _, n := range c.all() {
		sum += n
	}
	return sum
}

// A histogram counts durations in buckets that grow by 2 %, from 1 µs to an hour.
type histogram struct {
	buckets [1200]atomic.Uint64
	max     atomic.Int64
}

var growth = math.Log(1.02)

func (h *histogram) add(d time.Duration) {
	i := int(math.Log(max(1, float64(d)/float64(time.Microsecond))) / growth)
	h.buckets[min(i, len(h.buckets)-1)].Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// latency returns the percentiles, or nil if there is nothing.
func (h *histogram) latency() *latency {
	l := &latency{Max: float64(h.max.Load()) / 1e6}
	for i := range h.buckets {
		l.Count += h.buckets[i].Load()
	}
	if l.Count == 0 {
		return nil
	}
	for _, p := range []struct {
		at float64
		to *float64
	}{{0.5, &l.P50}, {0.9, &l.P90}, {0.99, &l.P99}, {0.999, &l.P999}} {
		rank, sum := uint64(math.Ceil(p.at*float64(l.Count))), uint64(0)
		for i := range h.buckets {
			if sum += h.buckets[i].Load(); sum >= rank {
				*p.to = min(l.Max, math.Exp(float64(i+1)*growth)/1000) // the bucket's upper end
				break
			}
		}
	}
	return l
}
