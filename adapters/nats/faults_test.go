package nats

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

// quick has heartbeats that work on a slow machine too.
var quick = &Options{HeartbeatInterval: 50 * time.Millisecond, HeartbeatTimeout: 2 * time.Second}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	from, to := join(t, b.server(t, nil)).ready(), join(t, b.server(t, nil)).ready()
	from.wantPeers(to)
	b.stop()
	eventually(t, func() bool { return !from.Member.(*member).a.online.Load() }, "the loss is noticed")
	for i := range 10 { // without waiting
		if err := from.publishNumber(i); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
	if err := from.Publish(&adapter.Message{Kind: adapter.Broadcast, Volatile: true, Data: []byte(`["dropped"]`)}); err != nil {
		t.Errorf("Publish of a volatile event: %v", err)
	}
	b.start()
	wantInTouch(to, from)
	wantInTouch(from, to)
	if len(to.lost)+len(from.lost) > 0 {
		t.Error("messages that were waiting were counted as lost")
	}
}

func TestQueuedMessagesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	to := join(t, b.server(t, nil)).ready()
	hold := newProxy(t, b.addr())
	from := join(t, node(t, connect(t, hold.addr()), nil)).ready()
	from.wantPeers(to)
	hold.cut()
	eventually(t, func() bool { return !from.Member.(*member).a.online.Load() }, "the loss is noticed")
	const n = 100
	for i := range n {
		if err := from.publishNumber(i); err != nil {
			t.Fatalf("Publish: %v", err)
		}
	}
	hold.heal()
	for i := range n {
		if got := to.receiveNumber(); got != i {
			t.Fatalf("received %d, want %d", got, i)
		}
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	hold := newProxy(t, b.addr())
	a := node(t, connect(t, hold.addr()), &Options{MaxPending: 10 << 10})
	from := join(t, a).ready()
	hold.cut()
	eventually(t, func() bool { return !a.online.Load() }, "the loss is noticed")
	published := 0
	err := from.publishNumber(published)
	for ; err == nil; err = from.publishNumber(published) {
		published++
	}
	if !errors.Is(err, adapter.ErrBacklog) || published < 10 || a.pending.Load() > 10<<10 {
		t.Errorf("after %d messages, %d bytes: %v", published, a.pending.Load(), err)
	}
	from.leave()
	if n := from.lostSoFar(); n != published || a.pending.Load() != 0 {
		t.Errorf("%d messages were lost, want %d; %d bytes are left", n, published, a.pending.Load())
	}
	tooBig := &adapter.Message{Kind: adapter.Broadcast, Data: make([]byte, 11<<10)}
	if err := join(t, a).Publish(tooBig); err == nil || errors.Is(err, adapter.ErrBacklog) {
		t.Errorf("a message that never fits: %v", err)
	}
}

// A network that accepts nothing more, and is not lost either, delays only the queue.
func TestSlowNetwork(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	slow := newProxy(t, b.addr())
	a := node(t, connect(t, slow.addr(), natsgo.FlusherTimeout(waitLimit)), &Options{MaxPending: 32 << 20})
	from, to := join(t, a).ready(), join(t, b.server(t, nil)).ready()
	from.wantPeers(to)
	slow.freeze()
	big := &adapter.Message{Kind: adapter.Broadcast, Data: []byte(`["` + strings.Repeat("x", 1<<19) + `"]`)}
	published := 0
	err := from.Publish(big)
	for ; err == nil; err = from.Publish(big) {
		published++
	}
	if !errors.Is(err, adapter.ErrBacklog) {
		t.Errorf("Publish: %v", err)
	}
	slow.thaw()
	for range published {
		receive(t, to.got, "what has waited")
	}
	wantInTouch(from, to)
}

