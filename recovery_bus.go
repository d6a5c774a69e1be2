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

// This file is recovery across the servers of a cluster: the bus keeps the log and
// the sessions. Every server, also the one that emits, sends an event to its
// receivers when it reads the event from the log. So all clients receive events in
// one order, and the last offset of a client says exactly which events it has.

// restoreTimeout limits how long a connecting client waits for the bus.
const restoreTimeout = 5 * time.Second

// publishToLog appends the event that enc holds to the log. If the bus refuses it, the
// event is sent to the receivers on this server at once.
func (e Emitter) publishToLog(n *Namespace, event string, enc *encoder) error {
	if e.only != nil && !e.only.Connected() {
		return ErrClosed
	}
	m := e.busMessage(adapter.Message{Kind: adapter.Broadcast, Data: enc.Payload(), Binary: enc.Attachments()})
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

// hasBus reports whether a bus keeps the log. r may be nil.
func (r *recovery) hasBus() bool { return r != nil && r.bus != nil }

// begin sets the position from which this server reads the log.
func (r *recovery) begin(position int64) {
	if !r.hasBus() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.positionKnown = true
	r.advanceLocked(position)
}

// advance notes the position up to which this server has read the log.
func (r *recovery) advance(position int64) {
	if !r.hasBus() {
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

// oldest returns a position that was reached a Window ago, or 0. The room history
// before it is not needed any more.
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

// busState is the state of a recovery with a log bus.
type busState struct {
	positionKnown bool                       // begin has been called
	positionTimes []positionTime             // the oldest first
	resuming      map[*Socket]struct{}       // sockets that have resumed a session and are not connected yet
	closing       map[string]<-chan struct{} // the done channels of sockets that were disconnected here, by private id
}

// missedEvents are the events in the log for a resuming socket, until it is connected.
type missedEvents struct {
	events []positionedEntry // read from the bus
	live   []positionedEntry // received since
	size   int64             // in bytes, of live
	broken bool              // an event may be missing: the session can't be resumed
}

// A positionedEntry is a log entry with its position.
type positionedEntry struct {
	logEntry
	position int64
}

// hasResuming reports whether a resuming socket has one of the rooms as its own room,
// or whether there is any if rooms is empty. The index knows its other rooms. r may
// be nil.
func (r *recovery) hasResuming(rooms []string) bool {
	if !r.hasBus() {
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

// hasEvent reports whether a resumed client has received an event already. Another
// server may have read further in the log, or the event was replayed before this
// server read it.
func (rec *recoveryState) hasEvent(position int64) bool {
	return position <= max(rec.trail.since, rec.replayed)
}

// bufferForResuming adds an event to the missed events of resuming sockets. An event
// that is not in the log has no position, so its receivers can't be resumed.
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
			if b.size += m.Size(); b.size <= s.ns.srv.opts.MaxQueue/2 { // else replay fails because of b.size
				b.live = append(b.live, positionedEntry{logEntry{m: m}, position}) // isFor is always true: s is a receiver
			}
		}
	}
}

// replay sends a resumed socket the events that it missed. It includes events in the
// log that this server has not delivered yet: Deliver skips an event if no socket
// here wanted it when it checked. The caller holds mu. replay fails if the events
// exceed half of MaxQueue, or if the position of the log is not known yet.
func (r *recovery) replay(s *Socket, log *[]note) bool {
	b := s.rec.missed
	s.rec.missed = nil
	delete(r.resuming, s)
	if !r.positionKnown {
		return false
	}
	var missed []positionedEntry
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

// eventsAfter returns the log entries after a position.
func (r *recovery) eventsAfter(ctx context.Context, n *Namespace, position int64) (list []positionedEntry, err error) {
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
			enc.Release()
			continue
		}
		l := positionedEntry{logEntry{only: onlyOf(m), rooms: m.Rooms, except: m.Except}, m.Position}
		l.m, err = eventWithOffset(n, r.offset(m.Position), enc)
		enc.Release()
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// onlyOf returns the id of the socket that a message is for, or "" if it is not for
// a single socket.
func onlyOf(m *adapter.Message) string {
	if m.Only && len(m.Rooms) == 1 {
		return m.Rooms[0]
	}
	return ""
}

// resumeFromBus is resume with a bus. It may block for restoreTimeout.
func (r *recovery) resumeFromBus(s *Socket, c *resumeRequest) (why string) {
	ctx, cancel := context.WithTimeout(s.ns.cluster.ctx, restoreTimeout)
	defer cancel()
	session, saved, events, why := r.takeSession(ctx, s, c)
	if why == "" {
		why = r.adoptFromBus(s, session, saved, events)
	}
	if why != "" {
		r.mu.Lock()
		s.rec.rememberOffset(c.Offset)
		r.mu.Unlock()
		return why
	}
	if !s.Recovered() { // it is disconnected
		return ""
	}
	s.ns.cluster.roomsChanged(saved.trail.rooms()...)
	position := saved.trail.since
	if n := len(events); n > 0 {
		position = events[n-1].position
	}
	events, err := r.eventsAfter(ctx, s.ns, position) // events from before the subscription to its rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		s.rec.missed.broken = true
	}
	s.rec.missed.events = append(s.rec.missed.events, events...)
	return ""
}

// adoptFromBus moves a session from the bus to a socket. If the socket is disconnected
// and its client may resume the session later, it saves the session again.
func (r *recovery) adoptFromBus(s *Socket, session *adapter.Session, saved *savedSession, events []positionedEntry) (why string) {
	size := int64(0)
	for _, l := range events {
		if l.isFor(saved.sid, l.position, &saved.trail) {
			size += l.m.Size()
		}
	}
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state.Load() != stateResuming {
		if mayRecover(s.reason) {
			_ = r.bus.SaveSession(session, r.opts.Window) // on failure the client gets a new session
		}
		return ""
	}
	if c.replayedBytes+size > c.srv.opts.MaxQueue/2 {
		return "too many missed events"
	}
	c.replayedBytes += size
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopt(s, saved)
	s.rec.missed = &missedEvents{events: events}
	r.resuming[s] = struct{}{}
	return ""
}

// takeSession takes a session from the bus, and validates the request to resume it.
func (r *recovery) takeSession(ctx context.Context, s *Socket, c *resumeRequest) (session *adapter.Session, saved *savedSession, events []positionedEntry, why string) {
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
	if saved, err = r.decode(session); err != nil {
		return nil, nil, nil, err.Error()
	}
	switch {
	case session.State != nil && (c.Offset == nil || *c.Offset == saved.staleOffset && saved.staleOffset != ""):
	case c.Offset == nil:
		return nil, nil, nil, "no offset"
	default:
		at, ok := r.bus.Position(*c.Offset)
		if !ok {
			return nil, nil, nil, "unknown offset"
		}
		saved.trail.since = max(saved.trail.since, at)
	}
	if session.State != nil && saved.trail.since >= saved.lastSent {
		saved.trail.since = max(saved.trail.since, saved.deliveredUpTo) // events after lastSent were not for this socket
	}
	if saved.trail.since < saved.trail.prunedBefore {
		return nil, nil, nil, "the room history does not go back that far"
	}
	if events, err = r.eventsAfter(ctx, s.ns, saved.trail.since); err != nil {
		return nil, nil, nil, err.Error()
	}
	return session, saved, events, ""
}

// A sessionState is the State of a session on the bus, which only this implementation
// reads.
type sessionState struct {
	Since         int64                 `json:"since"`
	Intervals     map[string][][2]int64 `json:"intervals"`
	PrunedBefore  int64                 `json:"prunedBefore"`
	LastSent      int64                 `json:"lastSent"`
	DeliveredUpTo int64                 `json:"deliveredUpTo"`
	StaleOffset   string                `json:"staleOffset,omitempty"`
}

// saveToBus saves a session on the bus. The caller holds mu.
func (r *recovery) saveToBus(s *Socket, values Args) {
	t := &s.rec.trail
	state := sessionState{
		Since:         t.since,
		Intervals:     make(map[string][][2]int64, len(t.intervals)),
		PrunedBefore:  t.prunedBefore,
		LastSent:      s.rec.lastSent,
		DeliveredUpTo: s.rec.deliveredUpTo,
		StaleOffset:   s.rec.staleOffset,
	}
	for room, intervals := range t.intervals {
		for _, s := range intervals {
			state.Intervals[room] = append(state.Intervals[room], [2]int64{s.from, s.to})
		}
	}
	session := &adapter.Session{PID: s.rec.pid, ID: s.id, Rooms: t.rooms(), Data: values.Raw(0), Binary: values.bin}
	session.State, _ = json.Marshal(state) // numbers and strings can't fail
	r.closing[s.rec.pid] = s.rec.done
	if err := r.bus.SaveSession(session, r.opts.Window); err != nil {
		s.ns.srv.engine.Go(func() { s.ns.cluster.Lost(1, err) }) // reports the error: OnError must not run under mu
	}
}

// decode is the inverse of saveToBus. Servers of other implementations save no State:
// only the rooms at the end are known.
func (r *recovery) decode(session *adapter.Session) (*savedSession, error) {
	state := sessionState{Intervals: make(map[string][][2]int64)}
	if session.State == nil {
		for _, room := range session.Rooms {
			state.Intervals[room] = [][2]int64{{-1, openEnd}}
		}
	} else if err := json.Unmarshal(session.State, &state); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	saved := &savedSession{
		sessionRecord: sessionRecord{pid: session.PID, lastSent: state.LastSent, deliveredUpTo: state.DeliveredUpTo, staleOffset: state.StaleOffset},
		sid:           session.ID,
		values:        make(map[string]any),
	}
	saved.trail = roomHistory{since: state.Since, prunedBefore: state.PrunedBefore, intervals: make(map[string][]interval)}
	for room, intervals := range state.Intervals {
		for _, s := range intervals {
			saved.trail.intervals[room] = append(saved.trail.intervals[room], interval{s[0], s[1]})
			if s[1] != openEnd {
				saved.trail.closed++
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
		saved.values[name] = remoteValue{Raw: [][]byte{raw}, Bin: session.Binary}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if saved.done = r.closing[session.PID]; saved.done == nil {
		saved.done = closedChan // the predecessor was on another server
	}
	return saved, nil
}

// functionsReturned removes the done channel of a socket whose last function has
// returned.
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

// replayOne sends one missed event to s, before it is connected.
func (s *Socket) replayOne(m *engine.Message, log *[]note) {
	err := s.conn.session.Send(m, false)
	if s.ns.srv.hooks.observesSends() {
		*log = append(*log, note{s: s, t: sio.Event, m: m, err: err, replayed: true})
	}
}
