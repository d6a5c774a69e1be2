// Package nats joins Socket.IO servers to a cluster over NATS: an event of one server
// reaches the clients of all.
//
//	bus, err := natsgo.Connect("nats://localhost:4222", natsgo.MaxReconnects(-1), natsgo.FlusherTimeout(5*time.Second), natsgo.NoEcho())
//	...
//	cluster := nats.New(bus, nil)
//	io := socketio.NewServer(&socketio.Options{Adapter: cluster})
//	...
//	io.Close()
//	cluster.Close()
//	bus.Close()
//
// # The connection
//
// The connection belongs to the application: the adapter does not close it, and it may
// be used for other things. Some of its options matter:
//
//   - MaxReconnects(-1) makes it reconnect forever. When the connection gives up, the
//     adapter does too: publishing fails from then on.
//   - ReconnectWait and ReconnectJitter set the pauses between attempts. The defaults of
//     2s and 0.1s are fine for a few servers. With a hundred servers use a jitter of
//     some seconds.
//   - FlusherTimeout bounds how long a write may block, and so Leave and Close. Its
//     default is a minute: use 5s.
//   - NoEcho spares a server its own messages, which it ignores. Do not use it for a
//     connection that several adapters share.
//   - RetryOnFailedConnect(true) allows a server to start before NATS.
//
// # Delivery
//
// Publishing never waits for NATS. The messages of one server to a namespace arrive in
// order, at most once: NATS keeps nothing for a server that is not connected. While a
// server is not connected, up to Options.MaxPending bytes of what it publishes wait, and
// volatile events are dropped. It loses what other servers publish meanwhile. The loss
// is counted when the next message shows the gap.
//
// Servers know each other by heartbeats. No request waits for a dead or disconnected
// server longer than Options.HeartbeatTimeout.
//
// # Recovery
//
// With [NewJetStream] the bus keeps missed events and saved sessions, so clients
// recover their sessions on any server.
//
// # Security
//
// A program that may publish to the subjects of a cluster controls the cluster. Give
// permissions for "socketio.>" only to servers and emitters.
package nats

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

// Options configures an [Adapter]. The zero value of every field means its default.
type Options struct {
	// Prefix begins every subject. Servers and emitters with the same prefix are one
	// cluster. It is one or more tokens, such as "prod.chat". Empty means "socketio".
	Prefix string
	// HeartbeatInterval is the time between two heartbeats in each namespace. Zero means
	// 5s.
	HeartbeatInterval time.Duration
	// HeartbeatTimeout is how long a server may send nothing before the others stop
	// counting it. Zero means twice HeartbeatInterval.
	HeartbeatTimeout time.Duration
	// MaxPending bounds the bytes that wait to be published, those that wait to be
	// handled in each namespace, and the size of one message. Beyond it publishing fails
	// with [adapter.ErrBacklog], and received messages are lost. Zero means 64 MiB.
	MaxPending int64
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Prefix == "" {
		d.Prefix = "socketio"
	}
	if d.HeartbeatInterval == 0 {
		d.HeartbeatInterval = 5 * time.Second
	}
	if d.HeartbeatTimeout == 0 {
		d.HeartbeatTimeout = 2 * d.HeartbeatInterval
	}
	if d.MaxPending == 0 {
		d.MaxPending = 64 << 20
	}
	if !validSubject(d.Prefix) {
		panic("socketio: nats: Options.Prefix is not the beginning of a subject: take words, separated by dots")
	}
	if d.MaxPending < 0 {
		panic("socketio: nats: Options.MaxPending must not be negative")
	}
	if d.HeartbeatInterval < 0 || d.HeartbeatTimeout <= d.HeartbeatInterval {
		panic("socketio: nats: Options.HeartbeatTimeout must be longer than HeartbeatInterval")
	}
	return d
}

// An Adapter connects the namespaces of one server to those of others. It
// implements [adapter.Adapter].
type Adapter struct {
	conn      *natsgo.Conn
	opts      Options
	inbound   chan *natsgo.Msg   // what all members receive, in the order of the connection
	status    chan natsgo.Status // changes of the connection
	jetStream *jetStream         // nil without a log
	stop      chan struct{}      // closed by Close
	stopped   chan struct{}      // closed when listen has returned

	online  atomic.Bool
	failed  atomic.Bool   // the connection will not come back
	failure chan struct{} // closed when the connection has failed
	epoch   atomic.Uint64 // counts connects and reconnects
	pending atomic.Int64  // bytes that wait to be published

	mu           sync.Mutex // guards the following
	members      map[string]*member
	allMembers   map[*member]struct{} // including those that are leaving
	up           chan struct{}        // closed unless the connection may come back
	reconnecting bool                 // up is not closed
	closed       bool
}

// maxInbound bounds the messages between the connection and listen, which never blocks.
const maxInbound = 1 << 14

// New returns an adapter for one server. The caller has to close it. It does not wait
// for the connection. A nil opts means the defaults. It panics if opts are
// contradictory.
func New(conn *natsgo.Conn, opts *Options) *Adapter {
	return newAdapter(conn, opts.withDefaults(), nil)
}

