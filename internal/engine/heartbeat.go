package engine

import (
	"fmt"
	"math"
	"time"
)

// slowestLink is the lowest speed, in bytes a second, for which the time to answer a
// ping allows: the client first receives what was written before the ping.
const slowestLink = 10_000

// stuckFactor is how many times PingInterval + PingTimeout a receiver may keep a
// session from reading.
const stuckFactor = 4

// startHeartbeatLocked starts the heartbeat, which the client begins in Engine.IO 3.
func (s *Session) startHeartbeatLocked() {
	first := s.srv.cfg.PingInterval
	if s.v3 {
		s.awaitPong = true
		first += s.srv.cfg.PingTimeout
	}
	s.deadline = time.Now().Add(first)
	s.heartbeatTimer = time.AfterFunc(first, s.onHeartbeat)
}

// onHeartbeat runs when the deadline has passed. It sends a ping, or ends a session
// whose client did not answer in time or whose closing takes too long.
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
	end := s.pongOverdueLocked
	if s.isPausedLocked() {
		end = s.pauseOverdueLocked
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
	notify := s.pingIfDueLocked(now)
	recv := s.recv
	s.armLocked(now)
	s.mu.Unlock()
	if notify && recv != nil {
		recv.Heartbeat()
	}
}

// pingIfDueLocked sends a ping if one is due. It reports whether to call Heartbeat.
func (s *Session) pingIfDueLocked(now time.Time) bool {
	cfg := &s.srv.cfg
	again := s.pause != nil && s.awaitPong && !now.Before(s.pause.nextPing)
	switch {
	case s.v3 && again:
		s.control.pong = true // clients accept an unrequested one
		s.pause.nextPing = now.Add(cfg.PingTimeout / 2)
	case again:
		s.control.ping = true
		s.pause.nextPing = now.Add(cfg.PingInterval)
	case !s.awaitPong && !now.Before(s.deadline):
		s.control.ping, s.awaitPong = true, true
		s.deadline = s.deadline.Add(s.pongGraceLocked()) // counted from when the ping was due
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
	return !again && s.receivedLittleLocked()
}

// receivedLittleLocked reports whether so little was received since the last call that no
// transfer is under way.
func (s *Session) receivedLittleLocked() bool { return s.received.Swap(0) < minProgress }

// pongGraceLocked returns how long the answer to a ping may take: longer if unconfirmed
// bytes were written before it, but not longer than the client itself waits.
func (s *Session) pongGraceLocked() time.Duration {
	cfg := &s.srv.cfg
	if s.unconfirmed < minProgress {
		return cfg.PingTimeout
	}
	return cfg.PingTimeout + min(time.Duration(s.unconfirmed/slowestLink+1)*time.Second, cfg.PingInterval+cfg.PingTimeout)
}

// countWrittenLocked counts bytes that were written, and sets the deadline of the pong if
// there was a ping among them.
func (s *Session) countWrittenLocked(bytes int64, ping bool) {
	s.stalled = 0
	s.unconfirmed = uint32(min(int64(s.unconfirmed)+bytes, math.MaxUint32))
	if !ping {
		return
	}
	s.pingWaits = s.control.ping || s.control.pong
	if s.pingWritten == 0 && s.awaitPong && s.srv.cfg.Pong != nil {
		s.pingWritten = clock()
	}
	s.beforePing = s.unconfirmed
	if s.v3 || s.state != open || !s.awaitPong {
		return
	}
	now := time.Now()
	if bound := now.Add(s.pongGraceLocked()); bound.After(s.deadline) {
		s.deadline = bound
		s.armLocked(now)
	}
}

// scheduleHeartbeatLocked sets the next heartbeat to be after d.
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

// pongOverdueLocked returns how to end an open session that is read, if the pong is
// overdue; else nil. A client can't answer a ping that has not been written, or
// while it sends something large.
func (s *Session) pongOverdueLocked(now time.Time) func() {
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

// pauseOverdueLocked returns how to end an open session that is paused, if its client
// has disconnected or its receiver is stuck; else nil. A missing pong does not count,
// because it may be unread.
func (s *Session) pauseOverdueLocked(now time.Time) func() {
	stuck := now.Sub(s.pause.since)
	switch {
	case stuck >= s.stuckAfter():
		return func() {
			s.srv.report(s, &StuckError{stuck})
			s.abort(PingTimeout)
		}
	case s.ws != nil && s.ws.peerGone():
		return func() { s.Discard(TransportClose) }
	case s.postQueue != nil && s.postQueue.closes:
		return s.closeByClient // its CLOSE waits behind other packets
	case s.ws == nil && s.pollWriting == nil && s.pingWaits && now.Sub(s.pause.pingSince) >= s.pongGraceLocked():
		return func() { s.abort(PingTimeout) } // it does not poll
	}
	return nil
}

func (s *Session) stuckAfter() time.Duration {
	return stuckFactor * (s.srv.cfg.PingInterval + s.srv.cfg.PingTimeout)
}

// clock returns the microseconds since the process started, modulo an hour and more. It
// is never 0.
func clock() uint32 { return uint32(time.Since(processStart).Microseconds()) | 1 }

var processStart = time.Now()

func (s *Session) pong() {
	s.mu.Lock()
	report := s.srv.cfg.Pong
	if s.state != open || !s.awaitPong || s.pingWritten == 0 {
		report = nil // no ping is known to have been written
	}
	var rtt time.Duration
	if report != nil {
		rtt = time.Duration(clock()-s.pingWritten) * time.Microsecond
		s.pingWritten = 0
	}
	s.pongLocked()
	s.mu.Unlock()
	if report != nil {
		report(s.recv, rtt)
	}
}

func (s *Session) pongLocked() {
	if s.state == open && s.awaitPong {
		s.awaitPong = false
		s.unconfirmed -= s.beforePing
		s.beforePing = 0
		now := time.Now()
		s.deadline = now.Add(s.srv.cfg.PingInterval)
		if s.pause != nil && s.pause.nextPing.Before(s.deadline) {
			s.deadline = s.pause.nextPing // an old pong: the client counts from the last ping
		}
		s.clearPauseLocked()
		s.armLocked(now)
	}
}

// Pause says that the receiver is about to block, in the given turn if it is not nil.
// Until Resume a missing pong does not end the session, but pings are sent. Another
// call reports progress.
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
	case s.v3: // the client's ping may be unread, and the client waits for a pong
		s.pause.nextPing = now.Add(s.srv.cfg.PingTimeout / 2)
	case s.awaitPong: // the last ping was sent PingTimeout or more before the deadline
		s.pause.nextPing = s.deadline.Add(s.srv.cfg.PingInterval - s.srv.cfg.PingTimeout)
	}
	if s.state == open {
		s.armLocked(now)
	}
}

// A pause is a time in which a session is not read, and the time after it until the
// next pong.
type pause struct {
	since     time.Time // zero if it is over
	nextPing  time.Time // of the next ping, although the last is not answered
	pingSince time.Time // when the ping was queued that has not been written
}

func (s *Session) isPausedLocked() bool { return s.pause != nil && !s.pause.since.IsZero() }

// clearPauseLocked ends what is left of a pause when the client has answered.
func (s *Session) clearPauseLocked() {
	if !s.isPausedLocked() {
		s.pause = nil
	}
}

// Resume ends a Pause. What the client sent meanwhile is unread, so the pong gets the
// time of a heartbeat.
func (s *Session) Resume() {
	s.mu.Lock()
	s.pause.since = time.Time{}
	if s.state == open && s.awaitPong {
		wait := s.pongGraceLocked()
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
