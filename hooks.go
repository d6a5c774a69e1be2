package socketio

import (
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// Hooks are functions that a server calls, for metrics and traces. A nil hook costs
// nothing.
//
// Hooks are called concurrently and never under a lock. The work that a hook observes
// waits for the hook, so a hook must not block. A panic in a hook is reported like a
// panic in a handler. PacketOut and Drop must not emit, as that calls them again.
//
// The socket that a hook receives may be disconnected already. Clients choose the names
// of the events that they send, so these names are unbounded in number.
type Hooks struct {
	// Open is called when a client has opened a connection, before anything is read from
	// it. Close is called once for each of them when it has ended, maybe before the
	// Disconnect of its sockets. lasted is the time between the two.
	Open  func(c Connection)
	Close func(c Connection, reason Reason, lasted time.Duration)
	// Pong is called when a client has answered a ping. rtt is the time since the ping
	// was written. Clients of Socket.IO 2 are not pinged.
	Pong func(c Connection, rtt time.Duration)

	// Connect is called when the middleware of a socket has returned, before
	// OnConnect. took is the time since CONNECT arrived. err says why the client was
	// refused; it is [ErrClosed] if the client disconnected or ConnectTimeout expired.
	Connect func(s *Socket, took time.Duration, err error)
	// Disconnect is called after OnDisconnect, once for each socket for which Connect
	// was called without an error.
	Disconnect func(s *Socket, reason Reason)
	// Upgrade is called when a connection has moved from polling to WebSocket. sockets
	// are those of the connection; took is the time since the WebSocket was opened.
	Upgrade func(sockets []*Socket, took time.Duration)

	// PacketIn is called for each complete packet from a client, before it is handled.
	// s is nil if the client has not joined the packet's namespace.
	PacketIn func(s *Socket, p Packet)
	// PacketOut is called for each packet that was queued for a client. queued is the
	// number of bytes in the connection's queue at that time. s is nil for a
	// CONNECT_ERROR. The calls for one socket may be in another order than its packets.
	PacketOut func(s *Socket, p Packet, queued int64)
	// Drop is called when messages were dropped, see [MessageStats]. s is nil for
	// messages that were dropped when their connection ended; the call comes after it
	// has ended.
	Drop func(s *Socket, reason DropReason, messages int)
	// Ack is called once for each ack that was requested, also for each receiver of a
	// broadcast. took is the time since the event was emitted. err is nil if the ack
	// arrived, else it is the error that the caller gets, such as a timeout.
	Ack func(s *Socket, event string, took time.Duration, err error)
}

// A Connection describes the connection of a client for [Hooks].
type Connection struct {
	Transport  Transport // at the time of the call
	Protocol   int       // of Engine.IO: 4, or 3 for clients of Socket.IO 2
	RemoteAddr string    // the address of the network peer; proxy headers are not used
}

// A Packet describes a packet of Socket.IO for [Hooks].
type Packet struct {
	Type  string // "connect", "connect_error", "disconnect", "event" or "ack"
	Event string // the name of an event, else empty
	Bytes int64  // with its attachments, before compression
}

// DropReason says why messages were dropped.
type DropReason string

// The reasons, as [MessageStats] counts them.
const (
	DropVolatile DropReason = "volatile"
	DropSlow     DropReason = "slow"
	DropClosed   DropReason = "closed"
)

// engineHooks sets the engine's callbacks for the hooks Drop, Upgrade and Pong.
func (srv *Server) engineHooks(cfg *engine.Config) {
	if hook := srv.hooks.Drop; hook != nil {
		cfg.Lost = func(_ engine.Receiver, messages int, reason engine.Reason) {
			why := DropClosed
			if reason == engine.SlowClient {
				why = DropSlow
			}
			srv.callHook(nil, func() { hook(nil, why, messages) })
		}
	}
	if hook := srv.hooks.Upgrade; hook != nil {
		cfg.Upgraded = func(recv engine.Receiver, took time.Duration) {
			sockets := recv.(*conn).list()
			srv.callHook(nil, func() { hook(sockets, took) })
		}
	}
	if hook := srv.hooks.Pong; hook != nil {
		cfg.Pong = func(recv engine.Receiver, rtt time.Duration) {
			c := recv.(*conn).describe()
			srv.callHook(nil, func() { hook(c, rtt) })
		}
	}
}

func (c *conn) describe() Connection {
	return Connection{
		Transport:  Transport(c.session.Transport()),
		Protocol:   c.session.Protocol(),
		RemoteAddr: c.session.RemoteAddr(),
	}
}

// notifyOpen calls Hooks.Open.
func (c *conn) notifyOpen() {
	if hook := c.srv.hooks.Open; hook != nil {
		described := c.describe()
		c.srv.callHook(nil, func() { hook(described) })
	}
}

// notifyClose calls Hooks.Close on a goroutine of its own, as Closed must not block.
func (c *conn) notifyClose(reason engine.Reason) {
	if hook := c.srv.hooks.Close; hook != nil {
		described, lasted := c.describe(), uptime()-c.opened
		c.srv.engine.Go(func() {
			c.srv.callHook(nil, func() { hook(described, Reason(reason), lasted) })
		})
	}
}

// callHook calls a hook on a goroutine of its own and waits for it.
func (srv *Server) callHook(s *Socket, hook func()) {
	if limit(&srv.calls.hooks, func() { srv.isolate(s, "", hook) }) != nil {
		srv.reportError(s, srv.panicked("", errTooManyCalls))
	}
}

// notifyConnect calls Hooks.Connect.
func (s *Socket) notifyConnect(began time.Time, entered bool, err error) {
	if hook := s.ns.srv.hooks.Connect; hook != nil {
		if !entered && err == nil {
			err = ErrClosed
		}
		s.ns.srv.callHook(s, func() { hook(s, time.Since(began), err) })
	}
}

// notifyDisconnect calls Hooks.Disconnect.
func (s *Socket) notifyDisconnect(reason Reason) {
	if hook := s.ns.srv.hooks.Disconnect; hook != nil {
		s.ns.srv.callHook(s, func() { hook(s, reason) })
	}
}

// notifyPacketIn calls Hooks.PacketIn, which is set.
func (c *conn) notifyPacketIn(p *sio.Packet, size int64) {
	s := c.socket(p.Namespace)
	if s != nil && s.state.Load() == stateResuming {
		s = nil // its id and values are not final yet
	}
	packet := Packet{Type: packetTypes[p.Type], Event: string(p.Name), Bytes: size}
	protect(func() { c.srv.hooks.PacketIn(s, packet) }, func(value any) {
		c.srv.reportError(s, c.srv.panicked("", value))
		if value == errGoexit { // it ends the reader's goroutine
			c.session.Discard(engine.TransportError)
		}
	})
}

var packetTypes = [...]string{
	sio.Connect:      "connect",
	sio.Disconnect:   "disconnect",
	sio.Event:        "event",
	sio.Ack:          "ack",
	sio.ConnectError: "connect_error",
	sio.BinaryEvent:  "event",
	sio.BinaryAck:    "ack",
}

// A note says that a message was sent, or why not. Hooks are called with it when no
// lock is held.
type note struct {
	s     *Socket // nil for a CONNECT_ERROR
	t     sio.Type
	event string
	m     *engine.Message
	err   error // of the engine

	replayed bool // event is not set: m holds the name
}

// notifyControl calls the hooks for packets of the server, such as CONNECT, on a
// goroutine of its own, as the caller's must survive a Goexit. The caller holds no
// lock.
func (c *conn) notifyControl(all []note) {
	for _, one := range all {
		c.srv.isolate(one.s, "", func() { c.notifyPacketsOut(one) })
	}
}

// notifyPacketsOut calls PacketOut and Drop on the caller's goroutine. The caller holds
// no lock.
func (c *conn) notifyPacketsOut(all ...note) {
	h := &c.srv.hooks
	for _, one := range all {
		switch {
		case one.err == nil && h.PacketOut != nil:
			if one.replayed {
				one.event = c.srv.eventOf(one.m)
			}
			packet := Packet{Type: packetTypes[one.t], Event: one.event}
			for part := range one.m.Parts() {
				packet.Bytes += int64(len(part))
			}
			queued := c.session.Queued()
			c.srv.callObserver(&c.srv.calls.hooks, one.s, "", func() { h.PacketOut(one.s, packet, queued) })
		case one.err == engine.ErrDropped && h.Drop != nil:
			c.srv.callObserver(&c.srv.calls.hooks, one.s, "", func() { h.Drop(one.s, DropVolatile, 1) })
		}
	}
}

// observesSends reports whether a hook needs notes about sent messages.
func (h *Hooks) observesSends() bool { return h.PacketOut != nil || h.Drop != nil }

// ackTimer returns a function that calls Hooks.Ack with the time since this call, for
// an event that is being emitted. It returns nil if the hook is not set.
func (s *Socket) ackTimer(event string) func(error) {
	hook := s.ns.srv.hooks.Ack
	if hook == nil {
		return nil
	}
	began := time.Now()
	return func(err error) {
		s.ns.srv.callHook(s, func() { hook(s, event, time.Since(began), err) })
	}
}
