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
	received atomic.Uint32 // bytes read since the last heartbeat

	mu             sync.Mutex // guards the following
	state          state
	probed         bool // the probe succeeded: polls no longer wait
	write          writeState
	corked         bool          // the reader flushes at the end of its turn
	closedByClient bool          // the client has closed a polling session
	awaitPong      bool          // the client must answer before the next heartbeat
	pingWaits      bool          // a ping has not been written yet
	control        controlFrames // control packets, written before the queue
	stalled        uint16        // PingTimeouts in which a ping could not be written behind a write that did not move
	timelyTurns    uint8         // consecutive turns that ended in time, at most provenTurns
	watchedCount   uint32        // turn.count when checkHandoff last ran
	unconfirmed    uint32        // bytes written that no pong has confirmed; at most MaxUint32
	beforePing     uint32        // those of them that were written before the last ping
	pingWritten    uint32        // when the ping was written that awaits its pong, see clock; 0 if there is none, or no Config.Pong
	reason         Reason        // why it ended
	ws             *wsConn       // nil while the transport is polling
	candidate      *wsConn       // the WebSocket an upgrade is being tried with
	poll           *poll         // the GET that waits
	pollWriting    *poll         // the GET whose response is being written
	post           *post         // the POST that is being read
	postQueue      *postQueue    // packets of POSTs that wait for the receiver; nil if there are none
	queue          []*Message
	queued         int64    // bytes of memory that queue and the write batch hold
	pongFrame      *Message // answers the last WebSocket ping; written before the queue
	sessionCounts
	turn           *Turn       // the reader's, while corked
	handoffTimer   *time.Timer // checks turn; nil until the first turn
	heartbeatTimer *time.Timer // the next heartbeat
	deadline       time.Time   // of the timer: the next ping, the wait for its pong, or closing
	pause          *pause      // not nil while the receiver blocks the reading, and until the next pong
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
	if ended { // before recv was set, so end did not call Closed
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

// ID returns the session id, a secret: it authenticates the client.
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

// Receiver returns what Open returned, nil before.
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
