package socketio

import (
	"errors"
	"slices"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// connect begins to join a namespace. The place is taken at once, so that a
// second CONNECT finds it taken; the rest, which may wait, runs on a goroutine of
// its own, so that only that namespace waits.
func (c *conn) connect(p *sio.Packet) {
	ns := c.srv.acquire(p.Namespace)
	if ns == nil {
		c.turnDown(string(p.Namespace), "Invalid namespace")
		return
	}
	s := &Socket{id: c.socketID(ns), ns: ns, conn: c, busy: true}
	if p.Data != nil {
		s.auth = retain([][]byte{p.Data}, nil)
	}
	s.state.Store(connecting)
	if ns.recovery != nil {
		s.rec = &recoverable{record: record{pid: newSocketID()}, over: make(chan struct{})}
		if p.Data != nil && !c.v2() { // v2 clients have been told nothing to come back with
			s.state.Store(resuming)
		}
	}
	c.mu.Lock()
	twice := c.find(p.Namespace) != nil
	why := c.admitLocked(s)
	if c.ended || twice || why != "" {
		ended := c.ended
		c.mu.Unlock()
		c.srv.release(ns)
		switch {
		case ended:
		case twice:
			c.fail(engine.ForcedClose, errConnectedTwice)
		default:
			c.turnDown(ns.name, why)
		}
		return
	}
	timeout := c.srv.opts.ConnectTimeout
	if c.timer != nil { // the first namespace: counted from the beginning
		timeout -= uptime() - c.opened
	}
	s.deadline = time.AfterFunc(timeout, func() { s.refuse(failure{err: errMiddlewareTimeout}) })
	c.rejoinedLocked(ns.name)
	c.sockets = append(c.sockets, s)
	c.unfinished++
	c.auths += s.authSize()
	c.srv.engine.Go(s.connect)
	c.mu.Unlock()
}

// admitLocked says why the connection can't have one socket more, or "".
func (c *conn) admitLocked(s *Socket) (why string) {
	limits := &c.srv.opts
	switch {
	case len(c.sockets) >= limits.MaxNamespaces, int(c.unfinished) >= 2*limits.MaxNamespaces:
		return "Too many namespaces"
	case c.auths+s.authSize() > max(limits.MaxEvent, limits.MaxPayload):
		return "Too much auth"
	}
	return ""
}

// authSize is what the client's auth is counted as, in bytes.
func (s *Socket) authSize() int64 { return int64(len(s.auth.Raw(0))) }

// turnDown answers a CONNECT that no socket was made for.
func (c *conn) turnDown(namespace, why string) {
	if len(namespace) <= maxNamespaceName {
		c.mu.Lock()
		c.departedLocked(namespace)
		c.mu.Unlock()
	}
	c.tellControl(c.refuse(namespace, &Error{Message: why}))
}

// departedLocked notes that the server has made the client leave a namespace, or
// has refused it there: packets for it may be on their way, which are dropped
// until it is joined again. The oldest of too many is forgotten.
func (c *conn) departedLocked(namespace string) {
	c.rejoinedLocked(namespace)
	if c.departed == nil {
		c.departed = new([]string)
	}
	if len(*c.departed) >= c.srv.opts.MaxNamespaces {
		*c.departed = slices.Delete(*c.departed, 0, 1)
	}
	*c.departed = append(*c.departed, namespace)
}

// rejoinedLocked is the opposite of departedLocked.
func (c *conn) rejoinedLocked(namespace string) {
	if c.departed == nil {
		return
	}
	if i := slices.Index(*c.departed, namespace); i >= 0 {
		*c.departed = slices.Delete(*c.departed, i, i+1)
	}
	if len(*c.departed) == 0 {
		c.departed = nil
	}
}

// stray deals with a packet for a namespace that is not joined. It is dropped if
// the client may not have known that when it sent it, else it is a violation.
func (c *conn) stray(namespace []byte) {
	c.mu.Lock()
	known := c.departed != nil && slices.Contains(*c.departed, string(namespace))
	c.mu.Unlock()
	if !known {
		c.fail(engine.ForcedClose, errNotJoined)
	}
}

var errMiddlewareTimeout = errors.New("socketio: middleware did not return within ConnectTimeout")

// connect is the goroutine that looks for the session that a client lays claim to,
// runs the middleware, then OnConnect, then the handlers of what came meanwhile.
func (s *Socket) connect() {
	began := time.Now()
	entered := false
	protect(func() { s.admit(began, &entered) }, func(value any) {
		if value == errGoexit {
			defer s.conn.srv.engine.Go(s.drain)
		}
		p := s.ns.srv.panicked("", value)
		if entered {
			s.ns.srv.report(s, p)
			return
		}
		s.refuse(failure{err: p})
		s.tellConnected(began, false, p)
	})
	s.drain()
}

// admit runs the middleware, then OnConnect.
func (s *Socket) admit(began time.Time, entered *bool) {
	if s.state.Load() == resuming {
		s.resume()
	}
	middleware, onConnect, _ := s.ns.hooks()
	if s.state.Load() != connecting { // it has left
		middleware = nil
	}
	if s.Recovered() && (!s.waitForPredecessor() || s.ns.recovery.opts.SkipMiddleware) {
		middleware = nil
	}
	var failed failure
	s.running.Store(runsMiddleware)
	for _, mw := range middleware {
		failed = s.ns.srv.examine("", s.ns.srv.attempt("", func() error { return mw(s.Context(), s) }))
		if failed.err != nil || s.state.Load() != connecting {
			break
		}
	}
	if failed.err != nil {
		s.refuse(failed)
	} else {
		*entered = s.enter()
	}
	s.tellConnected(began, *entered, failed.err)
	if *entered {
		s.running.Store(runsConnect)
		for _, fn := range onConnect {
			s.guard("connection", func() { fn(s) })
		}
	}
}

// enter makes a connecting socket a connected one. It fails if the client has
// gone or the time is over.
func (s *Socket) enter() bool {
	var log []sent
	ok, overrun := s.enterSending(&log)
	s.conn.tellControl(log)
	if overrun {
		s.turnAway()
	}
	if ok {
		s.ns.seat.roomsChanged(s.id)
	}
	return ok
}

// enterSending is enter, and keeps in log what the hooks are to be told. It reports
// whether what a recovering client has missed can't be sent any more.
func (s *Socket) enterSending(log *[]sent) (ok, overrun bool) {
	c := s.conn
	answer := c.srv.encodeControl(sio.Connect, s.ns.name, s.connectPayload())
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state.Load() != connecting {
		return false, false
	}
	s.stopDeadlineLocked()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if r := s.ns.recovery; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.enter(s, log) {
			return false, true
		}
	}
	added := s.ns.index.add(s, func() {
		*log = append(*log, c.sendControl(s, sio.Connect, answer)...)
		s.state.Store(connected)
	})
	if s.rec != nil {
		s.rec.arrived()
	}
	return added, false
}

