package client

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Socket is one namespace of a [Client]. Its methods may be called
// concurrently, at any time.
type Socket struct {
	client    *Client
	namespace string
	live      atomic.Pointer[life] // nil unless joined
	handlers  handlers

	// The following is guarded by client.mu.

	active    bool // to be joined, now and after every loss of the connection
	state     membership
	life      *life                // on the connection that it joins or has joined by; else nil
	standing  bool                 // it has been joined since Connect was called
	stop      chan struct{}        // closed when joining is over; nil if it is not under way
	answer    chan *socketio.Error // the server's answer to CONNECT, nil if it let us in
	waiters   []chan error         // of Connect
	lastErr   error                // why the last attempt failed
	id        string
	pid       string // with which the session may be recovered; a secret
	offset    string // of the last event received
	recovered bool
	joinedYet bool // since the client was made
	joinedAt  time.Time
	held      []task // events that came before the answer to CONNECT
	heldBytes int64

	buffer     []*outgoing
	acks       map[int64]*pendingAck
	nextAck    int64
	deliveries []*delivery

	tasks []task
	busy  bool // a goroutine runs handlers
}

// A life is one membership in a namespace over one connection.
type life struct {
	s    *Socket
	k    *conn
	over atomic.Bool // nothing more is queued for it

	ctx context.Context // guarded by client.mu; nil until it is asked for
	end context.CancelCauseFunc
}

// contextLocked returns the context of the life. That of a life that is over has
// ended, since endLocked made it.
func (l *life) contextLocked() context.Context {
	if l.ctx == nil {
		l.ctx, l.end = context.WithCancelCause(context.Background())
	}
	return l.ctx
}

func (l *life) endLocked(reason socketio.Reason) {
	l.over.Store(true)
	l.contextLocked()
	l.end(&socketio.DisconnectError{Reason: reason})
}

type membership uint8

const (
	left membership = iota
	joining
	joined
)

// An outgoing is an event or an answer, encoded.
type outgoing struct {
	eioclient.Message

	s        *Socket
	at       time.Time // when it was emitted
	ack      int64     // -1 if it asks for no answer
	volatile bool
	answer   bool // it is an answer, for one connection only
	delivery bool // it is sent again by Deliver
}

// Namespace returns the name of the namespace.
func (s *Socket) Namespace() string { return s.namespace }

// ID returns the id that the server knows this socket by, or "" while it is not
// joined. It changes with every connection, unless [Socket.Recovered].
func (s *Socket) ID() string {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.state != joined {
		return ""
	}
	return s.id
}

// Recovered reports whether the current connection resumed the session of the
// one before: nothing was missed, and the server kept the rooms.
func (s *Socket) Recovered() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.state == joined && s.recovered
}

// Connected reports whether the namespace is joined.
func (s *Socket) Connected() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.state == joined
}

// Context returns a context that ends when the namespace is left or the
// connection is lost; its cause is a *[socketio.DisconnectError]. While the
// namespace is not joined it has ended.
func (s *Socket) Context() context.Context {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.contextLocked()
}

func (s *Socket) contextLocked() context.Context {
	l := s.life
	if l == nil || s.state != joined {
		l = &life{}
		l.endLocked(ReasonClient)
	}
	return l.contextLocked()
}

