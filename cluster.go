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

// A clusterNamespace is a namespace's place in a cluster. What is here is the same for every
// adapter: what messages mean. Questions and their answers are in question.go,
// events between servers in serverside.go.
//
// A nil seat is that of a server that is alone.
type clusterNamespace struct {
	ns     *Namespace
	joined chan struct{} // closed when member and rooms are known
	member adapter.Member
	rooms  adapter.RoomWatcher // nil if the member listens for all rooms
	ctx    context.Context     // of handlers of server-side events
	cancel context.CancelFunc
	status *clusterStatus

	mu       sync.Mutex // guards the following
	requests map[string]*request
	lastSeq  map[string]uint64 // the last Seq, by server
	inbox    []serverEvent     // what waits for handlers of server-side events
	busy     bool              // somebody runs them
	stopped  bool              // no more of them are wanted
}

// clusterCounters are those of [ClusterStats].
type clusterCounters struct{ published, received, lost, malformed atomic.Uint64 }

// ClusterStats counts messages between the servers of a cluster; each counts
// once, whatever the number of those who receive it.
type ClusterStats struct {
	// Connected says that every namespace hears the other servers of the cluster and is
	// heard by them. While it is false events and answers may not reach clients of
	// other servers; the Logger has the reason.
	Connected bool

	Published uint64 // by this server
	Received  uint64 // from other servers
	Lost      uint64 // not sent, or known to be missed
	Malformed uint64 // received, and made no sense
}

func (c *clusterCounters) stats() ClusterStats {
	return ClusterStats{
		Published: c.published.Load(), Received: c.received.Load(), Lost: c.lost.Load(), Malformed: c.malformed.Load(),
	}
}

