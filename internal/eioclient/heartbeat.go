package eioclient

import (
	"time"

	"github.com/socketio-go/socketio/internal/eio"
)

// patience is how long the server may be silent.
func (s *Session) patience() time.Duration { return s.open.pingInterval + s.open.pingTimeout }

// hear notes that something has been read.
func (s *Session) hear() {
	now := s.cfg.Now()
	s.heard.Store(int64(now.Sub(s.began)))
	s.heardWall.Store(now.UnixNano())
}

// beat ends the session if the server has been silent for too long. While the
// receiver blocks the reading, the pings of the server are not read: a pong is
// sent for each that must have come.
func (s *Session) beat() {
	s.mu.Lock()
	if s.state == closed {
		s.mu.Unlock()
		return
	}
	if s.paused {
		s.heart.Reset(s.open.pingInterval)
		s.mu.Unlock()
		if !s.cfg.V3 {
			s.pong()
		}
		return
	}
	now := s.cfg.Now()
	silent := now.Sub(s.began) - time.Duration(s.heard.Load())
	if s.expiredLocked(now.UnixNano()) { // the machine was suspended
		silent = s.patience()
	}
	if rest := s.patience() - silent; rest > 0 {
		s.heart.Reset(rest)
		s.mu.Unlock()
		return
	}
	s.finishLocked(PingTimeout, nil)
	s.mu.Unlock()
}

// expiredLocked reports whether the server has been silent for too long by the
// wall clock. Timers stand still while a machine is suspended; that clock does not.
func (s *Session) expiredLocked(now int64) bool {
	return !s.paused && now-s.heardWall.Load() > int64(s.patience())
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
		s.heart.Reset(s.open.pingInterval)
	}
}

// Resume ends a Pause.
func (s *Session) Resume() {
	s.hear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = false
	if s.state != closed {
		s.heart.Reset(s.patience())
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
