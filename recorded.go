package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// This is recovery across the servers of a cluster: the bus keeps the log and
// the sessions. An event is sent to its receivers, on this server too, when it is
// read from the log: so every client receives all of them in one order, and
// its last offset says exactly what it has.

// restoreTimeout bounds how long a connecting client is kept waiting for the bus.
const restoreTimeout = 5 * time.Second

// record hands the event that enc holds to the log. If the bus does not want it,
// the receivers on this server get it at once.
func (e Emitter) record(n *Namespace, event string, enc *encoder) error {
	if e.only != nil && !e.only.Connected() {
		return ErrClosed
	}
	m := e.addressed(adapter.Message{Kind: adapter.Broadcast, Data: enc.payload(), Binary: enc.bin})
	if e.only != nil {
		m.Rooms, m.Except, m.Only = []string{e.only.id}, nil, true
	}
	err := n.recovery.recorder.Record(m)
	if err == nil {
		n.srv.cluster.published.Add(1)
		return nil
	}
	n.srv.cluster.lost.Add(1)
	if err := e.deliverLogged(n, 0, event, enc); err != nil {
		return err
	}
	if e.only != nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnpublished, err)
}

// records reports whether the bus keeps the log. r may be nil.
func (r *recovery) records() bool { return r != nil && r.recorder != nil }

// begin notes where the log was when it began to be read.
func (r *recovery) begin(position int64) {
	if !r.records() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
	r.advanceLocked(position)
}

// advance notes how far the log has been read.
func (r *recovery) advance(position int64) {
	if !r.records() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advanceLocked(position)
}

func (r *recovery) advanceLocked(position int64) {
	if position <= r.last {
		return
	}
	r.last = position
	now := time.Now()
	if n := len(r.marks); n == 0 || now.Sub(r.marks[n-1].at) >= r.opts.Window/8 {
		r.marks = append(r.marks, mark{now, position})
	}
}

// A mark says that a position was the end of the log at some time.
type mark struct {
	at       time.Time
	position int64
}

// oldest returns a position that was reached a window ago, or 0: what a socket
// did before can be forgotten.
func (r *recovery) oldest(now time.Time) int64 {
	i := 0
	for i < len(r.marks) && now.Sub(r.marks[i].at) >= r.opts.Window {
		i++
	}
	if i == 0 {
		return 0
	}
	r.marks = slices.Delete(r.marks, 0, i-1)
	return r.marks[0].position
}

// recordings is what a recovery keeps if there is a recorder.
type recordings struct {
	begun     bool                       // it is known where the log was when we began to read it
	marks     []mark                     // where the log was when, the oldest first
	returning map[*Socket]struct{}       // that have resumed and are not connected yet
	ending    map[string]<-chan struct{} // the end of those that were cut off here, by private id
}

// A backlog is what the log has for a socket that comes back, until it is
// connected.
type backlog struct {
	events []recorded // what the log had
	live   []recorded // what was read from it since
	size   int64      // in bytes, of live
	broken bool       // something is not known, or in no log
}

// A recorded is a logged event with its position.
type recorded struct {
	logged
	position int64
}

// expects reports whether a socket is coming back that is in any of the rooms, or
// any at all if there is no room. Of its rooms the index knows all but its own. r
// may be nil.
func (r *recovery) expects(rooms []string) bool {
	if !r.records() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(rooms) == 0 {
		return len(r.returning) > 0
	}
	for s := range r.returning {
		if slices.Contains(rooms, s.id) {
			return true
		}
	}
	return false
}

// has reports whether a resumed client has received an event already: from a
// server that is ahead of this one, or because it was in the log, though not read yet,
// when the client came back.
func (rec *recoverable) has(position int64) bool {
	return position <= max(rec.trail.since, rec.replayed)
}

// overhear keeps an event for the sockets that are coming back. One that the log
// has not taken has no place among the others, so it spoils their return.
func (r *recovery) overhear(e Emitter, m *engine.Message, position int64) {
	unlogged := position == 0
	if unlogged && (e.volatile || e.here || e.only != nil) {
		return
	}
	l := logged{m: m, only: e.onlyID, rooms: e.rooms, except: e.except}
	at := position
	if unlogged {
		at = r.last + 1
	}
	for s := range r.returning {
		b := s.rec.missed
		switch {
		case !l.isFor(s.id, at, &s.rec.trail):
		case unlogged:
			b.broken = true
		case !s.rec.has(position):
			if b.size += int64(m.Len()); b.size <= s.ns.srv.opts.MaxQueue/2 { // else replay finds it too much
				b.live = append(b.live, recorded{logged{m: m}, position}) // for s, whatever its rooms
			}
		}
	}
}