func TestPartition(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	between := newProxy(t, b.addr())
	x, y := join(t, b.server(t, quick)).ready(), join(t, b.server(t, quick)).ready()
	z := join(t, node(t, connect(t, between.addr()), quick)).ready()
	x.wantPeers(y, z)
	z.wantPeers(x, y)
	for range 3 {
		between.cut()
		x.wantPeers(y)
		y.wantPeers(x)
		z.wantPeers()
		if err := x.publishNumber(1); err != nil {
			t.Errorf("Publish: %v", err)
		}
		if got := y.receiveNumber(); got != 1 {
			t.Errorf("received %d", got)
		}
		between.heal()
		x.wantPeers(y, z)
		y.wantPeers(x, z)
		z.wantPeers(x, y)
		if err := x.publishNumber(2); err != nil {
			t.Errorf("Publish: %v", err)
		}
		if got := z.receiveNumber(); got != 2 { // once, and nothing from before
			t.Errorf("received %d", got)
		}
		y.receiveNumber()
	}
	for _, m := range []*testMember{x, y, z} {
		if len(m.got) > 0 {
			t.Errorf("%d messages too many", len(m.got))
		}
	}
}

// A server that dies without an announcement is counted no longer than the timeout.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	line := newProxy(t, b.addr())
	x := join(t, b.server(t, quick)).ready()
	z := join(t, node(t, connect(t, line.addr()), quick)).ready()
	x.wantPeers(z)
	line.freeze() // the connection does not end either
	x.wantPeers()
	line.thaw()
	x.wantPeers(z)
}

func TestMalformedPayloads(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	from, to := join(t, b.server(t, nil)).ready(), join(t, b.server(t, nil)).ready()
	from.wantPeers(to)
	conn := b.connect(t)
	good, err := appendMessage(nil, "stranger", barrier{}, sample())
	if err != nil {
		t.Fatal(err)
	}
	foreign := append([]byte{2}, good[1:]...)
	nested := append(appendHead(nil, kindPart, flagLast, 0, "stranger"), appendHead(nil, kindPart, flagLast, 0, "stranger")...)
	stolen := append(appendHead(nil, kindPart, flagLast, 0, "stranger"), appendHead(nil, 1, 0, 0, "other")...)
	list := [][]byte{{}, {0}, []byte("+PING"), good[:5], good[:len(good)-1], append(slices.Clone(good), 1), foreign, nested, stolen,
		[]byte(`{"fromUid":"wXlBoH","packet":{"type":2,"data":["hello"],"nsp":"/"},"opts":{"rooms":[],"except":[],"flags":{}}}`),
		make([]byte, 1<<20)}
	for _, recipient := range []string{broadcastSub, to.ID()} {
		for _, data := range list {
			if err := conn.Publish(subject("socketio", "/", recipient), data); err != nil {
				t.Fatal(err)
			}
			if err := receive(t, to.malformed, "malformed"); err == nil {
				t.Errorf("%.40q: no reason is given", data)
			}
		}
	}
	// Parts without a beginning belong to a message that was lost.
	for recipient, lost := range map[string]int{broadcastSub: 0, to.ID(): 1} {
		for i, flags := range []byte{0, flagLast} {
			_ = conn.Publish(subject("socketio", "/", recipient), append(appendHead(nil, kindPart, flags, uint64(i)+5, "stranger"), 1, 2, 3))
		}
		_ = conn.Flush()
		wantInTouch(from, to)
		if got := to.lostSoFar(); got < lost {
			t.Errorf("%d messages lost, want %d", got, lost)
		}
	}
	if got := to.Member.(*member).inbox.weight(); got != 0 {
		t.Errorf("%d bytes are still accounted for", got)
	}
}

func (in *inbox) weight() int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.busy {
		return 0 // the loss can't be known
	}
	return in.size
}

// A server that handles fewer messages than it gets loses some, and its memory is
// bounded.
func TestSlowHost(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	from := join(t, b.server(t, nil)).ready()
	a := b.server(t, &Options{MaxPending: 1 << 20})
	resume, handling := make(chan struct{}), make(chan struct{}, 1)
	to := &testMember{t: t, host: newHost()}
	to.deliver = func() {
		select {
		case handling <- struct{}{}:
		default:
		}
		<-resume
	}
	to.Member = a.Join("/", to.host)
	to.ready()
	from.wantPeers(to)
	for range 100 {
		if err := from.Publish(&adapter.Message{Kind: adapter.Acked, To: to.ID(), Data: make([]byte, 1<<16)}); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, handling, "the first")
	receive(t, to.lost, "the loss")
	close(resume)
	eventually(t, func() bool { return len(to.got)+to.lostSoFar() == 100 }, "all are handled or lost")
}

