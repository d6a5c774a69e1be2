package client

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/eioclient"
	"github.com/socketio-go/socketio/internal/sio"
)

// An inbox counts the events of all namespaces that wait for handlers.
type inbox struct {
	waiting int
	bytes   int64
	awaited int           // goroutines that wait in EmitWithAck
	space   chan struct{} // closed when there is room; nil unless the reader waits
}

// freeLocked lets a waiting reader look again.
func (b *inbox) freeLocked() {
	if b.space != nil {
		close(b.space)
		b.space = nil
	}
}

// awaitingFactor is by how much more may wait while a handler awaits an answer,
// which may be behind it.
const awaitingFactor = 16

// fullLocked reports whether the reader must wait before it adds an event.
func (c *Client) fullLocked(size int64) bool {
	limit := c.opts.MaxInbox
	if c.inbox.awaited > 0 {
		limit *= awaitingFactor
	}
	return c.inbox.waiting > 0 && (c.inbox.waiting >= limit || c.inbox.bytes+size > c.opts.MaxEvent)
}

// A task waits for a socket's handlers: an event, or a function.
type task struct {
	call   *call
	fn     func()
	offset string // the position of an event in the server's log
	size   int64  // what it is counted as; 0 for what no server can cause
}

// waitForSpace waits until the inbox may take an event. It reports whether the
// connection is still the client's.
func (k *conn) waitForSpace(turn *eioclient.Turn, size int64) bool {
	c := k.c
	paused := false
	c.mu.Lock()
	for c.conn == k && c.fullLocked(size) {
		if c.inbox.space == nil {
			c.inbox.space = make(chan struct{})
		}
		space := c.inbox.space
		c.mu.Unlock()
		if !paused {
			paused = true
			k.session.Pause(turn)
		}
		select {
		case <-space:
		case <-k.session.Done():
		}
		c.mu.Lock()
		if c.conn != k {
			break
		}
	}
	ok := c.conn == k
	c.mu.Unlock()
	if paused {
		k.session.Resume()
	}
	return ok
}

func (c *Client) enqueueLocked(s *Socket, t task) {
	if t.size > 0 {
		c.inbox.waiting++
		c.inbox.bytes += t.size
	}
	s.tasks = append(s.tasks, t)
	if !s.busy {
		s.busy = true
		c.spawn(s.drain)
	}
}

// drain runs the tasks until there is none. s.busy is set, and no other
// goroutine runs handlers of s.
func (s *Socket) drain() {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a handler
			s.client.spawn(s.drain)
		}
	}()
	for {
		t, ok := s.next()
		if !ok {
			break
		}
		if t.fn != nil {
			t.fn()
		} else {
			s.run(t.call)
		}
	}
	returned = true
}

// next takes the first task, or gives up being busy.
func (s *Socket) next() (task, bool) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s.tasks) == 0 {
		s.tasks = nil
		s.busy = false
		return task{}, false
	}
	t := s.tasks[0]
	s.tasks[0] = task{}
	s.tasks = s.tasks[1:]
	if t.size > 0 {
		c.inbox.waiting--
		c.inbox.bytes -= t.size
		c.inbox.freeLocked()
	}
	return t, true
}

// A call is one event on its way through its handlers.
type call struct {
	s     *Socket
	life  *life
	event string
	raw   [][]byte
	bin   [][]byte
	keeps bool  // raw aliases no buffer
	id    int64 // of the answer; noAck if none was asked for
	ack   *answer
}

// calls holds calls for reuse: handlers get none.
var calls = sync.Pool{New: func() any { return new(call) }}

// args returns arguments that outlive the call.
func (c *call) args(from int) socketio.Args {
	if from >= len(c.raw) {
		return socketio.Args{}
	}
	if c.keeps {
		return socketio.ArgsFromWire(c.raw[from:], c.bin)
	}
	return socketio.ArgsFromWire(arguments.Clone(c.raw[from:]), c.bin)
}

