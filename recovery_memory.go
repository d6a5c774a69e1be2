package socketio

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// A memoryHistory keeps the event log and the saved sessions in memory. A method holds
// the lock as [history] says; the others are called with it.
type memoryHistory struct {
	r     *recovery
	epoch string // distinguishes offsets of this log from those of another

	entries   []logEntry // by position, without gaps; the last one is at recovery.last
	bytes     int64
	sessions  map[string]*savedSession // by private id
	bySavedAt []*savedSession          // the oldest first
	sweeper   *time.Timer              // runs while there are entries or sessions
}

func newMemoryHistory(r *recovery) *memoryHistory {
	var epoch [3]byte
	_, _ = rand.Read(epoch[:]) // never fails
	return &memoryHistory{
		r:        r,
		epoch:    strconv.FormatUint(uint64(epoch[0])<<16|uint64(epoch[1])<<8|uint64(epoch[2]), 36) + "-",
		sessions: make(map[string]*savedSession),
	}
}

func (h *memoryHistory) offset(at int64) string { return h.epoch + strconv.FormatInt(at, 36) }

func (h *memoryHistory) position(offset string) (int64, bool) {
	digits, ok := strings.CutPrefix(offset, h.epoch)
	if !ok {
		return 0, false
	}
	at, err := strconv.ParseInt(digits, 36, 64)
	return at, err == nil && at >= 0 && at <= h.r.last && h.offset(at) == offset
}

// first returns the position of the oldest entry, or of the next event if the log is
// empty.
func (h *memoryHistory) first() int64 { return h.r.last - int64(len(h.entries)) + 1 }

func (h *memoryHistory) start(int64) {}

func (h *memoryHistory) advance(int64) {} // no other server appends to this log

func (h *memoryHistory) publish(Emitter, *Namespace, string, *encoder) (bool, error) {
	return false, nil
}

func (h *memoryHistory) wants(n *Namespace) bool { return h.r.tracked(n) > 0 }

func (h *memoryHistory) next(e Emitter) int64 {
	if e.volatile {
		return 0
	}
	return h.r.last + 1
}

func (h *memoryHistory) buffer(Emitter, *engine.Message, int64) {} // resume blocks no event

func (h *memoryHistory) hasResuming([]string) bool { return false }

func (h *memoryHistory) unneeded() { h.entries, h.bytes = nil, 0 }

func (h *memoryHistory) begin(*Socket) {}

func (h *memoryHistory) encode(*Socket, map[string]any) Args { return Args{} }

func (h *memoryHistory) encodes() bool { return false }

func (h *memoryHistory) forget(*Socket) {}

func (h *memoryHistory) functionsReturned(*Socket) {}

func (h *memoryHistory) resume(s *Socket, c *resumeRequest) (why string) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	if s.state.Load() != stateResuming {
		return ""
	}
	saved := h.sessions[c.PID]
	if saved != nil && saved.ns != s.ns { // of another child of the template
		saved = nil
	}
	if why = h.validate(saved, c.Offset); why == "" {
		why = h.fits(s.conn, saved)
	}
	if why == "" {
		h.r.adopt(s, saved)
		s.rec.releaseRooms, saved.releaseRooms = saved.releaseRooms, func() {}
		h.evictSession(saved)
		return ""
	}
	s.rec.rememberOffset(c.Offset)
	return why
}

func (h *memoryHistory) replay(s *Socket, notes *[]note) bool {
	missed, last, size, ok := h.missed(s.ns, s.id, &s.rec.trail)
	if !ok || size > s.ns.srv.opts.MaxQueue/2 {
		return false
	}
	for _, l := range missed {
		m, err := l.message(s.ns)
		if err != nil { // the codec failed
			return false
		}
		s.replayOne(m, notes)
	}
	s.rec.lastSent = max(s.rec.lastSent, last)
	return true
}

func (h *memoryHistory) stop() {
	if h.sweeper != nil {
		h.sweeper.Stop()
		h.sweeper = nil
	}
	clear(h.sessions) // not nil: resume still reads it
	h.bySavedAt, h.entries, h.bytes = nil, nil, 0
}

// save implements [history].
func (h *memoryHistory) save(s *Socket, values map[string]any, _ Args) {
	if h.r.stopped {
		return
	}
	for len(h.bySavedAt) > 0 && len(h.bySavedAt) >= h.r.opts.MaxSessions {
		h.evictSession(h.bySavedAt[0])
	}
	saved := &savedSession{sessionRecord: s.rec.sessionRecord, sid: s.id, at: time.Now(), values: values, done: s.rec.done, ns: s.ns}
	saved.releaseRooms = s.ns.holdRooms(saved.trail.rooms())
	s.ns.srv.retain(s.ns)
	h.sessions[saved.pid] = saved
	h.r.track(s.ns, 1)
	h.bySavedAt = append(h.bySavedAt, saved)
	h.sweepLater()
}

