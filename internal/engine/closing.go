package engine

import (
	"time"
)

// The ways a session ends. The first reason stays. Each of them calls
// [Receiver.Closed], and [Config.Lost] if messages are dropped.
//
//	function        called when                      reason          queue        client gets        also reported
//	Close           the receiver or the server       the caller's    written      close frame,
//	                closes                                                        or CLOSE
//	Close           the client sends a close frame   transport close written      close frame
//	Discard         the receiver or the server       the caller's    dropped      a cut; the waiting
//	                closes at once                                                poll gets CLOSE
//	Discard         the connection breaks, a write   transport close dropped      nothing
//	                or a poll's response fails
//	Discard         a poll is aborted, or a request  transport error dropped      nothing
//	                panics
//	Close           second poll or POST at a time,   transport error written      the waiting poll gets
//	                a body that breaks off                                        messages, then CLOSE
//	Close           a WebSocket breaks RFC 6455,     transport error written      close frame with    ViolationError
//	                or exceeds MaxPayload                                         its code            for MaxPayload
//	violated        malformed packet                 parse error     as for abort as for abort        ViolationError
//	abort           no pong                          ping timeout    WebSocket:   close frame;
//	                                                                 written;     the waiting poll
//	                                                                 polling:     gets CLOSE
//	                                                                 dropped
//	abort           the receiver blocks for          ping timeout    as for abort as for abort        StuckError
//	                stuckAfter
//	slowLocked      MaxQueue is exceeded, or a write slow client     dropped      WebSocket: a cut;   Server.Slow
//	                takes too long                                                the next poll
//	                                                                              gets CLOSE
//	closeByClient   the client sends CLOSE           transport close dropped      the poll gets NOOP
//	onHeartbeat     closing takes longer than        stays           dropped      a cut
//	                WriteTimeout without progress

type state uint8

const (
	open    state = iota
	closing       // Closed has been called; the queue is still written
	closed
)

// closeWait is how long a peer may take to answer a close frame.
const closeWait = time.Second

// Close ends the session after what is queued has been written, or after
// WriteTimeout. It reports whether the session was open.
func (s *Session) Close(reason Reason) bool { return s.end(reason, s.closeLocked) }

// Discard ends the session at once. What is queued is lost.
func (s *Session) Discard(reason Reason) bool { return s.end(reason, s.finishLocked) }

// A ViolationError says that a session was closed because its client broke
// Engine.IO's protocol.
type ViolationError struct{ Err error }

func (e *ViolationError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ViolationError) Unwrap() error { return e.Err }

// violated ends a session whose client sent a malformed packet.
func (s *Session) violated(err error) {
	s.srv.report(s, &ViolationError{err})
	s.abort(ParseError)
}

// abort ends a session whose client breaks the protocol or does not answer. Over
// polling the queue is dropped.
func (s *Session) abort(reason Reason) bool {
	if s.Transport() == Polling {
		return s.Discard(reason)
	}
	return s.Close(reason)
}

func (s *Session) end(reason Reason, how func()) (first bool) {
	s.srv.tasks.add() // Closed belongs to the session
	defer s.srv.tasks.done()
	s.mu.Lock()
	first = s.state == open
	if first {
		s.reason = reason
	}
	how()
	recv := s.recv
	s.mu.Unlock()
	if first && recv != nil {
		recv.Closed(reason)
	}
	return first
}

// closeLocked begins closing. The flush writes the rest.
func (s *Session) closeLocked() {
	if s.closedByClient {
		s.finishLocked() // the client has closed already: there is nothing to write
	}
	if s.state != open {
		return
	}
	s.state = closing
	if !s.probed { // else the client may have stopped polling, and the candidate gets the rest
		s.dropCandidateLocked()
	}
	s.abortPostLocked()
	s.control = controlFrames{}
	s.queueCloseFrameLocked()
	s.wakeLocked()
	s.limitClosingLocked(s.srv.cfg.WriteTimeout)
}

// queueCloseFrameLocked queues the close frame behind everything else.
func (s *Session) queueCloseFrameLocked() {
	if s.ws == nil {
		return
	}
	last := s.ws.closeFrame
	if last == nil {
		last = closeMessage
	}
	s.queue = append(s.queue, last)
	s.queued += last.Size()
}

// limitClosingLocked sets how long closing may still go on, WriteTimeout at most.
func (s *Session) limitClosingLocked(d time.Duration) {
	d = min(d, s.srv.cfg.WriteTimeout)
	s.deadline = time.Now().Add(d)
	s.heartbeatTimer.Reset(d)
}

// finishLocked frees what the session holds.
func (s *Session) finishLocked() {
	if s.state == closed {
		return
	}
	s.state = closed
	if s.postQueue != nil {
		s.postQueue.changedLocked()
	}
	s.dropQueueLocked()
	s.dropCandidateLocked()
	if s.ws != nil {
		s.ws.close()
	}
	if s.poll != nil {
		s.poll.wake()
	}
	if s.pollWriting != nil {
		s.pollWriting.deadline.abortLocked()
	}
	s.abortPostLocked()
	s.heartbeatTimer.Stop()
	if s.handoffTimer != nil {
		s.handoffTimer.Stop()
	}
	s.reportLostLocked()
	s.srv.remove(s)
}

func (s *Session) abortPostLocked() {
	if s.post != nil {
		s.post.deadline.abortLocked()
	}
}

// slowLocked ends an open session whose client does not read. It calls Closed on a
// goroutine of its own, because Send may be called under locks of the receiver.
func (s *Session) slowLocked() {
	s.srv.slow.Add(1)
	s.reason = SlowClient
	if recv := s.recv; recv != nil {
		s.srv.Go(func() { recv.Closed(SlowClient) })
	}
	if s.ws != nil {
		s.finishLocked()
	} else {
		s.dropQueueLocked()
		s.dropCandidateLocked()
		s.closeLocked() // the next poll gets CLOSE
	}
}

// failed ends a session after a failed write.
func (s *Session) failed(err error) {
	s.mu.Lock()
	if s.state == open && isTimeout(err) {
		s.slowLocked()
	}
	s.mu.Unlock()
	s.Discard(TransportClose)
}

// progressed notes that some of what is queued has been written.
func (s *Session) progressed() {
	s.mu.Lock()
	s.progressedLocked()
	s.mu.Unlock()
}

// progressedLocked gives a session that is closing WriteTimeout again.
func (s *Session) progressedLocked() {
	s.stalled = 0
	if s.state == closing {
		s.limitClosingLocked(s.srv.cfg.WriteTimeout)
	}
}

// closeByClient ends a session whose client sent CLOSE in a POST. The poll, which may
// arrive later, is answered with NOOP.
func (s *Session) closeByClient() {
	s.mu.Lock()
	first := s.state == open
	if first {
		s.reason = TransportClose
		s.dropQueueLocked()
		s.closeLocked()
		s.closedByClient = true
		s.limitClosingLocked(closeWait)
	}
	s.mu.Unlock()
	if first {
		s.recv.Closed(TransportClose)
	}
}