// turnAway closes the connection of a socket that can't have what it has missed:
// the log was overrun while the middleware ran. No handler runs for it, as OnConnect
// never did. The client comes back, and gets a new session.
func (s *Socket) turnAway() {
	s.leave(ReasonError, true)
	s.conn.session.Discard(engine.TransportError)
}

// refuse ends a socket that is connecting, for a reason that the client hears
// if it is an *Error.
func (s *Socket) refuse(failed failure) {
	c := s.conn
	public := failed.public
	if public == nil {
		public = &Error{Message: "Connection refused"}
	}
	refusal := c.encodeRefusal(s.ns.name, public)
	c.mu.Lock()
	if s.state.Load() > connecting {
		c.mu.Unlock()
		return
	}
	s.leaveLocked(ReasonServer)
	s.dropInboxLocked()
	log := c.sendControl(nil, sio.ConnectError, refusal) // under the lock, so that expire can't close before the client hears of it
	last := c.expired && len(c.sockets) == 0
	c.mu.Unlock()
	c.tellControl(log)
	rooms := s.gone(ReasonServer, false)
	failed.event = runsMiddleware.event
	c.srv.reportFailure(s, failed)
	if last {
		c.session.Close(engine.Reason(ReasonTimeout))
	}
	s.tellLeft(rooms)
}

// refuse sends a CONNECT_ERROR, and returns what the hooks are to be told.
func (c *conn) refuse(namespace string, e *Error) []sent {
	return c.sendControl(nil, sio.ConnectError, c.encodeRefusal(namespace, e))
}

func (c *conn) encodeRefusal(namespace string, e *Error) *engine.Message {
	return c.srv.encodeControl(sio.ConnectError, namespace, c.refusalPayload(e))
}

