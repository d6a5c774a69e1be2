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

// publishToLog hands the event that enc holds to the log. If the bus does not want it,
// the receivers on this server get it at once.
func (e Emitter) publishToLog(n *Namespace, event string, enc *encoder) error {
	if e.only != nil && !e.only.Connected() {
		return ErrClosed
	}
	m := e.busMessage(adapter.Message{Kind: adapter.Broadcast, Data: enc.payload(), Binary: enc.bin})
	if e.only != nil {
		m.Rooms, m.Except, m.Only = []string{e.only.id}, nil, true
	}
	err := n.recovery.bus.Append(m)
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
func (r *recovery) records() bool { return r != nil && r.bus != nil }

// begin notes where the log was when it began to be read.
func (r *recovery) begin(position int64) {
	if !r.records() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.positionKnown = true
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
	if n := len(r.positionTimes); n == 0 || now.Sub(r.positionTimes[n-1].at) >= r.opts.Window/8 {
		r.positionTimes = append(r.positionTimes, positionTime{now, position})
	}
}

// A positionTime says that a position was the end of the log at some time.
type positionTime struct {
	at       time.Time
	position int64
}

// oldest returns a position that was reached a window ago, or 0: what a socket
// did before can be forgotten.
func (r *recovery) oldest(now time.Time) int64 {
	i := 0
	for i < len(r.positionTimes) && now.Sub(r.positionTimes[i].at) >= r.opts.Window {
		i++
	}
	if i == 0 {
		return 0
	}
	r.positionTimes = slices.Delete(r.positionTimes, 0, i-1)
	return r.positionTimes[0].position
}

// busState is what a recovery keeps if there is a recorder.
type busState struct {
	positionKnown bool                       // it is known where the log was when we began to read it
	positionTimes []positionTime             // where the log was when, the oldest first
	resuming      map[*Socket]struct{}       // that have resumed and are not connected yet
	closing       map[string]<-chan struct{} // the end of those that were cut off here, by private id
}

// A missedEvents is what the log has for a socket that comes back, until it is
// connected.
type missedEvents struct {
	events []recorded // what the log had
	live   []recorded // what was read from it since
	size   int64      // in bytes, of live
	broken bool       // something is not known, or in no log
}

// A recorded is a logged event with its position.
type recorded struct {
	logEntry
	position int64
}

// hasResuming reports whether a socket is coming back that is in any of the rooms, or
// any at all if there is no room. Of its rooms the index knows all but its own. r
// may be nil.
func (r *recovery) hasResuming(rooms []string) bool {
	if !r.records() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(rooms) == 0 {
		return len(r.resuming) > 0
	}
	for s := range r.resuming {
		if slices.Contains(rooms, s.id) {
			return true
		}
	}
	return false
}

// hasEvent reports whether a resumed client has received an event already: from a
// server that is ahead of this one, or because it was in the log, though not read yet,
// when the client came back.
func (rec *recoveryState) hasEvent(position int64) bool {
	return position <= max(rec.trail.since, rec.replayed)
}

// bufferForResuming keeps an event for the sockets that are coming back. One that the log
// has not taken has no place among the others, so it spoils their return.
func (r *recovery) bufferForResuming(e Emitter, m *engine.Message, position int64) {
	unlogged := position == 0
	if unlogged && (e.volatile || e.localOnly || e.only != nil) {
		return
	}
	l := logEntry{m: m, only: e.onlyID, rooms: e.rooms, except: e.except}
	at := position
	if unlogged {
		at = r.last + 1
	}
	for s := range r.resuming {
		b := s.rec.missed
		switch {
		case !l.isFor(s.id, at, &s.rec.trail):
		case unlogged:
			b.broken = true
		case !s.rec.hasEvent(position):
			if b.size += m.Size(); b.size <= s.ns.srv.opts.MaxQueue/2 { // else replay finds it too much
				b.live = append(b.live, recorded{logEntry{m: m}, position}) // for s, whatever its rooms
			}
		}
	}
}

// replay sends a socket that has come back what it has missed. The caller holds
// mu, also what is in the log and was not read from it yet: who reads it may find
// that nobody wants it, and need not ask again. It fails if that is too much, or if
// it is not known yet where the log is.
func (r *recovery) replay(s *Socket, log *[]note) bool {
	b := s.rec.missed
	s.rec.missed = nil
	delete(r.resuming, s)
	if !r.positionKnown {
		return false
	}
	var missed []recorded
	var size int64
	last := s.rec.trail.since
	for _, l := range slices.Concat(b.events, b.live) {
		if l.position > last && l.isFor(s.id, l.position, &s.rec.trail) {
			missed = append(missed, l)
			size += l.m.Size()
		}
		last = max(last, l.position)
	}
	if b.broken || max(size, b.size) > s.ns.srv.opts.MaxQueue/2 {
		return false
	}
	for _, l := range missed {
		s.replayOne(l.m, log)
		s.rec.lastSent = l.position
	}
	s.rec.replayed = last
	return true
}

// eventsAfter returns what was recorded behind a position.
func (r *recovery) eventsAfter(ctx context.Context, n *Namespace, position int64) (list []recorded, err error) {
	messages, err := r.bus.ReadAfter(ctx, position)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		enc, _, err := beginReceived(n, m)
		if err != nil {
			n.cluster.Malformed(err)
			continue
		}
		if m.Volatile {
			enc.release()
			continue
		}
		l := recorded{logEntry{only: onlyOf(m), rooms: m.Rooms, except: m.Except}, m.Position}
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

// resumeFromBus is the part of resume that asks the bus.
func (r *recovery) resumeFromBus(s *Socket, c *resumeRequest) (why string) {
	ctx, cancel := context.WithTimeout(s.ns.cluster.ctx, restoreTimeout)
	defer cancel()
	session, lost, events, why := r.takeSession(ctx, s, c)
	if why == "" {
		why = r.inheritRecorded(s, session, lost, events)
	}
	if why != "" {
		r.mu.Lock()
		s.rec.rememberOffset(c.Offset)
		r.mu.Unlock()
		return why
	}
	if !s.Recovered() { // it has left
		return ""
	}
	s.ns.cluster.roomsChanged(lost.trail.rooms()...)
	position := lost.trail.since
	if n := len(events); n > 0 {
		position = events[n-1].position
	}
	events, err := r.eventsAfter(ctx, s.ns, position) // what came before we listened
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
func (r *recovery) inheritRecorded(s *Socket, session *adapter.Session, lost *savedSession, events []recorded) (why string) {
	size := int64(0)
	for _, l := range events {
		if l.isFor(lost.sid, l.position, &lost.trail) {
			size += l.m.Size()
		}
	}
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state.Load() != resuming {
		if mayRecover(s.reason) {
			_ = r.bus.SaveSession(session, r.opts.Window) // else it is lost, as if Save had failed before
		}
		return ""
	}
	if c.replayedBytes+size > c.srv.opts.MaxQueue/2 {
		return "too many missed events"
	}
	c.replayedBytes += size
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopt(s, lost)
	s.rec.missed = &missedEvents{events: events}
	r.resuming[s] = struct{}{}
	return ""
}

// takeSession takes a session from the bus, and checks a client's claim to it.
func (r *recovery) takeSession(ctx context.Context, s *Socket, c *resumeRequest) (session *adapter.Session, lost *savedSession, events []recorded, why string) {
	if err := r.bus.Ready(ctx); err != nil {
		return nil, nil, nil, "the cluster can't be reached: " + err.Error()
	}
	session, err := r.bus.TakeSession(ctx, c.PID)
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
	case session.State != nil && (c.Offset == nil || *c.Offset == lost.staleOffset && lost.staleOffset != ""):
	case c.Offset == nil:
		return nil, nil, nil, "no offset"
	default:
		at, ok := r.bus.Position(*c.Offset)
		if !ok {
			return nil, nil, nil, "unknown offset"
		}
		lost.trail.since = max(lost.trail.since, at)
	}
	if session.State != nil && lost.trail.since >= lost.lastSent {
		lost.trail.since = max(lost.trail.since, lost.deliveredUpTo) // the rest was for others
	}
	if lost.trail.since < lost.trail.prunedBefore {
		return nil, nil, nil, "its rooms at that time are not known any more"
	}
	if events, err = r.eventsAfter(ctx, s.ns, lost.trail.since); err != nil {
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

// saveToBus gives a session to the bus. The caller holds mu.
func (r *recovery) saveToBus(s *Socket, values Args) {
	t := &s.rec.trail
	state := sessionState{
		Since:     t.since,
		Stays:     make(map[string][][2]int64, len(t.intervals)),
		Forgotten: t.prunedBefore,
		Sent:      s.rec.lastSent,
		Until:     s.rec.deliveredUpTo,
		Alien:     s.rec.staleOffset,
	}
	for room, stays := range t.intervals {
		for _, s := range stays {
			state.Stays[room] = append(state.Stays[room], [2]int64{s.from, s.to})
		}
	}
	session := &adapter.Session{PID: s.rec.pid, ID: s.id, Rooms: t.rooms(), Data: values.Raw(0), Binary: values.bin}
	session.State, _ = json.Marshal(state) // numbers and strings
	r.closing[s.rec.pid] = s.rec.done
	if err := r.bus.SaveSession(session, r.opts.Window); err != nil {
		s.ns.srv.engine.Go(func() { s.ns.cluster.Lost(1, err) }) // which tells the application
	}
}

// decode is the inverse of saveRecorded. Servers of other implementations keep no
// State: they know the rooms at the end only.
func (r *recovery) decode(session *adapter.Session) (*savedSession, error) {
	state := sessionState{Stays: make(map[string][][2]int64)}
	if session.State == nil {
		for _, room := range session.Rooms {
			state.Stays[room] = [][2]int64{{-1, openEnd}}
		}
	} else if err := json.Unmarshal(session.State, &state); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	lost := &savedSession{
		sessionRecord: sessionRecord{pid: session.PID, lastSent: state.Sent, deliveredUpTo: state.Until, staleOffset: state.Alien},
		sid:           session.ID,
		values:        make(map[string]any),
	}
	lost.trail = roomHistory{since: state.Since, prunedBefore: state.Forgotten, intervals: make(map[string][]interval)}
	for room, stays := range state.Stays {
		for _, s := range stays {
			lost.trail.intervals[room] = append(lost.trail.intervals[room], interval{s[0], s[1]})
			if s[1] != openEnd {
				lost.trail.closed++
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
	if lost.over = r.closing[session.PID]; lost.over == nil {
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

// functionsReturned forgets a predecessor whose last function has returned.
func (r *recovery) functionsReturned(rec *recoveryState) {
	if r.bus == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing[rec.pid] == rec.done {
		delete(r.closing, rec.pid)
	}
}

// replayOne sends what s has missed, before it is connected.
func (s *Socket) replayOne(m *engine.Message, log *[]note) {
	err := s.conn.session.Send(m, false)
	if s.ns.srv.hooks.observesSends() {
		*log = append(*log, note{s: s, t: sio.Event, m: m, err: err, replayed: true})
	}
}
