package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

// A pair is two servers in one namespace; the first may be behind a proxy.
type pair struct {
	server   *redistest.Server
	proxy    *redistest.Proxy
	adapters [2]*Adapter
	hosts    [2]*fakeHost
	members  [2]adapter.Member
}

func newPair(t *testing.T, o Options) *pair {
	t.Helper()
	p := &pair{server: redistest.Start(t)}
	p.proxy = redistest.NewProxy(t, p.server.Addr())
	for i, addr := range []string{p.proxy.Addr(), p.server.Addr()} {
		p.adapters[i] = New(clientOf(t, addr), &o)
		t.Cleanup(p.adapters[i].Close)
		p.hosts[i] = newHost("r")
		p.members[i] = p.adapters[i].Join("/", p.hosts[i])
	}
	ready(t, p.members[:]...)
	return p
}

func (h *fakeHost) lostSoFar() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// talk checks that both receive from each other, once.
func (p *pair) talk(t *testing.T) {
	t.Helper()
	for i := range p.members {
		if err := p.members[i].Publish(event("hello")); err != nil {
			t.Fatal(err)
		}
		if got := next(t, p.hosts[1-i].messages); nameOf(got) != "hello" {
			t.Errorf("%+v", got)
		}
	}
	for i, m := range p.members {
		if peers, err := m.Peers(t.Context()); err != nil || peers.Count != 1 {
			t.Error(peers, err)
		}
		none(t, p.hosts[i].messages)
	}
}

// After Redis has restarted, subscriptions are restored, what was published meanwhile
// arrives, and each gap is reported once.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	p.talk(t)
	for range 2 {
		p.server.Kill()
		for _, h := range p.hosts {
			next(t, h.losses)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		for _, m := range p.members {
			if err := m.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if _, err := m.Peers(ctx); err == nil {
				t.Error("the servers are counted without Redis")
			}
		}
		cancel()
		p.server.Restart()
		ready(t, p.members[:]...)
		p.talk(t)
		for _, h := range p.hosts {
			none(t, h.losses)
			if n := h.lostSoFar(); n != 0 {
				t.Errorf("%d messages are lost that were not sent", n)
			}
		}
	}
}

// What is published while Redis is away waits, up to MaxPending.
func TestBacklog(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{MaxPending: 64 << 10})
	p.server.Kill()
	for _, h := range p.hosts {
		next(t, h.losses)
	}
	sent := 0
	big := strings.Repeat("x", 10_000)
	for ; ; sent++ {
		err := p.members[0].Publish(event(fmt.Sprint(big, sent)))
		if err == adapter.ErrBacklog {
			break
		}
		if err != nil || sent > 6 {
			t.Fatal(sent, err)
		}
	}
	if sent != 6 {
		t.Errorf("%d messages of 10 kB fit into 64 KiB", sent)
	}
	p.server.Restart()
	// The member that reconnects first may publish before the other has subscribed. So
	// the second waits for both.
	ready(t, p.members[:]...)
	eventually(t, "the queue is empty", func() bool {
		p.adapters[0].bus.mu.Lock()
		defer p.adapters[0].bus.mu.Unlock()
		return p.adapters[0].bus.waiting == 0
	})
	huge := strings.Repeat("y", 1<<20) // an empty queue accepts a message of any size
	if err := p.members[0].Publish(event(huge)); err != nil {
		t.Fatal(err)
	}
	var last string
	for last != huge {
		got := nameOf(next(t, p.hosts[1].messages))
		if got != huge && got <= last {
			t.Error("out of order")
		}
		last = got
	}
	if n := p.hosts[0].lostSoFar(); n != 0 {
		t.Errorf("%d lost", n)
	}
}

