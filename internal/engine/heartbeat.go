package engine

import (
	"fmt"
	"math"
	"time"
)

// slowest is the speed, in bytes a second, from which a client is given time to
// get what has been written before it can get the ping behind it.
const slowest = 10_000

// stuckFactor is how many times PingInterval + PingTimeout a receiver may keep a
// session from reading.
const stuckFactor = 4

// startHeartbeatLocked starts the heartbeat, which a client of Engine.IO 3 begins
// itself and must not leave out.
func (s *Session) startHeartbeatLocked() {
	first := s.srv.cfg.PingInterval
	if s.v3 {
		s.awaitPong = true
		first += s.srv.cfg.PingTimeout
	}
	s.deadline = time.Now().Add(first)
	s.heartbeatTimer = time.AfterFunc(first, s.onHeartbeat)
}

// onHeartbeat runs when the heartbeat is due: it sends a ping, or finds that the last
// one was not answered in time, or that the session did not manage to close.
func (s *Session) onHeartbeat() {
	s.srv.tasks.add()
	defer s.srv.tasks.done()
	s.mu.Lock()
	now := time.Now()
	switch s.state {
	case closed:
		s.mu.Unlock()
		return
	case closing:
		if !now.Before(s.deadline) { // else a heartbeat was due as it closed
			s.finishLocked()
		}
		s.mu.Unlock()
		return
	case open:
	}
	end := s.silentLocked
	if s.isPausedLocked() {
		end = s.lostInPauseLocked
	}
	if how := end(now); how != nil {
		s.mu.Unlock()
		how()
		return
	}
	if s.awaitPong && !s.isPausedLocked() && !now.Before(s.deadline) {
		s.received.Store(0)
		s.deadline = now.Add(s.srv.cfg.PingTimeout)
		s.stalled = min(s.stalled, math.MaxUint16-1) + 1
		if !s.v3 && !s.pingWaits {
			// The pong waits behind what the client uploads. Without another ping the
			// client closes: it does not count its own upload as a sign of life.
			s.control.ping, s.pingWaits = true, true
			s.wakeLocked()
		}
	}
	told := s.pingIfDueLocked(now)
	recv := s.recv
	s.armLocked(now)
	s.mu.Unlock()
	if told && recv != nil {
		recv.Heartbeat()
	}
}

// pingIfDueLocked sends a ping if one is due. It reports whether the receiver is
// to be told of it.
func (s *Session) pingIfDueLocked(now time.Time) bool {
	cfg := &s.srv.cfg
	again := s.pause != nil && s.awaitPong && !now.Before(s.pause.nextPing)
	switch {
	case s.v3 && again:
		s.control.pong = true // no client minds one that it has not asked for
		s.pause.nextPing = now.Add(cfg.PingTimeout / 2)
	case again:
		s.control.ping = true
		s.pause.nextPing = now.Add(cfg.PingInterval)
	case !s.awaitPong && !now.Before(s.deadline):
		s.control.ping, s.awaitPong = true, true
		s.deadline = s.deadline.Add(s.graceLocked()) // counted from when the ping was due
		if s.pause != nil {
			s.pause.nextPing = now.Add(cfg.PingInterval)
		}
	default:
		return false
	}
	if s.pause != nil && !s.pingWaits {
		s.pause.pingSince = now
	}
	s.pingWaits = true
	s.wakeLocked()
	return !again && s.quietLocked()
}

// quietLocked reports whether so little has been received since it was last asked
// that no transfer is under way.
func (s *Session) quietLocked() bool { return s.received.Swap(0) < minProgress }

// graceLocked returns how long the answer to a ping may take: longer behind what
// the client has not been shown to have got, but not so long that the client
// itself would have given up.
func (s *Session) graceLocked() time.Duration {
	cfg := &s.srv.cfg
	if s.behind < minProgress {
		return cfg.PingTimeout
	}
	return cfg.PingTimeout + min(time.Duration(s.behind/slowest+1)*time.Second, cfg.PingInterval+cfg.PingTimeout)
}

// sentLocked counts bytes that have been written, and starts the time to answer
// if there was a ping among them.
func (s *Session) sentLocked(bytes int64, ping bool) {
	s.stalled = 0
	s.behind = uint32(min(int64(s.behind)+bytes, math.MaxUint32))
	if !ping {
		return
	}
	s.pingWaits = s.control.ping || s.control.pong
	s.ahead = s.behind
	if s.v3 || s.state != open || !s.awaitPong {
		return
	}
	now := time.Now()
	if bound := now.Add(s.graceLocked()); bound.After(s.deadline) {
		s.deadline = bound
		s.armLocked(now)
	}
}

// scheduleHeartbeatLocked has the next beat come after d.
func (s *Session) scheduleHeartbeatLocked(d time.Duration) {
	now := time.Now()
	s.deadline = now.Add(d)
	s.armLocked(now)
}