// sweep evicts sessions and events older than Window.
func (h *memoryHistory) sweep() {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	now := time.Now()
	for len(h.bySavedAt) > 0 && now.Sub(h.bySavedAt[0].at) >= h.r.opts.Window {
		h.evictSession(h.bySavedAt[0])
	}
	h.evictEvents(now)
	h.sweeper = nil
	h.sweepLater()
}

// sweepLater starts the timer that calls sweep when the oldest session or event
// expires.
func (h *memoryHistory) sweepLater() {
	if h.sweeper != nil || h.r.stopped || len(h.bySavedAt)+len(h.entries) == 0 {
		return
	}
	oldest := time.Now()
	if len(h.bySavedAt) > 0 {
		oldest = h.bySavedAt[0].at
	}
	if len(h.entries) > 0 && h.entries[0].at.Before(oldest) {
		oldest = h.entries[0].at
	}
	h.sweeper = time.AfterFunc(h.r.opts.Window-time.Since(oldest), h.sweep)
}

// evictSession removes a saved session.
func (h *memoryHistory) evictSession(saved *savedSession) {
	delete(h.sessions, saved.pid)
	h.r.track(saved.ns, -1)
	switch i := slices.Index(h.bySavedAt, saved); {
	case i == 0:
		h.bySavedAt[0] = nil
		h.bySavedAt = h.bySavedAt[1:]
	case i > 0:
		h.bySavedAt = slices.Delete(h.bySavedAt, i, i+1)
	}
	saved.releaseRooms()
	saved.ns.srv.release(saved.ns)
}

// append implements [history].
func (h *memoryHistory) append(e Emitter, n *Namespace, enc *encoder, offset string, out *fanout) {
	h.r.last++
	if h.r.stopped {
		return
	}
	l := logEntry{at: time.Now(), only: e.onlyID, rooms: e.rooms, except: e.except}
	if e.only != nil {
		l.only = e.only.id
	}
	if e.sender != nil {
		l.sender = e.sender.id
	}
	if n.template == nil {
		l.ns, l.m = n, out.parts[0].m
	} else {
		l.shared = &sharedEvent{compress: e.compress}
		l.shared.payload = enc.PayloadWith(offset)
		for _, b := range enc.Attachments() {
			l.shared.bin = append(l.shared.bin, bytes.Clone(b))
		}
	}
	h.entries = append(h.entries, l)
	h.bytes += l.size()
	h.evictEvents(l.at)
	h.sweepLater()
}

// evictEvents drops the oldest entries until the log is within its bounds.
func (h *memoryHistory) evictEvents(now time.Time) {
	n := 0
	for n < len(h.entries) {
		over := len(h.entries)-n > h.r.opts.MaxEvents || h.bytes > h.r.opts.MaxBytes
		if !over && now.Sub(h.entries[n].at) < h.r.opts.Window {
			break
		}
		h.bytes -= h.entries[n].size()
		h.entries[n] = logEntry{}
		n++
	}
	h.entries = h.entries[n:] // append copies the rest when the capacity is used up
	if len(h.entries) == 0 {
		h.entries = nil // frees the array, which may be large
	}
}

// missed returns the events that a session has not received, the position of the last
// one and their size in bytes. ok is false if some of them may have been evicted.
func (h *memoryHistory) missed(n *Namespace, sid string, t *roomHistory) (list []*logEntry, last, size int64, ok bool) {
	if t.since+1 < h.first() {
		return nil, 0, 0, false
	}
	for i := t.since + 1 - h.first(); i < int64(len(h.entries)); i++ {
		if l := &h.entries[i]; (l.ns == nil || l.ns == n) && l.isFor(sid, h.first()+i, t) {
			list = append(list, l)
			last = h.first() + i
			size += l.queued()
		}
	}
	return list, last, size, true
}

// validate checks that a session can be resumed with that offset. It sets since, the
// position up to which the client has received all of its events.
func (h *memoryHistory) validate(saved *savedSession, offset *string) (why string) {
	now := time.Now()
	h.evictEvents(now)
	switch {
	case saved == nil:
		return whyUnknown
	case now.Sub(saved.at) >= h.r.opts.Window:
		return whyExpired
	case offset == nil || *offset == saved.staleOffset && saved.staleOffset != "":
		// The client has received no event: it keeps the offset of an earlier
		// session until it receives one.
	default:
		at, ok := h.position(*offset)
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
func (h *memoryHistory) fits(c *conn, saved *savedSession) (why string) {
	_, _, size, ok := h.missed(saved.ns, saved.sid, &saved.trail)
	if !ok || c.replayedBytes+size > c.srv.opts.MaxQueue/2 {
		return whyEvicted
	}
	c.replayedBytes += size
	return ""
}
