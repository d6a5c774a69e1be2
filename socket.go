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
	"github.com/socketio-go/socketio/internal/rooms"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Socket is one client in one namespace.
//
// The handlers of a socket run one after another, in the order in which its client
// emitted the events. All methods may be called concurrently, and after the socket is
// disconnected.
type Socket struct {
	id             string
	ns             *Namespace
	conn           *conn
	state          atomic.Uint32           // changed under conn.mu
	unsentAcks     atomic.Int32            // AckFuncs that were not called yet
	runningHandler atomic.Pointer[handler] // the handler that was called last
	member         rooms.Member[*Socket]   // its rooms, for the index
	auth           Args
	rec            *recoveryState // nil unless Options.Recovery is set

	own    atomic.Pointer[handlers] // registered on this socket; nil if none
	values map[string]any           // guarded by conn.mu, like all fields below

	busy         bool   // a goroutine runs the handlers
	drained      bool   // it is disconnected, and its last function has returned
	discarding   bool   // events in the inbox are not handled
	inbox        []task // tasks that wait for the handlers
	acks         map[int64]*pendingAck
	nextAck      int64
	lifetime     *lifetime // nil until Context is called
	onDisconnect []*func(Reason)
	reason       Reason
	connectTimer *time.Timer // of the middleware
}

// The states of a socket.
const (
	stateResuming   uint32 = iota // its session is looked up, which may change its id; the application does not have it yet
	stateConnecting               // middleware runs
	stateConnected
	stateDisconnected
)

// A lifetime is a socket's context.
type lifetime struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// newSocketID returns 120 random bits in 20 characters. Other implementations recognize
// the id of a socket in a cluster by that length.
func newSocketID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ID returns the socket's id, which its client knows too. It is also the name of the
// socket's own room. It is random but not secret, except for clients of Socket.IO 2; see
// [Options.AllowEIO3].
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace of s.
func (s *Socket) Namespace() *Namespace { return s.ns }

// A Handshake describes the first HTTP request of a connection, and the auth that the
// client sent for this namespace.
type Handshake struct {
	Header     http.Header // without the headers of the WebSocket handshake
	Host       string
	URL        *url.URL // as requested, with its query
	RemoteAddr string   // the address of the network peer; proxy headers are not used
	Time       time.Time
	Secure     bool                 // the connection uses TLS
	TLS        *tls.ConnectionState // must not be modified; nil without TLS
	Auth       Args                 // the client's auth for this namespace; Len is 0 or 1
}

// Handshake describes the request that opened the connection. Each call returns a new
// value, but Header and TLS are shared and must not be modified.
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

// Context returns a context that ends when the socket is disconnected, before
// OnDisconnect is called. Its cause is a *[DisconnectError].
//
// It has the values of the context of the HTTP request that opened the connection, such
// as those that net/http middleware has set. Do not use a value that is reused after
// that request, such as the context object of some routers.
func (s *Socket) Context() context.Context {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.lifetime == nil {
		s.lifetime = new(lifetime)
		s.lifetime.ctx, s.lifetime.cancel = context.WithCancelCause(&socketContext{s.conn.session.Context(), s})
		if s.state.Load() == stateDisconnected {
			s.lifetime.cancel(&DisconnectError{s.reason})
		}
	}
	return s.lifetime.ctx
}

// Connected reports whether s is connected: its middleware has passed and it is not
// disconnected yet.
func (s *Socket) Connected() bool { return s.state.Load() == stateConnected }

// Transport returns the transport that is in use.
func (s *Socket) Transport() Transport { return Transport(s.conn.session.Transport()) }

// On registers handler for event on this socket only, and returns a function that
// removes it. It runs before the handlers of the namespace. The package documentation
// lists the accepted signatures. On panics if handler has another one, or if event is
// reserved. "disconnect" and "disconnecting" are reserved: use [Socket.OnDisconnect].
func (s *Socket) On(event string, handler any) (off func()) {
	return s.register(event, compile(event, handler))
}

func (s *Socket) register(event string, h *handler) (off func()) {
	s.own.CompareAndSwap(nil, new(handlers))
	return s.own.Load().Add(event, h)
}

// OnDisconnect adds a function that is called once when s is disconnected, after its
// last handler and before the functions of [Namespace.OnDisconnect]. It returns a
// function that removes fn, and panics if fn is nil. [Socket.Rooms] still returns the
// rooms. A function that is added after the calls have begun is not called.
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

// Emit sends an event to the client. It does not block. A nil error means that the
// event is queued, not that it arrived. The error is [ErrClosed] when s is not
// connected, [ErrSlow] when its queue is full, which disconnects it, [ErrReserved] for a
// reserved name, or says which argument can't be encoded.
//
// If the last argument is a func(Args, error), the event requests an ack. The function
// is called once with the ack, or with the error if there is none after
// [Options.AckTimeout]. It runs like a handler of s. If Emit returns an error, the
// function is not called, or is called with [ErrClosed].
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

