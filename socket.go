package socketio

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Socket is one client in one namespace.
//
// The handlers of a socket run one after another, in the order the client
// emitted. Everything else may be called concurrently, and after the socket has
// disconnected.
type Socket struct {
	id      string
	ns      *Namespace
	conn    *conn
	state   atomic.Uint32           // changed under conn.mu
	owed    atomic.Int32            // answers that an AckFunc is to give
	running atomic.Pointer[handler] // the handler called last
	member  socketRooms             // the index's
	auth    Args
	rec     *recoveryState // nil unless Options.Recovery is set

	own    atomic.Pointer[handlers] // registered on this socket; nil if none
	values map[string]any           // guarded by conn.mu, as is all that follows

	busy         bool   // somebody runs the handlers
	drained      bool   // it has left, and nothing of it runs
	discarding   bool   // what waits is not to be handled any more
	inbox        []task // what waits for the handlers
	acks         map[int64]*pendingAck
	nextAck      int64
	lifetime     *lifetime // nil until somebody asks for the context
	onDisconnect []*func(Reason)
	reason       Reason
	connectTimer *time.Timer // of the middleware
}

// The states of a socket.
const (
	resuming        uint32 = iota // a session is looked for that may give it another id; nobody else knows it yet
	stateConnecting               // middleware runs
	stateConnected
	stateDisconnected
)

// A lifetime is a socket's context.
type lifetime struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// newSocketID returns 120 random bits in 20 characters, the length that
// clustered servers know a socket id by.
func newSocketID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ID returns the id shared with the client. It is also a room holding only
// this socket. It is random, but no secret: other clients may be told.
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace s is in.
func (s *Socket) Namespace() *Namespace { return s.ns }

// A Handshake describes how a client connected: the first request of its
// connection, and what it sent when it joined this namespace.
type Handshake struct {
	Header     http.Header // without what only the WebSocket handshake needs
	Host       string
	URL        *url.URL // as requested, with its query
	RemoteAddr string   // the network peer's; a proxy's headers are not looked at
	Time       time.Time
	Secure     bool                 // the connection uses TLS
	TLS        *tls.ConnectionState // of that connection, not to be changed; nil without TLS
	Auth       Args                 // what the client passed as auth to this namespace; Len is 0 or 1
}

// Handshake describes the request that opened the connection. It is put
// together at every call.
func (s *Socket) Handshake() *Handshake {
	r := s.conn.session.Request()
	u, err := url.ParseRequestURI(r.URI)
	if err != nil {
		u = new(url.URL)
	}
	return &Handshake{
		Header:     r.Header,
		Host:       r.Host,
		URL:        u,
		RemoteAddr: r.RemoteAddr,
		Time:       time.Now().Add(s.conn.opened - uptime()),
		Secure:     r.TLS != nil,
		TLS:        r.TLS,
		Auth:       s.auth,
	}
}

// Context returns a context that ends with the socket, before OnDisconnect is
// called; its cause is a *[DisconnectError]. It has the values of the context of the
// HTTP request that opened the connection, so what net/http middleware has put
// there is found by middleware and handlers of sockets. A value must not belong to
// something that is used again when that request ends, as a router's may.
func (s *Socket) Context() context.Context {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.lifetime == nil {
		s.lifetime = new(lifetime)
		s.lifetime.ctx, s.lifetime.cancel = context.WithCancelCause(s.conn.session.Context())
		if s.state.Load() == stateDisconnected {
			s.lifetime.cancel(&DisconnectError{s.reason})
		}
	}
	return s.lifetime.ctx
}

// Connected reports whether s is connected: from the end of the middleware to
// the disconnection.
func (s *Socket) Connected() bool { return s.state.Load() == stateConnected }

// Transport returns the transport in use now.
func (s *Socket) Transport() Transport { return Transport(s.conn.session.Transport()) }

// On registers handler for event on this socket only, to run before any
// handler of the namespace, and returns a function that removes it. See the
// package documentation for the accepted shapes. It panics if handler has
// another shape or if event is reserved. The events "disconnect" and "disconnecting" are
// reserved: use [Socket.OnDisconnect].
func (s *Socket) On(event string, handler any) (off func()) {
	return s.register(event, compile(event, handler))
}

func (s *Socket) register(event string, h *handler) (off func()) {
	s.own.CompareAndSwap(nil, new(handlers))
	return s.own.Load().add(event, h)
}

// OnDisconnect adds a function called once when s has left, after its last
// handler and before the functions of [Namespace.OnDisconnect]. It returns a function
// that removes it. Rooms still answers. A function that is added later is not called.
func (s *Socket) OnDisconnect(fn func(reason Reason)) (off func()) {
	checkNotNil("OnDisconnect", fn == nil)
	added := pointersTo([]func(Reason){fn})
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.onDisconnect = append(slices.Clip(s.onDisconnect), added...)
	return func() {
		s.conn.mu.Lock()
		defer s.conn.mu.Unlock()
		s.onDisconnect = without(s.onDisconnect, added)
	}
}

