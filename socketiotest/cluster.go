package socketiotest

import (
	"net/http"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
)

// A Bus joins the servers of a [Cluster] in memory. Its methods may be called
// concurrently and do not block.
type Bus struct {
	bus     *adaptertest.Bus
	servers []*adaptertest.Server
	hosts   []*Host
}

// Cluster serves n servers on one bus in memory until the test ends; see [Serve].
// newServer returns the handler of server i, whose [socketio.Options].Adapter must be
// bus.
func Cluster(t testing.TB, n int, newServer func(i int, bus adapter.Adapter) http.Handler, opts ...Option) ([]*Host, *Bus) {
	t.Helper()
	b := &Bus{bus: adaptertest.NewBus(1, adaptertest.Faults{})}
	leaks := newLeaks(t)
	for i := range n {
		server := b.bus.Server()
		b.servers = append(b.servers, server)
		var handler http.Handler
		leaks.start(func() { handler = newServer(i, server) })
		b.hosts = append(b.hosts, serve(t, handler, leaks, b, opts))
	}
	return b.hosts, b
}

// Partition separates server i from the others until [Bus.Heal]. What is published
// meanwhile is lost between them. For [adaptertest.DeadAfter] each side believes that
// the other is there and waits for its responses.
func (b *Bus) Partition(i int) { b.servers[i].Cut() }

// Heal ends a Partition.
func (b *Bus) Heal(i int) { b.servers[i].Heal() }

// Stop stops the bus: what is published waits until [Bus.Start], or is refused with
// [adapter.ErrBacklog].
func (b *Bus) Stop() { b.bus.Stop() }

// Start ends a Stop. What has waited is delivered.
func (b *Bus) Start() { b.bus.Start() }

// Delay makes messages late by a random time of less than d, so that they overtake each
// other. Zero is no delay.
func (b *Bus) Delay(d time.Duration) {
	b.bus.Change(func(f *adaptertest.Faults) { f.Delay = d })
}

// Lose loses messages with a probability.
func (b *Bus) Lose(probability float64) {
	b.bus.Change(func(f *adaptertest.Faults) { f.Lose = probability })
}

// Duplicate delivers messages twice with a probability.
func (b *Bus) Duplicate(probability float64) {
	b.bus.Change(func(f *adaptertest.Faults) { f.Duplicate = probability })
}
