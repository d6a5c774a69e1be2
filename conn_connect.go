package socketio

import (
	"errors"
	"slices"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// handleConnect begins to join a namespace. It adds the socket to the connection at
// once, so that a second CONNECT finds it. Middleware, which may block, runs on a
// goroutine of its own, so that other namespaces do not wait.
func (c *conn) handleConnect(p *sio.Packet) {
	ns := c.srv.acquire(p.Namespace)
	if ns == nil {
		c.turnDown(string(p.Namespace), "Invalid namespace")
		return
	}
	s := &Socket{id: c.socketID(ns), ns: ns, conn: c, busy: true}
	if p.Data != nil {
		s.auth = cloneArgs([][]byte{p.Data}, nil)
	}
	s.state.Store(stateConnecting)
	if ns.recovery != nil {
		s.rec = &recoveryState{sessionRecord: sessionRecord{pid: newSocketID()}, done: make(chan struct{})}
		if p.Data != nil && !c.v2() { // v2 clients have no private id
			s.state.Store(stateResuming)
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
	if c.timer != nil { // the first namespace: the time counts from the handshake
		timeout -= uptime() - c.opened
	}
	s.connectTimer = time.AfterFunc(timeout, func() { s.refuse(failure{err: errMiddlewareTimeout}) })
	c.rejoinedLocked(ns.name)
	c.sockets = append(c.sockets, s)
	c.undrained++
	c.auths += s.authSize()
	c.srv.engine.Go(s.runConnect)
	c.mu.Unlock()
}

// admitLocked returns why the connection can't have another socket, or "".
func (c *conn) admitLocked(s *Socket) (why string) {
	limits := &c.srv.opts
	switch {
	case len(c.sockets) >= limits.MaxNamespaces, int(c.undrained) >= 2*limits.MaxNamespaces:
		return "Too many namespaces"
	case c.auths+s.authSize() > max(limits.MaxEvent, limits.MaxPayload):
		return "Too much auth"
	}
	return ""
}

// authSize returns the size of the client's auth in bytes.
func (s *Socket) authSize() int64 { return int64(len(s.auth.Raw(0))) }

// turnDown refuses a CONNECT for which no socket was made.
func (c *conn) turnDown(namespace, why string) {
	if len(namespace) <= maxNamespaceName {
		c.mu.Lock()
		c.departedLocked(namespace)
		c.mu.Unlock()
	}
	c.notifyControl(c.sendConnectError(namespace, &Error{Message: why}))
}

// departedLocked notes that the server disconnected the client from a namespace, or
// refused it. Packets that the client sent before it knew are dropped, until it
// joins the namespace again. The list is bounded: the oldest name is evicted.
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

// rejoinedLocked undoes departedLocked.
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

// handleNotJoined handles a packet for a namespace that is not joined. It drops the
// packet if the client may not have known that, else it closes the connection.
func (c *conn) handleNotJoined(namespace []byte) {
	c.mu.Lock()
	known := c.departed != nil && slices.Contains(*c.departed, string(namespace))
	c.mu.Unlock()
	if !known {
		c.fail(engine.ForcedClose, errNotJoined)
	}
}

var errMiddlewareTimeout = errors.New("socketio: middleware did not return within ConnectTimeout")

// runConnect is the goroutine of a connecting socket. It resumes the client's
// session, runs middleware and OnConnect, and drains the inbox.
func (s *Socket) runConnect() {
	began := time.Now()
	entered := false
	protect(func() { s.admit(began, &entered) }, func(value any) {
		if value == errGoexit {
			defer s.conn.srv.engine.Go(s.drain)
		}
		p := s.ns.srv.panicked("", value)
		if entered {
			s.ns.srv.reportError(s, p)
			return
		}
		s.refuse(failure{err: p})
		s.notifyConnect(began, false, p)
	})
	s.drain()
}

// admit resumes the session if there is one, runs the middleware, joins the
// namespace and runs OnConnect. It sets entered when the socket has joined.
func (s *Socket) admit(began time.Time, entered *bool) {
	if s.state.Load() == stateResuming {
		s.resume()
	}
	middleware, onConnect, _ := s.ns.lifecycle()
	if s.state.Load() != stateConnecting { // it is disconnected
		middleware = nil
	}
	if s.Recovered() && (!s.waitForPredecessor() || s.ns.recovery.opts.SkipMiddleware) {
		middleware = nil
	}
	var failed failure
	s.runningHandler.Store(middlewareStage)
	for _, mw := range middleware {
		failed = s.ns.srv.examine("", s.ns.srv.attempt("", func() error { return (*mw)(s.Context(), s) }))
		if failed.err != nil || s.state.Load() != stateConnecting {
			break
		}
	}
	if failed.err != nil {
		s.refuse(failed)
	} else {
		*entered = s.join()
	}
	s.notifyConnect(began, *entered, failed.err)
	if *entered {
		s.runningHandler.Store(connectStage)
		for _, fn := range onConnect {
			s.guard("connection", func() { (*fn)(s) })
		}
	}
}

// join connects a connecting socket. It fails if the client has disconnected or
// ConnectTimeout has expired.
func (s *Socket) join() bool {
	var log []note
	ok, overrun := s.joinNoting(&log)
	s.conn.notifyControl(log)
	if overrun {
		s.dropOverrun()
	}
	if ok {
		s.ns.cluster.roomsChanged(s.id)
	}
	return ok
}

// joinNoting is join under the locks. It adds the notes for the hooks to log.
// overrun reports that missed events of a recovering client were evicted.
func (s *Socket) joinNoting(log *[]note) (ok, overrun bool) {
	c := s.conn
	connect := c.srv.encodeControl(sio.Connect, s.ns.name, s.connectPayload())
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state.Load() != stateConnecting {
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
		if !r.admit(s, log) {
			return false, true
		}
	}
	added := s.ns.index.Add(s, func() {
		*log = append(*log, c.sendControl(s, sio.Connect, connect)...)
		s.state.Store(stateConnected)
	})
	if s.rec != nil {
		s.rec.releaseHeldRooms()
	}
	if added {
		s.ns.counts.connected()
	}
	return added, false
}

// dropOverrun closes the connection of a socket whose missed events were evicted
// while the middleware ran. OnConnect has not run, so no handler runs. The client
// reconnects and gets a new session.
func (s *Socket) dropOverrun() {
	s.disconnect(ReasonError, true)
	s.conn.session.Discard(engine.TransportError)
}

// refuse disconnects a connecting socket. The client receives the reason if it is
// an *Error.
func (s *Socket) refuse(failed failure) {
	c := s.conn
	public := failed.public
	if public == nil {
		public = &Error{Message: "Connection refused"}
	}
	refusal := c.encodeRefusal(s.ns.name, public)
	c.mu.Lock()
	if s.state.Load() > stateConnecting {
		c.mu.Unlock()
		return
	}
	s.detachLocked(ReasonServer)
	s.dropInboxLocked()
	log := c.sendControl(nil, sio.ConnectError, refusal) // under the lock, so that onConnectTimeout can't close the connection before it is queued
	last := c.connectTimedOut && len(c.sockets) == 0
	c.mu.Unlock()
	c.notifyControl(log)
	rooms := s.release(ReasonServer, false)
	failed.event = middlewareStage.Event
	c.srv.reportFailure(s, failed)
	if last {
		c.session.Close(engine.Reason(ReasonConnectTimeout))
	}
	s.notifyRoomsLeft(rooms)
}

// sendConnectError sends a CONNECT_ERROR, and returns the notes for the hooks.
func (c *conn) sendConnectError(namespace string, e *Error) []note {
	return c.sendControl(nil, sio.ConnectError, c.encodeRefusal(namespace, e))
}

func (c *conn) encodeRefusal(namespace string, e *Error) *engine.Message {
	return c.srv.encodeControl(sio.ConnectError, namespace, c.refusalPayload(e))
}

// sendControl sends a message of encodeControl. It returns the notes for the hooks,
// which the caller passes to notifyControl when it holds no lock. It closes the
// connection if m is nil.
func (c *conn) sendControl(s *Socket, t sio.Type, m *engine.Message) []note {
	if m == nil { // the caller may hold locks
		c.srv.engine.Go(func() { c.session.Discard(engine.TransportError) })
		return nil
	}
	err := c.session.Send(m, false)
	if !c.srv.hooks.observesSends() {
		return nil
	}
	return []note{{s: s, t: t, m: m, err: err}}
}
