package socketio

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/socketio-go/socketio/internal/rooms"
)

// A Namespace is a part of a server with its own sockets, handlers, middleware and
// rooms. The sockets of one client in several namespaces share its connection.
//
// All methods may be called concurrently, and while clients are connected. A change of
// handlers applies to later events, a change of middleware and OnConnect to later
// clients.
type Namespace struct {
	srv       *Server
	name      string     // empty for a template
	parent    *Namespace // the template of a child, else nil
	template  *template  // nil unless this is a template
	handlers  handlers
	observers atomic.Pointer[observers] // nil until one is added
	index     *rooms.Index[*Socket]
	recovery  *recovery         // nil unless Options.Recovery is set
	cluster   *clusterNamespace // nil unless Options.Adapter is set; a template has none
	acks      atomic.Int64      // number of broadcasts with acks, for their ack ids
	counts    *namespaceCounts  // the children of a template share its counts

	serverSide handlers // of server-side events

	needsLog int // sockets and sessions for which the log is kept; guarded by the recovery's mu

	refs   int  // references, of a child only: see acquire; guarded by srv.mu
	pinned bool // Of has returned it, so it is never dropped; guarded by srv.mu

	mu         sync.RWMutex // guards the following, whose arrays are not modified
	middleware []*Middleware
	connect    []*func(*Socket)
	disconnect []*func(*Socket, Reason)
}

// Middleware decides whether s may join its namespace: an error refuses it. The client
// receives "connect_error" with the message and data of an [Error]. For any other error,
// or a panic, it receives a neutral message, and [Options.OnError] receives the error.
//
// Middleware may block. ctx ends with the connection and after
// [Options.ConnectTimeout]; then the client is refused, whatever middleware returns.
//
// s is not connected yet: it may join rooms, but emitting to it fails with [ErrClosed].
type Middleware func(ctx context.Context, s *Socket) error

func newNamespace(srv *Server, name string, parent *Namespace) *Namespace {
	n := &Namespace{srv: srv, name: name, parent: parent, index: newIndex()}
	if parent != nil {
		n.recovery, n.counts = parent.recovery, parent.counts
	} else {
		n.counts = new(namespaceCounts)
		n.recovery = newRecovery(srv.opts.Recovery)
	}
	return n
}

// Name returns the name, which begins with "/". It is empty for a template.
func (n *Namespace) Name() string { return n.name }

// Template returns the template of a child namespace, or nil.
func (n *Namespace) Template() *Namespace { return n.parent }

// Use appends middleware, which runs in order for every connecting socket, and returns a
// function that removes it. It panics if one of them is nil.
func (n *Namespace) Use(mw ...Middleware) (off func()) {
	for _, one := range mw {
		checkNotNil("Use", one == nil)
	}
	return addFuncs(n, &n.middleware, mw...)
}

// OnConnect adds a function that is called once for every socket that passed the
// middleware, and returns a function that removes it. It panics if fn is nil. fn may
// block: the events of s are handled after it has returned. s receives what is emitted
// to it and to its rooms from the beginning of the call.
func (n *Namespace) OnConnect(fn func(s *Socket)) (off func()) {
	checkNotNil("OnConnect", fn == nil)
	return addFuncs(n, &n.connect, fn)
}

// OnDisconnect adds a function that is called once for every socket for which OnConnect
// was called, when the socket is disconnected and its last handler has returned. It
// returns a function that removes fn, and panics if fn is nil. The context of s has
// ended, and emitting to it fails with [ErrClosed], but [Socket.Rooms] still returns its
// rooms. The functions of [Socket.OnDisconnect] are called first.
func (n *Namespace) OnDisconnect(fn func(s *Socket, reason Reason)) (off func()) {
	checkNotNil("OnDisconnect", fn == nil)
	return addFuncs(n, &n.disconnect, fn)
}

// addFuncs appends functions to a list of n and returns a function that removes them.
func addFuncs[F any](n *Namespace, list *[]*F, fns ...F) (off func()) {
	added := pointersTo(fns)
	n.mu.Lock()
	defer n.mu.Unlock()
	*list = append(slices.Clip(*list), added...)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		*list = without(*list, added)
	}
}

