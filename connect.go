package socketio

import (
	"errors"
	"slices"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// connect begins to join a namespace. The place is taken at once, so that a
// second CONNECT finds it taken; the rest runs on a goroutine of its own.
func (c *conn) connect(p *sio.Packet) {
	ns := c.srv.lookup(p.Namespace)
	c.mu.Lock()
	switch {
	case c.ended:
		c.mu.Unlock()
		return
	case c.find(p.Namespace) != nil:
		c.mu.Unlock()
		c.fail(engine.ForcedClose, errConnectedTwice)
		return
	case ns == nil:
		c.mu.Unlock()
		c.refuse(string(p.Namespace), &Error{Message: "Invalid namespace"})
		return
	case len(c.sockets) >= c.srv.opts.MaxNamespaces:
		c.mu.Unlock()
		c.refuse(ns.name, &Error{Message: "Too many namespaces"})
		return
	}
	s := &Socket{id: c.socketID(ns), ns: ns, conn: c, busy: true}
	if p.Data != nil {
		s.auth = retain([][]byte{p.Data}, nil)
	}
	timeout := c.srv.opts.ConnectTimeout
	if c.timer != nil { // the first namespace: counted from the beginning
		timeout -= time.Since(c.since)
	}
	s.deadline = time.AfterFunc(timeout, func() { s.refuse(errMiddlewareTimeout) })
	c.sockets = append(c.sockets, s)
	c.srv.engine.Go(s.connect)
	c.mu.Unlock()
}

var errMiddlewareTimeout = errors.New("socketio: middleware did not return within ConnectTimeout")

// connect is the goroutine that runs the middleware, then OnConnect, then the
// handlers of what came meanwhile.
func (s *Socket) connect() {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in application code
			s.refuse(errors.New("socketio: middleware ended its goroutine"))
			s.conn.srv.engine.Go(s.drain)
		}
	}()
	middleware, onConnect, _ := s.ns.hooks()
	var err error
	for _, mw := range middleware {
		if err = s.runMiddleware(mw); err != nil || s.state.Load() != connecting {
			break
		}
	}
	switch {
	case err != nil:
		s.refuse(err)
	case s.enter():
		for _, fn := range onConnect {
			s.guard("connection", func() { fn(s) })
		}
	}
	returned = true
	s.drain()
}

func (s *Socket) runMiddleware(mw Middleware) (err error) {
	defer s.ns.srv.recovered("", func(p *PanicError) { err = p })
	return mw(s.Context(), s)
}

// enter makes a connecting socket a connected one. It fails if the client has
// gone or the time is over.
func (s *Socket) enter() bool {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state.Load() != connecting {
		return false
	}
	s.deadline.Stop()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	// The client hears that it is connected before anything else.
	_ = c.session.Send(encodeControl(sio.Connect, s.ns.name, s.connectPayload()), false)
	s.state.Store(connected)
	return s.ns.index.add(s)
}

// refuse ends a socket that is connecting, for a reason that the client hears
// if it is an *Error.
func (s *Socket) refuse(err error) {
	c := s.conn
	c.mu.Lock()
	if s.state.Load() != connecting {
		c.mu.Unlock()
		return
	}
	s.leaveLocked(ReasonServer)
	s.dropping = true
	close := c.expired && len(c.sockets) == 0
	c.mu.Unlock()
	s.gone(ReasonServer)

	if _, ok := asError(err); !ok {
		c.srv.report(s, err)
	}
	c.refuse(s.ns.name, publicError(err, "Connection refused"))
	if close {
		c.session.Close(engine.Reason(ReasonTimeout))
	}
}

// refuse sends a CONNECT_ERROR.
func (c *conn) refuse(namespace string, e *Error) {
	_ = c.session.Send(encodeControl(sio.ConnectError, namespace, c.refusalPayload(e)), false)
}

// expire runs when no namespace has been joined within ConnectTimeout.
func (c *conn) expire() {
	c.mu.Lock()
	c.expired = true
	idle := len(c.sockets) == 0
	c.mu.Unlock()
	if idle { // else the deadline of what is connecting decides
		c.session.Close(engine.Reason(ReasonTimeout))
	}
}

// leave disconnects s. Unless drop is set, the events that it has received are
// still handled. OnDisconnect comes last. It reports whether s was connected.
func (s *Socket) leave(reason Reason, drop bool) bool {
	c := s.conn
	c.mu.Lock()
	was := s.state.Load()
	if was == left {
		c.mu.Unlock()
		return false
	}
	s.leaveLocked(reason)
	s.dropping = drop || was == connecting
	c.mu.Unlock()
	s.gone(reason)
	if was == connected {
		c.enqueue(s, task{fn: s.disconnected})
	}
	return was == connected
}

// leaveLocked takes s off the connection.
func (s *Socket) leaveLocked(reason Reason) {
	c := s.conn
	s.state.Store(left)
	s.reason = reason
	s.deadline.Stop()
	if i := slices.Index(c.sockets, s); i >= 0 {
		c.sockets = slices.Delete(c.sockets, i, i+1)
	}
	c.freeLocked()
}

// gone ends what hangs on a socket that has left.
func (s *Socket) gone(reason Reason) {
	c := s.conn
	s.ns.index.remove(s)
	c.mu.Lock()
	acks := s.acks
	s.acks = nil
	life := s.lifetime
	c.mu.Unlock()
	if life != nil {
		life.cancel(&DisconnectError{reason})
	}
	for _, p := range acks {
		if p.timer != nil {
			p.timer.Stop()
		}
		p.settle(Args{}, ErrClosed)
	}
}

// disconnected is the last thing that a socket does.
func (s *Socket) disconnected() {
	s.conn.mu.Lock()
	own, reason := s.farewell, s.reason
	s.conn.mu.Unlock()
	for _, fn := range own {
		s.guard("disconnect", func() { fn(reason) })
	}
	_, _, hooks := s.ns.hooks()
	for _, fn := range hooks {
		s.guard("disconnect", func() { fn(s, reason) })
	}
}