func TestConnectionThatIsClosed(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	conn := b.connect(t)
	a := node(t, conn, nil)
	m := join(t, a).ready()
	conn.Close()
	eventually(t, func() bool { return errors.Is(m.publishNumber(1), natsgo.ErrConnectionClosed) }, "publishing fails")
	late := a.Join("/late", newHost())
	if err := late.Ready(t.Context()); err == nil {
		t.Error("a member is ready without a connection")
	}
	m.leave()
	receive(t, late.Leave(), "the end of Leave")
}

func TestServerThatComesLater(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	b.stop()
	m := join(t, b.server(t, nil, natsgo.RetryOnFailedConnect(true)))
	if err := m.publishNumber(7); err != nil {
		t.Fatal(err)
	}
	b.start()
	other := join(t, b.server(t, nil)).ready()
	m.ready()
	m.wantPeers(other)
	other.wantPeers(m)
	wantInTouch(m, other)
}

func TestLeaveWithoutAConnection(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	a := b.server(t, nil)
	m := join(t, a).ready()
	b.stop()
	eventually(t, func() bool { return !a.online.Load() }, "the loss is noticed")
	m.leave() // nothing has to be sent
	b.start()
}

func TestClosedAdapter(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	a := New(b.connect(t), nil)
	m := join(t, a).ready()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	m.leave()
	late := join(t, a)
	if err := late.publishNumber(1); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Publish: %v", err)
	}
	if err := late.Ready(t.Context()); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Ready: %v", err)
	}
	if _, err := late.Peers(t.Context()); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Peers: %v", err)
	}
	late.leave()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestResponsesNeedAReceiver(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	m := join(t, b.server(t, nil)).ready()
	for _, to := range []string{"", "a.b", "*", ">", broadcastSub, adapter.ExternalSender, strings.Repeat("x", 100)} {
		if err := m.Publish(&adapter.Message{Kind: adapter.Acked, To: to}); !errors.Is(err, errNoSuchServer) {
			t.Errorf("to %q: %v", to, err)
		}
	}
}

// A proxy is the network between a connection and NATS.
type proxy struct {
	t    testing.TB
	to   string
	l    net.Listener
	done sync.WaitGroup

	mu    sync.Mutex // guards the following
	conns map[net.Conn]bool
	down  bool
	flow  chan struct{} // closed unless the proxy is frozen
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, to: to, l: l, conns: make(map[net.Conn]bool), flow: make(chan struct{})}
	close(p.flow)
	p.done.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.thaw()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		down := p.down
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		if down {
			in.Close()
			out.Close()
		}
		p.done.Go(func() { p.copy(in, out) })
		p.done.Go(func() { p.copy(out, in) })
	}
}

func (p *proxy) copy(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		flow := p.flow
		p.mu.Unlock()
		<-flow
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}

// cut ends all connections and accepts no others.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// freeze blocks all data, without ending a connection.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

// What any program can send to a member does not fill its memory.
func TestPartsOfManySenders(t *testing.T) {
	t.Parallel()
	in := inbox{host: newHost(), limit: 1 << 20, assemblies: make(map[string]*assembly)}
	part := func(sender string, number uint64, size int) {
		in.assemble(head{kind: kindPart, number: number, sender: []byte(sender), rest: make([]byte, size)}, false)
	}
	for i := range 10 * maxAssemblies {
		part(strconv.Itoa(i), 0, i%2)
	}
	if n := len(in.assemblies); n > maxAssemblies {
		t.Errorf("parts of %d senders are kept", n)
	}
	in.purge(0)
	if len(in.assemblies) > 0 || in.size != 0 {
		t.Errorf("%d senders, %d bytes are left", len(in.assemblies), in.size)
	}
	for i := range uint64(200) {
		part("one", i, 1<<16)
		if in.size > in.limit {
			t.Fatalf("%d bytes are kept", in.size)
		}
	}
}