// replay sends a socket that has come back what it has missed. The caller holds
// mu, also what is in the log and was not read from it yet: who reads it may find
// that nobody wants it, and need not ask again. It fails if that is too much, or if
// it is not known yet where the log is.
func (r *recovery) replay(s *Socket, log *[]sent) bool {
	b := s.rec.missed
	s.rec.missed = nil
	delete(r.returning, s)
	if !r.begun {
		return false
	}
	var missed []recorded
	var size int64
	last := s.rec.trail.since
	for _, l := range slices.Concat(b.events, b.live) {
		if l.position > last && l.isFor(s.id, l.position, &s.rec.trail) {
			missed = append(missed, l)
			size += int64(l.m.Len())
		}
		last = max(last, l.position)
	}
	if b.broken || max(size, b.size) > s.ns.srv.opts.MaxQueue/2 {
		return false
	}
	for _, l := range missed {
		s.resend(l.m, log)
		s.rec.sent = l.position
	}
	s.rec.replayed = last
	return true
}

// since returns what was recorded behind a position.
func (r *recovery) since(ctx context.Context, n *Namespace, position int64) (list []recorded, err error) {
	messages, err := r.recorder.Since(ctx, position)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		enc, _, err := beginReceived(n, m)
		if err != nil {
			n.seat.Garbage(err)
			continue
		}
		if m.Volatile {
			enc.release()
			continue
		}
		l := recorded{logged{only: onlyOf(m), rooms: m.Rooms, except: m.Except}, m.Position}
		l.m, err = enc.eventWithOffset(n, r.offset(m.Position))
		enc.release()
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// onlyOf returns the id of the one socket that a message is for, if it is for one.
func onlyOf(m *adapter.Message) string {
	if m.Only && len(m.Rooms) == 1 {
		return m.Rooms[0]
	}
	return ""
}

// resumeRecorded is the part of resume that asks the bus.
func (r *recovery) resumeRecorded(s *Socket, c *claim) (why string) {
	ctx, cancel := context.WithTimeout(s.ns.seat.ctx, restoreTimeout)
	defer cancel()
	session, lost, events, why := r.take(ctx, s, c)
	if why == "" {
		why = r.inheritRecorded(s, session, lost, events)
	}
	if why != "" {
		r.mu.Lock()
		s.rec.remember(c.Offset)
		r.mu.Unlock()
		return why
	}
	if !s.Recovered() { // it has left
		return ""
	}
	s.ns.seat.roomsChanged(lost.trail.rooms()...)
	position := lost.trail.since
	if n := len(events); n > 0 {
		position = events[n-1].position
	}
	events, err := r.since(ctx, s.ns, position) // what came before we listened
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		s.rec.missed.broken = true
	}
	s.rec.missed.events = append(s.rec.missed.events, events...)
	return ""
}

// inheritRecorded hands a session over to a socket, or gives it back to the bus if
// the socket has left meanwhile and its client may come once more.
func (r *recovery) inheritRecorded(s *Socket, session *adapter.Session, lost *lostSession, events []recorded) (why string) {
	size := int64(0)
	for _, l := range events {
		if l.isFor(lost.sid, l.position, &lost.trail) {
			size += int64(l.m.Len())
		}
	}
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state.Load() != resuming {
		if mayRecover(s.reason) {
			_ = r.recorder.Save(session, r.opts.Window) // else it is lost, as if Save had failed before
		}
		return ""
	}
	if c.replayed+size > c.srv.opts.MaxQueue/2 {
		return "too many missed events"
	}
	c.replayed += size
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inherit(s, lost)
	s.rec.missed = &backlog{events: events}
	r.returning[s] = struct{}{}
	return ""
}

