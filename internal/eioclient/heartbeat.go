package eioclient

import (
	"time"

	"github.com/socketio-go/socketio/internal/eio"
)

// readTimeout is how long the server may send nothing.
func (s *Session) readTimeout() time.Duration { return s.open.pingInterval + s.open.pingTimeout }

// noteRead notes that something has been read.
func (s *Session) noteRead() {
	now := s.cfg.Now()
	s.lastRead.Store(int64(now.Sub(s.began)))
	s.lastReadWall.Store(now.UnixNano())
}

// onHeartbeat ends the session if the server has sent nothing for too long. While the
// receiver blocks the reading, the pings of the server are not read: a pong is
// sent for each that must have come.
func (s *Session) onHeartbeat() {
	s.mu.Lock()
	if s.state == closed {
		s.mu.Unlock()
		return
	}
	if s.paused {
		s.heartbeatTimer.Reset(s.open.pingInterval)
		s.mu.Unlock()
		if !s.cfg.V3 {
			s.pong()
		}
		return
	}
	now := s.cfg.Now()
	silent := now.Sub(s.began) - time.Duration(s.lastRead.Load())
	if s.expiredLocked(now.UnixNano()) { // the machine was suspended
		silent = s.readTimeout()
	}
	if rest := s.readTimeout() - silent; rest > 0 {
		s.heartbeatTimer.Reset(rest)
		s.mu.Unlock()
		return
	}
	s.finishLocked(PingTimeout, nil)
	s.mu.Unlock()
}

// expiredLocked reports whether the server has been silent for too long by the
// wall clock. Timers stand still while a machine is suspended; that clock does not.
func (s *Session) expiredLocked(now int64) bool {
	return !s.paused && now-s.lastReadWall.Load() > int64(s.readTimeout())
}

// Pause says that the receiver blocks the reading. Turn may be nil.
func (s *Session) Pause(turn *Turn) {
	if turn != nil {
		turn.flush()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = true
	if s.state != closed {
		s.heartbeatTimer.Reset(s.open.pingInterval)
	}
}

// Resume ends a Pause.
func (s *Session) Resume() {
	s.noteRead()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = false
	if s.state != closed {
		s.heartbeatTimer.Reset(s.readTimeout())
	}
}

// pong answers a ping. One pong at a time waits in the queue.
func (s *Session) pong() {
	s.mu.Lock()
	flush := false
	if s.state == open && !s.ponged {
		s.ponged = true
		flush = s.enqueueLocked(packet(eio.Pong, ""))
	}
	s.mu.Unlock()
	if flush {
		s.Flush()
	}
}
