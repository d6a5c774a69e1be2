package socketio

import (
	"slices"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// onConnectTimeout runs when no namespace has been joined within ConnectTimeout.
func (c *conn) onConnectTimeout() {
	c.mu.Lock()
	c.connectTimedOut = true
	idle := len(c.sockets) == 0
	c.mu.Unlock()
	if idle { // else the deadline of what is connecting decides
		c.session.Close(engine.Reason(ReasonConnectTimeout))
	}
}

// disconnect disconnects s. Unless drop is set, the events that it has received are
// still handled. OnDisconnect comes last. It reports whether s had not left yet.
func (s *Socket) disconnect(reason Reason, drop bool) bool {
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
		if now == stateDisconnected {
			c.mu.Unlock()
			return false
		}
		if now == was {
			break
		}
		c.mu.Unlock()
		was = now
	}
	s.detachLocked(reason)
	if drop || was <= stateConnecting {
		s.dropInboxLocked()
	}
	var log []note
	if reason == ReasonServer { // under the lock, so that nothing of s comes behind
		to := s
		if kind == sio.ConnectError {
			to = nil // hooks are told of no socket that never was
		}
		log = c.sendControl(to, kind, last)
	}
	c.mu.Unlock()
	c.tellControl(log)
	keep := mayRecover(reason) && (was == stateConnected || s.Recovered()) && !c.v2()
	rooms := s.release(reason, keep)
	c.enqueue(s, task{fn: func() {
		defer s.functionsReturned()
		if was == stateConnected {
			s.runOnDisconnect(rooms)
		} else { // they were joined by middleware
			s.notifyRoomsLeft(rooms)
		}
	}})
	return true
}

// encodeLast returns what a client is sent when the server ends a socket of it.
func (s *Socket) encodeLast(state uint32) (sio.Type, *engine.Message) {
	switch state {
	case resuming, stateConnecting:
		return sio.ConnectError, s.conn.encodeRefusal(s.ns.name, &Error{Message: "Connection refused"})
	case stateConnected:
		return sio.Disconnect, s.conn.srv.encodeControl(sio.Disconnect, s.ns.name, nil)
	}
	return 0, nil
}

// detachLocked takes s off the connection.
func (s *Socket) detachLocked(reason Reason) {
	c := s.conn
	s.state.Store(stateDisconnected)
	s.reason = reason
	s.stopDeadlineLocked()
	if i := slices.Index(c.sockets, s); i >= 0 {
		c.sockets = slices.Delete(c.sockets, i, i+1)
	}
	if reason == ReasonServer {
		c.departedLocked(s.ns.name)
	}
	c.signalSpaceLocked()
}

// dropInboxLocked gives up the events that wait, and makes room for those of
// other namespaces. Those that come after them are given up when it is their
// turn.
func (s *Socket) dropInboxLocked() {
	s.discarding = true
	s.inbox = slices.DeleteFunc(s.inbox, func(t task) bool {
		if t.call == nil {
			return false
		}
		s.conn.dequeuedLocked(t)
		return true
	})
}

func (s *Socket) stopDeadlineLocked() {
	if s.connectTimer != nil {
		s.connectTimer.Stop()
		s.connectTimer = nil
	}
}

// release ends what hangs on a socket that has left. keep says whether its client
// may come back to it. It returns the rooms that the socket was in.
func (s *Socket) release(reason Reason, keep bool) (rooms []string) {
	c := s.conn
	rooms = s.ns.removeSocket(s, keep)
	s.ns.srv.release(s.ns)
	c.mu.Lock()
	acks := s.acks
	s.acks = nil
	for _, p := range acks {
		if p.fn == nil {
			c.blockingAcks--
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
			c.enqueue(s, task{fn: func() { p.notify(ErrClosed) }})
		}
		p.settle(Args{}, ErrClosed)
	}
	return rooms
}

// runOnDisconnect is the last thing that a socket does.
func (s *Socket) runOnDisconnect(rooms []string) {
	s.running.Store(runsDisconnect)
	defer s.countUnanswered()
	s.notifyRooms(rooms, leaveObservers)
	s.conn.mu.Lock()
	own, reason := s.onDisconnect, s.reason
	s.conn.mu.Unlock()
	for _, fn := range own {
		s.ns.srv.isolate(s, "disconnect", func() { (*fn)(reason) })
	}
	_, _, hooks := s.ns.lifecycle()
	for _, fn := range hooks {
		s.ns.srv.isolate(s, "disconnect", func() { (*fn)(s, reason) })
	}
	s.notifyDisconnect(reason)
}
