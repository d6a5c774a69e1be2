package socketio

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
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
	// MaxPackets bounds the events kept by each namespace; the children of a
	// template share one bound, as they share MaxBytes and MaxSessions. So the
	// number of namespaces and templates that the application makes, by Of and
	// OfMatch, times these bounds is the bound of the server, whatever namespaces
	// clients ask for. Nothing is kept for a namespace that has neither a socket
	// nor a session. Zero means 10000.
	MaxPackets int
	// MaxBytes bounds the events kept by each namespace or template, in bytes as
	// they are sent; each takes about 300 bytes more. Zero means 16 MiB.
	MaxBytes int64
	// MaxSessions bounds the disconnected sockets kept by each namespace or
	// template; the oldest are dropped. Each takes about 1 KiB, its rooms and its
	// [Key] values, and 1.5 KiB more if it is the only one in a child of a template,
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
	setDefault(&d.MaxPackets, 10000)
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

	mu       sync.Mutex // guards the following, and what sockets keep
	log      []logged   // by position, without gaps
	last     int64      // the position given last; they begin at 1
	bytes    int64
	sessions map[string]*lostSession // by private id
	order    []*lostSession          // the oldest first
	live     map[string]*Socket      // connected, by private id
	present  map[*Namespace]int      // how many of live are in each namespace that has some
	needed   int                     // sockets and sessions that the log is kept for; see track
	gone     sync.Cond               // one of live has gone, or one that waits for that
	sweeper  *time.Timer             // runs while anything is kept
	stopped  bool

	recorder   adapter.Recorder // keeps the log and the sessions instead, if not nil
	recordings                  // for it
}

// A logged is one event as it was sent.
type logged struct {
	at     time.Time
	ns     *Namespace      // nil if it was sent in all children of a template
	m      *engine.Message // nil in that case
	shared *sharedEvent    // from which each child makes its own then
	only   string          // the one receiver's id, or empty
	sender string          // who is left out
	rooms  []string
	except []string
}

// A sharedEvent is an event of all children of a template: its payload, with its
// offset, and its attachments.
type sharedEvent struct {
	payload  []byte
	bin      [][]byte
	compress engine.Compression
}

// size returns what keeping the event is counted as, in bytes.
func (l *logged) size() int64 {
	if l.shared == nil {
		return int64(l.m.Len())
	}
	n := len(l.shared.payload)
	for _, b := range l.shared.bin {
		n += len(b)
	}
	return int64(n)
}

// message returns the event as it is sent in namespace n.
func (l *logged) message(n *Namespace) (*engine.Message, error) {
	if l.shared == nil {
		return l.m, nil
	}
	t := sio.Event
	if len(l.shared.bin) > 0 {
		t = sio.BinaryEvent
	}
	m, err := n.srv.newMessage(append(sio.AppendHeader(nil, t, n.name, len(l.shared.bin), noAck), l.shared.payload...), l.shared.bin)
	if err == nil {
		m.SetCompression(l.shared.compress)
	}
	return m, err
}

// A lostSession is what is kept of a socket that was cut off.
type lostSession struct {
	record
	sid    string
	at     time.Time
	values map[string]any
	over   <-chan struct{} // of the socket
	kept   func()          // to be called when nobody can resume it any more; see keepRooms
	ns     *Namespace
}

// A recoverable is what a socket keeps for recovery.
type recoverable struct {
	record // guarded by the recovery's mu

	resumed  bool
	needs    bool            // the log is kept for it
	rooms    []string        // those that a resumed socket found itself in
	kept     func()          // what a resumed socket calls when it is connected, or has left; may be nil
	told     atomic.Bool     // the observers know that it is in rooms
	missed   *backlog        // what a recorder has for a resumed socket; nil without one
	replayed int64           // the position up to which a resumed socket was sent what the recorder had
	before   <-chan struct{} // closed when the predecessor's last function has returned
	over     chan struct{}   // closed when its own has
}

// A record is what passes from a socket to the one that resumes it.
type record struct {
	pid   string // what the client comes back with; a secret, unlike the id
	trail trail
	sent  int64  // the position of the last event sent to it
	until int64  // the position up to which it was sent what was for it
	alien string // the offset with which the client came when it was new; empty if none
}

// longestAlien bounds the offsets of others that are remembered, in bytes.
const longestAlien = 64

