package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
)

// This file is recovery across the servers of a cluster: the bus keeps the log and
// the sessions. Every server, also the one that emits, sends an event to its
// receivers when it reads the event from the log. So all clients receive events in
// one order, and the last offset of a client says exactly which events it has.

// restoreTimeout limits how long a connecting client waits for the bus.
const restoreTimeout = 5 * time.Second

// A busHistory keeps the event log and the saved sessions on a log bus.
type busHistory struct {
	r   *recovery
	bus adapter.LogBus

	positionKnown bool                       // start has been called
	positionTimes []positionTime             // the oldest first
	resuming      map[*Socket]struct{}       // sockets that have resumed a session and are not connected yet
	closing       map[string]<-chan struct{} // the done channels of sockets that were disconnected here, by private id
}

func newBusHistory(r *recovery, bus adapter.LogBus) *busHistory {
	return &busHistory{r: r, bus: bus, resuming: make(map[*Socket]struct{}), closing: make(map[string]<-chan struct{})}
}

func (h *busHistory) offset(at int64) string { return h.bus.Offset(at) }

func (h *busHistory) position(offset string) (int64, bool) { return h.bus.Position(offset) }

// publish appends the event that enc holds to the log. If the bus refuses it, the event
// is sent to the receivers on this server at once.
func (h *busHistory) publish(e Emitter, n *Namespace, event string, enc *encoder) (bool, error) {
	if e.only != nil && !e.only.Connected() {
		return true, ErrClosed
	}
	m := e.busMessage(adapter.Message{Kind: adapter.Broadcast, Data: enc.Payload(), Binary: enc.Attachments()})
	if e.only != nil {
		m.Rooms, m.Except, m.Only = []string{e.only.id}, nil, true
	}
	err := h.bus.Append(m)
	if err == nil {
		n.srv.cluster.published.Add(1)
		return true, nil
	}
	n.srv.cluster.lost.Add(1)
	if err := e.deliverLogged(n, 0, event, enc); err != nil || e.only != nil {
		return true, err
	}
	return true, fmt.Errorf("%w: %w", ErrUnpublished, err)
}

func (h *busHistory) wants(*Namespace) bool { return true }

func (h *busHistory) next(Emitter) int64 { return 0 } // publish has appended it

func (h *busHistory) append(Emitter, *Namespace, *encoder, string, *fanout) {}

func (h *busHistory) unneeded() {}

func (h *busHistory) stop() {}

func (h *busHistory) start(position int64) {
	h.positionKnown = true
	h.advance(position)
}

func (h *busHistory) advance(position int64) {
	if position <= h.r.last {
		return
	}
	h.r.last = position
	now := time.Now()
	if n := len(h.positionTimes); n == 0 || now.Sub(h.positionTimes[n-1].at) >= h.r.opts.Window/8 {
		h.positionTimes = append(h.positionTimes, positionTime{now, position})
	}
}

// A positionTime says that a position was the end of the log at some time.
type positionTime struct {
	at       time.Time
	position int64
}

