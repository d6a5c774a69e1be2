package adaptertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// waitLimit is how long a test waits before it fails.
const waitLimit = 30 * time.Second

// A host keeps what a member delivers.
type host struct {
	t       testing.TB
	busy    atomic.Bool // in Deliver
	left    atomic.Bool // the member has left: nothing may be delivered any more
	changed chan struct{}

	mu        sync.Mutex // guards the following
	got       []*adapter.Message
	begun     bool  // a Position was delivered
	read      int64 // the last Position, or that of a message
	malformed int
	lost      int
	status    []error      // the statuses, in order
	probes    map[int]bool // that were delivered; tests do not see them
}

func newHost(t testing.TB) *host {
	return &host{t: t, changed: make(chan struct{}, 1), probes: make(map[int]bool)}
}

// Deliver implements [adapter.Host].
func (h *host) Deliver(m *adapter.Message) {
	if h.busy.Swap(true) {
		h.t.Error("Deliver was called while it ran")
	}
	if h.left.Load() {
		h.t.Error("Deliver was called after Leave")
	}
	defer h.busy.Store(false)
	c := clone(m)
	var probe int
	_, err := fmt.Sscanf(string(c.Data), `["probe",%d]`, &probe)
	h.mu.Lock()
	if c.Position > 0 {
		if c.Position < h.read || c.Position == h.read && c.Kind != adapter.Position {
			h.t.Errorf("position %d was delivered behind %d", c.Position, h.read)
		}
		h.read = c.Position
	}
	switch {
	case c.Kind == adapter.Position:
		h.begun = true
	case c.Position > 0 && !h.begun:
		h.t.Error("an entry was delivered before the first Position")
	}
	if err == nil {
		h.probes[probe] = true
	} else if c.Kind != adapter.Position {
		h.got = append(h.got, c)
	}
	h.mu.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Wants implements [adapter.Host].
func (h *host) Wants(...string) bool { return true }

// Lost implements [adapter.Host].
func (h *host) Lost(n int, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost += n
}

// Status implements [adapter.Host].
func (h *host) Status(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = append(h.status, err)
}

// Malformed implements [adapter.Host].
func (h *host) Malformed(error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.malformed++
}

// next returns the oldest message that was not taken yet.
func (h *host) next() *adapter.Message {
	h.t.Helper()
	timeout := time.NewTimer(waitLimit)
	defer timeout.Stop()
	for {
		h.mu.Lock()
		if len(h.got) > 0 {
			m := h.got[0]
			h.got = h.got[1:]
			h.mu.Unlock()
			return m
		}
		h.mu.Unlock()
		select {
		case <-h.changed:
		case <-timeout.C:
			h.t.Fatal("waited in vain for a message")
		}
	}
}

// wantNothing checks that all messages were taken.
func (h *host) wantNothing() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.got {
		h.t.Errorf("delivered: %v %s", m.Kind, m.Data)
	}
	if h.malformed > 0 || h.lost > 0 {
		h.t.Errorf("%d messages made no sense, %d were lost", h.malformed, h.lost)
	}
}

// clone returns a message that does not alias m.
func clone(m *adapter.Message) *adapter.Message {
	c := *m
	c.Rooms, c.Except, c.Targets = slices.Clone(m.Rooms), slices.Clone(m.Except), slices.Clone(m.Targets)
	c.Data = bytes.Clone(m.Data)
	c.Binary = make([][]byte, len(m.Binary))
	for i, b := range m.Binary {
		c.Binary[i] = bytes.Clone(b)
	}
	return &c
}

// A peer is one server in a test of the contract.
type peer struct {
	*host
	member  adapter.Member
	cluster adapter.Adapter
}

// peers makes n servers members of the namespace. It waits until each knows the others,
// and receives what is published for these rooms.
func (t *suite) peers(n int, rooms ...string) []*peer {
	t.Helper()
	list := make([]*peer, n)
	for i := range list {
		list[i] = t.join(t.newServer(t), t.namespace)
	}
	for _, one := range list {
		one.ready()
		one.wantPeers(n - 1)
	}
	if n > 1 {
		for i, one := range list {
			one.receiveRooms(list[(i+1)%n], rooms...)
		}
	}
	return list
}

func (t *suite) join(cluster adapter.Adapter, namespace string) *peer {
	n := &peer{host: newHost(t), cluster: cluster}
	n.member = cluster.Join(namespace, n)
	t.Cleanup(n.leave)
	return n
}

// receiveRooms waits until p receives what another server publishes for each of the
// rooms, if its member subscribes only to the rooms of its server.
func (n *peer) receiveRooms(from *peer, rooms ...string) {
	n.t.Helper()
	watcher, ok := n.member.(adapter.RoomWatcher)
	if !ok {
		return
	}
	for i, room := range rooms {
		watcher.RoomChanged(room)
		eventually(n.t, func() bool {
			from.publish(&adapter.Message{Kind: adapter.Broadcast, Rooms: []string{room}, Data: fmt.Appendf(nil, `["probe",%d]`, i)})
			return n.probed(i)
		}, "a server receives what is for room %q", room)
	}
	eventually(n.t, func() bool { // and until no probe is on its way any more
		from.publish(&adapter.Message{Kind: adapter.Broadcast, Data: []byte(`["probe",-1]`)})
		return n.probed(-1)
	}, "a server receives what is for all sockets")
}

// probed reports whether a probe was delivered.
func (h *host) probed(i int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.probes[i]
}

func (n *peer) ready() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	if err := n.member.Ready(ctx); err != nil {
		n.t.Fatalf("Ready: %v", err)
	}
}

// leave leaves the namespace, and waits until it has.
func (n *peer) leave() {
	n.t.Helper()
	select {
	case <-n.member.Leave():
	case <-time.After(waitLimit):
		n.t.Fatal("Leave does not end")
	}
	n.left.Store(true)
}

func (n *peer) publish(m *adapter.Message) {
	n.t.Helper()
	if err := n.member.Publish(m); err != nil {
		n.t.Fatalf("Publish: %v", err)
	}
}

// wantPeers waits until that many other servers are known.
func (n *peer) wantPeers(want int) adapter.Peers {
	n.t.Helper()
	var peers adapter.Peers
	eventually(n.t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
		defer cancel()
		var err error
		if peers, err = n.member.Peers(ctx); err != nil {
			n.t.Fatalf("Peers: %v", err)
		}
		if peers.IDs != nil && len(peers.IDs) != peers.Count {
			n.t.Fatalf("%d peers, of names %q", peers.Count, peers.IDs)
		}
		return peers.Count == want
	}, "a server knows %d others", want)
	return peers
}

// eventually waits until a condition holds.
func eventually(t testing.TB, condition func() bool, format string, args ...any) {
	t.Helper()
	timeout := time.NewTimer(waitLimit)
	defer timeout.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-timeout.C:
			t.Fatalf("waited in vain until "+format, args...)
		}
	}
}
