package client

import (
	"context"
	"encoding/json"
	"errors"
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

// An outgoing is what is known of an event besides its message.
type outgoing struct {
	s        *Socket
	message  *eioclient.Message
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
	k := c.conn
	if k == nil {
		return nil
	}
	c.conn, c.attempts, c.lost = nil, 0, false
	c.setStateLocked(Change{To: Idle})
	return []func(){k.session.Close}
}

// joinLocked begins to join over the connection, or to open one.
func (s *Socket) joinLocked() {
	c := s.client
	s.state = joining
	if c.conn == nil {
		c.startLocked()
		return
	}
	k := c.conn
	s.life, s.stop = &life{s: s, k: k}, make(chan struct{})
	stop, before := s.stop, k.abandoned[s.namespace]
	c.spawn(func() {
		if before == nil || k.settled(before, stop) {
			s.join(k, stop)
		}
	})
}

// settled waits for the answer to an earlier CONNECT, because servers accept no
// second one before it. It reports whether joining goes on.
func (k *conn) settled(before, stop chan struct{}) bool {
	timer := time.NewTimer(k.c.opts.ConnectTimeout)
	defer timer.Stop()
	select {
	case <-before:
		return true
	case <-stop:
	case <-timer.C:
		k.session.Discard(eioclient.TransportError, errNoAnswer)
	}
	return false
}

var errNoAnswer = errors.New("client: the server did not answer CONNECT within ConnectTimeout")

// join is the goroutine that joins: it asks for what to authenticate with, sends
// CONNECT and waits for the answer.
func (s *Socket) join(k *conn, stop chan struct{}) {
	c := s.client
	for attempt := 1; ; attempt++ {
		payload, err := s.authenticate()
		if err == nil {
			answer := make(chan *socketio.Error, 1)
			if !s.sendConnect(k, stop, payload, answer) {
				return
			}
			timer := time.NewTimer(c.opts.ConnectTimeout)
			select {
			case <-stop:
				timer.Stop()
				return
			case <-timer.C:
				k.session.Discard(eioclient.TransportError, errNoAnswer)
				return
			case e := <-answer:
				timer.Stop()
				if e == nil {
					return
				}
				refusal := &RefusedError{Namespace: s.namespace, Err: e}
				if !s.again(refusal) {
					s.refused(k, refusal)
					return
				}
				err = refusal
			}
		} else {
			c.report(s, err)
		}
		c.mu.Lock()
		s.lastErr = err
		c.mu.Unlock()
		timer := time.NewTimer(c.delay(attempt))
		select {
		case <-stop:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// again asks the application whether to try again.
func (s *Socket) again(refusal *RefusedError) (again bool) {
	fn := s.client.opts.RetryRefused
	if fn == nil {
		return false
	}
	err := s.client.call("RetryRefused", func() error { again = fn(refusal); return nil })
	return err == nil && again
}

// authenticate returns the payload of CONNECT, without what recovers a session.
func (s *Socket) authenticate() (auth map[string]json.RawMessage, err error) {
	fn := s.client.opts.Auth
	if fn == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(s.client.ctx, s.client.opts.ConnectTimeout)
	defer cancel()
	var v any
	err = s.client.call("Auth", func() (err error) { v, err = fn(ctx, s.namespace); return err })
	if err != nil {
		return nil, fmt.Errorf("client: Options.Auth: %w", err)
	}
	if v == nil {
		return nil, nil
	}
	var raw []byte
	err = s.client.call("Auth", func() (err error) { raw, err = json.Marshal(v); return err })
	if err == nil {
		err = json.Unmarshal(raw, &auth)
	}
	if err != nil {
		return nil, errors.New("client: Options.Auth returned a value that is not encoded as a JSON object")
	}
	return auth, nil
}

// sendConnect sends CONNECT. It reports whether joining over k goes on.
func (s *Socket) sendConnect(k *conn, stop chan struct{}, auth map[string]json.RawMessage, answer chan *socketio.Error) bool {
	c := s.client
	c.mu.Lock()
	pid, offset := s.pid, s.offset
	c.mu.Unlock()
	if pid != "" {
		if auth == nil {
			auth = make(map[string]json.RawMessage)
		}
		auth["pid"], _ = json.Marshal(pid)
		if offset != "" {
			auth["offset"], _ = json.Marshal(offset)
		}
	}
	var payload []byte
	if auth != nil {
		payload, _ = json.Marshal(auth) // strings and raw JSON always encode
	}
	m, err := c.control(sio.Connect, s.namespace, payload)
	c.mu.Lock()
	if s.stop != stop {
		c.mu.Unlock()
		return false
	}
	s.answer = answer
	flush := false
	if err == nil {
		flush, err = k.session.Queue(m, false)
	}
	c.mu.Unlock()
	if flush {
		k.session.Flush()
	}
	if err != nil && err != eioclient.ErrClosed { // else Closed ends it
		c.report(s, err)
		k.session.Discard(eioclient.TransportError, err)
	}
	return err == nil
}

// refused ends joining for good.
func (s *Socket) refused(k *conn, refusal *RefusedError) {
	c := s.client
	c.mu.Lock()
	if s.life == nil || s.life.k != k || s.state != joining {
		c.mu.Unlock()
		return
	}
	told := len(s.waiters) > 0
	s.leaveLocked(ReasonServer, refusal)
	after := c.releaseLocked()
	c.mu.Unlock()
	if !told { // no Connect returns it
		c.report(s, refusal)
	}
	runAll(after)
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
		o.message.Gate, o.message.Admitted = &l.over, true
		start, err := l.k.session.Queue(o.message, false)
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
		c.buffered -= o.message.Size()
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
	c.buffered -= o.message.Size()
	*count++
	if c.refusing.Load() {
		c.unsent++
	}
}