// Connect joins the namespace, and opens the connection if there is none. It
// tries again, with growing delays, until the server has let it in, or has
// refused it (*[RefusedError]), or the connection for good (*[HandshakeError]
// with Final set), MaxAttempts is reached (*[AttemptsError]), or ctx ends; then
// nothing goes on in the background. A socket that has joined comes back by
// itself when the connection is lost, until Disconnect, Shutdown or Close is
// called, or the server leaves the namespace. While it does, Connect waits for
// that, and the end of ctx ends only the wait. Connect may be called by a handler.
func (s *Socket) Connect(ctx context.Context) error {
	c := s.client
	c.mu.Lock()
	if c.refusing.Load() {
		c.mu.Unlock()
		return ErrClosed
	}
	if s.state == joined {
		c.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	s.waiters = append(s.waiters, done)
	if !s.active {
		s.active, s.lastErr = true, nil
		s.joinLocked()
	}
	c.mu.Unlock()
	c.yield()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	c.mu.Lock()
	before := len(s.waiters)
	s.waiters = without(s.waiters, done)
	if len(s.waiters) == before { // it has been told meanwhile
		c.mu.Unlock()
		return <-done
	}
	var after []func()
	err := ctx.Err()
	if s.lastErr != nil {
		err = fmt.Errorf("%w; the last attempt: %w", err, s.lastErr)
	}
	if len(s.waiters) == 0 && !s.standing {
		s.leaveLocked(ReasonClient, ErrDisconnected)
		after = c.releaseLocked()
	}
	c.mu.Unlock()
	runAll(after)
	return err
}

// Disconnect leaves the namespace and stops trying to join it. What is buffered
// for it is dropped. When no namespace is left, the connection is closed after
// what is queued has been written. It does not wait for that.
func (s *Socket) Disconnect() error {
	c := s.client
	m, err := c.control(sio.Disconnect, s.namespace, nil)
	c.mu.Lock()
	if !s.active {
		c.mu.Unlock()
		return nil
	}
	var after []func()
	if l := s.life; l != nil && s.state == joined && err == nil {
		l.over.Store(true) // nothing of it follows DISCONNECT
		if flush, _ := l.k.session.Queue(m, false); flush {
			after = append(after, l.k.session.Flush)
		}
	}
	s.leaveLocked(ReasonClient, ErrDisconnected)
	after = append(after, c.releaseLocked()...)
	c.mu.Unlock()
	runAll(after)
	return nil
}

// releaseLocked closes a connection that no namespace needs.
func (c *Client) releaseLocked() (after []func()) {
	if c.wantedLocked() {
		return nil
	}
	c.restart = true
	c.wakeLocked()
	c.setStateLocked(Change{To: Idle})
	k := c.conn
	if k == nil {
		return nil
	}
	c.conn, c.attempts, c.lost = nil, 0, false
	return []func(){k.session.Close}
}

// leaveLocked ends the membership until Connect is called again; err is for
// those who wait.
func (s *Socket) leaveLocked(reason socketio.Reason, err error) {
	c := s.client
	s.active, s.standing = false, false
	if s.answer != nil { // CONNECT is under way
		s.life.k.abandonLocked(s.namespace)
	}
	for _, w := range s.waiters {
		w <- err
	}
	s.waiters = nil
	s.detachLocked(reason, true)
	for _, o := range s.buffer {
		c.dropBufferedLocked(o, &c.dropped.Disconnected)
	}
	s.buffer = nil
	for _, d := range s.deliveries {
		d.settle(socketio.Args{}, &LostError{Reason: reason})
	}
	s.deliveries = nil
	s.pid, s.offset = "", ""
	c.changedLocked()
}

// detachLocked ends what belongs to one connection. Pending answers are given
// up: all of them, or those of which the event has been sent.
func (s *Socket) detachLocked(reason socketio.Reason, all bool) {
	c := s.client
	was := s.state
	s.live.Store(nil)
	if s.life != nil {
		s.life.endLocked(reason)
	}
	s.life, s.answer = nil, nil
	s.state = left
	if s.active {
		s.state = joining
	}
	if s.stop != nil {
		close(s.stop)
		s.stop = nil
	}
	s.dropHeldLocked()
	var buffered map[int64]bool
	for _, o := range s.buffer {
		if o.ack != noAck {
			if buffered == nil {
				buffered = make(map[int64]bool)
			}
			buffered[o.ack] = true
		}
	}
	for id, p := range s.acks {
		if all || !buffered[id] {
			s.settleLocked(id, p, socketio.Args{}, &LostError{Reason: reason})
		}
	}
	for _, d := range s.deliveries {
		d.sent = nil
	}
	if was == joined {
		c.enqueueLocked(s, task{fn: func() { s.disconnected(reason) }})
	}
}

// joinedLocked makes s a member of its namespace. The reader calls it with the
// server's answer.
func (s *Socket) joinedLocked(k *conn, id, pid string) (after []func()) {
	c := s.client
	s.state, s.id = joined, id
	s.recovered = pid != "" && s.pid == pid
	s.pid = pid
	if !s.recovered {
		s.offset = ""
	}
	first := !s.joinedYet
	s.joinedYet, s.joinedAt, s.standing = true, time.Now(), true
	s.answer <- nil
	s.answer = nil
	close(s.stop)
	s.stop = nil
	after = append(after, s.flushLocked()...)
	s.live.Store(s.life)
	after = append(after, s.deliverLocked()...)
	state := Joined{ID: id, Recovered: s.recovered, First: first}
	c.enqueueLocked(s, task{fn: func() { s.connected(state) }})
	for _, t := range s.held {
		s.advanceLocked(t.offset)
		c.enqueueLocked(s, t)
	}
	s.held, s.heldBytes = nil, 0
	for _, w := range s.waiters {
		w <- nil
	}
	s.waiters = nil
	c.setStateLocked(Change{To: Connected, Transport: k.transport()})
	c.changedLocked()
	return after
}

// flushLocked queues what is buffered.
func (s *Socket) flushLocked() (after []func()) {
	c, l := s.client, s.life
	flush := false
	now := time.Now()
	rest := s.buffer
	for len(rest) > 0 {
		o := rest[0]
		if age := c.opts.MaxBufferAge; age > 0 && now.Sub(o.at) > age {
			c.dropBufferedLocked(o, &c.dropped.Expired)
			s.lostLocked(o, context.DeadlineExceeded)
			rest = rest[1:]
			continue
		}
		o.Gate, o.Admitted = &l.over, true
		start, err := l.k.session.Queue(&o.Message, false)
		flush = flush || start
		if err == eioclient.ErrClosed { // the next connection gets the rest
			break
		}
		rest = rest[1:]
		if err != nil { // it was encoded before the server's maxPayload was known
			c.dropBufferedLocked(o, &c.dropped.TooBig)
			s.lostLocked(o, ErrTooBig)
			after = append(after, func() { c.report(s, ErrTooBig) })
			continue
		}
		c.buffered -= o.Size()
	}
	if s.buffer = rest; len(rest) == 0 {
		s.buffer = nil
	}
	if flush {
		after = append(after, l.k.session.Flush)
	}
	return after
}

// advanceLocked notes the position of the last event that was accepted.
func (s *Socket) advanceLocked(offset string) {
	if offset != "" && s.pid != "" {
		s.offset = offset
	}
}

// lostLocked gives up the answer to an event that was not sent.
func (s *Socket) lostLocked(o *outgoing, err error) {
	if p := s.acks[o.ack]; p != nil {
		s.settleLocked(o.ack, p, socketio.Args{}, err)
	}
}

func (s *Socket) dropHeldLocked() { s.held, s.heldBytes = nil, 0 }

// dropBufferedLocked counts an event that leaves the buffer without being sent.
func (c *Client) dropBufferedLocked(o *outgoing, count *uint64) {
	c.buffered -= o.Size()
	*count++
	if c.refusing.Load() {
		c.unsent++
	}
}
