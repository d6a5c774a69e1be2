package socketio

import (
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// Recovery configures connection state recovery. When a client reconnects soon after
// its connection broke, its socket has the id, the rooms and the values of the
// earlier socket. The events that it missed are replayed first. See docs/recovery.md.
//
// Every event without an ack gets an additional last argument, the offset, a string.
// A volatile event gets it only if its last argument is a string, which the client
// would take for an offset.
type Recovery struct {
	// Window is how long sessions and events are kept. Zero means 2m.
	Window time.Duration
	// MaxEvents bounds the events kept by each namespace. The children of a template
	// share its MaxEvents, MaxBytes and MaxSessions. So clients can't raise the total,
	// which is these bounds times the calls of Of and OfMatch. A namespace without
	// sockets and saved sessions keeps no events. Zero means 10000.
	MaxEvents int
	// MaxBytes bounds the events kept by each namespace or template, in bytes of
	// memory. An event takes about 300 bytes more than its packet. Zero means 16 MiB.
	MaxBytes int64
	// MaxSessions bounds the sessions kept by each namespace or template; the oldest are
	// dropped. Each takes about 0.8 KiB, its rooms and its [Key] values. A session also
	// keeps its child of a template, which takes another 0.8 KiB. Zero means 10000.
	MaxSessions int
	// SkipMiddleware connects a recovered socket without running the middleware, as the
	// Node server does. By default the middleware runs, as the client may not be
	// authorized any more.
	SkipMiddleware bool
}

func (r *Recovery) withDefaults() *Recovery {
	if r == nil {
		return nil
	}
	d := *r
	setDefault(&d.Window, 2*time.Minute)
	setDefault(&d.MaxEvents, 10000)
	setDefault(&d.MaxBytes, 16<<20)
	setDefault(&d.MaxSessions, 10000)
	return &d
}

// A recovery holds the event log and the saved sessions of a namespace. The children
// of a template share that of the template, as clients choose how many children
// there are. With a log bus each child has its own, for the positions of the bus.
//
// An event is appended to the log and queued for its receivers under one lock, mu.
// Sockets join and leave rooms under the same lock. So a client that has received an
// event has received all of its earlier events, and the rooms of a socket are known
// at every position.
//
// A private id goes through these states:
//
//	connected   in connected: arrive adds it when the socket is connected
//	saved       in sessions, or on the bus: save or saveToBus, when the socket disconnects
//	resuming    taken by the socket that resumes it: resume and adopt; then connected
//	evicted     dropped by Window, MaxSessions or stop: the client gets a new session
type recovery struct {
	opts  Recovery
	epoch string // distinguishes offsets of this log from those of another

	mu        sync.Mutex // guards the following, and the sessionRecord of sockets
	entries   []logEntry // by position, without gaps
	last      int64      // the last position; positions begin at 1
	bytes     int64
	sessions  map[string]*savedSession // by private id
	bySavedAt []*savedSession          // the oldest first
	connected map[string]*Socket       // connected sockets, by private id
	present   map[*Namespace]int       // number of connected sockets by namespace
	needed    int                      // sockets and sessions for which the log is kept; see track
	removed   sync.Cond                // signals endPredecessor: a socket was removed
	sweeper   *time.Timer              // runs while there are entries or sessions
	stopped   bool

	bus      adapter.LogBus // if not nil, it keeps the log and the sessions
	busState                // used with bus
}

// A savedSession is the state of a disconnected socket whose client may resume it.
type savedSession struct {
	sessionRecord
	sid          string
	at           time.Time
	values       map[string]any
	done         <-chan struct{} // of the socket, see recoveryState
	releaseRooms func()          // called when the session is resumed or evicted; see holdRooms
	ns           *Namespace
}

// A recoveryState is what a socket keeps for recovery.
type recoveryState struct {
	sessionRecord // guarded by the recovery's mu

	resumed         bool
	needs           bool            // it counts in recovery.needed
	rooms           []string        // the rooms of a resumed socket
	releaseRooms    func()          // called when a resumed socket is connected or disconnected; may be nil
	roomsNotified   atomic.Bool     // OnJoin observers were called for rooms
	missed          *missedEvents   // missed events from the bus; nil without a bus
	replayed        int64           // the position up to which missed events from the bus were replayed
	predecessorDone <-chan struct{} // closed when the predecessor's last function has returned
	done            chan struct{}   // closed when its own last function has returned
}

// A sessionRecord is the state that a socket passes to the one that resumes it.
type sessionRecord struct {
	pid           string // the private id, a secret
	trail         roomHistory
	lastSent      int64  // the position of the last event sent to it
	deliveredUpTo int64  // the position up to which it was sent all of its events
	staleOffset   string // the offset of an earlier session that the client sent when this one began; may be empty
}

// maxStaleOffset bounds a stale offset, in bytes. Longer ones are ignored.
const maxStaleOffset = 64

func newRecovery(opts *Recovery) *recovery {
	if opts == nil {
		return nil
	}
	var epoch [3]byte
	_, _ = rand.Read(epoch[:]) // never fails
	r := &recovery{
		opts:      *opts,
		epoch:     strconv.FormatUint(uint64(epoch[0])<<16|uint64(epoch[1])<<8|uint64(epoch[2]), 36) + "-",
		sessions:  make(map[string]*savedSession),
		connected: make(map[string]*Socket),
		present:   make(map[*Namespace]int),
	}
	r.removed.L = &r.mu
	return r
}

// track adds to the number of sockets and sessions in n for which the log is kept:
// connected and resuming sockets, and saved sessions. Without any there is no log.
// The caller holds mu.
func (r *recovery) track(n *Namespace, more int) {
	n.needsLog += more
	r.needed += more
	if r.needed == 0 {
		r.entries, r.bytes = nil, 0
	}
}

// tracked returns the number of sockets and sessions for which events of n are kept.
// The caller holds mu.
func (r *recovery) tracked(n *Namespace) int {
	if n.template != nil {
		return r.needed
	}
	return n.needsLog
}

// arrive notes that a socket is connected; depart undoes that. The caller holds mu.
func (r *recovery) arrive(s *Socket) {
	r.connected[s.rec.pid] = s
	r.present[s.ns]++
	if !s.rec.needs {
		s.rec.needs = true
		r.track(s.ns, 1)
	}
}

func (r *recovery) depart(s *Socket) {
	r.removed.Broadcast()
	if r.connected[s.rec.pid] == s {
		delete(r.connected, s.rec.pid)
		if r.present[s.ns]--; r.present[s.ns] == 0 {
			delete(r.present, s.ns)
		}
		s.rec.deliveredUpTo = r.last
	}
}

// evictSession removes a saved session.
func (r *recovery) evictSession(saved *savedSession) {
	delete(r.sessions, saved.pid)
	r.track(saved.ns, -1)
	switch i := slices.Index(r.bySavedAt, saved); {
	case i == 0:
		r.bySavedAt[0] = nil
		r.bySavedAt = r.bySavedAt[1:]
	case i > 0:
		r.bySavedAt = slices.Delete(r.bySavedAt, i, i+1)
	}
	saved.releaseRooms()
	saved.ns.srv.release(saved.ns)
}

// releaseHeldRooms calls releaseRooms once. The caller holds the recovery's mu.
func (rec *recoveryState) releaseHeldRooms() {
	if rec.releaseRooms != nil {
		rec.releaseRooms()
		rec.releaseRooms = nil
	}
}

// mayRecover reports whether a client may resume a socket that ended for this reason.
func mayRecover(reason Reason) bool {
	switch reason {
	case ReasonClient, ReasonServer, ReasonParse:
		return false
	}
	return true
}

// save saves the session of a disconnected socket. The caller holds mu.
func (r *recovery) save(s *Socket, values map[string]any) {
	if r.stopped {
		return
	}
	for len(r.bySavedAt) > 0 && len(r.bySavedAt) >= r.opts.MaxSessions {
		r.evictSession(r.bySavedAt[0])
	}
	saved := &savedSession{sessionRecord: s.rec.sessionRecord, sid: s.id, at: time.Now(), values: values, done: s.rec.done, ns: s.ns}
	saved.releaseRooms = s.ns.holdRooms(saved.trail.rooms())
	s.ns.srv.retain(s.ns)
	r.sessions[saved.pid] = saved
	r.track(s.ns, 1)
	r.bySavedAt = append(r.bySavedAt, saved)
	r.sweepLater()
}

// sweep evicts sessions and events older than Window.
func (r *recovery) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for len(r.bySavedAt) > 0 && now.Sub(r.bySavedAt[0].at) >= r.opts.Window {
		r.evictSession(r.bySavedAt[0])
	}
	r.evictEvents(now)
	r.sweeper = nil
	r.sweepLater()
}

