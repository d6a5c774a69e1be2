package socketio

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// A resumeRequest is the part of a client's auth that asks for its earlier session.
type resumeRequest struct {
	PID    string  `json:"pid"`
	Offset *string `json:"offset"`
}

// resume resumes the session that the client of s asks for, if it asks for one.
func (s *Socket) resume() {
	why := s.ns.recovery.resume(s)
	s.conn.mu.Lock()
	s.state.CompareAndSwap(stateResuming, stateConnecting)
	s.conn.mu.Unlock()
	if why != "" {
		s.ns.srv.reportError(nil, unrecoveredError(why))
	}
}

// resume takes the session that the client of a connecting socket asks for, and moves
// its state to the socket, unless the socket is disconnected. It disconnects a
// predecessor that is still connected. It returns why the session can't be resumed,
// or "".
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
	if s.state.Load() != stateResuming {
		return ""
	}
	saved := r.sessions[c.PID]
	if saved != nil && saved.ns != s.ns { // of another child of the template
		saved = nil
	}
	if why = r.validate(saved, c.Offset); why == "" {
		why = r.fits(s.conn, saved)
	}
	if why == "" {
		r.adopt(s, saved)
		s.rec.releaseRooms, saved.releaseRooms = saved.releaseRooms, func() {}
		r.evictSession(saved)
		return ""
	}
	s.rec.rememberOffset(c.Offset)
	return why
}

// endPredecessor disconnects the socket that still has the session, and waits until
// the session can be resumed or s is disconnected.
func (r *recovery) endPredecessor(s *Socket, pid string) {
	r.mu.Lock()
	old := r.connected[pid]
	r.mu.Unlock()
	if old == nil || old.ns != s.ns {
		return
	}
	old.disconnect(ReasonTransport, false) // returns false if another goroutine disconnects it
	old.conn.session.Discard(engine.TransportClose)
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.connected[pid] == old && s.state.Load() == stateResuming {
		r.removed.Wait()
	}
}

// rememberOffset keeps the stale offset of a client that could not resume its session.
func (rec *recoveryState) rememberOffset(offset *string) {
	if offset != nil && len(*offset) <= maxStaleOffset {
		rec.staleOffset = *offset
	}
}

// validate checks that a session can be resumed with that offset. It sets since, the
// position up to which the client has received all of its events.
func (r *recovery) validate(saved *savedSession, offset *string) (why string) {
	now := time.Now()
	r.evictEvents(now)
	switch {
	case saved == nil:
		return "unknown or expired session"
	case now.Sub(saved.at) >= r.opts.Window:
		return "expired session"
	case offset == nil || *offset == saved.staleOffset && saved.staleOffset != "":
		// The client has received no event: it keeps the offset of an earlier
		// session until it receives one.
	default:
		at, ok := r.position(*offset)
		if !ok {
			return "unknown offset"
		}
		saved.trail.since = max(saved.trail.since, at)
	}
	if saved.trail.since >= saved.lastSent {
		saved.trail.since = max(saved.trail.since, saved.deliveredUpTo) // events after lastSent were not for this socket
	}
	return ""
}

// fits checks that the missed events are in the log and fit into the queue of the
// connection, whose mu the caller holds.
func (r *recovery) fits(c *conn, saved *savedSession) (why string) {
	_, _, size, ok := r.missed(saved.ns, saved.sid, &saved.trail)
	if !ok || c.replayedBytes+size > c.srv.opts.MaxQueue/2 {
		return "missed events were evicted, or are too many"
	}
	c.replayedBytes += size
	return ""
}

// adopt moves the state of a session to a socket. The caller holds r.mu and the mu of
// the connection.
func (r *recovery) adopt(s *Socket, saved *savedSession) {
	s.id, s.values = saved.sid, saved.values
	s.ns.index.Rename(&s.member, s.id)
	s.rec.sessionRecord, s.rec.resumed, s.rec.predecessorDone = saved.sessionRecord, true, saved.done
	s.rec.needs = true
	r.track(s.ns, 1)
	rooms := saved.trail.rooms()
	s.rec.rooms, _ = s.ns.index.Join(&s.member, rooms)
	if !slices.Contains(rooms, s.id) {
		s.ns.index.Leave(&s.member, []string{s.id})
	}
}

// admit replays the missed events of a socket, before it is sent CONNECT. The caller
// holds mu, and adds the socket to the index before it unlocks mu. The notes for the
// hooks are added to log. admit fails if missed events were evicted.
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
			if err != nil { // the codec failed
				return false
			}
			s.replayOne(m, log)
		}
		rec.lastSent = max(rec.lastSent, last)
	} else {
		rec.trail.since = r.last
		rec.trail.join([]string{s.id}, r.last)
		if r.bus != nil && !r.positionKnown {
			rec.trail.prunedBefore = math.MaxInt64 // its first position is not known, so it can't be resumed
		}
	}
	r.arrive(s)
	return true
}

// waitForPredecessor waits until the functions of the predecessor have returned, so
// that the functions of one id run one after another. Then it calls the OnJoin
// observers for the rooms of s. It returns false if s is disconnected.
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

// functionsReturned notes that the last function of s has returned.
func (s *Socket) functionsReturned() {
	if s.rec == nil {
		return
	}
	if s.rec.predecessorDone != nil { // s may be disconnected and not have waited
		<-s.rec.predecessorDone
	}
	close(s.rec.done)
	s.ns.recovery.functionsReturned(s.rec)
}