// Emit sends an event to the client. A nil error means that the event is
// queued, not that it arrived. The error is [ErrClosed] when s is not
// connected, [ErrSlow] when its queue is full, which disconnects it,
// [ErrReserved] for a reserved name, or says which argument can't be encoded.
//
// If the last argument is a func(Args, error), the client is asked for an
// answer and the function is called once, with the answer or with why there is
// none, at the latest after [Options.AckTimeout]. It runs like a handler of s.
// When Emit returns an error, the function is not called, or with [ErrClosed].
func (s *Socket) Emit(event string, args ...any) error {
	if err := checkEvent(event); err != nil {
		return err
	}
	args, fn, found, err := callback[func(Args, error)](event, args)
	switch {
	case err != nil:
		return err
	case found:
		return s.emitWithCallback(event, args, fn)
	}
	return Emitter{ns: s.ns, only: s}.emitAll(event, args)
}

// send queues a packet of the given type; event is its name, if it has one.
func (s *Socket) send(m *engine.Message, t sio.Type, event string, volatile bool) error {
	err := s.queue(m, volatile)
	if s.ns.srv.hooks.observesSends() {
		s.conn.notifyPacketsOut(note{s: s, t: t, event: event, m: m, err: err})
	}
	return sendError(err)
}

// ask is send for an event that asks for an answer, which does not come if the
// event was dropped.
func (s *Socket) ask(m *engine.Message, event string, volatile bool) error {
	err := s.queue(m, volatile)
	if s.ns.srv.hooks.observesSends() {
		s.conn.notifyPacketsOut(note{s: s, t: sio.Event, event: event, m: m, err: err})
	}
	if err == engine.ErrDropped {
		return ErrDropped
	}
	return sendError(err)
}

// queue is send without the hooks, and with the engine's error.
func (s *Socket) queue(m *engine.Message, volatile bool) error {
	if s.state.Load() != stateConnected {
		return engine.ErrClosed
	}
	return s.conn.session.Send(m, volatile)
}

// sendError is what the application is told of the engine's error.
func sendError(err error) error {
	switch err {
	case nil, engine.ErrDropped:
		return nil
	case engine.ErrSlow:
		return ErrSlow
	default:
		return ErrClosed
	}
}

// Volatile returns an emitter to s that drops events the transport cannot take
// at once. It is for s alone: To and Except don't change that, unlike in
// s.To(room).Volatile(), which is for others.
func (s *Socket) Volatile() Emitter { return Emitter{ns: s.ns, only: s, volatile: true} }

// Compress returns an emitter to s that overrides compression.
func (s *Socket) Compress(on bool) Emitter { return Emitter{ns: s.ns, only: s}.Compress(on) }

// Local returns an emitter to s. After To or Except it is an emitter to the others
// in those rooms on this server.
func (s *Socket) Local() Emitter { return Emitter{ns: s.ns, only: s}.Local() }

// Broadcast returns an emitter to every other socket of the namespace.
func (s *Socket) Broadcast() Emitter { return Emitter{ns: s.ns, sender: s} }

// To returns an emitter to the other sockets in any of the rooms.
func (s *Socket) To(rooms ...string) Emitter { return s.Broadcast().To(rooms...) }

// Except returns an emitter to the other sockets in none of the rooms.
func (s *Socket) Except(rooms ...string) Emitter { return s.Broadcast().Except(rooms...) }

// Join enters the rooms. When it returns, a broadcast to them reaches s. The
// error is [ErrClosed] when s has disconnected.
func (s *Socket) Join(rooms ...string) error {
	joined, ok := s.ns.joinRooms(s, rooms)
	if !ok {
		return ErrClosed
	}
	s.notifyRooms(joined, joinObservers)
	return nil
}

// Leave leaves the rooms. When it returns, no later broadcast to them reaches s.
// It does nothing when s has disconnected.
func (s *Socket) Leave(rooms ...string) {
	s.notifyRooms(s.ns.leaveRooms(s, rooms), leaveObservers)
}

// Rooms returns the rooms s is in, its own id among them. When s has
// disconnected they are those it was in.
func (s *Socket) Rooms() []string { return s.ns.index.roomsOf(s) }

// Disconnect leaves the namespace; the connection stays for its others. What was
// emitted before still goes out, and events that wait for handlers are dropped.
// It does not wait for OnDisconnect, so a handler may call it. The error is
// [ErrClosed] if s has disconnected already.
func (s *Socket) Disconnect() error {
	if !s.disconnect(ReasonServer, true) {
		return ErrClosed
	}
	return nil
}

// end disconnects s, or its connection.
func (s *Socket) end(connection bool) error {
	if connection {
		return s.CloseConnection()
	}
	return s.Disconnect()
}

// Reconnect ends the connection of s in such a way that its client comes back by
// itself, as official clients do when they see their transport closed: perhaps to
// another server, and with [Options.Recovery] to the same session. What is queued is
// sent first, for [Options.WriteTimeout] at most, which it does not wait for. All
// sockets of the connection leave with [ReasonReconnect]; events that wait for
// handlers are still handled. A handler may call it. The error is [ErrClosed] if s has
// disconnected already.
func (s *Socket) Reconnect() error {
	if s.state.Load() == stateDisconnected || !s.conn.session.Close(engine.Reason(ReasonReconnect)) {
		return ErrClosed
	}
	return nil
}

// CloseConnection disconnects s and every other socket of the same connection, which it
// closes when what is queued has been sent. It does not wait for that, nor for
// OnDisconnect. The error is [ErrClosed] if s has disconnected already.
func (s *Socket) CloseConnection() error {
	if s.state.Load() == stateDisconnected {
		return ErrClosed
	}
	for _, other := range s.conn.list() {
		_ = other.Disconnect()
	}
	s.conn.session.Close(engine.ForcedClose)
	return nil
}
