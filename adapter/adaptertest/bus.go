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

// Faults are what a [Bus] does wrong. Messages are numbered, so that servers
// notice; answers are not, so they are lost, but neither repeated nor
// reordered. The zero value is a perfect bus.
type Faults struct {
	Lose      float64       // the probability that a server does not get a message
	Duplicate float64       // that it gets one twice
	Delay     time.Duration // up to which messages are late, each by a time of its own
}

// DeadAfter is how long a server that is cut off counts as a peer.
const DeadAfter = 10 * time.Second

// backlog is how many messages of a seat wait while the bus is stopped.
const backlog = 100

// A Bus connects servers in memory. It may run in a bubble of testing/synctest.
type Bus struct {
	faults Faults

	mu      sync.Mutex // guards the following
	random  *rand.Rand
	seats   map[string][]*busMember // by namespace
	nodes   int
	stopped bool
}

// NewBus returns a bus whose faults repeat themselves with the seed, as far as
// goroutines do.
func NewBus(seed uint64, faults Faults) *Bus {
	return &Bus{faults: faults, random: rand.New(rand.NewPCG(seed, seed)), seats: make(map[string][]*busMember)}
}

// Change changes the faults of what is published from now on.
func (b *Bus) Change(fn func(*Faults)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn(&b.faults)
}

// Server returns the adapter of one more server.
func (b *Bus) Server() *Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes++
	return &Server{bus: b, number: b.nodes}
}

// Pending returns how many messages wait for the servers or are being handled by them.
// Delayed messages, and those that wait because of Stop, do not count.
func (b *Bus) Pending() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, list := range b.seats {
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

// Stop holds everything up, as a bus does that does not answer any more: what
// is published waits, or is refused with [adapter.ErrBacklog].
func (b *Bus) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}

// Start ends what Stop has begun.
func (b *Bus) Start() {
	b.mu.Lock()
	b.stopped = false
	defer b.mu.Unlock()
	for _, list := range b.seats {
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
	cut    time.Time // since when it is cut off, if it is not zero; guarded by bus.mu
}

// Cut cuts the server off from the others. They believe it to be there for
// [DeadAfter], and it them. What it publishes is lost to them.
func (n *Server) Cut() {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.cut = time.Now()
}

// Heal ends what Cut has begun.
func (n *Server) Heal() {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.cut = time.Time{}
}

// apart reports whether two servers do not hear each other. The caller holds
// bus.mu.
func (n *Server) apart(other *Server) bool { return !n.cut.IsZero() || !other.cut.IsZero() }

// Join implements [adapter.Adapter].
func (n *Server) Join(namespace string, host adapter.Host) adapter.Member {
	b := n.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &busMember{node: n, namespace: namespace, host: host, stopped: make(chan struct{})}
	s.id = fmt.Sprintf("node-%d-%08x", n.number, b.random.Uint32())
	b.seats[namespace] = append(b.seats[namespace], s)
	s.busy = true
	go s.begin() // which becomes drain; Leave waits for it
	return s
}

// begin tells the server that it is connected.
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

	mu    sync.Mutex // guards the following; may be taken under bus.mu
	inbox []*adapter.Message
	busy  bool
	left  bool
	lost  int // of those that waited when it left
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
		return errors.New("adaptertest: an answer without a recipient")
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

// deliver decides who gets m, of s, when and how often. The caller holds mu.
func (b *Bus) deliver(s *busMember, m *adapter.Message) {
	for _, to := range b.seats[s.namespace] {
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

// put queues a message for the server. It is in an inbox until the goroutine of
// that has handled it.
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
	for _, other := range b.seats[s.namespace] {
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
		b.seats[s.namespace] = slices.DeleteFunc(b.seats[s.namespace], func(o *busMember) bool { return o == s })
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
