package engine

import (
	"sync/atomic"
	"time"
)

// A Turn is the right to read a WebSocket. It belongs to one goroutine, which
// may run application code during its turn. When that code does not
// return within [handoffDelay], or [longHandoffDelay], the turn is over: another
// goroutine reads on, and the first one may only finish what it has begun.
//
// While application code runs, the session is corked: what it sends is flushed when
// there is nothing more to read, or when the turn is over. Then the reader helps to
// flush the other sessions that the code has sent to. If the connection can be read
// without blocking, the reader handles what has arrived in between.
type Turn struct {
	ws              *wsConn
	state           atomic.Uint32
	count           atomic.Uint32 // of calls to Begin, by which checkHandoff sees progress
	corked          bool          // used by the reader only, like what follows
	unflushed       int           // messages handled since the last flush
	ticketAtBegin   uint64        // the value of flushPool.enqueued when the turn was corked
	overrunsAtBegin uint64        // likewise
	flushTicket     uint64        // the reader flushes the sessions queued before it; 0 for none
}

// The states of a turn.
const (
	reading uint32 = iota
	running        // application code
	over
)

const (
	// handoffDelay is how long application code may run before another goroutine
	// takes over the reading; at most twice as long in fact.
	handoffDelay = time.Millisecond
	// longHandoffDelay is the same if the last provenTurns turns of a session have ended
	// in time. An idle processor wakes up at the time of a timer even if that was
	// stopped, which is a large part of the cost of a single message. In return the
	// first handler that blocks delays its client for longer.
	longHandoffDelay = 8 * time.Millisecond
	provenTurns      = 64
	// maxCorked is how many messages are handled before what they sent is
	// flushed, even if there is more to read.
	maxCorked = 64
	// maxCorkedBytes is how many bytes may wait for one client before the next message
	// is handled.
	maxCorkedBytes = 64 << 10
	// maxFlushesBeforeRead is how many other sessions the reader flushes before it
	// checks whether there is something to read.
	maxFlushesBeforeRead = 64
)

// Begin says that application code is about to run.
func (t *Turn) Begin() {
	if !t.corked {
		w := &t.ws.session.srv.flushPool
		t.corked, t.ticketAtBegin, t.overrunsAtBegin = true, w.enqueued.Load(), w.overruns.Load()
		t.ws.session.cork(t)
	}
	t.count.Add(1)
	t.state.Store(running)
}

// End says that the application code has returned. It reports whether the
// caller may still read; if not, it must finish its work and return.
func (t *Turn) End() bool { return t.state.CompareAndSwap(running, reading) }

// flushOthers flushes the own session, then some of the others that were queued
// during the turn. It reports whether all of them have been taken.
func (t *Turn) flushOthers() bool {
	w := &t.ws.session.srv.flushPool
	if t.corked {
		t.corked = false
		t.ws.session.uncork()
		if made := w.enqueued.Load(); made != t.ticketAtBegin || t.overrun() {
			t.flushTicket = made
		}
	}
	if t.flushTicket > 0 && !w.flushUpTo(t.flushTicket) {
		return false
	}
	t.flushTicket, t.unflushed = 0, 0
	return true
}

// flushAll flushes until nothing of the turn is left.
func (t *Turn) flushAll() {
	for !t.flushOthers() {
	}
}

// mustFlush reports whether the reader must flush before it reads on.
func (t *Turn) mustFlush() bool {
	return t.unflushed >= maxCorked || t.corked && t.overrun()
}

// overrun reports whether the queue of any session has overrun since the turn was
// corked.
func (t *Turn) overrun() bool {
	return t.overrunsAtBegin != t.ws.session.srv.flushPool.overruns.Load()
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
		s.handoffTimer.Reset(s.handoffDelayLocked())
	}
}

func (s *Session) handoffDelayLocked() time.Duration {
	if s.timelyTurns == provenTurns {
		return longHandoffDelay
	}
	return handoffDelay
}

func (s *Session) uncork() {
	s.mu.Lock()
	s.corked, s.turn = false, nil
	if s.handoffTimer != nil { // nil if the session was closed before
		s.handoffTimer.Stop()
	}
	s.timelyTurns = min(s.timelyTurns+1, provenTurns)
	if s.write != idle || !s.sendableLocked() || s.ws == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	s.write = flushing
	s.mu.Unlock()
	f := writeBatches.Get().(*writeBatch)
	s.flush(f)
	f.release()
}

// checkHandoff ends the turn of a reader whose application code has not returned
// since the last check.
func (s *Session) checkHandoff() {
	s.mu.Lock()
	t := s.turn
	if t == nil || s.state == closed {
		s.mu.Unlock()
		return
	}
	if n := t.count.Load(); n != s.watchedCount || t.state.Load() != running {
		s.watchedCount = n
		s.handoffTimer.Reset(s.handoffDelayLocked())
		s.mu.Unlock()
		return
	}
	s.timelyTurns = 0
	s.mu.Unlock()
	s.handOff(t)
}

// Yield lets another goroutine take over the reading if application code is
// running in the reader's turn. Code that is about to wait for the client
// calls it, so that the reading does not pause for handoffDelay.
func (s *Session) Yield() {
	s.mu.Lock()
	t := s.turn
	s.mu.Unlock()
	if t != nil {
		s.handOff(t)
	}
}

func (s *Session) handOff(t *Turn) {
	s.srv.tasks.add() // until the new reader is counted
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