// event has an event handled: at once on the reader's goroutine if no handler
// of the socket runs, else through the inbox.
func (k *conn) event(turn *eioclient.Turn, p *sio.Packet, bin [][]byte, size int64) {
	if p.Name == nil {
		return
	}
	c := k.c
	c.mu.Lock()
	s := c.socketLocked(p.Namespace)
	if s == nil || s.life == nil || s.life.k != k {
		c.mu.Unlock()
		return // in flight when we left, or none of ours
	}
	l := s.life
	offset := ""
	if p.ID == noAck && len(p.Args) > 0 && (s.pid != "" || s.state == joining) {
		if last, ok := stringOf(p.Args[len(p.Args)-1]); ok && len(last) <= maxIDs {
			offset = last
		}
	}
	if s.state == joining { // missed events come before the answer to CONNECT
		err := s.holdLocked(keepCall(l, p, bin, offset))
		c.mu.Unlock()
		if err != nil {
			k.fail(err)
		}
		return
	}
	if turn == nil || s.busy {
		c.mu.Unlock()
		t := keepCall(l, p, bin, offset)
		if !k.waitForSpace(turn, t.size) {
			return
		}
		c.mu.Lock()
		if s.life == l {
			s.advanceLocked(offset)
			c.enqueueLocked(s, t)
		}
		c.mu.Unlock()
		return
	}
	s.advanceLocked(offset)
	s.busy = true
	c.tasks.Add(1) // the handlers
	c.mu.Unlock()
	defer c.tasks.Done()
	turn.Begin()
	k.runOnTurn(turn, l, p, bin)
}

// holdLocked keeps an event until the answer to CONNECT.
func (s *Socket) holdLocked(t task) error {
	if s.heldBytes += t.size; s.heldBytes > s.client.opts.MaxPayload {
		return errHeld
	}
	s.held = append(s.held, t)
	return nil
}

// keepCall is a task whose call outlives the reader's buffer.
func keepCall(l *life, p *sio.Packet, bin [][]byte, offset string) task {
	raw := arguments.Clone(p.Args)
	t := task{call: &call{s: l.s, life: l, event: l.s.handlers.nameOf(p.Name), raw: raw, bin: bin, keeps: true, id: p.ID}, offset: offset}
	t.size = int64(len(p.Name)) + arguments.Size(raw, bin)
	return t
}

// runOnTurn runs the handlers of an event on the reader's goroutine, and what
// follows there if another goroutine has taken over the reading.
func (k *conn) runOnTurn(turn *eioclient.Turn, l *life, p *sio.Packet, bin [][]byte) {
	s := l.s
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a handler: this goroutine is lost
			k.session.Yield()
			s.client.spawn(s.drain)
		}
	}()
	c := calls.Get().(*call)
	*c = call{s: s, life: l, event: s.handlers.nameOf(p.Name), raw: p.Args, bin: bin, id: p.ID}
	s.run(c)
	returned = true
	*c = call{}
	calls.Put(c)
	if !turn.End() {
		s.drain()
		return
	}
	mu := &s.client.mu
	mu.Lock()
	if len(s.tasks) == 0 {
		s.busy = false
		mu.Unlock()
		return
	}
	mu.Unlock()
	s.client.spawn(s.drain)
}