// sweepLater starts the timer that calls sweep when the oldest session or event
// expires. The caller holds mu.
func (r *recovery) sweepLater() {
	if r.sweeper != nil || r.stopped || len(r.bySavedAt)+len(r.entries) == 0 {
		return
	}
	oldest := time.Now()
	if len(r.bySavedAt) > 0 {
		oldest = r.bySavedAt[0].at
	}
	if len(r.entries) > 0 && r.entries[0].at.Before(oldest) {
		oldest = r.entries[0].at
	}
	r.sweeper = time.AfterFunc(r.opts.Window-time.Since(oldest), r.sweep)
}

// stop drops the log and the sessions, and stops the timer.
func (r *recovery) stop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.sweeper != nil {
		r.sweeper.Stop()
		r.sweeper = nil
	}
	clear(r.sessions) // not nil: resume still reads it
	r.bySavedAt, r.entries, r.bytes = nil, nil, 0
}

// notifyRoomsLeft calls the OnLeave observers for the rooms of s, unless OnJoin was
// not called for them.
func (s *Socket) notifyRoomsLeft(rooms []string) {
	if !s.Recovered() || s.rec.roomsNotified.Load() {
		s.notifyRooms(rooms, leaveObservers)
	}
}

// Recovered reports whether s resumed an earlier session: it has the id, rooms and
// values of that session, and its client receives the events that it missed.
func (s *Socket) Recovered() bool { return s.rec != nil && s.rec.resumed }
