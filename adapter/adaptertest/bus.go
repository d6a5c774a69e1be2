package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// Faults are what a [Bus] does wrong. Messages are numbered, so that servers notice.
// Responses are not, so they are lost, but neither repeated nor reordered. The zero
// value is a perfect bus.
type Faults struct {
	Lose      float64       // the probability that a server does not get a message
	Duplicate float64       // that it gets one twice
	Delay     time.Duration // messages are late by up to this, each by another duration
}

// DeadAfter is how long a server that is cut off still counts as a peer.
const DeadAfter = 10 * time.Second

// backlog is how many messages of a member wait while the bus is stopped.
const backlog = 100

// A Bus connects servers in memory. It may run in a bubble of testing/synctest.
type Bus struct {
	faults Faults

	mu      sync.Mutex // guards the following
	random  *rand.Rand
	members map[string][]*busMember // by namespace
	servers int
	stopped bool
}

// NewBus returns a bus. The seed determines its faults, as far as the schedule of
// goroutines does not.
func NewBus(seed uint64, faults Faults) *Bus {
	return &Bus{faults: faults, random: rand.New(rand.NewPCG(seed, seed)), members: make(map[string][]*busMember)}
}

// Change changes the faults for messages that are published from now on.
func (b *Bus) Change(fn func(*Faults)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn(&b.faults)
}

// Server returns the adapter of one more server.
func (b *Bus) Server() *Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.servers++
	return &Server{bus: b, number: b.servers}
}

// Pending returns how many messages wait for the servers or are being handled by them.
// Delayed messages, and those that wait because of Stop, do not count.
func (b *Bus) Pending() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, list := range b.members {
		for _, s := range list {
			s.mu.Lock()
			n += len(s.inbox)
			if s.busy {
				n++
			}
			s.mu.Unlock()
		}
	}
	return n
}

// Stop makes the bus stop responding: what is published waits, or is refused with
// [adapter.ErrBacklog].
func (b *Bus) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}

// Start ends the effect of Stop.
func (b *Bus) Start() {
	b.mu.Lock()
	b.stopped = false
	defer b.mu.Unlock()
	for _, list := range b.members {
		for _, s := range list {
			for _, m := range s.waiting {
				b.deliver(s, m)
			}
			s.waiting = nil
		}
	}
}

// A Server is the adapter of one server. It implements [adapter.Adapter].
type Server struct {
	bus    *Bus
	number int
	cut    time.Time // when it was cut off, or zero; guarded by bus.mu
}

// Cut cuts the server off from the others. They count it as a peer for [DeadAfter], and
// it them. What it publishes is lost.
func (n *Server) Cut() {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.cut = time.Now()
}

// Heal ends the effect of Cut.
func (n *Server) Heal() {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.cut = time.Time{}
}

// apart reports whether two servers can't reach each other. The caller holds bus.mu.
func (n *Server) apart(other *Server) bool { return !n.cut.IsZero() || !other.cut.IsZero() }

// Join implements [adapter.Adapter].
func (n *Server) Join(namespace string, host adapter.Host) adapter.Member {
	b := n.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &busMember{node: n, namespace: namespace, host: host, stopped: make(chan struct{})}
	s.id = fmt.Sprintf("node-%d-%08x", n.number, b.random.Uint32())
	b.members[namespace] = append(b.members[namespace], s)
	s.busy = true
	go s.begin() // it continues with drain; Leave waits for it
	return s
}

// begin reports to the host that it is connected.
func (s *busMember) begin() {
	s.host.Status(nil)
	s.drain()
}

// A busMember implements [adapter.Member].
type busMember struct {
	node      *Server
	namespace string
	id        string
	host      adapter.Host
	stopped   chan struct{} // closed when nothing runs any more
	leaving   sync.Once

	waiting []*adapter.Message // while the bus is stopped; guarded by bus.mu
	number  uint64             // of the last message to all; guarded by bus.mu

	mu    sync.Mutex // guards the following; may be locked while bus.mu is held
	inbox []*adapter.Message
	busy  bool
	left  bool
	lost  int // of those that waited when the member left
}

