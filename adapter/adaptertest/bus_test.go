package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/bubble"
)

func TestPerfectBus(t *testing.T) {
	t.Parallel()
	bus := NewBus(1, Faults{})
	Run(t, func(testing.TB) adapter.Adapter { return bus.Server() })
}

// onBus runs a test in a bubble, with servers on a bus of their own.
func onBus(t *testing.T, test func(bus *Bus, s *servers)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		bus := NewBus(1, Faults{})
		test(bus, newServers(&suite{T: t, newServer: func(testing.TB) adapter.Adapter { return bus.Server() }, namespace: "/test"}))
	})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { bubble.Sleep(d) }

// numbers returns the numbers of the events that c has received, up to the end event.
func (c *client) numbers() []int {
	c.t.Helper()
	var list []int
	for event := c.event(); event != end; event = c.event() {
		var i int
		if _, err := fmt.Sscanf(event, `["e",%d]`, &i); err != nil {
			c.t.Fatalf("%s has received %s", c.name, event)
		}
		list = append(list, i)
	}
	return list
}

// Whatever the bus does, clients receive nothing twice and nothing out of order, and
// clients of the emitting server receive everything at once. What is missing is counted.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]Faults{
		"shuffling":   {Delay: time.Second},
		"duplicating": {Duplicate: 0.5},
		"lossy":       {Lose: 0.3},
		"all of it":   {Delay: time.Second, Duplicate: 0.3, Lose: 0.2},
	} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				onBus(t, func(bus *Bus, s *servers) { s.testFaults(bus, seed, faults) })
			})
		}
	}
}

func (s *servers) testFaults(bus *Bus, seed uint64, faults Faults) {
	bus.fail(seed, faults)
	const n = 200
	for i := range n {
		if err := s.a.ns.Emit("e", i); err != nil {
			s.t.Fatal(err)
		}
		pass(10 * time.Millisecond)
	}
	begin := time.Now()
	if err := s.a.ns.Local().Emit("that's all"); err != nil {
		s.t.Fatal(err)
	}
	if got := len(s.ada.numbers()); got != n {
		s.t.Errorf("a client of the emitting server has received %d events, want %d", got, n)
	}
	if took := time.Since(begin); took > 0 {
		s.t.Errorf("it had to wait %v for them", took)
	}
	pass(2 * faults.Delay)
	bus.fail(seed, Faults{})
	if err := s.a.ns.Emit("that's all"); err != nil {
		s.t.Fatal(err)
	}
	s.ada.event()
	for _, c := range []*client{s.bob, s.cem, s.dan} {
		got := c.numbers()
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			s.t.Errorf("%s has received %v", c.name, got)
		}
		if faults.Lose+faults.Delay.Seconds() == 0 && len(got) != n {
			s.t.Errorf("%s has received %d events, want %d", c.name, len(got), n)
		}
	}
	for _, srv := range []*server{s.b, s.c} {
		stats := srv.Stats().Cluster
		if faults.Lose > 0 && stats.Lost == 0 {
			s.t.Errorf("nothing is counted as lost: %+v", stats)
		}
		if faults.Lose+faults.Delay.Seconds() == 0 && stats.Lost > 0 {
			s.t.Errorf("what was not lost is counted as such: %+v", stats)
		}
	}
	s.testEmit() // the bus has no faults any more, and no effect of them is left
}

// Calls to other servers end with their context, and return what has arrived.
func TestRequestsOnALossyBus(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			onBus(t, func(bus *Bus, s *servers) {
				bus.fail(seed, Faults{Lose: 0.5, Duplicate: 0.5, Delay: 100 * time.Millisecond})
				for range 10 {
					s.wantInTime(func(ctx context.Context) (int, error) {
						sockets, err := s.a.ns.Broadcast().Sockets(ctx)
						return len(sockets), err
					}, 4)
					s.wantInTime(s.a.ns.Broadcast().Count, 4)
					s.wantInTime(func(ctx context.Context) (int, error) {
						replies, err := s.a.ns.ServerSideEmitWithAck(ctx, "ask", "")
						return len(replies), err
					}, 2)
				}
			})
		})
	}
}

