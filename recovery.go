package socketio

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// Recovery configures connection state recovery: what a socket is sent while
// its client is cut off, its id, its rooms and its values survive.
//
// Every event without an answer gets one argument more, a string by which the
// client says where it was; a volatile event only if its last argument is a
// string, which the client would mistake for one.
type Recovery struct {
	// Window is how long a session and what it misses are kept. Zero means 2m.
	Window time.Duration
	// MaxPackets bounds the events kept by each namespace. Zero means 10000.
	MaxPackets int
	// MaxBytes bounds the events kept by each namespace, in bytes. Zero means
	// 16 MiB.
	MaxBytes int64
	// MaxSessions bounds the disconnected sockets kept by each namespace. Zero
	// means 10000.
	MaxSessions int
	// SkipMiddleware lets a recovered socket in without asking the middleware.
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

// A recovery is a namespace's memory of what it has sent, and of who has been
// cut off.
//
// An event gets its position in the log, and into the queues of its receivers,
// under one lock, as does every change of a membership. So a client that has
// received an event has received all of its events before it, and it is known
// which rooms it was in at every position.
type recovery struct {
	opts  Recovery
	epoch string // tells offsets of this log from those of another

	mu       sync.Mutex // guards the following, and the trails of sockets
	log      []logged   // by position, without gaps
	last     int64      // the position given last; they begin at 1
	bytes    int64
	sessions map[string]*lostSession // by private id
	order    []*lostSession          // the oldest first
	live     map[string]*Socket      // by private id
	sweeper  *time.Timer             // runs while there are sessions
	stopped  bool
}

// A logged is one event as it was sent.
type logged struct {
	at     time.Time
	m      *engine.Message
	only   string // the one receiver's id, or empty
	sender string // who is left out
	rooms  []string
	except []string
}

// A lostSession is what is kept of a socket that was cut off.
type lostSession struct {
	pid, sid string
	at       time.Time
	trail    trail
	values   map[string]any
	ns       *Namespace
}

// A recoverable is what a socket keeps for recovery, guarded by the recovery's
// mu.
type recoverable struct {
	pid     string // what the client comes back with; a secret, unlike the id
	trail   trail
	resumed bool
	after   int64 // the position from which on a resumed socket has missed events
}

// A trail knows in which rooms a socket was at which position.
type trail struct {
	since int64            // the position after which it connected
	open  map[string]int64 // room → the position after which it joined
	past  []stay
}

type stay struct {
	room     string
	from, to int64 // after from, up to and including to
}

func newRecovery(opts *Recovery) *recovery {
	if opts == nil {
		return nil
	}
	var epoch [3]byte
	_, _ = rand.Read(epoch[:]) // never fails
	return &recovery{
		opts:     *opts,
		epoch:    strconv.FormatUint(uint64(epoch[0])<<16|uint64(epoch[1])<<8|uint64(epoch[2]), 36) + "-",
		sessions: make(map[string]*lostSession),
		live:     make(map[string]*Socket),
	}
}

// offset returns the position at as clients know it.
func (r *recovery) offset(at int64) string { return r.epoch + strconv.FormatInt(at, 36) }

// position is the inverse of offset.
func (r *recovery) position(offset string) (int64, bool) {
	digits, ok := strings.CutPrefix(offset, r.epoch)
	if !ok {
		return 0, false
	}
	at, err := strconv.ParseInt(digits, 36, 64)
	return at, err == nil && at >= 0 && at <= r.last && r.offset(at) == offset
}

// append gives an event its position and returns the message with its offset.
// The caller holds mu until the message is in the queues.
func (r *recovery) append(enc *encoder, n *Namespace, l logged) (_ *engine.Message, err error) {
	if l.m, err = enc.eventWithOffset(n, r.offset(r.last+1)); err != nil {
		return nil, err
	}
	r.last++
	l.at = time.Now()
	r.log = append(r.log, l)
	r.bytes += int64(l.m.Len())
	r.trim(l.at)
	return l.m, nil
}

// trim drops what the bounds do not allow to be kept.
func (r *recovery) trim(now time.Time) {
	n := 0
	for n < len(r.log) {
		over := len(r.log)-n > r.opts.MaxPackets || r.bytes > r.opts.MaxBytes
		if !over && now.Sub(r.log[n].at) <= r.opts.Window {
			break
		}
		r.bytes -= int64(r.log[n].m.Len())
		r.log[n] = logged{}
		n++
	}
	r.log = r.log[n:] // append moves the rest when the capacity is used up
}

// first returns the position of the oldest event that is kept, or that the next
// one will have.
func (r *recovery) first() int64 { return r.last - int64(len(r.log)) + 1 }

// missed returns what a session has not received after a position, or false if
// some of it is not kept any more, or if it is more than half of what its queue
// may hold.
func (r *recovery) missed(after int64, sid string, t *trail, maxQueue int64) (list []*engine.Message, ok bool) {
	if after+1 < r.first() {
		return nil, false
	}
	size := int64(0)
	for i := max(after, t.since) + 1 - r.first(); i < int64(len(r.log)); i++ {
		if l := &r.log[i]; l.isFor(sid, r.first()+i, t) {
			list = append(list, l.m)
			size += int64(l.m.Len())
		}
	}
	return list, size <= maxQueue/2
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

func (t *trail) in(room string, at int64) bool {
	if from, ok := t.open[room]; ok && at > from {
		return true
	}
	return slices.ContainsFunc(t.past, func(s stay) bool { return s.room == room && at > s.from && at <= s.to })
}

// joined notes that a socket has entered rooms.
func (t *trail) joined(rooms []string, at int64) {
	if t.open == nil {
		t.open = make(map[string]int64)
	}
	for _, room := range rooms {
		if _, ok := t.open[room]; !ok {
			t.open[room] = at
		}
	}
}

// left notes that a socket has left rooms, and forgets stays that ended before
// the log begins.
func (t *trail) left(rooms []string, at, first int64) {
	for _, room := range rooms {
		if from, ok := t.open[room]; ok {
			delete(t.open, room)
			t.past = append(t.past, stay{room, from, at})
		}
	}
	if n := len(t.past); n > 16 && n&(n-1) == 0 { // now and then
		t.past = slices.DeleteFunc(t.past, func(s stay) bool { return s.to < first })
	}
}

// A claim is what a client says of the session it had.
type claim struct {
	PID    string  `json:"pid"`
	Offset *string `json:"offset"`
}

// resume finds the session that a connecting socket lays claim to, consumes it
// and makes the socket its heir. It returns why that is not possible. A
// predecessor that does not know yet that it was cut off is ended first.
func (r *recovery) resume(s *Socket, auth []byte) (why string) {
	s.rec = &recoverable{pid: newSocketID()}
	var c claim
	if len(auth) == 0 || json.Unmarshal(auth, &c) != nil || c.PID == "" {
		return "" // a new client
	}
	r.mu.Lock()
	old := r.live[c.PID]
	r.mu.Unlock()
	if old != nil {
		old.leave(ReasonTransport, false)
		old.conn.session.Discard(engine.TransportClose)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := r.sessions[c.PID]
	if lost == nil {
		return "unknown or expired session"
	}
	now := time.Now()
	r.trim(now)
	after := lost.trail.since
	if c.Offset != nil {
		var ok bool
		if after, ok = r.position(*c.Offset); !ok {
			return "unknown offset"
		}
	}
	if now.Sub(lost.at) > r.opts.Window {
		return "expired session"
	}
	if _, ok := r.missed(after, lost.sid, &lost.trail, s.ns.srv.opts.MaxQueue); !ok {
		return "missed events are not kept any more, or too many"
	}
	r.forget(lost)
	s.id, s.values = lost.sid, lost.values
	s.rec = &recoverable{pid: lost.pid, trail: lost.trail, resumed: true, after: after}
	var rooms []string
	for room := range lost.trail.open {
		rooms = append(rooms, room)
	}
	s.ns.index.join(s, rooms)
	return ""
}

// forget drops a session.
func (r *recovery) forget(lost *lostSession) {
	delete(r.sessions, lost.pid)
	if i := slices.Index(r.order, lost); i >= 0 {
		r.order = slices.Delete(r.order, i, i+1)
	}
	lost.ns.srv.release(lost.ns)
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
	now := time.Now()
	for len(r.order) >= r.opts.MaxSessions {
		r.forget(r.order[0])
	}
	lost := &lostSession{pid: s.rec.pid, sid: s.id, at: now, trail: s.rec.trail, values: values, ns: s.ns}
	s.ns.srv.acquireAgain(s.ns)
	r.sessions[lost.pid] = lost
	r.order = append(r.order, lost)
	if r.sweeper == nil {
		r.sweeper = time.AfterFunc(r.opts.Window, r.sweep)
	}
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
	if len(r.order) == 0 || r.stopped {
		r.sweeper = nil
		return
	}
	r.sweeper.Reset(r.opts.Window - now.Sub(r.order[0].at))
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
	clear(r.sessions)
	r.order, r.log, r.bytes = nil, nil, 0
}

// enter sends a socket what it has missed, then the answer to its CONNECT. The
// caller holds mu, and makes the socket part of the namespace under it. It fails
// if what was missed is not kept any more.
func (r *recovery) enter(s *Socket) bool {
	rec := s.rec
	if rec.resumed {
		missed, ok := r.missed(rec.after, s.id, &rec.trail, s.ns.srv.opts.MaxQueue)
		if !ok {
			return false
		}
		for _, m := range missed {
			_ = s.conn.session.Send(m, false)
		}
	} else {
		rec.trail.since = r.last
		rec.trail.joined([]string{s.id}, r.last)
	}
	r.live[rec.pid] = s
	return true
}

// Recovered reports whether s resumed an earlier session: it has that one's id,
// rooms and values, and its client receives everything that it has missed.
func (s *Socket) Recovered() bool { return s.rec != nil && s.rec.resumed }

// join enters rooms of the index, at a known position of the log if there is
// one.
func (n *Namespace) join(s *Socket, rooms []string) (joined []string, ok bool) {
	if n.recovery == nil {
		return n.index.join(s, rooms)
	}
	n.recovery.mu.Lock()
	defer n.recovery.mu.Unlock()
	if joined, ok = n.index.join(s, rooms); ok {
		s.rec.trail.joined(rooms, n.recovery.last)
	}
	return joined, ok
}

// leave is the opposite of join.
func (n *Namespace) leave(s *Socket, rooms []string) (left []string) {
	if n.recovery == nil {
		return n.index.leave(s, rooms)
	}
	r := n.recovery
	r.mu.Lock()
	defer r.mu.Unlock()
	if left = n.index.leave(s, rooms); !n.index.isGone(s) {
		s.rec.trail.left(rooms, r.last, r.first())
	}
	return left
}

// remove takes s out of the index for good and keeps what it needs to come
// back, if it may.
func (n *Namespace) remove(s *Socket, keep bool) (left []string) {
	if n.recovery == nil {
		return n.index.remove(s)
	}
	values := s.copyValues()
	r := n.recovery
	r.mu.Lock()
	defer r.mu.Unlock()
	left = n.index.remove(s)
	if r.live[s.rec.pid] == s {
		delete(r.live, s.rec.pid)
	}
	if keep {
		r.save(s, values)
	}
	return left
}

// emitLogged sends an event that receivers can be sent again.
func (e Emitter) emitLogged(n *Namespace, event string, args []any) error {
	enc, err := beginEvent(event, args)
	if err != nil {
		return err
	}
	defer enc.release()
	list := receivers.Get().(*[]*Socket)
	m, offset, err := n.recovery.emit(e, n, enc, list)
	if m == nil {
		receivers.Put(list)
		return err
	}
	if out := n.outgoing(event, m, false); out != nil {
		if raw := out.message.Args.raw; offset {
			out.message.Args.raw = raw[:len(raw)-1]
		}
		for _, s := range *list {
			out.tell(s)
		}
	}
	clear(*list)
	receivers.Put(list)
	return err
}

// emit logs an event, unless it is volatile, and queues it for its receivers,
// which it leaves in list. It reports whether the message has an offset.
func (r *recovery) emit(e Emitter, n *Namespace, enc *encoder, list *[]*Socket) (m *engine.Message, offset bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = (*list)[:0]
	l := logged{rooms: e.rooms, except: e.except}
	if e.only != nil {
		if e.only.state.Load() != connected {
			return nil, false, ErrClosed
		}
		l.only = e.only.id
	}
	if e.sender != nil {
		l.sender = e.sender.id
	}
	switch {
	case !e.volatile:
		offset = true
		m, err = r.append(enc, n, l)
	case enc.endsInString():
		offset = true
		m, err = enc.eventWithOffset(n, r.offset(r.last))
	default:
		m, err = enc.message(n, sio.Event, sio.BinaryEvent, noAck)
	}
	if err != nil {
		return nil, false, err
	}
	m.SetCompression(e.compress)
	if e.only != nil {
		*list = append(*list, e.only)
		return m, offset, e.only.send(m, e.volatile)
	}
	*list = n.index.collect(*list, e.rooms, e.except, e.sender)
	for _, s := range *list {
		_ = s.send(m, e.volatile) // who has left or is slow is not the emitter's concern
	}
	return m, offset, nil
}
