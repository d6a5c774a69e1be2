package socketio

import (
	"slices"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// How a socket and a connection end:
//
//	what happens                             function           reason            inbox       may be resumed
//	client sends DISCONNECT                  handle             ReasonClient      handled     no
//	application: Disconnect, Close           disconnectOrClose  ReasonServer      handled     no
//	middleware refuses, or takes too long    refuse             ReasonServer      discarded   no
//	missed events evicted during middleware  dropOverrun        ReasonError       discarded   yes
//	no namespace within ConnectTimeout       onConnectTimeout   ReasonConnectTimeout  no sockets  no
//	malformed packet or violation            fail               the engine's      handled     unless ReasonParse
//	the session ends                         Closed             the engine's      handled     see mayRecover
//
// A socket's state goes from resuming or stateConnecting to stateConnected, and from
// each of these to stateDisconnected, once. Then, in this order:
//
//  1. detachLocked removes it from the connection. The client is sent DISCONNECT or
//     CONNECT_ERROR if the server ends the socket.
//  2. release removes it from its rooms, saves it for recovery, ends its context and
//     settles its pending acks with [ErrClosed].
//  3. The events that wait in its inbox are handled, unless they are discarded.
//  4. OnDisconnect runs in the inbox, if the socket was connected.
//  5. functionsReturned lets the socket that resumes it run its functions.
//  6. next marks it drained: it no longer counts against MaxNamespaces.

// onConnectTimeout runs when no namespace has been joined within ConnectTimeout.
func (c *conn) onConnectTimeout() {
	c.mu.Lock()
	c.connectTimedOut = true
	idle := len(c.sockets) == 0
	c.mu.Unlock()
	if idle { // else the connectTimer of the connecting socket decides
		c.session.Close(engine.Reason(ReasonConnectTimeout))
	}
}

// disconnect disconnects s. The events in its inbox are still handled, unless drop
// is set; OnDisconnect runs after them. It reports whether s was not disconnected yet.
func (s *Socket) disconnect(reason Reason, drop bool) bool {
	c := s.conn
	was := s.state.Load()
	var last *engine.Message // tells the client, if the server disconnects it
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
	if was == stateConnected {
		s.ns.counts.disconnected(reason)
	}
	if drop || was <= stateConnecting {
		s.dropInboxLocked()
	}
	var log []note
	if reason == ReasonServer { // under the lock, so that no other packet of s follows
		to := s
		if kind == sio.ConnectError {
			to = nil // it was never connected: hooks get nil
		}
		log = c.sendControl(to, kind, last)
	}
	c.mu.Unlock()
	c.notifyControl(log)
	keep := mayRecover(reason) && (was == stateConnected || s.Recovered()) && !c.v2()
	release := func() {
		rooms := s.release(reason, keep)
		c.enqueue(s, task{fn: func() {
			defer s.functionsReturned()
			if was == stateConnected {
				s.runOnDisconnect(rooms)
			} else { // middleware joined these rooms
				s.notifyRoomsLeft(rooms)
			}
		}})
	}
	if keep && s.ns.recovery.encodesValues(s) { // their methods may block: the caller may be Shutdown
		c.srv.engine.Go(release)
	} else {
		release()
	}
	return true
}

// encodeLast returns the packet that tells a client that the server disconnects s.
func (s *Socket) encodeLast(state uint32) (sio.Type, *engine.Message) {
	switch state {
	case stateResuming, stateConnecting:
		return sio.ConnectError, s.conn.encodeRefusal(s.ns.name, &Error{Message: "Connection refused"})
	case stateConnected:
		return sio.Disconnect, s.conn.srv.encodeControl(sio.Disconnect, s.ns.name, nil)
	}
	return 0, nil
}

// detachLocked marks s as disconnected and removes it from the connection.
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

// dropInboxLocked discards the events in the inbox, which makes space for those of
// other namespaces. next discards events that are enqueued later.
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

// release frees a disconnected socket's rooms, context and pending acks. keep says
// whether its client may resume it. It returns the rooms that the socket was in.
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
		if p.done != nil { // it calls a hook, which may block
			c.enqueue(s, task{fn: func() { p.notify(ErrClosed) }})
		}
		p.settle(Args{}, ErrClosed)
	}
	return rooms
}

// runOnDisconnect runs the leave observers, the functions of OnDisconnect and the
// hook. It is the last task of a socket.
func (s *Socket) runOnDisconnect(rooms []string) {
	s.runningHandler.Store(disconnectStage)
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