// join takes a namespace's place in the cluster, if there is one. The caller
// holds srv.mu.
func (srv *Server) join(n *Namespace) {
	if srv.opts.Adapter == nil || srv.leftCluster {
		return
	}
	s := &clusterNamespace{ns: n, joined: make(chan struct{}), requests: make(map[string]*request), lastSeq: make(map[string]uint64)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.status = newClusterStatus(n)
	s.member = srv.opts.Adapter.Join(n.name, s)
	s.rooms, _ = s.member.(adapter.RoomWatcher)
	n.cluster = s
	if recorder, ok := s.member.(adapter.LogBus); ok && n.recovery != nil {
		if n.parent != nil {
			n.recovery = newRecovery(srv.opts.Recovery)
		}
		n.recovery.bus = recorder
		n.recovery.resuming = make(map[*Socket]struct{})
		n.recovery.closing = make(map[string]<-chan struct{})
	}
	close(s.joined)
}

// leave gives up the place.
func (s *clusterNamespace) leave() (done <-chan struct{}) {
	s.stop()
	return s.member.Leave()
}

// Ready waits until every namespace of the server hears the others of its
// cluster and is heard by them, or until ctx ends, with ctx's error and the reason
// where it is known. A nil error says that it is so now: connections may be lost later,
// so a readiness probe calls Ready every time. A server that is not part of a cluster is
// ready at once. After Shutdown or Close has been called the error is [ErrClosed].
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
// buffers that are used again. What is lost is counted, and the error wraps
// [ErrUnpublished].
func (s *clusterNamespace) publish(m *adapter.Message) error {
	counters := &s.ns.srv.cluster
	if err := s.member.Publish(m); err != nil {
		counters.lost.Add(1)
		return fmt.Errorf("%w: %w", ErrUnpublished, err)
	}
	counters.published.Add(1)
	return nil
}

// busMessage fills in whom e means and how, as other servers are told.
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

// clusterNamespaces returns the places from which others hear of what e does.
func (e Emitter) clusterNamespaces() (list []*clusterNamespace) {
	if e.localOnly || e.only != nil || e.empty() || e.ns.srv.opts.Adapter == nil {
		return nil
	}
	for _, n := range e.ns.expand() {
		if n.cluster != nil {
			list = append(list, n.cluster)
		}
	}
	return list
}

// publishAll publishes a message in every namespace that e stands for.
func (e Emitter) publishAll(m adapter.Message) error {
	var errs []error
	for _, s := range e.clusterNamespaces() {
		errs = append(errs, s.publish(e.busMessage(m)))
	}
	return errors.Join(errs...)
}

// broadcast publishes the event that enc holds.
func (s *clusterNamespace) broadcast(e Emitter, enc *encoder) error {
	return s.publish(e.busMessage(adapter.Message{Kind: adapter.Broadcast, Data: enc.payload(), Binary: enc.bin}))
}

// roomsChanged tells a member of rooms that somebody has entered or left.
func (s *clusterNamespace) roomsChanged(rooms ...string) {
	if s == nil || s.rooms == nil {
		return
	}
	for _, name := range rooms {
		s.rooms.RoomChanged(name)
	}
}

// Wants implements [adapter.Host].
func (s *clusterNamespace) Wants(rooms ...string) bool {
	if !isClosed(s.joined) {
		return true // nobody knows yet
	}
	// In this order: a socket that is back is found in the index before it is not expected.
	return s.ns.recovery.hasResuming(rooms) || s.ns.index.any(rooms)
}

// Rooms implements [adapter.RoomLister].
func (s *clusterNamespace) Rooms() []string {
	names := s.ns.index.roomNames()
	for socket := range s.ns.LocalSockets() {
		names = append(names, socket.id)
	}
	return names
}

// Lost implements [adapter.Host].
func (s *clusterNamespace) Lost(n int, reason error) {
	s.ns.srv.cluster.lost.Add(uint64(max(n, 0)))
	if n > 0 {
		reason = fmt.Errorf("socketio: cluster: %d messages lost: %w", n, reason)
	} else {
		reason = fmt.Errorf("socketio: cluster: messages may be lost: %w", reason)
	}
	s.ns.srv.reportError(nil, reason)
}

// Status implements [adapter.Host].
func (s *clusterNamespace) Status(err error) { s.status.set(err) }

// Malformed implements [adapter.Host].
func (s *clusterNamespace) Malformed(reason error) {
	s.ns.srv.cluster.malformed.Add(1)
	s.ns.srv.reportError(nil, fmt.Errorf("socketio: cluster: a message makes no sense: %w", reason))
}

// Deliver implements [adapter.Host].
func (s *clusterNamespace) Deliver(m *adapter.Message) {
	<-s.joined
	if m.Kind == adapter.Position {
		s.ns.recovery.begin(m.Position)
		return
	}
	s.ns.srv.cluster.received.Add(1)
	if !s.inOrder(m) {
		return
	}
	if m.Kind.IsResponse() {
		s.handleResponse(m)
		return
	}
	if s.callsCode(m) { // on a goroutine that is not the adapter's
		s.ns.srv.isolate(nil, "", func() { s.obey(m) })
	} else {
		s.obey(m)
	}
}

// callsCode reports whether code of the application may run for a message.
func (s *clusterNamespace) callsCode(m *adapter.Message) bool {
	own, inherited := s.ns.observed()
	h := &s.ns.srv.hooks
	return own != nil || inherited != nil || h.observesSends() || h.Ack != nil || s.ns.srv.opts.Codec != nil || m.Kind == adapter.Fetch
}

// obey does what another server asks for.
func (s *clusterNamespace) obey(m *adapter.Message) {
	e := Emitter{ns: s.ns, onlyID: onlyOf(m), rooms: m.Rooms, except: m.Except, volatile: m.Volatile}.withCompression(m.Compress)
	switch m.Kind {
	case adapter.Broadcast:
		if err := s.deliver(e, m); err != nil {
			s.Malformed(err)
		}
	case adapter.Join:
		e.eachLocal(func(socket *Socket) { _ = socket.Join(m.Targets...) })
	case adapter.Leave:
		e.eachLocal(func(socket *Socket) { socket.Leave(m.Targets...) })
	case adapter.Disconnect:
		e.eachLocal(func(socket *Socket) { _ = socket.end(m.Close) })
	case adapter.Reconnect:
		e.eachLocal(func(socket *Socket) { _ = socket.Reconnect() })
	case adapter.Fetch:
		s.serveFetchRequest(e, m)
	case adapter.Count:
		s.respond(m, adapter.Message{Kind: adapter.Clients, Count: len(e.localSockets())})
	case adapter.Emit:
		if err := s.enqueueServerEvent(m); err != nil {
			s.Malformed(err)
		}
	default:
		s.Malformed(fmt.Errorf("kind %d", m.Kind))
	}
}

// inOrder reports whether m, if it is numbered, is neither a repetition nor too
// late.
func (s *clusterNamespace) inOrder(m *adapter.Message) bool {
	if m.Seq == 0 {
		return true
	}
	s.mu.Lock()
	last, known := s.lastSeq[m.From]
	if known && m.Seq <= last {
		s.mu.Unlock()
		return false
	}
	if len(s.lastSeq) >= maxServers && !known {
		clear(s.lastSeq) // servers come and go; their names never come back
	}
	s.lastSeq[m.From] = m.Seq
	s.mu.Unlock()
	if gap := m.Seq - last - 1; known && gap > 0 {
		s.Lost(int(min(gap, math.MaxInt32)), fmt.Errorf("server %q has sent more than has arrived", m.From))
	}
	return true
}

// maxServers bounds the servers whose numbering is remembered.
const maxServers = 10000

// deliver sends an event of another server to its receivers here.
func (s *clusterNamespace) deliver(e Emitter, m *adapter.Message) error {
	wanted := m.ID != "" || s.Wants(m.Rooms...)
	recorded := wanted && m.ID == "" && m.Position > 0 && !m.Volatile && s.ns.recovery.records()
	if !recorded {
		s.ns.recovery.advance(m.Position)
	}
	if !wanted {
		return nil
	}
	enc, event, err := beginReceived(s.ns, m)
	if err != nil {
		return err
	}
	defer enc.release()
	if m.ID != "" {
		return s.serveBroadcastRequest(e, m, event, enc)
	}
	if recorded {
		return e.deliverLogged(s.ns, m.Position, event, enc)
	}
	return e.deliver(s.ns, event, enc)
}

// noLimits is for what other servers send, who have limits of their own.
var noLimits = sio.Limits{Attachments: math.MaxInt32, Depth: sio.DefaultDepth, Args: math.MaxInt32, Literal: true}

// beginReceived is beginEvent for an event that is encoded already.
func beginReceived(n *Namespace, m *adapter.Message) (_ *encoder, event string, err error) {
	p := packets.Get().(*sio.Packet)
	defer packets.Put(p)
	enc := n.srv.newEncoder()
	kind := sio.Event
	if len(m.Binary) > 0 {
		kind = sio.BinaryEvent
	}
	enc.text = append(sio.AppendHeader(enc.text, kind, n.name, len(m.Binary), noAck), m.Data...)
	if err = p.Decode(enc.text, noLimits); err == nil && (p.Name == nil || !utf8.Valid(p.Data)) {
		err = sio.ErrPayload
	}
	if err == nil && enc.refusePlaceholders && len(m.Binary) > 0 && sio.HasPlain(p.Data) {
		err = errPlaceholder
	}
	if err == nil {
		err = n.srv.checkNumber(len(m.Binary))
	}
	if err != nil {
		enc.release()
		return nil, "", err
	}
	event = string(p.Name)
	enc.json = append(enc.json, p.Data[:len(p.Data)-1]...) // less the bracket
	enc.bin = append(enc.bin, m.Binary...)
	enc.text = enc.text[:0]
	return enc, event, nil
}

// receivedArgs decodes arguments that another server has sent. They alias
// nothing of m.
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