// ID implements [adapter.Member].
func (s *busMember) ID() string { return s.id }

// Ready implements [adapter.Member].
func (s *busMember) Ready(ctx context.Context) error {
	if s.hasLeft() {
		return adapter.ErrLeft
	}
	return ctx.Err()
}

// Publish implements [adapter.Member].
func (s *busMember) Publish(m *adapter.Message) error {
	if s.hasLeft() {
		return adapter.ErrLeft
	}
	if m.Kind.IsResponse() && m.To == "" {
		return errors.New("adaptertest: a response without a receiver")
	}
	m = clone(m)
	m.From = s.id
	m.Seq = 0
	b := s.node.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped && len(s.waiting) >= backlog {
		return adapter.ErrBacklog
	}
	if m.To == "" {
		s.number++
		m.Seq = s.number
	}
	if b.stopped {
		s.waiting = append(s.waiting, m)
	} else {
		b.deliver(s, m)
	}
	return nil
}

// deliver decides which members get a message of s, when and how often. The caller holds
// mu.
func (b *Bus) deliver(s *busMember, m *adapter.Message) {
	for _, to := range b.members[s.namespace] {
		if to == s || m.To != "" && m.To != to.id {
			continue
		}
		if s.node.apart(to.node) || b.random.Float64() < b.faults.Lose {
			continue
		}
		copies := 1
		if m.Seq > 0 && b.random.Float64() < b.faults.Duplicate {
			copies = 2
		}
		for range copies {
			m := clone(m)
			if m.Seq > 0 && b.faults.Delay > 0 {
				time.AfterFunc(time.Duration(b.random.Int64N(int64(b.faults.Delay))), func() { to.put(m) })
			} else {
				to.put(m)
			}
		}
	}
}

// put queues a message for the server. The inbox holds it until its goroutine has
// handled it.
func (s *busMember) put(m *adapter.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return
	}
	s.inbox = append(s.inbox, m)
	if !s.busy {
		s.busy = true
		go s.drain() // until the inbox is empty; Leave waits for it
	}
}

func (s *busMember) drain() {
	for {
		s.mu.Lock()
		if len(s.inbox) == 0 {
			s.busy = false
			left, lost := s.left, s.lost
			s.mu.Unlock()
			if lost > 0 {
				s.host.Lost(lost, errors.New("adaptertest: the bus is stopped"))
			}
			if left {
				close(s.stopped)
			}
			return
		}
		m := s.inbox[0]
		s.inbox = s.inbox[1:]
		s.mu.Unlock()
		s.host.Deliver(m)
	}
}

func (s *busMember) hasLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// Peers implements [adapter.Member].
func (s *busMember) Peers(ctx context.Context) (adapter.Peers, error) {
	if err := ctx.Err(); err != nil {
		return adapter.Peers{}, err
	}
	b := s.node.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	peers := adapter.Peers{IDs: []string{}}
	for _, other := range b.members[s.namespace] {
		if other == s || dead(s.node) || dead(other.node) {
			continue
		}
		peers.IDs = append(peers.IDs, other.id)
	}
	peers.Count = len(peers.IDs)
	return peers, nil
}

func dead(n *Server) bool { return !n.cut.IsZero() && time.Since(n.cut) >= DeadAfter }

// Leave implements [adapter.Member].
func (s *busMember) Leave() <-chan struct{} {
	s.leaving.Do(func() {
		b := s.node.bus
		b.mu.Lock()
		b.members[s.namespace] = slices.DeleteFunc(b.members[s.namespace], func(o *busMember) bool { return o == s })
		lost := len(s.waiting)
		s.waiting = nil
		b.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.left, s.lost, s.inbox = true, lost, nil
		if !s.busy {
			s.busy = true
			go s.drain()
		}
	})
	return s.stopped
}
