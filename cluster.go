package socketio

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A clusterNamespace is a namespace's part in a cluster: it publishes and handles
// messages, in the same way for every adapter. Requests are in cluster_request.go,
// server-side events in cluster_events.go.
//
// It is nil on a server without an adapter.
type clusterNamespace struct {
	ns          *Namespace
	joined      chan struct{} // closed when member and roomWatcher are set
	member      adapter.Member
	roomWatcher adapter.RoomWatcher // nil if the member receives the messages of all rooms
	ctx         context.Context     // of handlers of server-side events
	cancel      context.CancelFunc
	status      *clusterStatus

	mu       sync.Mutex // guards the following
	requests map[string]*request
	lastSeq  map[string]uint64 // the last Seq received, by server
	inbox    []serverEvent     // server-side events that wait for handlers
	busy     bool              // a goroutine runs their handlers
	stopped  bool              // new server-side events are ignored
}

// clusterCounters are those of [ClusterStats].
type clusterCounters struct{ published, received, lost, malformed atomic.Uint64 }

// ClusterStats counts messages between the servers of a cluster. Each message counts
// once, whatever the number of its receivers.
type ClusterStats struct {
	Enabled bool // Options.Adapter is set
	// Connected says that every namespace receives from the other servers of the
	// cluster and can send to them. While it is false, events and acks may not reach
	// clients of other servers; the reason is logged.
	Connected bool

	Published uint64 // by this server
	Received  uint64 // from other servers
	Lost      uint64 // not sent, or sent by another server and not received
	Malformed uint64 // received and not understood
}

func (c *clusterCounters) stats() ClusterStats {
	return ClusterStats{
		Published: c.published.Load(), Received: c.received.Load(), Lost: c.lost.Load(), Malformed: c.malformed.Load(),
	}
}

// join makes a namespace part of the cluster, if there is one. The caller holds
// srv.mu.
func (srv *Server) join(n *Namespace) {
	if srv.opts.Adapter == nil || srv.leftCluster {
		return
	}
	cn := &clusterNamespace{ns: n, joined: make(chan struct{}), requests: make(map[string]*request), lastSeq: make(map[string]uint64)}
	cn.ctx, cn.cancel = context.WithCancel(context.Background())
	cn.status = newClusterStatus(n)
	cn.member = srv.opts.Adapter.Join(n.name, cn)
	cn.roomWatcher, _ = cn.member.(adapter.RoomWatcher)
	n.cluster = cn
	if bus, ok := cn.member.(adapter.LogBus); ok && n.recovery != nil {
		if n.parent != nil {
			n.recovery = newRecovery(srv.opts.Recovery)
		}
		n.recovery.history = newBusHistory(n.recovery, bus)
	}
	close(cn.joined)
}

// leave ends the namespace's part in the cluster. done is closed when the adapter has
// left.
func (cn *clusterNamespace) leave() (done <-chan struct{}) {
	cn.stop()
	return cn.member.Leave()
}

// Ready waits until every namespace of the server receives from the other servers of
// the cluster and can send to them. If ctx ends first, the error wraps ctx's error,
// with the reason if it is known.
//
// A connection may be lost later, so a readiness probe calls Ready every time. A
// server that is not part of a cluster is ready at once. After Shutdown or Close
// has been called the error is [ErrClosed].
func (srv *Server) Ready(ctx context.Context) error {
	if srv.engine.Stopped() {
		return ErrClosed
	}
	ctx = srv.guardContext(ctx)
	for n := range srv.Namespaces() {
		if n.cluster == nil {
			continue
		}
		if err := n.cluster.member.Ready(ctx); err != nil {
			return fmt.Errorf("socketio: cluster: namespace %q: %w", n.name, err)
		}
	}
	return ctx.Err()
}

// publish sends a message to the other servers. It does not block. m may alias
// buffers that are reused later. On failure the message counts as lost, and the
// error wraps [ErrUnpublished].
func (cn *clusterNamespace) publish(m *adapter.Message) error {
	counters := &cn.ns.srv.cluster
	if err := cn.member.Publish(m); err != nil {
		counters.lost.Add(1)
		return fmt.Errorf("%w: %w", ErrUnpublished, err)
	}
	counters.published.Add(1)
	return nil
}

