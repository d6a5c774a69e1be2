package socketio

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// A resumeRequest is what a client says of the session it had.
type resumeRequest struct {
	PID    string  `json:"pid"`
	Offset *string `json:"offset"`
}

// resume has s resume the session that its client lays claim to, if there is one.
func (s *Socket) resume() {
	why := s.ns.recovery.resume(s)
	s.conn.mu.Lock()
	s.state.CompareAndSwap(resuming, stateConnecting)
	s.conn.mu.Unlock()
	if why != "" {
		s.ns.srv.reportError(nil, unrecoveredError(why))
	}
}

// resume finds the session that a connecting socket lays claim to, consumes it
// and hands it over to the socket, unless that has left meanwhile. It returns why
// that is not possible. A predecessor that does not know yet that it was cut off is
// ended first.
func (r *recovery) resume(s *Socket) (why string) {
	var c resumeRequest
	if json.Unmarshal(s.auth.Raw(0), &c) != nil || c.PID == "" {
		return "" // a new client
	}
	r.endPredecessor(s, c.PID)
	if r.bus != nil {
		return r.resumeFromBus(s, &c)
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.state.Load() != resuming {
		return ""
	}
	lost := r.sessions[c.PID]
	if lost != nil && lost.ns != s.ns { // of another child of the template
		lost = nil
	}
	if why = r.validate(lost, c.Offset); why == "" {
		why = r.fits(s.conn, lost)
	}
	if why == "" {
		r.adopt(s, lost)
		s.rec.releaseRooms, lost.releaseRooms = lost.releaseRooms, func() {}
		r.evictSession(lost)
		return ""
	}
	s.rec.rememberOffset(c.Offset)
	return why
}

// endPredecessor disconnects the socket that still has the session that s lays claim
// to, and waits until the session can be resumed, or s has left.
func (r *recovery) endPredecessor(s *Socket, pid string) {
	r.mu.Lock()
	old := r.connected[pid]
	r.mu.Unlock()
	if old == nil || old.ns != s.ns {
		return
	}
	old.disconnect(ReasonTransport, false) // or another goroutine is about to
	old.conn.session.Discard(engine.TransportClose)
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.connected[pid] == old && s.state.Load() == resuming {
		r.removed.Wait()
	}
}

// rememberOffset notes the offset of a client that could not recover.
func (rec *recoveryState) rememberOffset(offset *string) {
	if offset != nil && len(*offset) <= maxStaleOffset {
		rec.staleOffset = *offset
	}
}

// validate checks a client's claim to a session, and notes the position up to
// which it has received everything.
func (r *recovery) validate(lost *savedSession, offset *string) (why string) {
	now := time.Now()
	r.evictEvents(now)
	switch {
	case lost == nil:
		return "unknown or expired session"
	case now.Sub(lost.at) >= r.opts.Window:
		return "expired session"
	case offset == nil || *offset == lost.staleOffset && lost.staleOffset != "":
		// It has not received a single event: clients keep the offset of an
		// earlier session until they do.
	default:
		at, ok := r.position(*offset)
		if !ok {
			return "unknown offset"
		}
		lost.trail.since = max(lost.trail.since, at)
	}
	if lost.trail.since >= lost.lastSent {
		lost.trail.since = max(lost.trail.since, lost.deliveredUpTo) // the rest was for others
	}
	return ""
}

// fits checks that what a session has missed is kept, and does not
// overflow the queue of the connection that resumes it, whose mu the caller holds.
func (r *recovery) fits(c *conn, lost *savedSession) (why string) {
	_, _, size, ok := r.missed(lost.ns, lost.sid, &lost.trail)
	if !ok || c.replayedBytes+size > c.srv.opts.MaxQueue/2 {
		return "missed events are not kept any more, or too many"
	}
	c.replayedBytes += size
	return ""
}

// adopt hands a session over to a socket. The caller holds mu and that of the
// connection.
func (r *recovery) adopt(s *Socket, lost *savedSession) {
	s.id, s.values = lost.sid, lost.values
	s.rec.sessionRecord, s.rec.resumed, s.rec.predecessorDone = lost.sessionRecord, true, lost.over
	s.rec.needs = true
	r.track(s.ns, 1)
	rooms := lost.trail.rooms()
	s.rec.rooms, _ = s.ns.index.join(s, rooms)
	if !slices.Contains(rooms, s.id) {
		s.ns.index.leave(s, []string{s.id})
	}
}

// admit sends a socket what it has missed, before the answer to its CONNECT. The
// caller holds mu, and makes the socket part of the namespace under it; what the
// hooks are to be told is left in log. It fails if what was missed is not kept any
// more.
func (r *recovery) admit(s *Socket, log *[]note) bool {
	rec := s.rec
	if rec.missed != nil {
		if !r.replay(s, log) {
			return false
		}
	} else if rec.resumed {
		missed, last, size, ok := r.missed(s.ns, s.id, &rec.trail)
		if !ok || size > s.ns.srv.opts.MaxQueue/2 {
			return false
		}
		for _, l := range missed {
			m, err := l.message(s.ns)
			if err != nil { // of a codec
				return false
			}
			s.replayOne(m, log)
		}
		rec.lastSent = max(rec.lastSent, last)
	} else {
		rec.trail.since = r.last
		rec.trail.join([]string{s.id}, r.last)
		if r.bus != nil && !r.positionKnown {
			rec.trail.prunedBefore = math.MaxInt64 // nobody knows what it misses
		}
	}
	r.arrive(s)
	return true
}

// waitForPredecessor waits until the functions of the predecessor have returned, so that
// those of one id run one after another, and tells observers of the rooms that s
// is in again. It gives up when s has left.
func (s *Socket) waitForPredecessor() bool {
	select {
	case <-s.rec.predecessorDone:
	default:
		select {
		case <-s.rec.predecessorDone:
		case <-s.Context().Done():
			return false
		}
	}
	s.rec.roomsNotified.Store(true)
	s.notifyRooms(s.rec.rooms, joinObservers)
	return true
}

// functionsReturned says that the last function of s has returned.
func (s *Socket) functionsReturned() {
	if s.rec == nil {
		return
	}
	if s.rec.predecessorDone != nil { // s may have given up waiting for it
		<-s.rec.predecessorDone
	}
	close(s.rec.done)
	s.ns.recovery.functionsReturned(s.rec)
}