func newRecovery(opts *Recovery) *recovery {
	if opts == nil {
		return nil
	}
	var epoch [3]byte
	_, _ = rand.Read(epoch[:]) // never fails
	r := &recovery{
		opts:     *opts,
		epoch:    strconv.FormatUint(uint64(epoch[0])<<16|uint64(epoch[1])<<8|uint64(epoch[2]), 36) + "-",
		sessions: make(map[string]*lostSession),
		live:     make(map[string]*Socket),
		present:  make(map[*Namespace]int),
	}
	r.gone.L = &r.mu
	return r
}

// offset returns the position at as clients know it.
func (r *recovery) offset(at int64) string {
	if r.recorder != nil {
		return r.recorder.Offset(at)
	}
	return r.epoch + strconv.FormatInt(at, 36)
}

// position is the inverse of offset.
func (r *recovery) position(offset string) (int64, bool) {
	if r.recorder != nil {
		return r.recorder.Position(offset)
	}
	digits, ok := strings.CutPrefix(offset, r.epoch)
	if !ok {
		return 0, false
	}
	at, err := strconv.ParseInt(digits, 36, 64)
	return at, err == nil && at >= 0 && at <= r.last && r.offset(at) == offset
}

// append keeps an event that e sends in n, or in the children of n, at the next
// position, which is that of offset. The caller holds mu until the messages are in
// the queues.
func (r *recovery) append(e Emitter, n *Namespace, enc *encoder, offset string, out *fanout) {
	r.last++
	if r.stopped {
		return
	}
	l := logged{at: time.Now(), only: e.onlyID, rooms: e.rooms, except: e.except}
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
		l.shared.payload = append(sio.AppendString(append(bytes.Clone(enc.json), ','), offset), ']')
		for _, b := range enc.bin {
			l.shared.bin = append(l.shared.bin, bytes.Clone(b))
		}
	}
	r.log = append(r.log, l)
	r.bytes += l.size()
	r.trim(l.at)
	r.sweepLater()
}

