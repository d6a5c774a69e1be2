package eioclient

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/eio"
)

// A Session is one Engine.IO connection. All methods may be called
// concurrently and after it has ended.
type Session struct {
	cfg  *Config
	open handshake
	recv Receiver

	ctx          context.Context    // of polling requests; ends with the session
	cancel       context.CancelFunc // nil unless the session began with polling
	done         chan struct{}      // closed when Closed has been called
	lastRead     atomic.Int64       // when something was read last; nanoseconds since began
	lastReadWall atomic.Int64       // the same on the wall clock
	began        time.Time          // by cfg.Now

	mu             sync.Mutex // guards the following
	state          state
	ws             *wsConn       // nil while the transport is polling
	candidate      *wsConn       // the WebSocket that an upgrade is being tried with
	upgrading      bool          // the candidate works: polling stops
	polling        bool          // a poll is under way
	drained        chan struct{} // closed when a poll or a flush has ended; nil unless an upgrade waits
	flushing       bool          // a goroutine writes, or is about to
	corked         bool          // the reader flushes at the end of its turn
	turn           *Turn
	watchedCount   uint32
	handoffTimer   *time.Timer
	timely         int // turns in a row that have ended in time, proven at most
	heartbeatTimer *time.Timer
	pinger         *time.Timer // of Engine.IO 3; else nil
	closeTimer     *time.Timer // of closing
	wroteClose     bool        // a close frame was written, or is about to
	paused         bool        // the receiver blocks the reading
	queue          []*Message
	queued         int64 // bytes of queue
	ponged         bool  // a pong waits in queue
	wsPonged       bool  // a pong of WebSocket waits in queue
	counts         Counts
	reason         Reason
}

type state uint8

const (
	open    state = iota
	closing       // what is queued is still written
	closed
)

// Counts says what became of a session's messages.
type Counts struct {
	Written uint64 // given to the network
	Pending uint64 // queued, or being written
	Lost    uint64 // perhaps written in part when the connection ended
}

var (
	// ErrClosed is returned for a session that has ended.
	ErrClosed = errors.New("engine.io: session closed")
	// ErrQueueFull is returned for a message for which the queue has no room.
	ErrQueueFull = errors.New("engine.io: queue full")
	// ErrTooBig is returned for a message larger than the server accepts.
	ErrTooBig = errors.New("engine.io: message exceeds the server's maxPayload")
	// ErrDropped is returned for a volatile message that cannot be written at once.
	ErrDropped = errors.New("engine.io: volatile message dropped")
)

// closeWait is how long a server may take to answer a close frame.
const closeWait = time.Second