func newAdapter(conn *natsgo.Conn, opts Options, j *jetStream) *Adapter {
	a := &Adapter{
		conn:         conn,
		opts:         opts,
		jetStream:    j,
		inbound:      make(chan *natsgo.Msg, maxInbound),
		status:       conn.StatusChanged(natsgo.CONNECTED, natsgo.RECONNECTING, natsgo.DISCONNECTED, natsgo.CLOSED),
		stop:         make(chan struct{}),
		stopped:      make(chan struct{}),
		members:      make(map[string]*member),
		allMembers:   make(map[*member]struct{}),
		up:           make(chan struct{}),
		failure:      make(chan struct{}),
		reconnecting: true,
	}
	a.changed(conn.Status())
	go a.listen() // until Close, which waits for it
	return a
}

// Join implements [adapter.Adapter].
func (a *Adapter) Join(namespace string, host adapter.Host) adapter.Member {
	s := newMember(a, namespace, host)
	if a.jetStream == nil {
		a.join(s)
		return s
	}
	r := newLogReader(s, a.jetStream)
	a.join(s)
	return r
}

func (a *Adapter) join(s *member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		s.leaving.Do(s.outbox.leave)
		s.link.leave()
		close(s.left)
		close(s.stopped)
		return
	}
	a.members[s.token] = s
	a.allMembers[s] = struct{}{}
	s.attach(true)
	if s.log != nil {
		go s.log.read() // until the member leaves; finish waits for it
	}
}

// Close leaves all namespaces, waits until that is done, and ends the adapter. The
// connection stays open. The wait is bounded as that of [adapter.Member.Leave] is.
func (a *Adapter) Close() error {
	a.mu.Lock()
	first := !a.closed
	a.closed = true
	left := make([]<-chan struct{}, 0, len(a.allMembers))
	list := a.list()
	a.mu.Unlock()
	for _, s := range list {
		left = append(left, s.Leave())
	}
	for _, done := range left {
		<-done
	}
	if first {
		a.conn.RemoveStatusListener(a.status)
		close(a.stop)
	}
	<-a.stopped
	return nil
}

// list returns the members. The caller holds mu.
func (a *Adapter) list() []*member {
	list := make([]*member, 0, len(a.allMembers))
	for s := range a.allMembers {
		list = append(list, s)
	}
	return list
}

func (a *Adapter) each(fn func(*member)) {
	a.mu.Lock()
	list := a.list()
	a.mu.Unlock()
	for _, s := range list {
		fn(s)
	}
}

// listen passes on the messages of the connection, and sends heartbeats.
func (a *Adapter) listen() {
	defer close(a.stopped)
	heartbeat := time.NewTicker(a.opts.HeartbeatInterval)
	defer heartbeat.Stop()
	greeting := time.NewTimer(0) // after the connection was lost
	greeting.Stop()
	defer greeting.Stop()
	status := a.status
	for {
		select {
		case m := <-a.inbound:
			a.receive(m)
		case <-heartbeat.C:
			a.each((*member).heartbeat)
		case <-greeting.C:
			a.each((*member).announce)
		case s, ok := <-status:
			if !ok {
				status = nil
				break
			}
			if a.changed(s) {
				// All servers reconnect at the same time: spread their announcements.
				greeting.Reset(rand.N(1 + min(time.Second, a.opts.HeartbeatInterval/2)))
			}
		case <-a.stop:
			return
		}
	}
}

// receive passes a message to its member, if it is still there.
func (a *Adapter) receive(m *natsgo.Msg) {
	token, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, a.opts.Prefix+"."), ".")
	a.mu.Lock()
	to := a.members[token]
	a.mu.Unlock()
	if to != nil {
		to.receive(m)
	}
}

// changed notes the status of the connection. It reports whether it has been restored.
func (a *Adapter) changed(status natsgo.Status) (again bool) {
	is, dead := status == natsgo.CONNECTED, status == natsgo.CLOSED
	a.mu.Lock()
	was := a.online.Swap(is)
	if dead && !a.failed.Swap(true) {
		close(a.failure)
	}
	if wait := !is && !dead; wait == a.reconnecting {
		// nothing waits for other changes
	} else if a.reconnecting = wait; wait {
		a.up = make(chan struct{})
	} else {
		close(a.up)
	}
	a.mu.Unlock()
	if !is {
		reason := errDisconnected
		if dead {
			reason = natsgo.ErrConnectionClosed
		}
		a.each(func(s *member) { s.setCondition(attached, reason) })
	} else if !was {
		a.each(func(s *member) { s.attach(false) })
	}
	if is || dead {
		a.epoch.Add(1)
		a.each(func(s *member) {
			s.outbox.wake() // to send what waits, or to drop it
			if s.log != nil {
				s.log.wake()
			}
		})
	}
	return is && !was
}

// connected waits until the connection is there or has failed.
func (a *Adapter) connected(ctx context.Context) error {
	a.mu.Lock()
	up := a.up
	a.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