// track notes that the log is kept for so many sockets or sessions more in n, or
// fewer: those that are connected, those that may come back, and those that are
// doing so. Without any of them there is no log. The caller holds mu.
func (r *recovery) track(n *Namespace, more int) {
	n.needsLog += more
	r.needed += more
	if r.needed == 0 {
		r.log, r.bytes = nil, 0
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
	r.live[s.rec.pid] = s
	r.present[s.ns]++
	if !s.rec.needs {
		s.rec.needs = true
		r.track(s.ns, 1)
	}
}

func (r *recovery) depart(s *Socket) {
	r.gone.Broadcast()
	if r.live[s.rec.pid] == s {
		delete(r.live, s.rec.pid)
		if r.present[s.ns]--; r.present[s.ns] == 0 {
			delete(r.present, s.ns)
		}
		s.rec.until = r.last
	}
}

// trim drops what the bounds do not allow to be kept.
func (r *recovery) trim(now time.Time) {
	n := 0
	for n < len(r.log) {
		over := len(r.log)-n > r.opts.MaxPackets || r.bytes > r.opts.MaxBytes
		if !over && now.Sub(r.log[n].at) < r.opts.Window {
			break
		}
		r.bytes -= r.log[n].size()
		r.log[n] = logged{}
		n++
	}
	r.log = r.log[n:] // append moves the rest when the capacity is used up
	if len(r.log) == 0 {
		r.log = nil // its array is as large as the log has ever been
	}
}

// first returns the position of the oldest event that is kept, or that the next
// one will have.
func (r *recovery) first() int64 {
	if r.recorder != nil {
		return r.oldest(time.Now())
	}
	return r.last - int64(len(r.log)) + 1
}

// missed returns what a session has not received, with the position of the last
// and the bytes of all, or false if some of it may not be kept any more.
func (r *recovery) missed(n *Namespace, sid string, t *trail) (list []*logged, last, size int64, ok bool) {
	if t.since+1 < r.first() {
		return nil, 0, 0, false
	}
	for i := t.since + 1 - r.first(); i < int64(len(r.log)); i++ {
		if l := &r.log[i]; (l.ns == nil || l.ns == n) && l.isFor(sid, r.first()+i, t) {
			list = append(list, l)
			last = r.first() + i
			size += l.size()
		}
	}
	return list, last, size, true
}

// isFor reports whether the event at a position was for a socket.
func (l *logged) isFor(sid string, at int64, t *trail) bool {
	if l.only != "" {
		return l.only == sid
	}
	in := func(room string) bool { return t.in(room, at) }
	return l.sender != sid && !slices.ContainsFunc(l.except, in) &&
		(len(l.rooms) == 0 || slices.ContainsFunc(l.rooms, in))
}

// A claim is what a client says of the session it had.
type claim struct {
	PID    string  `json:"pid"`
	Offset *string `json:"offset"`
}

// resume has s resume the session that its client lays claim to, if there is one.
func (s *Socket) resume() {
	why := s.ns.recovery.resume(s)
	s.conn.mu.Lock()
	s.state.CompareAndSwap(resuming, connecting)
	s.conn.mu.Unlock()
	if why != "" {
		s.ns.srv.report(nil, unrecoveredError(why))
	}
}

// resume finds the session that a connecting socket lays claim to, consumes it
// and hands it over to the socket, unless that has left meanwhile. It returns why
// that is not possible. A predecessor that does not know yet that it was cut off is
// ended first.
func (r *recovery) resume(s *Socket) (why string) {
	var c claim
	if json.Unmarshal(s.auth.Raw(0), &c) != nil || c.PID == "" {
		return "" // a new client
	}
	r.endPredecessor(s, c.PID)
	if r.recorder != nil {
		return r.resumeRecorded(s, &c)
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.state.Load() != resuming {
		return ""
	}
	lost := r.sessions[c.PID]
	if lost != nil && lost.ns != s.ns { // of another child of the template
		lost = nil
	}
	if why = r.claimed(lost, c.Offset); why == "" {
		why = r.affordable(s.conn, lost)
	}
	if why == "" {
		r.inherit(s, lost)
		s.rec.kept, lost.kept = lost.kept, func() {}
		r.forget(lost)
		return ""
	}
	s.rec.remember(c.Offset)
	return why
}

// endPredecessor disconnects the socket that still has the session that s lays claim
// to, and waits until the session can be resumed, or s has left.
func (r *recovery) endPredecessor(s *Socket, pid string) {
	r.mu.Lock()
	old := r.live[pid]
	r.mu.Unlock()
	if old == nil || old.ns != s.ns {
		return
	}
	old.leave(ReasonTransport, false) // or another goroutine is about to
	old.conn.session.Discard(engine.TransportClose)
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.live[pid] == old && s.state.Load() == resuming {
		r.gone.Wait()
	}
}

// remember notes the offset of a client that could not recover.
func (rec *recoverable) remember(offset *string) {
	if offset != nil && len(*offset) <= longestAlien {
		rec.alien = *offset
	}
}

// claimed checks a client's claim to a session, and notes the position up to
// which it has received everything.
func (r *recovery) claimed(lost *lostSession, offset *string) (why string) {
	now := time.Now()
	r.trim(now)
	switch {
	case lost == nil:
		return "unknown or expired session"
	case now.Sub(lost.at) >= r.opts.Window:
		return "expired session"
	case offset == nil || *offset == lost.alien && lost.alien != "":
		// It has not received a single event: clients keep the offset of an
		// earlier session until they do.
	default:
		at, ok := r.position(*offset)
		if !ok {
			return "unknown offset"
		}
		lost.trail.since = max(lost.trail.since, at)
	}
	if lost.trail.since >= lost.sent {
		lost.trail.since = max(lost.trail.since, lost.until) // the rest was for others
	}
	return ""
}

// affordable checks that what a session has missed is kept, and does not
// overflow the queue of the connection that resumes it, whose mu the caller holds.
func (r *recovery) affordable(c *conn, lost *lostSession) (why string) {
	_, _, size, ok := r.missed(lost.ns, lost.sid, &lost.trail)
	if !ok || c.replayed+size > c.srv.opts.MaxQueue/2 {
		return "missed events are not kept any more, or too many"
	}
	c.replayed += size
	return ""
}

// inherit hands a session over to a socket. The caller holds mu and that of the
// connection.
func (r *recovery) inherit(s *Socket, lost *lostSession) {
	s.id, s.values = lost.sid, lost.values
	s.rec.record, s.rec.resumed, s.rec.before = lost.record, true, lost.over
	s.rec.needs = true
	r.track(s.ns, 1)
	rooms := lost.trail.rooms()
	s.rec.rooms, _ = s.ns.index.join(s, rooms)
	if !slices.Contains(rooms, s.id) {
		s.ns.index.leave(s, []string{s.id})
	}
}

// forget drops a session.
func (r *recovery) forget(lost *lostSession) {
	delete(r.sessions, lost.pid)
	r.track(lost.ns, -1)
	switch i := slices.Index(r.order, lost); {
	case i == 0:
		r.order[0] = nil
		r.order = r.order[1:]
	case i > 0:
		r.order = slices.Delete(r.order, i, i+1)
	}
	lost.kept()
	lost.ns.srv.release(lost.ns)
}

// arrived says that what is for a socket needs not be kept any more. The caller
// holds the recovery's mu.
func (rec *recoverable) arrived() {
	if rec.kept != nil {
		rec.kept()
		rec.kept = nil
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
	for len(r.order) > 0 && len(r.order) >= r.opts.MaxSessions {
		r.forget(r.order[0])
	}
	lost := &lostSession{record: s.rec.record, sid: s.id, at: time.Now(), values: values, over: s.rec.over, ns: s.ns}
	lost.kept = s.ns.keepRooms(lost.trail.rooms())
	s.ns.srv.acquireAgain(s.ns)
	r.sessions[lost.pid] = lost
	r.track(s.ns, 1)
	r.order = append(r.order, lost)
	r.sweepLater()
}

// sweep forgets what is too old.
func (r *recovery) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for len(r.order) > 0 && now.Sub(r.order[0].at) >= r.opts.Window {
		r.forget(r.order[0])
	}
	r.trim(now)
	r.sweeper = nil
	r.sweepLater()
}

// sweepLater sees to it that what is kept is swept when it is too old, also if
// nothing happens until then. The caller holds mu.
func (r *recovery) sweepLater() {
	if r.sweeper != nil || r.stopped || len(r.order)+len(r.log) == 0 {
		return
	}
	oldest := time.Now()
	if len(r.order) > 0 {
		oldest = r.order[0].at
	}
	if len(r.log) > 0 && r.log[0].at.Before(oldest) {
		oldest = r.log[0].at
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
	r.order, r.log, r.bytes = nil, nil, 0
}

// enter sends a socket what it has missed, before the answer to its CONNECT. The
// caller holds mu, and makes the socket part of the namespace under it; what the
// hooks are to be told is left in log. It fails if what was missed is not kept any
// more.
func (r *recovery) enter(s *Socket, log *[]sent) bool {
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
			if err != nil { // of a codec
				return false
			}
			s.resend(m, log)
		}
		rec.sent = max(rec.sent, last)
	} else {
		rec.trail.since = r.last
		rec.trail.joined([]string{s.id}, r.last)
		if r.recorder != nil && !r.begun {
			rec.trail.forgotten = math.MaxInt64 // nobody knows what it misses
		}
	}
	r.arrive(s)
	return true
}

// waitForPredecessor waits until the functions of the predecessor have returned, so that
// those of one id run one after another, and tells observers of the rooms that s
// is in again. It gives up when s has left.
func (s *Socket) waitForPredecessor() bool {
	select {
	case <-s.rec.before:
	default:
		select {
		case <-s.rec.before:
		case <-s.Context().Done():
			return false
		}
	}
	s.rec.told.Store(true)
	s.tellRooms(s.rec.rooms, joinObservers)
	return true
}

// tellLeft tells observers of the rooms that s was in, unless they have not heard
// that it was.
func (s *Socket) tellLeft(rooms []string) {
	if !s.Recovered() || s.rec.told.Load() {
		s.tellRooms(rooms, leaveObservers)
	}
}

// ended says that the last function of s has returned.
func (s *Socket) ended() {
	if s.rec == nil {
		return
	}
	if s.rec.before != nil { // s may have given up waiting for it
		<-s.rec.before
	}
	close(s.rec.over)
	s.ns.recovery.ended(s.rec)
}

// Recovered reports whether s resumed an earlier session: it has that one's id,
// rooms and values, and its client receives everything that it has missed.
func (s *Socket) Recovered() bool { return s.rec != nil && s.rec.resumed }
