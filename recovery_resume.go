package socketio

import (
	"encoding/json"
	"slices"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A resumeRequest is the part of a client's auth that asks for its earlier session.
type resumeRequest struct {
	PID    string  `json:"pid"`
	Offset *string `json:"offset"`
}

// Why a session can't be resumed. Other reasons are errors of the bus or the request.
const (
	whyUnknown = "unknown or expired session"
	whyExpired = "expired session"
	whyEvicted = "missed events were evicted, or are too many"
	whyTooMany = "too many missed events"
	whyPruned  = "the room history does not go back that far"
)

// resume resumes the session that the client of s asks for, if it asks for one.
func (s *Socket) resume() {
	why := s.ns.recovery.resume(s)
	s.conn.mu.Lock()
	s.state.CompareAndSwap(stateResuming, stateConnecting)
	s.conn.mu.Unlock()
	s.ns.counts.resumed(s.Recovered(), why)
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
	return r.history.resume(s, &c)
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

// adopt moves the state of a session to a socket. The caller holds r.mu and the mu of
// the connection.
func (r *recovery) adopt(s *Socket, saved *savedSession) {
	s.id, s.values = saved.sid, saved.values
	s.rec.sessionRecord, s.rec.resumed, s.rec.predecessorDone = saved.sessionRecord, true, saved.done
	s.rec.needs = true
	r.track(s.ns, 1)
	rooms := saved.trail.rooms()
	s.rec.rooms, _ = s.ns.index.Join(s, rooms)
	if !slices.Contains(rooms, s.id) {
		s.ns.index.Leave(s, []string{s.id})
	}
}

// admit replays the missed events of a socket, before it is sent CONNECT. The caller
// holds mu, and adds the socket to the index before it unlocks mu. The notes for the
// hooks are added to notes. admit fails if missed events were evicted.
func (r *recovery) admit(s *Socket, notes *[]note) bool {
	if !s.rec.resumed {
		s.rec.trail.since = r.last
		s.rec.trail.join([]string{s.id}, r.last)
		r.history.begin(s)
	} else if !r.history.replay(s, notes) {
		return false
	}
	r.arrive(s)
	return true
}

// replayOne sends one missed event to s, before it is connected.
func (s *Socket) replayOne(m *engine.Message, notes *[]note) {
	err := s.conn.session.Send(m, false)
	if s.ns.srv.hooks.observesSends() {
		*notes = append(*notes, note{s: s, t: sio.Event, m: m, err: err, replayed: true})
	}
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
	s.ns.recovery.history.functionsReturned(s)
}