// armLocked sets the timer to what is due next in an open session.
func (s *Session) armLocked(now time.Time) {
	next := s.deadline
	if s.isPausedLocked() {
		next = s.pause.since.Add(s.stuckAfter())
		if !s.awaitPong && s.deadline.Before(next) {
			next = s.deadline
		}
	}
	if s.pause != nil && s.awaitPong && s.pause.nextPing.Before(next) {
		next = s.pause.nextPing
	}
	s.heartbeatTimer.Reset(next.Sub(now))
}

// silentLocked returns how to end an open session that is read, if the time to
// answer a ping is over. A client can't answer what has not been written, or while
// it sends something large.
func (s *Session) silentLocked(now time.Time) func() {
	switch {
	case s.state != open || !s.awaitPong || s.isPausedLocked() || now.Before(s.deadline):
		return nil
	case s.received.Load() >= minProgress:
		return nil
	case s.pingWaits && (s.ws != nil || s.pollWriting != nil) && !s.isStalledLocked():
		return nil
	}
	return func() { s.abort(PingTimeout) }
}

// isStalledLocked reports whether a write has not moved for so long that its deadline
// must have failed. That of a type of the application may.
func (s *Session) isStalledLocked() bool {
	return time.Duration(s.stalled)*s.srv.cfg.PingTimeout > 2*s.srv.cfg.WriteTimeout
}

// lostInPauseLocked returns how to end an open session that is not read, if its
// client has gone, or its receiver does not come back. Silence is not the client's
// fault there.
func (s *Session) lostInPauseLocked(now time.Time) func() {
	stuck := now.Sub(s.pause.since)
	switch {
	case stuck >= s.stuckAfter():
		return func() {
			s.srv.report(s, &StuckError{stuck})
			s.abort(PingTimeout)
		}
	case s.ws != nil && s.ws.peerGone():
		return func() { s.Discard(TransportClose) }
	case s.backlog != nil && s.backlog.closes:
		return s.closeByClient // the packet that says so waits behind others
	case s.ws == nil && s.pollWriting == nil && s.pingWaits && now.Sub(s.pause.pingSince) >= s.graceLocked():
		return func() { s.abort(PingTimeout) } // it does not poll
	}
	return nil
}

func (s *Session) stuckAfter() time.Duration {
	return stuckFactor * (s.srv.cfg.PingInterval + s.srv.cfg.PingTimeout)
}

func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == open && s.awaitPong {
		s.awaitPong = false
		s.behind -= s.ahead
		s.ahead = 0
		now := time.Now()
		s.deadline = now.Add(s.srv.cfg.PingInterval)
		if s.pause != nil && s.pause.nextPing.Before(s.deadline) {
			s.deadline = s.pause.nextPing // the pong is an old one, and the client counts from the last ping
		}
		s.forgetPauseLocked()
		s.armLocked(now)
	}
}

// Pause tells the session that its receiver is about to block in the given
// turn, if any. Until Resume, silence does not count as a missed heartbeat, but
// pings still go out. To call it again says that there has been progress.
func (s *Session) Pause(turn *Turn) {
	if turn != nil {
		turn.flushAll()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.pause != nil {
		s.pause.since = now
		return
	}
	s.pause = &pause{since: now, nextPing: s.deadline, pingSince: now}
	switch {
	case s.v3: // the client's ping may be unread, and it waits for an answer
		s.pause.nextPing = now.Add(s.srv.cfg.PingTimeout / 2)
	case s.awaitPong: // since PingTimeout or more before bound
		s.pause.nextPing = s.deadline.Add(s.srv.cfg.PingInterval - s.srv.cfg.PingTimeout)
	}
	if s.state == open {
		s.armLocked(now)
	}
}

// A pause is a time in which a session is not read, and what comes after it until
// its client has been heard.
type pause struct {
	since     time.Time // zero if it is over
	nextPing  time.Time // pings go out though the last is not answered
	pingSince time.Time // when one was queued that has not been sent yet
}

func (s *Session) isPausedLocked() bool { return s.pause != nil && !s.pause.since.IsZero() }

// forgetPauseLocked says that the client has been heard.
func (s *Session) forgetPauseLocked() {
	if !s.isPausedLocked() {
		s.pause = nil
	}
}

// Resume ends a Pause. What the client sent meanwhile is still to be read, so
// it gets the time of a heartbeat to be heard.
func (s *Session) Resume() {
	s.mu.Lock()
	s.pause.since = time.Time{}
	if s.state == open && s.awaitPong {
		wait := s.graceLocked()
		if s.v3 {
			wait += s.srv.cfg.PingInterval // the next heartbeat may not be due yet
		}
		s.scheduleHeartbeatLocked(wait)
	}
	s.mu.Unlock()
}

// A StuckError says that a session was closed because its receiver did not let
// it read.
type StuckError struct{ For time.Duration }

func (e *StuckError) Error() string {
	return fmt.Sprintf("engine.io: not read for %v, handlers are stuck", e.For.Round(time.Millisecond))
}