// sendControl sends a message of encodeControl, and returns what the hooks are to
// be told, once no lock is held. The connection is closed if there is no message.
func (c *conn) sendControl(s *Socket, t sio.Type, m *engine.Message) []sent {
	if m == nil { // the caller may hold locks
		c.srv.engine.Go(func() { c.session.Discard(engine.TransportError) })
		return nil
	}
	err := c.session.Send(m, false)
	if !c.srv.hooks.sends() {
		return nil
	}
	return []sent{{s: s, t: t, m: m, err: err}}
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
// still handled. OnDisconnect comes last. It reports whether s had not left yet.
func (s *Socket) leave(reason Reason, drop bool) bool {
	c := s.conn
	was := s.state.Load()
	var last *engine.Message // what the client is sent, if it does not know
	var kind sio.Type
	for {
		if reason == ReasonServer {
			kind, last = s.encodeLast(was)
		}
		c.mu.Lock()
		now := s.state.Load()
		if now == left {
			c.mu.Unlock()
			return false
		}
		if now == was {
			break
		}
		c.mu.Unlock()
		was = now
	}
	s.leaveLocked(reason)
	if drop || was <= connecting {
		s.dropInboxLocked()
	}
	var log []sent
	if reason == ReasonServer { // under the lock, so that nothing of s comes behind
		log = c.sendControl(s, kind, last)
	}
	c.mu.Unlock()
	c.tellControl(log)
	keep := mayRecover(reason) && (was == connected || s.Recovered()) && !c.v2()
	rooms := s.gone(reason, keep)
	c.enqueue(s, task{fn: func() {
		defer s.ended()
		if was == connected {
			s.disconnected(rooms)
		} else { // they were joined by middleware
			s.tellLeft(rooms)
		}
	}})
	return true
}

// encodeLast returns what a client is sent when the server ends a socket of it.
func (s *Socket) encodeLast(state uint32) (sio.Type, *engine.Message) {
	switch state {
	case resuming, connecting:
		return sio.ConnectError, s.conn.encodeRefusal(s.ns.name, &Error{Message: "Connection refused"})
	case connected:
		return sio.Disconnect, s.conn.srv.encodeControl(sio.Disconnect, s.ns.name, nil)
	}
	return 0, nil
}

// leaveLocked takes s off the connection.
func (s *Socket) leaveLocked(reason Reason) {
	c := s.conn
	s.state.Store(left)
	s.reason = reason
	s.stopDeadlineLocked()
	if i := slices.Index(c.sockets, s); i >= 0 {
		c.sockets = slices.Delete(c.sockets, i, i+1)
	}
	if reason == ReasonServer {
		c.departedLocked(s.ns.name)
	}
	c.freeLocked()
}

// dropInboxLocked gives up the events that wait, and makes room for those of
// other namespaces. Those that come after them are given up when it is their
// turn.
func (s *Socket) dropInboxLocked() {
	s.dropping = true
	s.inbox = slices.DeleteFunc(s.inbox, func(t task) bool {
		if t.call == nil {
			return false
		}
		s.conn.takenLocked(t)
		return true
	})
}

func (s *Socket) stopDeadlineLocked() {
	if s.deadline != nil {
		s.deadline.Stop()
		s.deadline = nil
	}
}

// gone ends what hangs on a socket that has left. keep says whether its client
// may come back to it. It returns the rooms that the socket was in.
func (s *Socket) gone(reason Reason, keep bool) (rooms []string) {
	c := s.conn
	rooms = s.ns.remove(s, keep)
	s.ns.srv.release(s.ns)
	c.mu.Lock()
	acks := s.acks
	s.acks = nil
	for _, p := range acks {
		if p.fn == nil {
			c.awaited--
		}
	}
	life := s.lifetime
	c.mu.Unlock()
	if life != nil {
		life.cancel(&DisconnectError{reason})
	}
	for _, p := range acks {
		if p.timer != nil {
			p.timer.Stop()
		}
		if p.done != nil { // a hook, which may block the caller
			c.enqueue(s, task{fn: func() { p.tell(ErrClosed) }})
		}
		p.settle(Args{}, ErrClosed)
	}
	return rooms
}

// disconnected is the last thing that a socket does.
func (s *Socket) disconnected(rooms []string) {
	s.running.Store(runsDisconnect)
	defer s.countUnanswered()
	s.tellRooms(rooms, leaveObservers)
	s.conn.mu.Lock()
	own, reason := s.farewell, s.reason
	s.conn.mu.Unlock()
	for _, fn := range own {
		s.ns.srv.isolate(s, "disconnect", func() { fn(reason) })
	}
	_, _, hooks := s.ns.hooks()
	for _, fn := range hooks {
		s.ns.srv.isolate(s, "disconnect", func() { fn(s, reason) })
	}
	s.tellDisconnected(reason)
}
