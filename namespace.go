package socketio

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// A Namespace is a channel of its own on the shared connection, with its own
// sockets, handlers, middleware and rooms.
//
// All methods may be called concurrently, and while clients are served: handlers
// that are added or removed then hold for later events, middleware and OnConnect
// for later clients.
type Namespace struct {
	srv       *Server
	name      string     // empty for a template
	parent    *Namespace // the template it was made from, if any
	template  *template  // nil unless it is a template
	handlers  handlers
	observers atomic.Pointer[observers] // nil until there is one
	index     roomIndex
	recovery  *recovery         // nil unless Options.Recovery is set
	cluster   *clusterNamespace // nil unless Options.Adapter is set; a template has none
	acks      atomic.Int64      // ids of broadcasts that ask for answers

	serverSide handlers // of events that other servers send

	needsLog int // sockets and sessions that the log is kept for; guarded by the recovery's mu

	refs   int  // sockets, also those connecting; guarded by srv.mu, used for children only
	pinned bool // it was asked for by Of; guarded by srv.mu

	mu         sync.RWMutex // guards the following, whose arrays are not modified
	middleware []*Middleware
	connect    []*func(*Socket)
	disconnect []*func(*Socket, Reason)
}

// Middleware decides whether s may join its namespace. The client of a refused
// socket receives "connect_error" with the message and data of an [Error], and
// a neutral message for any other error or a panic, which [Options.OnError] is
// told of. It may block; ctx ends with the connection and after
// [Options.ConnectTimeout], when the client is refused whatever comes later.
//
// s is not connected yet: it may join rooms, but events can't be emitted to it.
type Middleware func(ctx context.Context, s *Socket) error

func newNamespace(srv *Server, name string, parent *Namespace) *Namespace {
	n := &Namespace{srv: srv, name: name, parent: parent, index: newIndex()}
	if parent != nil {
		n.recovery = parent.recovery
	} else {
		n.recovery = newRecovery(srv.opts.Recovery)
	}
	return n
}

// Name returns the name, beginning with "/". A template has none.
func (n *Namespace) Name() string { return n.name }

// Use appends middleware, run in order for every connecting socket, and returns a
// function that removes it. It panics if one of them is nil.
func (n *Namespace) Use(mw ...Middleware) (off func()) {
	for _, one := range mw {
		checkNotNil("Use", one == nil)
	}
	return addFuncs(n, &n.middleware, mw...)
}

// OnConnect adds a function called once for every socket that has passed the
// middleware, and returns a function that removes it. It may block: no event of s is
// handled before it returns. What is emitted to s, or to rooms that s has joined,
// reaches it from here on.
func (n *Namespace) OnConnect(fn func(s *Socket)) (off func()) {
	checkNotNil("OnConnect", fn == nil)
	return addFuncs(n, &n.connect, fn)
}

// OnDisconnect adds a function called once for every socket for which
// OnConnect was called, when it has left and its last handler has returned. It
// returns a function that removes it. The context of s has ended and nothing can be
// emitted to it, but [Socket.Rooms] still answers. The functions of
// [Socket.OnDisconnect] are called first.
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

// pointersTo returns a pointer for each function, which is its identity.
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

// lifecycle returns what is registered, the template's first. The slices are not to
// be modified.
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

// On registers handler for event on every socket of the namespace and returns
// a function that removes it. See the package documentation for the accepted
// shapes. It panics if handler has another shape or if event is reserved. The
// events "connection", "connect", "disconnect" and "disconnecting" are reserved: use
// [Namespace.OnConnect] and [Namespace.OnDisconnect].
func (n *Namespace) On(event string, handler any) (off func()) {
	return n.register(event, compile(event, handler))
}

func (n *Namespace) register(event string, h *handler) (off func()) {
	return n.handlers.add(event, h)
}

// Room returns a handle on the room called name. It need not exist.
func (n *Namespace) Room(name string) Room { return Room{n, name} }

// LocalRooms iterates over the rooms that have a socket on this server, in no
// order. The rooms that every socket has by its id are not among them.
func (n *Namespace) LocalRooms() iter.Seq[Room] {
	return func(yield func(Room) bool) {
		for _, member := range n.expand() {
			for _, name := range member.index.roomNames() {
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
		if s, ok := member.index.socket(id); ok {
			return s, true
		}
	}
	return nil, false
}

// LocalSockets iterates over the sockets of this server, in no order. They are those
// of the moment it begins, and no lock is held: the body may block, or change
// who is there.
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

// Volatile returns an emitter to every socket that drops events for clients
// that cannot take them at once.
func (n *Namespace) Volatile() Emitter { return n.Broadcast().Volatile() }

// Local returns an emitter to the sockets of this server.
func (n *Namespace) Local() Emitter { return n.Broadcast().Local() }

// Compress returns an emitter to every socket that overrides compression.
func (n *Namespace) Compress(on bool) Emitter { return n.Broadcast().Compress(on) }

// Emit sends an event to every socket of the namespace; see [Emitter.Emit].
func (n *Namespace) Emit(event string, args ...any) error { return n.Broadcast().Emit(event, args...) }

// EmitWithAck sends an event to every socket of the namespace and collects one
// reply from each; see [Emitter.EmitWithAck].
func (n *Namespace) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	return n.Broadcast().EmitWithAck(ctx, event, args...)
}
