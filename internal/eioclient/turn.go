package eioclient

import (
	"sync/atomic"
	"time"
)

// A Turn is the right to read a WebSocket. It belongs to one goroutine, which
// may run application code during its turn. When that code does not return
// within [patience], another goroutine reads on, and the first one may only
// finish what it has begun.
//
// While application code runs, the session is corked: what it sends is written
// when there is nothing more to read, or when the turn is over.
type Turn struct {
	session *Session
	state   atomic.Uint32
	count   atomic.Uint32 // calls of Begin, so that the watchdog sees progress
	corked  bool          // used by the reader only, like what follows
	handled int           // messages since the last flush
}

// The states of a turn.
const (
	reading uint32 = iota
	running        // application code
	over
)

const (
	// patience is how long application code may run before another goroutine
	// reads on; twice as long at most.
	patience = time.Millisecond
	// maxCorked is how many messages are handled before what they sent is written
	// although there is more to read.
	maxCorked = 64
)

// Begin says that application code is about to run.
func (t *Turn) Begin() {
	if !t.corked {
		t.corked = true
		t.session.cork(t)
	}
	t.count.Add(1)
	t.state.Store(running)
}

// End says that the application code has returned. It reports whether the
// caller may still read; if not, it must finish its work and return.
func (t *Turn) End() bool { return t.state.CompareAndSwap(running, reading) }

// flush writes what has been sent during the turn.
func (t *Turn) flush() {
	t.handled = 0
	if t.corked {
		t.corked = false
		t.session.uncork()
	}
}

func (s *Session) cork(t *Turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked, s.turn = true, t
	if s.state == closed {
		return
	}
	s.watched = t.count.Load()
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(patience, s.watch)
	} else {
		s.watchdog.Reset(patience)
	}
}

func (s *Session) uncork() {
	s.mu.Lock()
	s.corked, s.turn = false, nil
	if s.watchdog != nil {
		s.watchdog.Stop()
	}
	start := s.startFlushLocked()
	s.mu.Unlock()
	if start {
		s.Flush()
	}
}

// watch ends the turn of a reader whose application code has not returned since
// the last look.
func (s *Session) watch() {
	s.mu.Lock()
	t := s.turn
	if t == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	if n := t.count.Load(); n != s.watched || t.state.Load() != running {
		s.watched = n
		s.watchdog.Reset(patience)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.takeOver(t)
}

// Yield lets another goroutine read on if application code is running in the
// reader's turn. Code that is about to wait for the server calls it.
func (s *Session) Yield() {
	s.mu.Lock()
	t := s.turn
	s.mu.Unlock()
	if t != nil {
		s.takeOver(t)
	}
}

func (s *Session) takeOver(t *Turn) {
	if !t.state.CompareAndSwap(running, over) {
		return
	}
	s.mu.Lock()
	start := false
	if s.turn == t {
		s.corked, s.turn = false, nil
		start = s.startFlushLocked()
	}
	ws := s.ws
	s.mu.Unlock()
	s.spawn(ws.read)
	if start {
		s.Flush()
	}
}