// pointersTo returns a pointer to each function. Functions can't be compared, but
// pointers can.
func pointersTo[F any](fns []F) []*F {
	list := make([]*F, len(fns))
	for i, fn := range fns {
		list[i] = &fn
	}
	return list
}

// without returns a copy of list that lacks the removed elements.
func without[F any](list, removed []*F) []*F {
	return slices.DeleteFunc(slices.Clone(list), func(p *F) bool { return slices.Contains(removed, p) })
}

// lifecycle returns the middleware and the functions of OnConnect and OnDisconnect,
// those of the template first. The caller must not modify the slices.
func (n *Namespace) lifecycle() (mw []*Middleware, connect []*func(*Socket), disconnect []*func(*Socket, Reason)) {
	n.mu.RLock()
	mw, connect, disconnect = n.middleware, n.connect, n.disconnect
	n.mu.RUnlock()
	if n.parent != nil {
		m, c, d := n.parent.lifecycle()
		mw, connect, disconnect = slices.Concat(m, mw), slices.Concat(c, connect), slices.Concat(d, disconnect)
	}
	return mw, connect, disconnect
}

// On registers handler for event on every socket of the namespace and returns a
// function that removes it. The package documentation lists the accepted signatures. On
// panics if handler has another one, or if event is reserved. "connection", "connect",
// "disconnect" and "disconnecting" are reserved: use [Namespace.OnConnect] and
// [Namespace.OnDisconnect].
func (n *Namespace) On(event string, handler any) (off func()) {
	return n.register(event, compile(event, handler))
}

func (n *Namespace) register(event string, h *handler) (off func()) {
	return n.handlers.Add(event, h)
}

// Room returns a handle on the room called name, which need not exist.
func (n *Namespace) Room(name string) Room { return Room{n, name} }

// LocalRooms iterates over the rooms that have a socket on this server, in no order,
// without the own rooms of sockets. No lock is held, so the body may block.
func (n *Namespace) LocalRooms() iter.Seq[Room] {
	return func(yield func(Room) bool) {
		for _, member := range n.expand() {
			for _, name := range member.index.Rooms() {
				if !yield(Room{member, name}) {
					return
				}
			}
		}
	}
}

// LocalSocket returns the socket with the given id, if it is on this server.
func (n *Namespace) LocalSocket(id string) (*Socket, bool) {
	for _, member := range n.expand() {
		if s, ok := member.index.Socket(id); ok {
			return s, true
		}
	}
	return nil, false
}

// LocalSockets iterates over the sockets on this server, in no order: those that are
// connected when the iteration begins. No lock is held, so the body may block, and may
// disconnect sockets.
func (n *Namespace) LocalSockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		for _, s := range n.Broadcast().localSockets() {
			if !yield(s) {
				return
			}
		}
	}
}

// Broadcast returns an emitter to every socket of the namespace.
func (n *Namespace) Broadcast() Emitter { return Emitter{ns: n} }

// To returns an emitter to the sockets in any of the rooms.
func (n *Namespace) To(rooms ...string) Emitter { return n.Broadcast().To(rooms...) }

// Except returns an emitter to the sockets in none of the rooms.
func (n *Namespace) Except(rooms ...string) Emitter { return n.Broadcast().Except(rooms...) }

// Volatile returns an emitter to every socket. It drops an event for a client that is
// not ready; see [Emitter.Volatile].
func (n *Namespace) Volatile() Emitter { return n.Broadcast().Volatile() }

// Local returns an emitter to the sockets on this server only.
func (n *Namespace) Local() Emitter { return n.Broadcast().Local() }

// Compress returns an emitter to every socket that compresses its events or does not;
// see [Emitter.Compress].
func (n *Namespace) Compress(on bool) Emitter { return n.Broadcast().Compress(on) }

// Emit sends an event to every socket of the namespace; see [Emitter.Emit].
func (n *Namespace) Emit(event string, args ...any) error { return n.Broadcast().Emit(event, args...) }

// EmitWithAck sends an event to every socket of the namespace and collects one
// reply from each; see [Emitter.EmitWithAck].
func (n *Namespace) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	return n.Broadcast().EmitWithAck(ctx, event, args...)
}