// first returns a position that was reached a Window ago, or 0.
func (h *busHistory) first() int64 {
	now := time.Now()
	i := 0
	for i < len(h.positionTimes) && now.Sub(h.positionTimes[i].at) >= h.r.opts.Window {
		i++
	}
	if i == 0 {
		return 0
	}
	h.positionTimes = slices.Delete(h.positionTimes, 0, i-1)
	return h.positionTimes[0].position
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

func (h *busHistory) hasResuming(rooms []string) bool {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	if len(rooms) == 0 {
		return len(h.resuming) > 0
	}
	for s := range h.resuming {
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

// buffer adds an event to the missed events of resuming sockets. An event
// that is not in the log has no position, so its receivers can't be resumed.
func (h *busHistory) buffer(e Emitter, m *engine.Message, position int64) {
	unlogged := position == 0
	if unlogged && (e.volatile || e.localOnly || e.only != nil) {
		return
	}
	l := logEntry{m: m, only: e.onlyID, rooms: e.rooms, except: e.except}
	at := position
	if unlogged {
		at = h.r.last + 1
	}
	for s := range h.resuming {
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
// here wanted it when it checked. replay fails if the events
// exceed half of MaxQueue, or if the position of the log is not known yet.
func (h *busHistory) replay(s *Socket, notes *[]note) bool {
	b := s.rec.missed
	s.rec.missed = nil
	delete(h.resuming, s)
	if !h.positionKnown {
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
		s.replayOne(l.m, notes)
		s.rec.lastSent = l.position
	}
	s.rec.replayed = last
	return true
}

// eventsAfter returns the log entries after a position.
func (h *busHistory) eventsAfter(ctx context.Context, n *Namespace, position int64) (list []positionedEntry, err error) {
	messages, err := h.bus.ReadAfter(ctx, position)
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
		l.m, err = eventWithOffset(n, h.offset(m.Position), enc)
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

// resume implements [history]. It may block for restoreTimeout.
func (h *busHistory) resume(s *Socket, c *resumeRequest) (why string) {
	ctx, cancel := context.WithTimeout(s.ns.cluster.ctx, restoreTimeout)
	defer cancel()
	session, saved, events, why := h.takeSession(ctx, s, c)
	if why == "" {
		why = h.adoptFromBus(s, session, saved, events)
	}
	if why != "" {
		h.r.mu.Lock()
		s.rec.rememberOffset(c.Offset)
		h.r.mu.Unlock()
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
	events, err := h.eventsAfter(ctx, s.ns, position) // events from before the subscription to its rooms
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	if err != nil {
		s.rec.missed.broken = true
	}
	s.rec.missed.events = append(s.rec.missed.events, events...)
	return ""
}

// adoptFromBus moves a session from the bus to a socket. If the socket is disconnected
// and its client may resume the session later, it saves the session again.
func (h *busHistory) adoptFromBus(s *Socket, session *adapter.Session, saved *savedSession, events []positionedEntry) (why string) {
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
			_ = h.bus.SaveSession(session, h.r.opts.Window) // on failure the client gets a new session
		}
		return ""
	}
	if c.replayedBytes+size > c.srv.opts.MaxQueue/2 {
		return whyTooMany
	}
	c.replayedBytes += size
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	h.r.adopt(s, saved)
	s.rec.missed = &missedEvents{events: events}
	h.resuming[s] = struct{}{}
	return ""
}

// takeSession takes a session from the bus, and validates the request to resume it.
func (h *busHistory) takeSession(ctx context.Context, s *Socket, c *resumeRequest) (session *adapter.Session, saved *savedSession, events []positionedEntry, why string) {
	if err := h.bus.Ready(ctx); err != nil {
		return nil, nil, nil, "the cluster can't be reached: " + err.Error()
	}
	session, err := h.bus.TakeSession(ctx, c.PID)
	if err != nil {
		return nil, nil, nil, err.Error()
	}
	if session == nil || session.PID != c.PID || len(session.ID) == 0 {
		return nil, nil, nil, whyUnknown
	}
	if saved, err = h.decode(session); err != nil {
		return nil, nil, nil, err.Error()
	}
	switch {
	case session.State != nil && (c.Offset == nil || *c.Offset == saved.staleOffset && saved.staleOffset != ""):
	case c.Offset == nil:
		return nil, nil, nil, "no offset"
	default:
		at, ok := h.bus.Position(*c.Offset)
		if !ok {
			return nil, nil, nil, "unknown offset"
		}
		saved.trail.since = max(saved.trail.since, at)
	}
	if session.State != nil && saved.trail.since >= saved.lastSent {
		saved.trail.since = max(saved.trail.since, saved.deliveredUpTo) // events after lastSent were not for this socket
	}
	if saved.trail.since < saved.trail.prunedBefore {
		return nil, nil, nil, whyPruned
	}
	if events, err = h.eventsAfter(ctx, s.ns, saved.trail.since); err != nil {
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

// save saves a session on the bus, without waiting for the bus.
func (h *busHistory) save(s *Socket, _ map[string]any, values Args) {
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
	h.closing[s.rec.pid] = s.rec.done
	if err := h.bus.SaveSession(session, h.r.opts.Window); err != nil {
		s.ns.srv.engine.Go(func() { s.ns.cluster.Lost(1, err) }) // reports the error: OnError must not run under mu
	}
}

// decode is the inverse of save. Servers of other implementations save no State:
// only the rooms at the end are known.
func (h *busHistory) decode(session *adapter.Session) (*savedSession, error) {
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
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	if saved.done = h.closing[session.PID]; saved.done == nil {
		saved.done = closedChan // the predecessor was on another server
	}
	return saved, nil
}

func (h *busHistory) begin(s *Socket) {
	if !h.positionKnown {
		s.rec.trail.prunedBefore = math.MaxInt64 // its first position is not known, so it can't be resumed
	}
}

// encode encodes the values as one argument.
func (h *busHistory) encode(s *Socket, values map[string]any) Args { return s.encodeValues(values) }

func (h *busHistory) encodes() bool { return true }

func (h *busHistory) forget(s *Socket) { delete(h.resuming, s) }

// functionsReturned removes the done channel of the socket.
func (h *busHistory) functionsReturned(s *Socket) {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	if h.closing[s.rec.pid] == s.rec.done {
		delete(h.closing, s.rec.pid)
	}
}
