package engine

import (
	"fmt"
	"time"
)

// startHeartLocked starts the heartbeat, which a client of Engine.IO 3 begins
// itself and must not leave out.
func (s *Session) startHeartLocked() {
	first := s.srv.cfg.PingInterval
	if s.v3 {
		s.awaitPong = true
		first += s.srv.cfg.PingTimeout
	}
	s.bound = time.Now().Add(first)
	s.heart = time.AfterFunc(first, s.beat)
}

// beat runs when the heartbeat is due: it sends a ping, or finds that the last
// one was not answered in time, or that the session did not manage to close.
func (s *Session) beat() {
	s.srv.tasks.add()
	defer s.srv.tasks.done()
	cfg := &s.srv.cfg
	s.mu.Lock()
	switch {
	case s.state == closed:
		s.mu.Unlock()
		return
	case s.state == closing:
		if !time.Now().Before(s.bound) { // else a heartbeat was due as it closed
			s.finishLocked()
		}
		s.mu.Unlock()
		return
	case !s.paused.IsZero():
		// The client can't be heard, so silence is not its fault. But a
		// receiver that never comes back must not keep the session for ever.
		if stuck := time.Since(s.paused); stuck >= cfg.PingInterval+cfg.PingTimeout {
			s.mu.Unlock()
			s.srv.report(s, &StuckError{stuck})
			s.abort(PingTimeout)
			return
		}
		s.beatInLocked(cfg.PingTimeout)
		s.mu.Unlock()
		return
	case s.awaitPong:
		s.mu.Unlock()
		s.abort(PingTimeout)
		return
	}
	s.awaitPong = true
	s.enqueueLocked(pingMessage)
	s.bound = s.bound.Add(cfg.PingTimeout) // counted from when the ping was due
	s.heart.Reset(time.Until(s.bound))
	recv := s.recv
	s.mu.Unlock()
	if recv != nil {
		recv.Heartbeat()
	}
}

// beatInLocked has the next beat come after d.
func (s *Session) beatInLocked(d time.Duration) {
	s.bound = time.Now().Add(d)
	s.heart.Reset(d)
}

// silentLocked reports whether the time to answer a ping is over, which the
// timer may not have noticed yet.
func (s *Session) silentLocked() bool {
	return s.state == open && s.awaitPong && s.paused.IsZero() && !time.Now().Before(s.bound)
}

func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == open && s.awaitPong {
		s.awaitPong = false
		s.beatInLocked(s.srv.cfg.PingInterval)
	}
}

// Pause tells the session that its receiver is about to block in the given
// turn, if any. Until Resume, silence does not count as a missed heartbeat.
func (s *Session) Pause(turn *Turn) {
	if turn != nil {
		turn.flush()
	}
	s.mu.Lock()
	s.paused = time.Now()
	s.mu.Unlock()
}

// Resume ends a Pause. What the client sent meanwhile is still to be read, so
// it gets the time of a heartbeat to be heard.
func (s *Session) Resume() {
	s.mu.Lock()
	s.paused = time.Time{}
	if s.state == open && s.awaitPong {
		wait := s.srv.cfg.PingTimeout
		if s.v3 {
			wait += s.srv.cfg.PingInterval // the next heartbeat may not be due yet
		}
		s.beatInLocked(wait)
	}
	s.mu.Unlock()
}

// A StuckError says that a session was closed because its receiver did not let
// it read.
type StuckError struct{ For time.Duration }

func (e *StuckError) Error() string {
	return fmt.Sprintf("engine.io: not read for %v, handlers are stuck", e.For.Round(time.Millisecond))
}
