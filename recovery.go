package socketio

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
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
//	saved       in sessions, or on the bus: save, when the socket disconnects
//	resuming    taken by the socket that resumes it: resume and adopt; then connected
//	evicted     dropped by Window, MaxSessions or stop: the client gets a new session
type recovery struct {
	opts    Recovery
	history history // set before the first socket

	mu        sync.Mutex         // guards the following, the history, and the sessionRecord of sockets
	last      int64              // the last position; positions begin at 1
	connected map[string]*Socket // connected sockets, by private id
	present   map[*Namespace]int // number of connected sockets by namespace
	needed    int                // sockets and sessions for which the log is kept; see track
	removed   sync.Cond          // signals endPredecessor: a socket was removed
	stopped   bool
}

// A history keeps the event log and the saved sessions of a recovery: a memoryHistory
// does so in memory, a busHistory on a log bus for all servers of a cluster. The caller
// holds the recovery's mu, except where a method says otherwise.
type history interface {
	// offset returns the offset of a position, and position is the inverse.
	offset(at int64) string
	position(offset string) (at int64, ok bool)
	// first returns the first position that may be replayed: room histories before it
	// are not needed.
	first() int64
	// start notes the position from which this server reads the log, and advance the one
	// up to which it has read it.
	start(position int64)
	advance(position int64)

	// publish appends an event to a log that all servers read, if there is one; then the
	// event is delivered when it is read. The caller does not hold mu.
	publish(e Emitter, n *Namespace, event string, enc *encoder) (published bool, err error)
	// wants reports whether an event of n has a receiver, or may be replayed later.
	wants(n *Namespace) bool
	// next returns the position at which append puts an event of e. It is 0 if the event
	// is not to be appended here.
	next(e Emitter) int64
	// append appends an event that e sends in n, or in the children of n, at the position
	// that next returned, whose offset is offset. The caller holds mu until the messages
	// of out are queued.
	append(e Emitter, n *Namespace, enc *encoder, offset string, out *fanout)
	// buffer keeps an event for the sockets that are resuming. position is 0 if the event
	// is not in the log.
	buffer(e Emitter, m *engine.Message, position int64)
	// hasResuming reports whether a resuming socket has one of the rooms as its own room,
	// or whether there is any if rooms is empty. The index knows its other rooms. The
	// caller does not hold mu; in memory there is none, and mu is not needed.
	hasResuming(rooms []string) bool
	// unneeded is called when no socket and no session needs the log any more.
	unneeded()

	// resume moves the session that the request asks for to s, and returns why it can't
	// be resumed, or "". The caller does not hold mu. It may block.
	resume(s *Socket, c *resumeRequest) (why string)
	// begin begins the session of a socket that has not resumed one.
	begin(s *Socket)
	// replay sends a resumed socket the events that it missed, and fails if some of them
	// were evicted. The notes for the hooks are added to notes.
	replay(s *Socket, notes *[]note) bool
	// encode encodes the values of a session for save. encodes reports whether it does,
	// and so calls methods of the values, which may block. The caller does not hold mu.
	encode(s *Socket, values map[string]any) Args
	encodes() bool
	// save saves the session of a disconnected socket.
	save(s *Socket, values map[string]any, encoded Args)
	// forget is called for every socket that is disconnected, before save.
	forget(s *Socket)
	// functionsReturned is called when the last function of a socket has returned. The
	// caller does not hold mu.
	functionsReturned(s *Socket)
	// stop drops the log and the sessions that are in memory.
	stop()
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
	r := &recovery{
		opts:      *opts,
		connected: make(map[string]*Socket),
		present:   make(map[*Namespace]int),
	}
	r.removed.L = &r.mu
	r.history = newMemoryHistory(r)
	return r
}

// track adds to the number of sockets and sessions in n for which the log is kept:
// connected and resuming sockets, and saved sessions. Without any there is no log.
// The caller holds mu.
func (r *recovery) track(n *Namespace, more int) {
	n.needsLog += more
	r.needed += more
	if r.needed == 0 {
		r.history.unneeded()
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

// stop drops the log and the sessions in memory. r may be nil.
func (r *recovery) stop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.history.stop()
}

// start notes the position from which this server reads the log. r may be nil.
func (r *recovery) start(position int64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.start(position)
}

// advance notes that this server has read the log up to a position, unless that is 0. r
// may be nil.
func (r *recovery) advance(position int64) {
	if r == nil || position == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.advance(position)
}

// hasResuming is that of the history. r may be nil.
func (r *recovery) hasResuming(rooms []string) bool {
	return r != nil && r.history.hasResuming(rooms)
}

// encodesValues reports whether methods of the values of s are called when its session
// is saved. r may be nil.
func (r *recovery) encodesValues(s *Socket) bool {
	if r == nil || !r.history.encodes() {
		return false
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return len(s.values) > 0
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
