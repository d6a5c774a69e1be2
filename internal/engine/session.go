package engine

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
)

// A Session is one Engine.IO connection. All methods may be called
// concurrently and after it has ended.
type Session struct {
	srv      *Server
	id       string
	recv     Receiver // set under mu when Open has returned
	request  packedRequest
	v3       bool          // the client speaks Engine.IO 3
	base64   bool          // and takes no binary by polling
	received atomic.Uint32 // bytes read since the last beat, whatever they are

	mu             sync.Mutex // guards the following
	state          state
	probed         bool // the candidate works: polls are not to wait any more
	write          writeState
	corked         bool     // the reader flushes at the end of its turn
	closedByClient bool     // the client has closed a polling session
	awaitPong      bool     // the client must be heard before the next beat
	pingWaits      bool     // a ping has not been written yet
	control        control  // what goes ahead of the queue
	stalled        uint16   // PingTimeouts in which a ping could not be written behind a write that did not move
	timelyTurns    uint8    // turns that ended in time, one after another; at most proven
	watchedCount   uint32   // what turn had counted when the watchdog looked
	behind         uint32   // bytes written that the client has not been shown to have got; at most MaxUint32
	ahead          uint32   // those of them that went ahead of the last ping
	reason         Reason   // why it is not open any more
	ws             *wsConn  // nil while the transport is polling
	candidate      *wsConn  // the WebSocket an upgrade is being tried with
	poll           *poll    // the GET that waits
	pollWriting    *poll    // the GET that is being answered
	post           *post    // the POST that is being read
	backlog        *backlog // what POSTs have brought and nobody has received yet; nil if there is nothing
	queue          []*Message
	queued         int64    // what queue and the flusher's batch hold, in bytes
	pongFrame      *Message // the answer to the last WebSocket ping, which goes ahead of the queue
	tally
	turn           *Turn       // the reader's, while corked
	handoffTimer   *time.Timer // looks after turn; nil until the first
	heartbeatTimer *time.Timer // the next beat
	deadline       time.Time   // when it is due: a ping, the end of waiting for its answer, or of closing
	pause          *pause      // not nil while the receiver does not let us read, and until the next pong
}

func newSession(srv *Server, r *http.Request) *Session {
	return &Session{
		srv:     srv,
		id:      newID(),
		request: packRequest(r),
		v3:      protocolOf(r) == "3",
		base64:  takesNoBinary(r),
	}
}

// start opens the session with ws as its transport, or polling if it is nil.
func (s *Session) start(ws *wsConn) bool {
	s.ws = ws
	s.mu.Lock()
	if !s.srv.add(s) {
		s.mu.Unlock()
		return false
	}
	s.startHeartbeatLocked()
	s.mu.Unlock()

	recv := s.srv.cfg.Open(s)
	s.mu.Lock()
	s.recv = recv
	ended := s.state != open
	if s.state == closed {
		s.reportLostLocked()
	}
	s.mu.Unlock()
	if ended { // nobody has told it
		recv.Closed(s.reason)
	}
	return true
}

func (s *Session) openPacket(transport Transport) []byte {
	cfg := &s.srv.cfg
	h := eio.Handshake{
		SID:          s.id,
		PingInterval: cfg.PingInterval.Milliseconds(),
		PingTimeout:  cfg.PingTimeout.Milliseconds(),
		MaxPayload:   cfg.MaxPayload,
	}
	if transport == Polling && !cfg.DisableUpgrade && cfg.Transports&WebSocket != 0 {
		h.Upgrades = []string{"websocket"}
	}
	return eio.AppendOpen(nil, h)
}

// ID returns the session id, a secret: whoever knows it is taken for the client.
func (s *Session) ID() string { return s.id }

// Protocol returns the version of Engine.IO that the client speaks, 3 or 4.
func (s *Session) Protocol() int {
	if s.v3 {
		return 3
	}
	return 4
}

// Request describes the request that opened the session.
func (s *Session) Request() *Request { return s.request.unpack() }

// Context returns a context with the values of that of the request which opened
// the session. It is never canceled.
func (s *Session) Context() context.Context { return context.WithoutCancel(s.request.ctx) }

// RemoteAddr returns the address that the session was opened from.
func (s *Session) RemoteAddr() string { return s.request.remoteAddr() }

// Receiver returns what Open has returned, nil before.
func (s *Session) Receiver() Receiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recv
}

// Transport returns the transport in use.
func (s *Session) Transport() Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws != nil {
		return WebSocket
	}
	return Polling
}

// Queued returns how many bytes of memory the messages hold that wait to be
// written: see [Message.Size].
func (s *Session) Queued() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued
}

// receive handles one packet. It reports whether the transport may go on.
func (s *Session) receive(turn *Turn, p eio.Packet) bool {
	switch p.Type {
	case eio.Message:
		s.recv.Receive(turn, p.Data, p.Binary)
	case eio.Pong, eio.Ping:
		switch {
		case s.v3 != (p.Type == eio.Ping):
			s.violated(errHeartbeat)
			return false
		case s.v3:
			s.ping()
		default:
			s.pong()
		}
	}
	return true
}

var errHeartbeat = errors.New("engine.io: heartbeat in the wrong direction")
