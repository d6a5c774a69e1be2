package engine

import (
	"sync/atomic"
	"time"
)

// A Turn is the right to read a WebSocket. It belongs to one goroutine, which
// may run application code during its turn. When that code doesn't return
// within [patience], or [longPatience], the turn is over: another goroutine reads
// on, and the first one may only finish what it has begun.
//
// While application code runs, the session is corked: what it sends is flushed
// at once when there is nothing more to read, or when the turn is over. The
// others are flushed after that, by the reader too. Where the connection can be
// read without waiting, whatever comes meanwhile is handled in between: what that
// sends joins what still waits.
type Turn struct {
	ws      *wsConn
	state   atomic.Uint32
	count   atomic.Uint32 // of calls to Begin, so that the watchdog sees progress
	corked  bool          // only used by the goroutine whose turn it is, like what follows
	handled int           // messages since everybody had what they sent
	made    uint64        // what the flushers had counted when the cork went in
	swollen uint64        // the same
	due     uint64        // the reader helps the flushers until they are there; 0 if it need not
}

// The states of a turn.
const (
	reading uint32 = iota
	running        // application code
	over
)

const (
	// patience is how long application code may run before another goroutine
	// takes over the reading; at most twice as long in fact.
	patience = time.Millisecond
	// longPatience is the same where the last [proven] turns of a session have ended
	// in time: an idle processor still wakes up when a timer would have fired that
	// was stopped, which is a good part of what a message costs that comes alone.
	// The price is that the first handler that blocks then holds up its client, and
	// what it has sent to it, for longer.
	longPatience = 8 * time.Millisecond
	proven       = 64
	// maxCorked is how many messages are handled before what they sent is
	// flushed, even if there is more to read.
	maxCorked = 64
	// maxCorkedBytes is how much of it may wait for one client before the next
	// message is handled.
	maxCorkedBytes = 64 << 10
	// maxHelp is how many sessions of others are flushed before the reader looks
	// again whether there is something to read.
	maxHelp = 64
)

// Begin says that application code is about to run.
func (t *Turn) Begin() {
	if !t.corked {
		w := &t.ws.session.srv.flushers
		t.corked, t.made, t.swollen = true, w.made.Load(), w.swollen.Load()
		t.ws.session.cork(t)
	}
	t.count.Add(1)
	t.state.Store(running)
}

// End says that the application code has returned. It reports whether the
// caller may still read; if not, it must finish its work and return.
func (t *Turn) End() bool { return t.state.CompareAndSwap(running, reading) }

// flushSome sends what has been queued during the turn: to the own client, then
// to some of the others. It reports whether all of them have been seen to.
func (t *Turn) flushSome() bool {
	w := &t.ws.session.srv.flushers
	if t.corked {
		t.corked = false
		t.ws.session.uncork()
		if made := w.made.Load(); made != t.made || t.swells() {
			t.due = made
		}
	}
	if t.due > 0 && !w.help(t.due) {
		return false
	}
	t.due, t.handled = 0, 0
	return true
}

// flush is flushSome until there is nothing left to send.
func (t *Turn) flush() {
	for !t.flushSome() {
	}
}

// full reports whether so much waits to be sent that it goes out before more is
// read.
func (t *Turn) full() bool {
	return t.handled >= maxCorked || t.corked && t.swells()
}

// swells reports whether the queue of anybody has become too long since the cork
// went in.
func (t *Turn) swells() bool {
	return t.swollen != t.ws.session.srv.flushers.swollen.Load()
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
		s.watchdog.Reset(s.patienceLocked())
	}
}

func (s *Session) patienceLocked() time.Duration {
	if s.timely == proven {
		return longPatience
	}
	return patience
}

func (s *Session) uncork() {
	s.mu.Lock()
	s.corked, s.turn = false, nil
	if s.watchdog != nil { // else it was closed before
		s.watchdog.Stop()
	}
	s.timely = min(s.timely+1, proven)
	if s.flushing || !s.sendableLocked() || s.ws == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	s.flushing = true
	s.mu.Unlock()
	f := flusherPool.Get().(*flusher)
	s.flush(f)
	f.release()
}

// watch ends the turn of a reader whose application code has not come back
// since the last time it looked.
func (s *Session) watch() {
	s.mu.Lock()
	t := s.turn
	if t == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	if n := t.count.Load(); n != s.watched || t.state.Load() != running {
		s.watched = n
		s.watchdog.Reset(s.patienceLocked())
		s.mu.Unlock()
		return
	}
	s.timely = 0
	s.mu.Unlock()
	s.takeOver(t)
}

// Yield lets another goroutine take over the reading if application code is
// running in the reader's turn. Code that is about to wait for the client
// calls it, so that nobody has to find out.
func (s *Session) Yield() {
	s.mu.Lock()
	t := s.turn
	s.mu.Unlock()
	if t != nil {
		s.takeOver(t)
	}
}

func (s *Session) takeOver(t *Turn) {
	s.srv.tasks.add() // until the new reader is
	defer s.srv.tasks.done()
	if !t.state.CompareAndSwap(running, over) {
		return
	}
	s.srv.Go(t.ws.read)
	s.mu.Lock()
	if s.turn == t { // else the new reader has corked again
		s.corked, s.turn = false, nil
		s.wakeLocked()
	}
	s.mu.Unlock()
}