// A peer that does not respond delays no other, and is noticed.
func TestFrozenConnections(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	p.talk(t)
	p.proxy.Freeze()
	if err := p.members[0].Publish(event("under way")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the subscription is given up", func() bool { return p.adapters[0].bus.gaps.Load() > 0 })
	if err := p.members[0].Publish(event("waits")); err != nil {
		t.Fatal(err)
	}
	p.proxy.Cut()
	p.proxy.Thaw()
	ready(t, p.members[:]...)
	arrived := []string{}
	for !slices.Contains(arrived, "waits") {
		arrived = append(arrived, nameOf(next(t, p.hosts[1].messages)))
	}
	if len(arrived)+p.hosts[0].lostSoFar() < 2 {
		t.Errorf("%v arrived, %d are lost", arrived, p.hosts[0].lostSoFar())
	}
	p.talk(t)
	none(t, p.hosts[1].losses)
}

// Leaving takes seconds at most, and counts the messages that are dropped.
func TestLeaveWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	p.server.Kill()
	next(t, p.hosts[0].losses)
	for range 3 {
		if err := p.members[0].Publish(event("never")); err != nil {
			t.Fatal(err)
		}
	}
	gone := p.members[0].Leave()
	if again := p.members[0].Leave(); again != gone {
		t.Error("leaving twice is not leaving once")
	}
	next(t, gone)
	if got := p.hosts[0].lostSoFar(); got != 3 {
		t.Errorf("%d lost instead of 3", got)
	}
	p.server.Restart()
	next(t, p.adapters[0].Join("/", p.hosts[0]).Leave())
}