// answered gives an answer to the call that awaits it. One for a callback waits
// for the handlers, and counts as an event.
func (k *conn) answered(turn *eioclient.Turn, p *sio.Packet, bin [][]byte) {
	c := k.c
	c.mu.Lock()
	s := k.memberLocked(p.Namespace, joined)
	if s == nil {
		c.mu.Unlock()
		return
	}
	pending := s.acks[p.ID]
	if pending == nil { // it comes too late, or twice
		var after []func()
		if s.deliveredLocked(p.ID, socketio.ArgsFromWire(arguments.Clone(p.Args), bin)) {
			after = s.deliverLocked()
		} else {
			c.dropped.LateAnswers++
		}
		c.mu.Unlock()
		runAll(after)
		return
	}
	args := socketio.ArgsFromWire(arguments.Clone(p.Args), bin)
	if pending.blocks {
		s.settleLocked(p.ID, pending, args, nil)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	if k.waitForSpace(turn, arguments.Size(p.Args, bin)) { // else Closed settles it
		s.settle(p.ID, args, nil)
	}
}

// An answer answers one event of the server, once, over the connection that the
// event came by.
type answer struct {
	s    *Socket
	life *life
	id   int64
	done atomic.Bool
}

func (c *call) answer() *answer {
	if c.ack == nil {
		c.ack = &answer{s: c.s, life: c.life, id: c.id}
	}
	return c.ack
}

// send is the AckFunc.
func (a *answer) send(args ...any) error {
	switch {
	case a.id == noAck:
		return nil
	case a.done.Load():
		return socketio.ErrAnswered
	}
	if len(args) == 1 {
		if err, ok := args[0].(error); ok {
			args = []any{a.s.refusal(err)}
		}
	}
	o, err := a.s.encode(sio.Ack, a.id, "", args)
	if err != nil {
		return err
	}
	if a.done.Swap(true) {
		return socketio.ErrAnswered
	}
	o.Tag, o.Gate, o.answer = o, &a.life.over, true
	a.s.client.emitted.Add(1)
	err = a.life.k.session.Send(&o.Message, false)
	if err == eioclient.ErrClosed {
		c := a.s.client
		c.mu.Lock()
		c.dropped.Closed++
		c.mu.Unlock()
		return ErrClosed
	}
	return a.s.refusedBy(err)
}

// A refusal is the answer that an error becomes.
type refusal struct {
	Error *socketio.Error `json:"error"`
}

// refusal reports err unless it is an *Error, whose text the server may read.
func (s *Socket) refusal(err error) refusal {
	if e, ok := publicError(err); ok {
		return refusal{e}
	}
	s.client.report(s, err)
	var decode *socketio.DecodeError
	if errors.As(err, &decode) {
		return refusal{&socketio.Error{Message: "bad arguments"}}
	}
	return refusal{&socketio.Error{Message: "internal error"}}
}

// publicError finds the *Error in err. Its methods are the application's.
func publicError(err error) (e *socketio.Error, ok bool) {
	defer func() {
		if recover() != nil {
			e, ok = nil, false
		}
	}()
	return e, errors.As(err, &e) && e != nil
}

// run has an event handled and answers it.
func (s *Socket) run(c *call) {
	returned := false
	defer func() {
		if !returned {
			err := newPanicError(c.event, errGoexit)
			_ = c.answer().send(error(err))
		}
	}()
	list, observers := s.handlers.of(c.event)
	for _, fn := range observers {
		s.client.guard(s, c.event, func() { (*fn)(c.event, c.args(0)) })
	}
	handled, answered, deferred := len(list) > 0, false, false
	for _, h := range list {
		results, err := s.invoke(h, c)
		deferred = deferred || h.Acks
		switch {
		case answered && err != nil:
			s.client.report(s, err)
		case answered:
		case err != nil:
			answered = true
			if c.id == noAck {
				if _, ok := publicError(err); !ok {
					s.client.report(s, err)
				}
			} else {
				_ = c.answer().send(err)
			}
		case h.Result:
			answered = true
			if c.id != noAck {
				s.check(c, c.answer().send(results...))
			}
		}
	}
	if c.id != noAck && handled && !answered && !deferred {
		s.check(c, c.answer().send())
	}
	returned = true
}

var errGoexit = errors.New("client: runtime.Goexit in a handler")

// check reports an answer that cannot be encoded.
func (s *Socket) check(c *call, err error) {
	switch err {
	case nil, ErrClosed, ErrBufferFull, socketio.ErrAnswered:
		return
	}
	s.client.report(s, err)
	_ = c.answer().send(refusal{&socketio.Error{Message: "internal error"}})
}

func (s *Socket) invoke(h *handler, c *call) (results []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(c.event, p)
		}
	}()
	return h.Run(c)
}

// guard calls a function of the application that is no handler.
func (c *Client) guard(s *Socket, what string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			c.report(s, newPanicError(what, p))
		}
	}()
	fn()
}

// call calls a function of Options on a goroutine of its own, which it may end.
func (c *Client) call(what string, fn func() error) (err error) {
	err = fmt.Errorf("client: %s: %w", what, errGoexit)
	done := make(chan struct{})
	go func() { // it has ended when call returns
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = newPanicError(what, p)
			}
		}()
		err = fn()
	}()
	<-done
	var p *socketio.PanicError
	if errors.As(err, &p) {
		c.report(nil, err)
	}
	return err
}

// attempt calls a function of the application, whose panic is an error.
func attempt(what string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(what, p)
		}
	}()
	return fn()
}