// Dial opens a session. It tries the transports of cfg in order, and calls opened
// before anything is read.
func Dial(ctx context.Context, cfg *Config, recv Receiver, opened func(*Session)) (*Session, error) {
	var errs []error
	for i, t := range cfg.Transports {
		dialCtx, cancel := share(ctx, len(cfg.Transports)-i)
		s, err := cfg.dial(dialCtx, t, recv, opened)
		cancel()
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		var refusal *HandshakeError
		if ctx.Err() != nil || errors.As(err, &refusal) && refusal.Final {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// share returns a context for one of n attempts that follow each other: one that
// hangs must leave time for the next.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || n == 1 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
}

func (c *Config) dial(ctx context.Context, t Transport, recv Receiver, opened func(*Session)) (*Session, error) {
	s := &Session{cfg: c, recv: recv, began: c.Now(), done: make(chan struct{})}
	var rest []byte
	var err error
	if t == WebSocket {
		s.ws, s.open, err = c.dialWebSocket(ctx, "")
	} else {
		s.open, rest, err = c.dialPolling(ctx)
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	if err != nil {
		if s.cancel != nil {
			s.cancel()
		}
		var refusal *HandshakeError
		if !errors.As(err, &refusal) {
			err = &HandshakeError{Transport: t, Code: -1, Err: err}
		}
		return nil, err
	}
	s.noteRead()
	s.mu.Lock()
	s.heartbeatTimer = time.AfterFunc(s.readTimeout(), s.onHeartbeat)
	if c.V3 {
		s.pinger = time.AfterFunc(s.open.pingInterval, s.ping)
	}
	s.mu.Unlock()
	if s.ws != nil {
		s.ws.session = s
	}
	s.polling = s.ws == nil
	opened(s)
	if s.ws != nil {
		s.spawn(s.ws.read)
		return s, nil
	}
	s.spawn(func() { s.poll(rest) })
	if c.Upgrade && slices.Contains(s.open.upgrades, WebSocket.String()) {
		s.spawn(s.upgrade)
	}
	return s, nil
}

// spawn runs fn on a goroutine that cfg.Tasks counts. The caller is counted
// itself, or holds mu while the session is not closed: then the reader is.
func (s *Session) spawn(fn func()) {
	s.cfg.Tasks.Add(1)
	go func() {
		defer s.cfg.Tasks.Done()
		fn()
	}()
}

// Done is closed when the session has ended and Closed has returned.
func (s *Session) Done() <-chan struct{} { return s.done }

// ID returns the id of the session, which is a secret.
func (s *Session) ID() string { return s.open.sid }

// Transport returns the transport in use.
func (s *Session) Transport() Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws != nil {
		return WebSocket
	}
	return Polling
}

// Counts returns what became of the messages so far.
func (s *Session) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Send queues m, and writes it unless another goroutine does already. A volatile
// message is dropped unless it can be written at once. Send does not wait for the
// network.
func (s *Session) Send(m *Message, volatile bool) error {
	start, err := s.Queue(m, volatile)
	if start {
		s.Flush()
	}
	return err
}

// Queue is the part of Send that may be called under a lock of the receiver. If
// flush is true, the caller must call Flush.
func (s *Session) Queue(m *Message, volatile bool) (flush bool, err error) {
	if limit := s.open.maxPayload; limit > 0 && m.largest() > limit {
		return false, ErrTooBig
	}
	limit := s.cfg.MaxQueue
	if m.Admitted {
		limit *= 2
	}
	now := s.cfg.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == open && s.expiredLocked(now) {
		s.finishLocked(PingTimeout, nil)
	}
	switch {
	case s.state != open, m.Gate != nil && m.Gate.Load():
		return false, ErrClosed
	case volatile && (len(s.queue) > 0 || s.flushing || s.upgrading):
		return false, ErrDropped
	case s.queued > 0 && s.queued+m.size > limit:
		return false, ErrQueueFull
	}
	if !m.Control {
		s.counts.Pending++
	}
	return s.enqueueLocked(m), nil
}

// enqueueLocked queues m and reports whether the caller must call Flush.
func (s *Session) enqueueLocked(m *Message) (flush bool) {
	s.queue = append(s.queue, m)
	s.queued += m.size
	return s.startFlushLocked()
}

// startFlushLocked reports whether the caller must flush, and reserves that for
// it. The caller is counted as a task until Flush returns.
func (s *Session) startFlushLocked() bool {
	switch {
	case s.state == closed, s.flushing, s.corked, s.upgrading, s.wroteClose:
		return false
	case len(s.queue) == 0 && s.state == open:
		return false
	}
	s.flushing = true
	s.cfg.Tasks.Add(1)
	return true
}

// Flush writes until nothing is queued. The caller has reserved it. It does not
// block: what the network does not take at once is left to a goroutine.
func (s *Session) Flush() {
	defer s.cfg.Tasks.Done()
	s.mu.Lock()
	ws := s.ws // it does not change while flushing is set
	s.mu.Unlock()
	switch {
	case ws == nil:
		s.spawn(s.flushPolling)
	case ws.raw == nil:
		s.spawn(func() { ws.flushBlocking(nil) })
	default:
		ws.flushNow()
	}
}

// batchSize is how many bytes of messages are written together.
const batchSize = 64 << 10

// take moves the first messages of the queue into batch, or ends the flush when
// there are none.
func (s *Session) take(batch []*Message) []*Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == closed || len(s.queue) == 0 || s.upgrading { // what an upgrade leaves goes over the WebSocket
		s.flushing = false
		s.drainedLocked()
		if s.state == closing && !s.upgrading {
			s.finishClosingLocked()
		}
		return batch[:0]
	}
	n, size := 0, int64(0)
	for n < len(s.queue) && (n == 0 || size+s.queue[n].size <= batchSize) {
		size += s.queue[n].size
		n++
	}
	batch = append(batch[:0], s.queue[:n]...)
	if n == len(s.queue) && cap(s.queue) <= 64 {
		clear(s.queue)
		s.queue = s.queue[:0]
	} else {
		clear(s.queue[:n])
		if s.queue = s.queue[n:]; len(s.queue) == 0 {
			s.queue = nil
		}
	}
	s.queued -= size
	for _, m := range batch {
		if m.Control {
			s.ponged, s.wsPonged = false, false
		}
	}
	return batch
}

// wrote counts a batch that the network has taken.
func (s *Session) wrote(batch []*Message) {
	n := messages(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != closed { // else it is counted as lost
		s.counts.Written += n
		s.counts.Pending -= n
	}
}

// failed ends a session that cannot be written to.
func (s *Session) failed(err error) {
	reason := TransportClose
	if s.Transport() == Polling {
		reason = TransportError
	}
	s.Discard(reason, err)
}

// Close writes what is queued, within WriteTimeout, and ends the session.
func (s *Session) Close() {
	s.mu.Lock()
	if s.state != open {
		s.mu.Unlock()
		return
	}
	s.state, s.reason = closing, ForcedClose
	s.closeTimer = time.AfterFunc(s.cfg.WriteTimeout, func() { s.Discard(ForcedClose, nil) })
	if s.candidate != nil && !s.upgrading {
		s.candidate.close()
	}
	if s.ws == nil && !s.upgrading {
		s.queue = append(s.queue, packet(eio.Close, ""))
	}
	s.corked = false
	start := s.startFlushLocked()
	s.mu.Unlock()
	if start {
		s.Flush()
	}
}

// finishClosingLocked ends a session whose queue has been written.
func (s *Session) finishClosingLocked() {
	if s.ws == nil {
		s.finishLocked(ForcedClose, nil)
		return
	}
	s.wroteClose = true
	s.closeTimer.Reset(min(closeWait, s.cfg.WriteTimeout))
	ws := s.ws
	s.spawn(ws.writeClose)
}

// Discard ends the session at once. What is queued is handed back to the
// receiver.
func (s *Session) Discard(reason Reason, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(reason, err)
}

func (s *Session) finishLocked(reason Reason, err error) {
	if s.state == closed {
		return
	}
	if s.state == closing { // the reason of Close came first
		reason, err = s.reason, nil
	}
	s.state, s.reason = closed, reason
	for _, t := range []*time.Timer{s.heartbeatTimer, s.pinger, s.closeTimer, s.handoffTimer} {
		if t != nil {
			t.Stop()
		}
	}
	var unsent []*Message
	for _, m := range s.queue {
		if !m.Control {
			unsent = append(unsent, m)
		}
	}
	s.counts.Lost += s.counts.Pending - uint64(len(unsent)) // what is being written
	s.counts.Pending = uint64(len(unsent))                  // until Closed is called
	s.queue, s.queued = nil, 0
	if s.cancel != nil {
		s.cancel()
	}
	for _, ws := range []*wsConn{s.ws, s.candidate} {
		if ws != nil {
			ws.close()
		}
	}
	s.drainedLocked()
	s.spawn(func() {
		defer close(s.done)
		s.recv.Closed(reason, err, unsent)
	})
}

// drainedLocked lets an upgrade that waits look again.
func (s *Session) drainedLocked() {
	if s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// isOpen reports whether more may be read.
func (s *Session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != closed
}

// receive handles one packet. It reports whether the transport may go on.
func (s *Session) receive(turn *Turn, p eio.Packet) bool {
	switch p.Type {
	case eio.Message:
		s.recv.Receive(turn, p.Data, p.Binary)
		return true
	case eio.Ping:
		s.pong()
		return true
	case eio.Noop, eio.Pong:
		return true
	case eio.Close:
		s.Discard(TransportClose, nil)
		return false
	}
	s.Discard(ParseError, errors.New("engine.io: unexpected packet "+p.Type.String()))
	return false
}