// wantInTime calls with a timeout of a second. It wants all responses, or an error.
func (s *servers) wantInTime(ask func(context.Context) (int, error), all int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	begin := time.Now()
	n, err := ask(ctx)
	if took := time.Since(begin); took > time.Second {
		s.t.Errorf("the call took %v", took)
	}
	var noResponse *socketio.NoResponseError
	switch {
	case err == nil && n != all, n > all:
		s.t.Errorf("%d responses of %d, %v", n, all, err)
	case err != nil && (!errors.As(err, &noResponse) || noResponse.Count == 0 || n == all):
		s.t.Errorf("%d responses of %d, %v", n, all, err)
	}
}

func TestPartition(t *testing.T) {
	t.Parallel()
	onBus(t, func(_ *Bus, s *servers) {
		for range 3 {
			before := s.c.Stats().Cluster.Lost
			s.c.cluster.(*Server).Cut()
			s.wantReceivedBy(s.a, "ada bob dan")
			s.wantReceivedBy(s.c, "cem")
			s.wantInTime(s.a.ns.Broadcast().Count, 4)
			pass(DeadAfter)
			ctx, cancel := inTime()
			begin := time.Now()
			if n, err := s.a.ns.Broadcast().Count(ctx); n != 3 || err != nil || time.Since(begin) > 0 {
				t.Errorf("after the timeout: counted %d, %v, in %v", n, err, time.Since(begin))
			}
			cancel()
			s.c.cluster.(*Server).Heal()
			s.testEmit()
			if s.c.Stats().Cluster.Lost == before {
				t.Error("what was missed is not counted")
			}
		}
	})
}

// wantReceivedBy emits an event, which exactly these clients receive at once.
func (s *servers) wantReceivedBy(srv *server, names string) {
	s.t.Helper()
	begin := time.Now()
	if err := srv.ns.Emit("e"); err != nil {
		s.t.Error(err)
	}
	var got []string
	for _, c := range s.clients() {
		if slices.ContainsFunc(c.sync(), func(packet string) bool { return packet == "42"+c.prefix+`["e"]` }) {
			got = append(got, c.name)
		}
	}
	if strings.Join(got, " ") != names || time.Since(begin) > 0 {
		s.t.Errorf("received by %v in %v, want %s", got, time.Since(begin), names)
	}
}

// While the bus is stopped, local clients notice nothing, and Emit says when an event
// can't be published.
func TestStoppedBus(t *testing.T) {
	t.Parallel()
	onBus(t, func(bus *Bus, s *servers) {
		bus.Stop()
		begin := time.Now()
		for i := range backlog + 10 {
			if err := s.a.ns.Emit("e", i); (err != nil) != (i >= backlog) || err != nil && !errors.Is(err, socketio.ErrUnpublished) {
				s.t.Errorf("Emit %d: %v", i, err)
			}
		}
		_ = s.a.ns.Local().Emit("that's all")
		if got := len(s.ada.numbers()); got != backlog+10 || time.Since(begin) > 0 {
			s.t.Errorf("%d events received here, in %v", got, time.Since(begin))
		}
		ctx, cancel := inTime()
		defer cancel()
		if n, err := s.a.ns.Broadcast().Count(ctx); n != 1 || err == nil {
			s.t.Errorf("counted %d, %v", n, err)
		}
		if lost := s.a.Stats().Cluster.Lost; lost < 10 {
			s.t.Errorf("%d are counted as lost", lost)
		}
		bus.Start()
		if err := s.a.ns.Except("room1").Emit("that's all"); err != nil {
			s.t.Error(err)
		}
		if got := len(s.cem.numbers()); got != backlog {
			s.t.Errorf("%d events received elsewhere, want %d", got, backlog)
		}
	})
}

// fail gives a perfect bus faults.
func (b *Bus) fail(seed uint64, faults Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.random = faults, NewBus(seed, faults).random
}

// Leave is called under a lock that the host may take.
func TestLeavingAStoppedBus(t *testing.T) {
	t.Parallel()
	h := &lockedHost{host: newHost(t)}
	bus := NewBus(1, Faults{})
	m := bus.Server().Join("/", h)
	bus.Stop()
	if err := m.Publish(&adapter.Message{Kind: adapter.Broadcast}); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	gone := m.Leave()
	h.mu.Unlock()
	<-gone
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != 1 {
		t.Errorf("lost %d", h.lost)
	}
}

type lockedHost struct {
	*host
	mu   sync.Mutex // guards the following
	lost int
}

func (h *lockedHost) Lost(n int, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost += n
}