func TestKilledConnections(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	p.talk(t)
	for _, kind := range []string{"pubsub", "normal", "pubsub"} {
		p.server.Do("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
		if kind == "pubsub" {
			for _, h := range p.hosts {
				next(t, h.losses)
			}
		}
		ready(t, p.members[:]...)
		// A connection that was just killed loses one batch.
		for i, m := range p.members {
			for received := false; !received; {
				if err := m.Publish(event("try")); err != nil {
					t.Fatal(err)
				}
				select {
				case <-p.hosts[1-i].messages:
					received = true
				case <-p.hosts[i].losses:
				}
			}
		}
		p.talk(t)
	}
}

// A pause of Redis shorter than the client's timeout loses nothing.
func TestPause(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	p.server.Do("CLIENT", "PAUSE", "300", "ALL")
	const n = 1000
	for i := range n {
		if err := p.members[0].Publish(event(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if got := nameOf(next(t, p.hosts[1].messages)); got != fmt.Sprint(i) {
			t.Fatal(got)
		}
	}
	none(t, p.hosts[0].losses)
	none(t, p.hosts[1].losses)
}

// All namespaces share one subscribed connection, which restores all subscriptions after
// a gap.
func TestManyNamespaces(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := New(clientOf(t, server.Addr()), nil), New(clientOf(t, server.Addr()), nil)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	const n = 300
	var speakers, listeners []adapter.Member
	speaking, host := newHost("r"), newHost("r")
	for i := range n {
		nsp := fmt.Sprint("/", i)
		speakers = append(speakers, a.Join(nsp, speaking))
		listeners = append(listeners, b.Join(nsp, host))
	}
	for range 2 {
		ready(t, slices.Concat(speakers, listeners)...)
		if list := server.Do("CLIENT", "LIST", "TYPE", "pubsub"); strings.Count(list, " psub=300 ") != 2 || strings.Count(list, "id=") != 2 {
			t.Error(list)
		}
		for i, m := range speakers {
			if err := m.Publish(event(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			if got := nameOf(next(t, host.messages)); got != fmt.Sprint(i) {
				t.Errorf("%s instead of %d", got, i)
			}
		}
		server.Do("CLIENT", "KILL", "TYPE", "pubsub")
		for range n {
			next(t, speaking.losses)
			next(t, host.losses)
		}
	}
	for _, m := range listeners {
		next(t, m.Leave())
	}
	eventually(t, "nothing is subscribed any more", func() bool {
		return strings.Contains(server.Do("CLIENT", "LIST", "TYPE", "pubsub"), " psub=300 ") &&
			strings.Count(server.Do("CLIENT", "LIST"), " psub=300 ") == 1
	})
}

// A member that joins right after another one has left is a new one.
func TestRejoin(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	for range 50 {
		p.members[0].Leave()
		p.hosts[0] = newHost("r")
		p.members[0] = p.adapters[0].Join("/", p.hosts[0])
		ready(t, p.members[0])
		p.talk(t)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	if err := p.members[0].Publish(event("the last word")); err != nil {
		t.Fatal(err)
	}
	p.adapters[0].Close()
	p.adapters[0].Close()
	next(t, p.hosts[1].messages)
	if peers, err := p.members[1].Peers(t.Context()); peers.Count != 0 || err != nil {
		t.Error(peers, err)
	}
	late := p.adapters[0].Join("/", newHost())
	if err := late.Ready(t.Context()); err != adapter.ErrLeft {
		t.Error(err)
	}
	if err := late.Publish(event("late")); err != adapter.ErrLeft {
		t.Error(err)
	}
	next(t, late.Leave())

	New(clientOf(t, p.server.Addr()), nil).Close() // without a member
}

// Redis may refuse what is published.
func TestRefusedCommands(t *testing.T) {
	t.Parallel()
	p := newPair(t, Options{})
	p.server.Do("ACL", "SETUSER", "default", "-publish")
	if err := p.members[0].Publish(event("refused")); err != nil {
		t.Fatal(err)
	}
	if err := next(t, p.hosts[0].losses); !strings.Contains(err.Error(), "NOPERM") {
		t.Error(err)
	}
	p.server.Do("ACL", "SETUSER", "default", "+publish")
	p.talk(t)
	p.server.Do("ACL", "SETUSER", "default", "-psubscribe")
	p.server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	next(t, p.hosts[0].losses)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	eventually(t, "it is reported why nothing is received", func() bool {
		return strings.Contains(p.members[0].Ready(ctx).Error(), "NOPERM")
	})
}

// In Redis Cluster the channels of rooms are on different nodes.
func TestShardedInACluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	a, b := NewSharded(clientOf(t, nodes[0].Addr()), nil), NewSharded(clientOf(t, nodes[1].Addr()), nil)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	var rooms []string
	for i := range 50 {
		rooms = append(rooms, fmt.Sprint("room", i))
	}
	host := newHost(rooms...)
	from, to := a.Join("/", newHost("r")), b.Join("/", host)
	for range 2 {
		for _, room := range rooms {
			to.(adapter.RoomWatcher).RoomChanged(room)
		}
		eventually(t, "all rooms are received", func() bool {
			for _, room := range rooms {
				if n := subscribersOf(t, b, channelsOf(DefaultPrefix, "/").of(room)); n != 1 {
					return false
				}
			}
			return true
		})
		ready(t, from, to)
		if peers, err := from.Peers(t.Context()); peers.Count != 1 || err != nil {
			t.Error(peers, err)
		}
		received := map[string]bool{}
		for _, room := range rooms {
			if err := from.Publish(event(room, room)); err != nil {
				t.Fatal(err)
			}
			received[nameOf(next(t, host.messages))] = true
		}
		if len(received) != len(rooms) {
			t.Errorf("%d rooms are received instead of %d", len(received), len(rooms))
		}
		nodes[2].Do("CLIENT", "KILL", "TYPE", "pubsub") // all connections are restored
		next(t, host.losses)
	}
}

// In Redis Cluster an event reaches servers that are connected to other nodes.
func TestClassicInACluster(t *testing.T) {
	t.Parallel()
	var p pair
	for i, node := range redistest.StartCluster(t, 2) {
		p.adapters[i] = New(clientOf(t, node.Addr()), nil)
		t.Cleanup(p.adapters[i].Close)
		p.hosts[i] = newHost("r")
		p.members[i] = p.adapters[i].Join("/", p.hosts[i])
	}
	ready(t, p.members[:]...)
	p.talk(t)
}

// Servers before Redis 6, and proxies, have only the older protocol.
func TestOlderProtocol(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var p pair
	for i := range p.members {
		client, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{server.Addr()}, DisableCache: true, AlwaysRESP2: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		p.adapters[i] = New(client, nil)
		t.Cleanup(p.adapters[i].Close)
		p.hosts[i] = newHost("r")
		p.members[i] = p.adapters[i].Join("/", p.hosts[i])
	}
	for range 2 {
		ready(t, p.members[:]...)
		p.talk(t)
		server.Do("CLIENT", "KILL", "TYPE", "pubsub")
		for _, h := range p.hosts {
			next(t, h.losses)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b backoff
		for i, ms := range []int{200, 400, 800, 1600, 2000, 2000, 2000} {
			about := time.Duration(ms) * time.Millisecond
			begin := time.Now()
			if !b.wait(t.Context()) {
				t.Fatal("ended")
			}
			if pause := time.Since(begin); pause < about/2 || pause > about*3/2 {
				t.Errorf("pause %d is %v", i, pause)
			}
		}
		b.attempts = 1 << 40
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if begin := time.Now(); b.wait(ctx) || time.Since(begin) != time.Second {
			t.Error("a pause goes on behind the end")
		}
	})
}
