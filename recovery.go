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

// Recovery configures connection state recovery: when a client comes back soon
// after its connection broke, its socket has the id, the rooms and the values of
// the one before, and is sent first what it has missed. See
// docs/recovery.md.
//
// Every event without an answer gets one argument more, a string by which the
// client says where it was; a volatile event only if its last argument is a
// string, which the client would mistake for one.
type Recovery struct {
	// Window is how long a session, and each event, is kept. Zero means 2m.
	Window time.Duration
	// MaxEvents bounds the events kept by each namespace; the children of a
	// template share one bound, as they share MaxBytes and MaxSessions. So the
	// number of namespaces and templates that the application makes, by Of and
	// OfMatch, times these bounds is the bound of the server, whatever namespaces
	// clients ask for. Nothing is kept for a namespace that has neither a socket
	// nor a session. Zero means 10000.
	MaxEvents int
	// MaxBytes bounds the events kept by each namespace or template, in bytes of
	// memory: an event takes about 300 bytes more than what is sent. Zero means 16 MiB.
	MaxBytes int64
	// MaxSessions bounds the disconnected sockets kept by each namespace or
	// template; the oldest are dropped. Each takes about 0.8 KiB, its rooms and its
	// [Key] values, and 0.8 KiB more if it is the only one in a child of a template,
	// which it keeps in existence. Zero means 10000.
	MaxSessions int
	// SkipMiddleware lets a recovered socket in without asking the middleware,
	// as the Node server does. The default asks, since what entitled the client
	// to be here may have ended.
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

// A recovery is a namespace's memory of what it has sent, and of the clients that
// were cut off. The children of a template share that of the template, as clients
// choose how many there are; but where a recorder keeps the log, each has its own,
// for the recorder's positions.
//
// An event gets its position in the log, and into the queues of its receivers,
// under one lock, as does every change of a membership. So a client that has
// received an event has received all of its events before it, and it is known
// which rooms it was in at every position.
type recovery struct {
	opts  Recovery
	epoch string // tells offsets of this log from those of another

	mu        sync.Mutex // guards the following, and what sockets keep
	entries   []logEntry // by position, without gaps
	last      int64      // the position given last; they begin at 1
	bytes     int64
	sessions  map[string]*savedSession // by private id
	bySavedAt []*savedSession          // the oldest first
	connected map[string]*Socket       // connected, by private id
	present   map[*Namespace]int       // how many of live are in each namespace that has some
	needed    int                      // sockets and sessions that the log is kept for; see track
	removed   sync.Cond                // one of live has gone, or one that waits for that
	sweeper   *time.Timer              // runs while anything is kept
	stopped   bool

	bus      adapter.LogBus // keeps the log and the sessions instead, if not nil
	busState                // for it
}

// A savedSession is what is kept of a socket that was cut off.
type savedSession struct {
	sessionRecord
	sid          string
	at           time.Time
	values       map[string]any
	over         <-chan struct{} // of the socket
	releaseRooms func()          // to be called when nobody can resume it any more; see keepRooms
	ns           *Namespace
}

// A recoveryState is what a socket keeps for recovery.
type recoveryState struct {
	sessionRecord // guarded by the recovery's mu

	resumed         bool
	needs           bool            // the log is kept for it
	rooms           []string        // those that a resumed socket found itself in
	releaseRooms    func()          // what a resumed socket calls when it is connected, or has left; may be nil
	roomsNotified   atomic.Bool     // the observers know that it is in rooms
	missed          *missedEvents   // what a recorder has for a resumed socket; nil without one
	replayed        int64           // the position up to which a resumed socket was sent what the recorder had
	predecessorDone <-chan struct{} // closed when the predecessor's last function has returned
	done            chan struct{}   // closed when its own has
}

// A sessionRecord is what passes from a socket to the one that resumes it.
type sessionRecord struct {
	pid           string // what the client comes back with; a secret, unlike the id
	trail         roomHistory
	lastSent      int64  // the position of the last event sent to it
	deliveredUpTo int64  // the position up to which it was sent what was for it
	staleOffset   string // the offset with which the client came when it was new; empty if none
}

// maxStaleOffset bounds the offsets of others that are remembered, in bytes.
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

// track notes that the log is kept for so many sockets or sessions more in n, or
// fewer: those that are connected, those that may come back, and those that are
// doing so. Without any of them there is no log. The caller holds mu.
func (r *recovery) track(n *Namespace, more int) {
	n.needsLog += more
	r.needed += more
	if r.needed == 0 {
		r.entries, r.bytes = nil, 0
	}
}

// tracked returns for how many sockets and sessions events of n are kept. The
// caller holds mu.
func (r *recovery) tracked(n *Namespace) int {
	if n.template != nil {
		return r.needed
	}
	return n.needsLog
}

// arrive and depart note that a socket is connected, or is so no longer. The caller
// holds mu.
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

// evictSession drops a session.
func (r *recovery) evictSession(lost *savedSession) {
	delete(r.sessions, lost.pid)
	r.track(lost.ns, -1)
	switch i := slices.Index(r.bySavedAt, lost); {
	case i == 0:
		r.bySavedAt[0] = nil
		r.bySavedAt = r.bySavedAt[1:]
	case i > 0:
		r.bySavedAt = slices.Delete(r.bySavedAt, i, i+1)
	}
	lost.releaseRooms()
	lost.ns.srv.release(lost.ns)
}

// releaseHeldRooms says that what is for a socket needs not be kept any more. The caller
// holds the recovery's mu.
func (rec *recoveryState) releaseHeldRooms() {
	if rec.releaseRooms != nil {
		rec.releaseRooms()
		rec.releaseRooms = nil
	}
}

// mayRecover reports whether a client that left for this reason may come back.
func mayRecover(reason Reason) bool {
	switch reason {
	case ReasonClient, ReasonServer, ReasonParse:
		return false
	}
	return true
}

// save keeps a socket that was cut off. The caller holds mu.
func (r *recovery) save(s *Socket, values map[string]any) {
	if r.stopped {
		return
	}
	for len(r.bySavedAt) > 0 && len(r.bySavedAt) >= r.opts.MaxSessions {
		r.evictSession(r.bySavedAt[0])
	}
	lost := &savedSession{sessionRecord: s.rec.sessionRecord, sid: s.id, at: time.Now(), values: values, over: s.rec.done, ns: s.ns}
	lost.releaseRooms = s.ns.holdRooms(lost.trail.rooms())
	s.ns.srv.retain(s.ns)
	r.sessions[lost.pid] = lost
	r.track(s.ns, 1)
	r.bySavedAt = append(r.bySavedAt, lost)
	r.sweepLater()
}

// sweep forgets what is too old.
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

// sweepLater sees to it that what is kept is swept when it is too old, also if
// nothing happens until then. The caller holds mu.
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

// stop ends the sweeping.
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
	clear(r.sessions) // sockets still need what is not kept any more
	r.bySavedAt, r.entries, r.bytes = nil, nil, 0
}

// notifyRoomsLeft tells observers of the rooms that s was in, unless they have not heard
// that it was.
func (s *Socket) notifyRoomsLeft(rooms []string) {
	if !s.Recovered() || s.rec.roomsNotified.Load() {
		s.notifyRooms(rooms, leaveObservers)
	}
}

// Recovered reports whether s resumed an earlier session: it has that one's id,
// rooms and values, and its client receives everything that it has missed.
func (s *Socket) Recovered() bool { return s.rec != nil && s.rec.resumed }