// busMessage fills in the receivers and modifiers of e.
func (e Emitter) busMessage(m adapter.Message) *adapter.Message {
	m.Rooms, m.Except = e.rooms, e.except
	if e.sender != nil {
		m.Except = append(slices.Clip(e.except), e.sender.id)
	}
	m.Volatile = e.volatile
	switch e.compress {
	case engine.CompressNever:
		m.Compress = adapter.CompressNever
	case engine.CompressAlways:
		m.Compress = adapter.CompressAlways
	}
	return &m
}

// clusterNamespaces returns the cluster namespaces in which e publishes messages.
func (e Emitter) clusterNamespaces() (list []*clusterNamespace) {
	if e.localOnly || e.only != nil || e.hasNoReceivers() || e.ns.srv.opts.Adapter == nil {
		return nil
	}
	for _, n := range e.ns.expand() {
		if n.cluster != nil {
			list = append(list, n.cluster)
		}
	}
	return list
}

// publishAll publishes a message in every namespace of e.
func (e Emitter) publishAll(m adapter.Message) error {
	var errs []error
	for _, cn := range e.clusterNamespaces() {
		errs = append(errs, cn.publish(e.busMessage(m)))
	}
	return errors.Join(errs...)
}

// broadcast publishes the event that enc holds.
func (cn *clusterNamespace) broadcast(e Emitter, enc *encoder) error {
	return cn.publish(e.busMessage(adapter.Message{Kind: adapter.Broadcast, Data: enc.Payload(), Binary: enc.Attachments()}))
}

// roomsChanged notifies the member that sockets have joined or left these rooms.
func (cn *clusterNamespace) roomsChanged(rooms ...string) {
	if cn == nil || cn.roomWatcher == nil {
		return
	}
	for _, name := range rooms {
		cn.roomWatcher.RoomChanged(name)
	}
}

// Wants implements [adapter.Host].
func (cn *clusterNamespace) Wants(rooms ...string) bool {
	if !isClosed(cn.joined) {
		return true // not known yet
	}
	// In this order: a resumed socket is in the index before hasResuming forgets it.
	return cn.ns.recovery.hasResuming(rooms) || cn.ns.index.HasReceivers(rooms)
}

// Rooms implements [adapter.RoomLister].
func (cn *clusterNamespace) Rooms() []string {
	names := cn.ns.index.Rooms()
	for socket := range cn.ns.LocalSockets() {
		names = append(names, socket.id)
	}
	return names
}

// Lost implements [adapter.Host].
func (cn *clusterNamespace) Lost(n int, reason error) {
	cn.ns.srv.cluster.lost.Add(uint64(max(n, 0)))
	if n > 0 {
		reason = fmt.Errorf("socketio: cluster: %d messages lost: %w", n, reason)
	} else {
		reason = fmt.Errorf("socketio: cluster: messages may be lost: %w", reason)
	}
	cn.ns.srv.reportError(nil, reason)
}

// Status implements [adapter.Host].
func (cn *clusterNamespace) Status(err error) { cn.status.set(err) }

// Malformed implements [adapter.Host].
func (cn *clusterNamespace) Malformed(reason error) {
	cn.ns.srv.cluster.malformed.Add(1)
	cn.ns.srv.reportError(nil, fmt.Errorf("socketio: cluster: malformed message: %w", reason))
}

// Deliver implements [adapter.Host].
func (cn *clusterNamespace) Deliver(m *adapter.Message) {
	<-cn.joined
	if m.Kind == adapter.Position {
		cn.ns.recovery.start(m.Position)
		return
	}
	cn.ns.srv.cluster.received.Add(1)
	if !cn.inOrder(m) {
		return
	}
	if m.Kind.IsResponse() {
		cn.handleResponse(m)
		return
	}
	if cn.callsCode(m) { // on another goroutine: the adapter's must survive a Goexit
		cn.ns.srv.isolate(nil, "", func() { cn.execute(m) })
	} else {
		cn.execute(m)
	}
}

// callsCode reports whether code of the application may run for a message.
func (cn *clusterNamespace) callsCode(m *adapter.Message) bool {
	own, inherited := cn.ns.observed()
	h := &cn.ns.srv.hooks
	return own != nil || inherited != nil || h.observesSends() || h.Ack != nil || cn.ns.srv.opts.Codec != nil || m.Kind == adapter.Fetch
}

