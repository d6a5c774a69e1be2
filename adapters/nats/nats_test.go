package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// waitLimit is how long a test waits before it fails.
const waitLimit = 30 * time.Second

// A bus is a NATS server of the test's own.
type bus struct {
	t     testing.TB
	port  int
	srv   *server.Server
	store string // of JetStream, if it is enabled

	options func(port int) *server.Options // if not nil, of the server
}

func newBus(t testing.TB) *bus {
	t.Helper()
	b := newIdleBus(t)
	b.start()
	return b
}

func newIdleBus(t testing.TB) *bus {
	b := &bus{t: t, port: server.RANDOM_PORT}
	t.Cleanup(b.stop)
	return b
}

// start starts the server, again on the same port.
func (b *bus) start() {
	b.t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: b.port, NoLog: true, NoSigs: true, JetStream: b.store != "", StoreDir: b.store}
	if b.options != nil {
		o = b.options(b.port)
	}
	srv, err := server.NewServer(o)
	if err != nil {
		b.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(waitLimit) {
		b.t.Fatal("the NATS server does not start")
	}
	b.srv, b.port = srv, srv.Addr().(*net.TCPAddr).Port
}

func (b *bus) stop() {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
}

func (b *bus) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

func (b *bus) connect(t testing.TB, opts ...natsgo.Option) *natsgo.Conn {
	return connect(t, b.addr(), opts...)
}

// connect opens a connection that reconnects soon.
func connect(t testing.TB, addr string, opts ...natsgo.Option) *natsgo.Conn {
	t.Helper()
	ended := make(chan struct{})
	conn, err := natsgo.Connect("nats://"+addr, append([]natsgo.Option{
		natsgo.MaxReconnects(-1), natsgo.ReconnectWait(10 * time.Millisecond), natsgo.ReconnectJitter(10*time.Millisecond, 0),
		natsgo.FlusherTimeout(time.Second), natsgo.ClosedHandler(func(*natsgo.Conn) { close(ended) }),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return conn
}

// server returns the adapter of one more server.
func (b *bus) server(t testing.TB, opts *Options, natsOpts ...natsgo.Option) *Adapter {
	t.Helper()
	return node(t, b.connect(t, natsOpts...), opts)
}

func node(t testing.TB, conn *natsgo.Conn, opts *Options) *Adapter {
	t.Helper()
	a := New(conn, opts)
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

func TestContract(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Adapter { return b.server(t, nil) })
}

func TestContractOverOneConnection(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	conn := b.connect(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Adapter { return node(t, conn, nil) })
}

// A host keeps what is reported to it.
type host struct {
	got       chan adapter.Message
	lost      chan error
	malformed chan error
	deliver   func() // called by Deliver, unless it is nil

	mu sync.Mutex
	n  int // lost

	states []error // the statuses, in order
}

func newHost() *host {
	return &host{got: make(chan adapter.Message, 1<<16), lost: make(chan error, 1<<16), malformed: make(chan error, 1<<16)}
}

func (h *host) Deliver(m *adapter.Message) {
	if h.deliver != nil {
		h.deliver()
	}
	c := *m
	c.Data = slices.Clone(m.Data)
	c.Rooms, c.Except, c.Targets, c.Binary = slices.Clone(m.Rooms), nil, nil, nil
	h.got <- c
}
func (h *host) Wants(...string) bool { return true }
func (h *host) Lost(n int, reason error) {
	h.mu.Lock()
	h.n += n
	h.mu.Unlock()
	h.lost <- reason
}
func (h *host) Status(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, reason)
}
func (h *host) Malformed(reason error) { h.malformed <- reason }

func (h *host) lostSoFar() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// A testMember is a member with its host.
type testMember struct {
	t testing.TB
	*host
	adapter.Member
}

func join(t testing.TB, a *Adapter) *testMember {
	t.Helper()
	m := &testMember{t: t, host: newHost()}
	m.Member = a.Join("/", m.host)
	return m
}

func (m *testMember) ready() *testMember {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		m.t.Fatalf("Ready: %v", err)
	}
	return m
}

func (m *testMember) leave() {
	m.t.Helper()
	receive(m.t, m.Leave(), "the end of Leave")
}

// wantPeers waits until exactly these servers are known.
func (m *testMember) wantPeers(want ...*testMember) {
	m.t.Helper()
	ids := []string{}
	for _, other := range want {
		ids = append(ids, other.ID())
	}
	slices.Sort(ids)
	eventually(m.t, func() bool {
		peers, err := m.Peers(context.Background())
		return err == nil && slices.Equal(peers.IDs, ids) && peers.Count == len(ids)
	}, "the peers are "+strings.Join(ids, ", "))
}

// publishNumber publishes a numbered event.
func (m *testMember) publishNumber(i int) error {
	return m.Publish(&adapter.Message{Kind: adapter.Broadcast, Data: fmt.Appendf(nil, `["e",%d]`, i)})
}

// receiveNumber returns the number of the next event.
func (m *testMember) receiveNumber() int {
	m.t.Helper()
	got := receive(m.t, m.got, "an event")
	i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(string(got.Data), `["e",`), "]"))
	if err != nil {
		m.t.Fatalf("delivered %v %q", got.Kind, got.Data)
	}
	return i
}

func describe(m *adapter.Message) string { return fmt.Sprintf("%v %v %s", m.Kind, m.Rooms, m.Data) }

// wantInTouch waits until to receives from from, after a fault.
func wantInTouch(from, to *testMember) {
	from.t.Helper()
	mark := fmt.Sprintf(`["%s to %s"]`, from.ID(), to.ID())
	timeout := time.After(waitLimit)
	for {
		err := from.Publish(&adapter.Message{Kind: adapter.Broadcast, Data: []byte(mark)})
		if err != nil && !errors.Is(err, adapter.ErrBacklog) {
			from.t.Fatalf("Publish: %v", err)
		}
		again := time.After(20 * time.Millisecond)
		for waiting := true; waiting; {
			select {
			case m := <-to.got:
				if string(m.Data) == mark {
					return
				}
			case <-again:
				waiting = false
			case <-timeout:
				from.t.Fatal("what is published is not received any more")
			}
		}
	}
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(waitLimit):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func eventually(t testing.TB, condition func() bool, what string) {
	t.Helper()
	timeout := time.After(waitLimit)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-timeout:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
