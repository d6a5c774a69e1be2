package eioclient

import (
	"sync/atomic"
	"time"
)

// A Turn is the right to read a WebSocket. It belongs to one goroutine, which
// may run application code during its turn. When that code does not return
// within [handoffDelay], another goroutine reads on, and the first one may only
// finish what it has begun.
//
// While application code runs, the session is corked: what it sends is written
// when there is nothing more to read, or when the turn is over.
type Turn struct {
	session   *Session
	state     atomic.Uint32
	count     atomic.Uint32 // calls of Begin, so that checkHandoff sees progress
	corked    bool          // used by the reader only, like what follows
	unflushed int           // messages since the last flush
}

// The states of a turn.
const (
	reading uint32 = iota
	running        // application code
	over
)

const (
	// handoffDelay is how long application code may run before another goroutine
	// reads on; twice as long at most.
	handoffDelay = time.Millisecond
	// longPatience is the same where the last [proven] turns have ended in time: a
	// stopped timer still wakes an idle processor when it would have fired. The first
	// handler that blocks then delays the reading for longer.
	longPatience = 8 * time.Millisecond
	proven       = 64
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
	t.unflushed = 0
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
	s.watchedCount = t.count.Load()
	if s.handoffTimer == nil {
		s.handoffTimer = time.AfterFunc(handoffDelay, s.checkHandoff)
	} else {
		s.handoffTimer.Reset(s.patienceLocked())
	}
}

func (s *Session) patienceLocked() time.Duration {
	if s.timely == proven {
		return longPatience
	}
	return handoffDelay
}

func (s *Session) uncork() {
	s.mu.Lock()
	s.corked, s.turn = false, nil
	if s.handoffTimer != nil {
		s.handoffTimer.Stop()
	}
	s.timely = min(s.timely+1, proven)
	start := s.startFlushLocked()
	s.mu.Unlock()
	if start {
		s.Flush()
	}
}

// checkHandoff ends the turn of a reader whose application code has not returned since
// the last look.
func (s *Session) checkHandoff() {
	s.mu.Lock()
	t := s.turn
	if t == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	if n := t.count.Load(); n != s.watchedCount || t.state.Load() != running {
		s.watchedCount = n
		s.handoffTimer.Reset(s.patienceLocked())
		s.mu.Unlock()
		return
	}
	s.timely = 0
	s.cfg.Tasks.Add(1)
	s.mu.Unlock()
	s.handOff(t)
}

// Yield lets another goroutine read on if application code is running in the
// reader's turn. Code that is about to wait for the server calls it.
func (s *Session) Yield() {
	s.mu.Lock()
	t := s.turn
	if t == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	s.cfg.Tasks.Add(1)
	s.mu.Unlock()
	s.handOff(t)
}

// handOff ends a turn and has another goroutine read on. The caller is counted as
// a task, which ends here.
func (s *Session) handOff(t *Turn) {
	defer s.cfg.Tasks.Done()
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
