package socketio

import (
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// Hooks are functions that are told what happens in a server, for metrics and
// traces. Any of them may be nil, which costs nothing.
//
// A hook is called on the goroutine that does what it is told of, by many
// goroutines at a time, and never under a lock. What it is told of goes on when it
// returns, so it must not block. A panic in one is reported like that of a handler.
// PacketOut and Drop must not emit: they would be told of that, too.
//
// A Socket that is passed may have left by then. Event names that come from
// clients are theirs to choose, and so unbounded in number.
type Hooks struct {
	// Connect is told when the middleware of a socket has returned, before
	// OnConnect: after how long, and with which error if the client was refused,
	// which is [ErrClosed] if it has left meanwhile or ran out of time.
	Connect func(s *Socket, took time.Duration, err error)
	// Disconnect is told that a socket has left, once for each for which Connect
	// was told of no error, after OnDisconnect.
	Disconnect func(s *Socket, reason Reason)
	// Upgrade is told that a connection, with these sockets, has moved from
	// polling to WebSocket, and how long after the WebSocket was opened.
	Upgrade func(sockets []*Socket, took time.Duration)

	// PacketIn is told of each packet that a client has sent, when it is complete
	// and before it is handled. s is nil if it is for a namespace that the client
	// is not in.
	PacketIn func(s *Socket, p Packet)
	// PacketOut is told of each packet that was queued for a client, and how many
	// bytes its connection has waiting then. s is nil if it tells that the client
	// can't join a namespace. Packets of one socket may be told of in another
	// order than they are sent.
	PacketOut func(s *Socket, p Packet, queued int64)
	// Drop is told of messages that were dropped, see [MessageStats]. s is nil for
	// those that were lost with their connection, told of when all is settled.
	Drop func(s *Socket, reason DropReason, messages int)
	// Ack is told how long the answer to an event took, one by one for those of a
	// broadcast, or after how long it is not awaited any more, with the error that
	// who waited gets.
	Ack func(s *Socket, event string, took time.Duration, err error)
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

// engineHooks has the engine tell what it alone knows, if somebody asks.
func (srv *Server) engineHooks(cfg *engine.Config) {
	if tell := srv.hooks.Drop; tell != nil {
		cfg.Lost = func(_ engine.Receiver, messages int, reason engine.Reason) {
			why := DropClosed
			if reason == engine.SlowClient {
				why = DropSlow
			}
			srv.callHook(nil, func() { tell(nil, why, messages) })
		}
	}
	if tell := srv.hooks.Upgrade; tell != nil {
		cfg.Upgraded = func(recv engine.Receiver, took time.Duration) {
			sockets := recv.(*conn).list()
			srv.callHook(nil, func() { tell(sockets, took) })
		}
	}
}

// callHook calls a hook.
func (srv *Server) callHook(s *Socket, hook func()) {
	if limit(&srv.calls.hooks, func() { srv.isolate(s, "", hook) }) != nil {
		srv.reportError(s, srv.panicked("", errTooManyCalls))
	}
}

// notifyConnect tells how connecting has ended.
func (s *Socket) notifyConnect(began time.Time, entered bool, err error) {
	if tell := s.ns.srv.hooks.Connect; tell != nil {
		if !entered && err == nil {
			err = ErrClosed
		}
		s.ns.srv.callHook(s, func() { tell(s, time.Since(began), err) })
	}
}

// notifyDisconnect tells that s has left.
func (s *Socket) notifyDisconnect(reason Reason) {
	if tell := s.ns.srv.hooks.Disconnect; tell != nil {
		s.ns.srv.callHook(s, func() { tell(s, reason) })
	}
}

// notifyPacketIn tells of a packet that has come. Somebody wants to know.
func (c *conn) notifyPacketIn(p *sio.Packet, size int64) {
	s := c.socket(p.Namespace)
	if s != nil && s.state.Load() == resuming {
		s = nil // its id and values are not known yet
	}
	packet := Packet{Type: packetTypes[p.Type], Event: string(p.Name), Bytes: size}
	protect(func() { c.srv.hooks.PacketIn(s, packet) }, func(value any) {
		c.srv.reportError(s, c.srv.panicked("", value))
		if value == errGoexit { // the goroutine is the reader's
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

// A note is what became of a message when it was sent, kept for the hooks until
// no lock is held.
type note struct {
	s     *Socket // nil if there is none
	t     sio.Type
	event string
	m     *engine.Message
	err   error // the engine's

	replayed bool // event is not known yet
}

// tellControl tells of messages that were sent for the server, on whatever
// goroutine. The caller holds no lock.
func (c *conn) notifyControl(all []note) {
	for _, one := range all {
		c.srv.isolate(one.s, "", func() { c.notifyPacketsOut(one) })
	}
}

// notifyPacketsOut tells of messages that were sent, on the goroutine that sends. The caller
// holds no lock.
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

// observesSends reports whether somebody wants to know what is sent.
func (h *Hooks) observesSends() bool { return h.PacketOut != nil || h.Drop != nil }

// ackTimer returns what is to be called when the answer to an event that is being
// sent has come, or is not awaited any more; nil if nobody wants to know.
func (s *Socket) ackTimer(event string) func(error) {
	tell := s.ns.srv.hooks.Ack
	if tell == nil {
		return nil
	}
	began := time.Now()
	return func(err error) {
		s.ns.srv.callHook(s, func() { tell(s, event, time.Since(began), err) })
	}
}