// take takes a session from the bus, and checks a client's claim to it.
func (r *recovery) take(ctx context.Context, s *Socket, c *claim) (session *adapter.Session, lost *lostSession, events []recorded, why string) {
	if err := r.recorder.Ready(ctx); err != nil {
		return nil, nil, nil, "the cluster can't be reached: " + err.Error()
	}
	session, err := r.recorder.Take(ctx, c.PID)
	if err != nil {
		return nil, nil, nil, err.Error()
	}
	if session == nil || session.PID != c.PID || len(session.ID) == 0 {
		return nil, nil, nil, "unknown or expired session"
	}
	if lost, err = r.decode(session); err != nil {
		return nil, nil, nil, err.Error()
	}
	switch {
	case session.State != nil && (c.Offset == nil || *c.Offset == lost.alien && lost.alien != ""):
	case c.Offset == nil:
		return nil, nil, nil, "no offset"
	default:
		at, ok := r.recorder.Position(*c.Offset)
		if !ok {
			return nil, nil, nil, "unknown offset"
		}
		lost.trail.since = max(lost.trail.since, at)
	}
	if session.State != nil && lost.trail.since >= lost.sent {
		lost.trail.since = max(lost.trail.since, lost.until) // the rest was for others
	}
	if lost.trail.since < lost.trail.forgotten {
		return nil, nil, nil, "its rooms at that time are not known any more"
	}
	if events, err = r.since(ctx, s.ns, lost.trail.since); err != nil {
		return nil, nil, nil, err.Error()
	}
	return session, lost, events, ""
}

// A sessionState is what a session keeps for servers of this implementation.
type sessionState struct {
	Since     int64                 `json:"since"`
	Stays     map[string][][2]int64 `json:"stays"`
	Forgotten int64                 `json:"forgotten"`
	Sent      int64                 `json:"sent"`
	Until     int64                 `json:"until"`
	Alien     string                `json:"alien,omitempty"`
}

// saveRecorded gives a session to the bus. The caller holds mu.
func (r *recovery) saveRecorded(s *Socket, values Args) {
	t := &s.rec.trail
	state := sessionState{
		Since:     t.since,
		Stays:     make(map[string][][2]int64, len(t.stays)),
		Forgotten: t.forgotten,
		Sent:      s.rec.sent,
		Until:     s.rec.until,
		Alien:     s.rec.alien,
	}
	for room, stays := range t.stays {
		for _, s := range stays {
			state.Stays[room] = append(state.Stays[room], [2]int64{s.from, s.to})
		}
	}
	session := &adapter.Session{PID: s.rec.pid, ID: s.id, Rooms: t.rooms(), Data: values.Raw(0), Binary: values.bin}
	session.State, _ = json.Marshal(state) // numbers and strings
	r.ending[s.rec.pid] = s.rec.over
	if err := r.recorder.Save(session, r.opts.Window); err != nil {
		s.ns.srv.engine.Go(func() { s.ns.seat.Lost(1, err) }) // which tells the application
	}
}

// decode is the inverse of saveRecorded. Servers of other implementations keep no
// State: they know the rooms at the end only.
func (r *recovery) decode(session *adapter.Session) (*lostSession, error) {
	state := sessionState{Stays: make(map[string][][2]int64)}
	if session.State == nil {
		for _, room := range session.Rooms {
			state.Stays[room] = [][2]int64{{-1, stillIn}}
		}
	} else if err := json.Unmarshal(session.State, &state); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	lost := &lostSession{
		record: record{pid: session.PID, sent: state.Sent, until: state.Until, alien: state.Alien},
		sid:    session.ID,
		values: make(map[string]any),
	}
	lost.trail = trail{since: state.Since, forgotten: state.Forgotten, stays: make(map[string][]stay)}
	for room, stays := range state.Stays {
		for _, s := range stays {
			lost.trail.stays[room] = append(lost.trail.stays[room], stay{s[0], s[1]})
			if s[1] != stillIn {
				lost.trail.ended++
			}
		}
	}
	var values map[string]json.RawMessage
	if len(session.Data) > 0 {
		if err := json.Unmarshal(session.Data, &values); err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
	}
	for name, raw := range values {
		lost.values[name] = remoteValue{[][]byte{raw}, session.Binary}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost.over = r.ending[session.PID]; lost.over == nil {
		lost.over = alreadyOver
	}
	return lost, nil
}

// alreadyOver is for a predecessor on another server.
var alreadyOver = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// ended forgets a predecessor whose last function has returned.
func (r *recovery) ended(rec *recoverable) {
	if r.recorder == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending[rec.pid] == rec.over {
		delete(r.ending, rec.pid)
	}
}

// resend sends what s has missed, before it is connected.
func (s *Socket) resend(m *engine.Message, log *[]sent) {
	err := s.conn.session.Send(m, false)
	if s.ns.srv.hooks.sends() {
		*log = append(*log, sent{s: s, t: sio.Event, m: m, err: err, replayed: true})
	}
}