// ask is send for an event with an ack. It returns [ErrDropped] if a volatile event was
// dropped, as there will be no ack.
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

// queue queues a message. It calls no hook, and returns the engine's error.
func (s *Socket) queue(m *engine.Message, volatile bool) error {
	if s.state.Load() != stateConnected {
		return engine.ErrClosed
	}
	return s.conn.session.Send(m, volatile)
}

// sendError returns the package's error for an error of the engine. A dropped volatile
// message is not an error.
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

// Volatile returns an emitter to s. It drops an event if the client is not ready; see
// [Emitter.Volatile]. After To or Except it is an emitter to the other sockets, like
// that of [Socket.To].
func (s *Socket) Volatile() Emitter { return Emitter{ns: s.ns, only: s, volatile: true} }

// Compress returns an emitter to s that compresses its events or does not; see
// [Emitter.Compress]. After To or Except it is an emitter to the other sockets.
func (s *Socket) Compress(on bool) Emitter { return Emitter{ns: s.ns, only: s}.Compress(on) }

// Local returns an emitter to s. After To or Except it is an emitter to the other
// sockets on this server.
func (s *Socket) Local() Emitter { return Emitter{ns: s.ns, only: s}.Local() }

// Broadcast returns an emitter to every other socket of the namespace.
func (s *Socket) Broadcast() Emitter { return Emitter{ns: s.ns, sender: s} }

// To returns an emitter to the other sockets in any of the rooms.
func (s *Socket) To(rooms ...string) Emitter { return s.Broadcast().To(rooms...) }

// Except returns an emitter to the other sockets in none of the rooms.
func (s *Socket) Except(rooms ...string) Emitter { return s.Broadcast().Except(rooms...) }

// Join makes s join rooms. When it returns, s receives what is emitted to them. It waits
// for the OnJoin functions. The error is [ErrClosed] when s is disconnected.
func (s *Socket) Join(rooms ...string) error {
	joined, ok := s.ns.joinRooms(s, rooms)
	if !ok {
		return ErrClosed
	}
	s.notifyRooms(joined, joinObservers)
	return nil
}

// Leave makes s leave rooms. When it returns, s does not receive what is emitted to
// them. It waits for the OnLeave functions. It does nothing when s is disconnected.
func (s *Socket) Leave(rooms ...string) {
	s.notifyRooms(s.ns.leaveRooms(s, rooms), leaveObservers)
}

// Rooms returns the rooms that s is in, with its own room, in no order. When s is
// disconnected, they are the rooms that it was in.
func (s *Socket) Rooms() []string { return s.ns.index.RoomsOf(s) }

// Disconnect disconnects s from its namespace, and keeps the connection for the other
// namespaces. Events that were emitted before are still sent; received events that wait
// for handlers are discarded. It does not wait for OnDisconnect, so a handler may call
// it. The error is [ErrClosed] if s is disconnected already.
func (s *Socket) Disconnect() error {
	if !s.disconnect(ReasonServer, true) {
		return ErrClosed
	}
	return nil
}

// disconnectOrClose disconnects s, or closes its connection.
func (s *Socket) disconnectOrClose(connection bool) error {
	if connection {
		return s.CloseConnection()
	}
	return s.Disconnect()
}

// Reconnect closes the connection of s so that its client reconnects by itself, as
// official clients do when the transport closes. The client may connect to another
// server, and with [Options.Recovery] it resumes its session.
//
// Queued packets are sent first, within [Options.WriteTimeout]. All sockets of the
// connection are disconnected with [ReasonReconnect], and received events are still
// handled. Reconnect does not block, so a handler may call it. The error is [ErrClosed]
// if s is disconnected already.
func (s *Socket) Reconnect() error {
	if s.state.Load() == stateDisconnected || !s.conn.session.Close(engine.Reason(ReasonReconnect)) {
		return ErrClosed
	}
	return nil
}

// CloseConnection disconnects s and every other socket of the same connection, and
// closes the connection when its queued packets are sent, within
// [Options.WriteTimeout]. It does not wait for that, nor for OnDisconnect, so a handler
// may call it. The error is [ErrClosed] if s is disconnected already.
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

// Handles reports whether s, its namespace or its template has a handler for an event.
// Interceptors can so tell names that the application chose from those of clients.
func (s *Socket) Handles(event string) bool {
	name := []byte(event)
	return len(s.own.Load().Of(name)) > 0 || len(s.ns.handlers.Of(name)) > 0 ||
		s.ns.parent != nil && len(s.ns.parent.handlers.Of(name)) > 0
}