// execute executes the message of another server.
func (cn *clusterNamespace) execute(m *adapter.Message) {
	e := Emitter{ns: cn.ns, onlyID: onlyOf(m), rooms: m.Rooms, except: m.Except, volatile: m.Volatile}.withCompression(m.Compress)
	switch m.Kind {
	case adapter.Broadcast:
		if err := cn.deliver(e, m); err != nil {
			cn.Malformed(err)
		}
	case adapter.Join:
		e.eachLocal(func(socket *Socket) { _ = socket.Join(m.Targets...) })
	case adapter.Leave:
		e.eachLocal(func(socket *Socket) { socket.Leave(m.Targets...) })
	case adapter.Disconnect:
		e.eachLocal(func(socket *Socket) { _ = socket.disconnectOrClose(m.Close) })
	case adapter.Reconnect:
		e.eachLocal(func(socket *Socket) { _ = socket.Reconnect() })
	case adapter.Fetch:
		cn.serveFetchRequest(e, m)
	case adapter.Count:
		cn.respond(m, adapter.Message{Kind: adapter.Clients, Count: len(e.localSockets())})
	case adapter.Emit:
		if err := cn.enqueueServerEvent(m); err != nil {
			cn.Malformed(err)
		}
	default:
		cn.Malformed(fmt.Errorf("kind %d", m.Kind))
	}
}

// inOrder reports whether m is newer than the last message of its server. It is
// true for messages without a number. A gap in the numbers counts as lost.
func (cn *clusterNamespace) inOrder(m *adapter.Message) bool {
	if m.Seq == 0 {
		return true
	}
	cn.mu.Lock()
	last, known := cn.lastSeq[m.From]
	if known && m.Seq <= last {
		cn.mu.Unlock()
		return false
	}
	if len(cn.lastSeq) >= maxServers && !known {
		clear(cn.lastSeq) // most names are of servers that have left: a name is never reused
	}
	cn.lastSeq[m.From] = m.Seq
	cn.mu.Unlock()
	if gap := m.Seq - last - 1; known && gap > 0 {
		cn.Lost(int(min(gap, math.MaxInt32)), fmt.Errorf("messages of server %q did not arrive", m.From))
	}
	return true
}

// maxServers bounds the servers whose last number is kept.
const maxServers = 10000

// deliver sends an event of another server to its receivers on this server.
func (cn *clusterNamespace) deliver(e Emitter, m *adapter.Message) error {
	wanted := m.ID != "" || cn.Wants(m.Rooms...)
	logged := wanted && m.ID == "" && m.Position > 0 && !m.Volatile && cn.ns.recovery != nil
	if !logged {
		cn.ns.recovery.advance(m.Position)
	}
	if !wanted {
		return nil
	}
	enc, event, err := beginReceived(cn.ns, m)
	if err != nil {
		return err
	}
	defer enc.Release()
	if m.ID != "" {
		return cn.serveBroadcastRequest(e, m, event, enc)
	}
	if logged {
		return e.deliverLogged(cn.ns, m.Position, event, enc)
	}
	return e.deliver(cn.ns, event, enc)
}

// noLimits is for messages of other servers, which have checked their own limits.
var noLimits = sio.Limits{Attachments: math.MaxInt32, Depth: sio.DefaultDepth, Args: math.MaxInt32, Literal: true}

// beginReceived is beginEvent for an event of another server, which is encoded.
func beginReceived(n *Namespace, m *adapter.Message) (_ *encoder, event string, err error) {
	p := packets.Get().(*sio.Packet)
	defer packets.Put(p)
	enc := n.srv.newEncoder()
	if err = enc.Load(p, m.Data, m.Binary, noLimits); err == nil {
		err = n.srv.checkNumber(len(m.Binary))
	}
	if err != nil {
		enc.Release()
		return nil, "", err
	}
	event = string(p.Name)
	return enc, event, nil
}

// receivedArgs decodes arguments that another server has sent. The result does not
// alias m.
func receivedArgs(m *adapter.Message) (Args, error) {
	p := packets.Get().(*sio.Packet)
	defer packets.Put(p)
	kind := sio.Ack
	if len(m.Binary) > 0 {
		kind = sio.BinaryAck
	}
	text := append(sio.AppendHeader(nil, kind, "/", len(m.Binary), 0), m.Data...)
	if err := p.Decode(text, noLimits); err != nil {
		return Args{}, err
	}
	if !utf8.Valid(text) {
		return Args{}, sio.ErrPayload
	}
	bin := make([][]byte, len(m.Binary))
	for i, b := range m.Binary {
		bin[i] = append(make([]byte, 0, len(b)), b...)
	}
	return Args{slices.Clone(p.Args), bin}, nil
}
