package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Transport is a set of transports.
type Transport uint8

// The transports.
const (
	Polling Transport = 1 << iota
	WebSocket
)

// A Reason says why a session ended, in Engine.IO's words.
type Reason string

// The reasons.
const (
	TransportClose Reason = "transport close"
	TransportError Reason = "transport error"
	PingTimeout    Reason = "ping timeout"
	ParseError     Reason = "parse error"
	ForcedClose    Reason = "forced close"
	SlowClient     Reason = "slow client"
	ShuttingDown   Reason = "server shutting down"
)

var (
	// ErrClosed is returned for a session that has ended.
	ErrClosed = errors.New("engine.io: session closed")
	// ErrBadRequest is returned by [Config].Origin for a header that can't be
	// an origin.
	ErrBadRequest = errors.New("engine.io: bad request")
	// ErrSlow is returned when a message does not fit into a session's queue;
	// the session is being closed.
	ErrSlow = errors.New("engine.io: queue full")
	// ErrDropped is returned for a volatile message that could not be written at once.
	ErrDropped = errors.New("engine.io: volatile message dropped")
)

// Config says how a [Server] behaves. Cookie and the functions Report,
// AllowRequest, Lost, Upgraded and Pong may be nil.
type Config struct {
	Transports     Transport
	DisableUpgrade bool
	AllowEIO3      bool // admit clients of Engine.IO 3

	// Origin decides on the Origin of every request and sets the CORS headers
	// of its response.
	Origin func(r *http.Request, response http.Header) error
	// AllowRequest is called before a handshake. A [Forbidden] is shown to the
	// client, the text of another error is not.
	AllowRequest func(*http.Request) error
	// Cookie is sent with a polling handshake, its Value being the session id.
	Cookie *http.Cookie

	PingInterval, PingTimeout time.Duration
	UpgradeTimeout            time.Duration
	WriteTimeout              time.Duration
	MaxPayload, MaxQueue      int64 // bytes
	MaxHandshakes             int64 // at a time
	Compression               int   // of messages of at least this many bytes; 0 means none

	// Open is called for every new session before anything is read from it.
	Open func(*Session) Receiver
	// Report is called with what an operator may want to know: a [ViolationError],
	// a [StuckError], or a [RefusedError]. s may be nil.
	Report func(s *Session, err error)
	// Panicked, if set, is called with the panic value of a connection or response of
	// the application, or nil if it called runtime.Goexit.
	Panicked func(value any)
	// Lost, if set, is called with the number of messages that a session dropped at
	// its end, on a goroutine of its own.
	Lost func(recv Receiver, messages int, reason Reason)
	// Upgraded, if set, is called when a session has moved to a WebSocket. took counts
	// from the end of its handshake.
	Upgraded func(recv Receiver, took time.Duration)
	// Pong, if set, is called with the time between the writing of a ping and the arrival
	// of its pong, on the goroutine that reads. Clients of Engine.IO 3 send no pongs.
	Pong func(recv Receiver, rtt time.Duration)
}

// A Receiver takes what a session reads.
type Receiver interface {
	// Receive is called for every message in the order sent, one at a time.
	// data is valid until it returns. It may run application code between
	// turn.Begin and turn.End, if turn is not nil; it may block, which stops
	// the reading.
	Receive(turn *Turn, data []byte, binary bool)
	// Full reports whether Receive might block now. It is called before each
	// message of a POST. What is left then waits, and the POST is answered.
	Full() bool
	// Heartbeat is called at every heartbeat, unless the client has sent much
	// since the last.
	Heartbeat()
	// Closed is called once, when the session ends. It must not block.
	Closed(Reason)
}

// A Server keeps the sessions. It is an [http.Handler].
type Server struct {
	cfg        Config
	handshakes *semaphore.Weighted // those under way
	tasks      group               // goroutines, requests and sessions
	flushPool  flushPool
	slow       atomic.Uint64

	mu       sync.Mutex // guards the following
	sessions map[string]*Session
	ended    Counts            // of sessions that have ended
	endedBy  map[Reason]uint64 // number of sessions that have ended
	stopped  bool
}

// New returns a server.
func New(cfg Config) *Server {
	return &Server{
		cfg:        cfg,
		handshakes: semaphore.NewWeighted(cfg.MaxHandshakes),
		flushPool:  flushPool{max: runtime.GOMAXPROCS(0)},
		sessions:   make(map[string]*Session),
		endedBy:    make(map[Reason]uint64),
	}
}

// Go runs fn on a goroutine that Stop and Wait wait for.
func (srv *Server) Go(fn func()) {
	srv.tasks.add()
	go func() {
		defer srv.tasks.done()
		fn()
	}()
}

// Stop makes the server refuse requests that are not for a session it has.
func (srv *Server) Stop() {
	srv.mu.Lock()
	srv.stopped = true
	srv.mu.Unlock()
}

// Wait returns when every session and goroutine has ended, or when ctx ends, with
// the number of those left.
func (srv *Server) Wait(ctx context.Context) int { return srv.tasks.wait(ctx) }

// Sessions returns the sessions that have not ended.
func (srv *Server) Sessions() []*Session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.sessionsLocked()
}

func (srv *Server) sessionsLocked() []*Session {
	list := make([]*Session, 0, len(srv.sessions))
	for _, s := range srv.sessions {
		list = append(list, s)
	}
	return list
}

// Len counts the sessions.
func (srv *Server) Len() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.sessions)
}

// Slow counts the sessions that were closed because they did not read.
func (srv *Server) Slow() uint64 { return srv.slow.Load() }

// Stopped reports whether Stop was called.
func (srv *Server) Stopped() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.stopped
}

func (srv *Server) session(id string) *Session {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.sessions[id]
}

// add opens a session. It fails when the server has stopped.
func (srv *Server) add(s *Session) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopped {
		return false
	}
	srv.sessions[s.id] = s
	srv.tasks.add()
	return true
}

// remove removes a session that has ended, and keeps its counts. The caller holds
// s.mu.
func (srv *Server) remove(s *Session) {
	srv.mu.Lock()
	delete(srv.sessions, s.id)
	srv.ended.add(&s.sessionCounts, s.reason)
	srv.endedBy[s.reason]++
	srv.mu.Unlock()
	srv.tasks.done()
}

func (srv *Server) report(s *Session, err error) {
	if srv.cfg.Report != nil {
		srv.cfg.Report(s, err)
	}
}

// newID returns 144 random bits, because a session id authenticates its client.
func newID() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
