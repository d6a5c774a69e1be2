package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/eioclient"
	"github.com/socketio-go/socketio/internal/sio"
)

const noAck = -1

// Emit sends an event. Arguments are those of the server's Emit: what
// encoding/json takes, []byte at any depth, and Args. They are encoded before
// Emit returns. While the namespace is not joined, [Options.Offline] decides.
// Emit does not wait for the network; nil means queued or buffered.
//
// A last argument of the type func(socketio.Args, error) gets the answer, or the
// error of [Socket.EmitWithAck], on the goroutine of the handlers.
//
// The errors are [ErrClosed], [ErrOffline], [ErrBufferFull], [ErrTooBig],
// [ErrTooManyAcks] and [socketio.ErrReserved], or say which argument cannot be
// encoded.
func (s *Socket) Emit(event string, args ...any) error {
	if n := len(args); n > 0 {
		if fn, ok := args[n-1].(func(socketio.Args, error)); ok && fn != nil {
			return s.emitWithCallback(event, args[:n-1], fn)
		}
	}
	return s.emit(event, args, false)
}

func (s *Socket) emit(event string, args []any, volatile bool) error {
	o, err := s.encodeEvent(event, args, noAck)
	if err != nil {
		return err
	}
	o.volatile = volatile
	return s.send(o)
}

// encodeEvent encodes an EVENT.
func (s *Socket) encodeEvent(event string, args []any, id int64) (*outgoing, error) {
	if sio.Reserved(event) {
		return nil, fmt.Errorf("%w %q", socketio.ErrReserved, event)
	}
	o, err := s.encode(sio.Event, id, event, args)
	if err != nil {
		return nil, err
	}
	o.ack = id
	return o, nil
}

// Volatile returns a target whose events are dropped unless they can be written
// at once: while offline, or while anything else waits to be written.
func (s *Socket) Volatile() socketio.Target { return volatile{s} }

type volatile struct{ s *Socket }

func (v volatile) Emit(event string, args ...any) error { return v.s.emit(event, args, true) }

// send sends or buffers an event.
func (s *Socket) send(o *outgoing) error {
	c := s.client
	o.Tag = o
	c.emitted.Add(1)
	if c.refusing.Load() {
		return s.refusedBy(ErrClosed)
	}
	if l := s.live.Load(); l != nil {
		o.Gate = &l.over
		err := l.k.session.Send(&o.Message, o.volatile)
		if err != eioclient.ErrClosed {
			return s.refusedBy(err)
		}
	}
	c.mu.Lock()
	var flush bool
	var err error
	l := s.live.Load()
	if l != nil { // it has been joined meanwhile, or the connection is about to be lost
		o.Gate = &l.over
		flush, err = l.k.session.Queue(&o.Message, o.volatile)
	}
	if l == nil || err == eioclient.ErrClosed {
		err = s.sendLocked(o)
		c.mu.Unlock()
		return err
	}
	c.mu.Unlock()
	if flush {
		l.k.session.Flush()
	}
	return s.refusedBy(err)
}

// refusedBy counts an event that the connection did not take.
func (s *Socket) refusedBy(err error) error {
	switch err {
	case nil:
		return nil
	case eioclient.ErrDropped:
		s.client.volatile.Add(1)
		return nil
	}
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped.Refused++
	switch err {
	case eioclient.ErrQueueFull:
		return ErrBufferFull
	case eioclient.ErrTooBig:
		return ErrTooBig
	}
	return err
}

// sendLocked is what send does while there is no live connection.
func (s *Socket) sendLocked(o *outgoing) error {
	c := s.client
	switch {
	case c.refusing.Load():
		c.dropped.Refused++
		return ErrClosed
	case o.ack != noAck && s.acks[o.ack] == nil: // the wait has ended already
		c.dropped.Expired++
		return nil
	case o.volatile:
		c.volatile.Add(1)
		return nil
	case c.opts.Offline == Drop:
		c.dropped.Offline++
		return nil
	case c.opts.Offline == Refuse:
		c.dropped.Refused++
		return ErrOffline
	case c.buffered+o.Size() > c.opts.MaxBuffer:
		c.dropped.Refused++
		return ErrBufferFull
	}
	o.at = time.Now()
	s.buffer = append(s.buffer, o)
	c.buffered += o.Size()
	return nil
}

// maxPendingAcks bounds the answers that one namespace awaits.
const maxPendingAcks = 1024

// A pendingAck is an answer that is awaited. It is settled once.
type pendingAck struct {
	settle func(socketio.Args, error)
	timer  *time.Timer // nil if a context bounds the wait
	blocks bool        // a goroutine waits in EmitWithAck; else settle runs in the inbox
}

// ackID returns the id of an answer.
func (s *Socket) ackID() int64 {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	id := s.nextAck
	s.nextAck++
	return id
}

// awaitAck registers a pending answer.
func (s *Socket) awaitAck(id int64, p *pendingAck, timeout time.Duration) error {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.refusing.Load():
		return ErrClosed
	case len(s.acks) >= maxPendingAcks:
		return ErrTooManyAcks
	}
	if timeout > 0 {
		p.timer = time.AfterFunc(timeout, func() {
			s.settle(id, socketio.Args{}, context.DeadlineExceeded)
			s.unbuffer(id)
		})
	}
	if s.acks == nil {
		s.acks = make(map[int64]*pendingAck)
	}
	s.acks[id] = p
	if p.blocks {
		c.inbox.awaited++
		c.inbox.freeLocked()
	}
	return nil
}

// forgetLocked takes back an id.
func (s *Socket) forgetLocked(id int64, p *pendingAck) {
	delete(s.acks, id)
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.blocks {
		s.client.inbox.awaited--
	}
	s.client.changedLocked()
}

// settleLocked takes back an id, and gives p its outcome.
func (s *Socket) settleLocked(id int64, p *pendingAck, args socketio.Args, err error) {
	s.forgetLocked(id, p)
	if p.blocks {
		p.settle(args, err)
		return
	}
	t := task{fn: func() { p.settle(args, err) }}
	if n := args.Len(); n > 0 {
		for i := range n {
			t.size += int64(len(args.Raw(i))) + 24
		}
		for _, b := range args.Binary() {
			t.size += int64(len(b)) + 24
		}
	}
	s.client.enqueueLocked(s, t)
}

// settle gives a pending answer its outcome. It reports whether it was pending.
func (s *Socket) settle(id int64, args socketio.Args, err error) bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	p := s.acks[id]
	if p != nil {
		s.settleLocked(id, p, args, err)
	}
	return p != nil
}

// EmitWithAck sends an event and waits for the server's answer until ctx ends,
// or for [Options.AckTimeout] if ctx has no deadline. It may be called by a
// handler. The error is that of ctx, a *[LostError] if the connection ends before
// the answer, or one of [Socket.Emit]. An event that is buffered waits for the
// connection as long as ctx allows.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (socketio.Args, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.client.opts.AckTimeout)
		defer cancel()
	}
	type reply struct {
		args socketio.Args
		err  error
	}
	replies := make(chan reply, 1)
	settle := func(args socketio.Args, err error) { replies <- reply{args, err} }
	id, err := s.ask(event, args, &pendingAck{settle: settle, blocks: true}, 0)
	if err != nil {
		return socketio.Args{}, err
	}
	s.client.yield()
	select {
	case r := <-replies:
		return r.args, r.err
	case <-ctx.Done():
		s.settle(id, socketio.Args{}, ctx.Err())
		s.unbuffer(id)
		r := <-replies // the answer may have come at the same time
		return r.args, r.err
	}
}

// ask emits an event whose answer is pending.
func (s *Socket) ask(event string, args []any, p *pendingAck, timeout time.Duration) (int64, error) {
	id := s.ackID()
	o, err := s.encodeEvent(event, args, id)
	if err != nil {
		return 0, err
	}
	if err := s.awaitAck(id, p, timeout); err != nil {
		return 0, err
	}
	err = s.send(o)
	if err != nil {
		c := s.client
		c.mu.Lock()
		if s.acks[id] == p {
			s.forgetLocked(id, p)
		}
		c.mu.Unlock()
	}
	return id, err
}

func (s *Socket) emitWithCallback(event string, args []any, fn func(socketio.Args, error)) error {
	settle := func(args socketio.Args, err error) {
		s.client.guard(s, event, func() { fn(args, err) })
	}
	_, err := s.ask(event, args, &pendingAck{settle: settle}, s.client.opts.AckTimeout)
	return err
}

// unbuffer drops an event whose answer is not awaited any more, if it was not
// sent.
func (s *Socket) unbuffer(id int64) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range s.buffer {
		if o.ack == id {
			c.dropBufferedLocked(o, &c.dropped.Expired)
			s.buffer = append(s.buffer[:i:i], s.buffer[i+1:]...)
			c.changedLocked()
			return
		}
	}
}

// yield lets another goroutine read on, if this one is a handler that the reader
// runs.
func (c *Client) yield() {
	c.mu.Lock()
	k := c.conn
	c.mu.Unlock()
	if k != nil {
		k.session.Yield()
	}
}

// encoding says how arguments are encoded.
var encoding = &arguments.Options{
	Args: func(v any) (list arguments.List, ok bool) {
		args, ok := v.(socketio.Args)
		if !ok {
			return list, false
		}
		list.Bin = args.Binary()
		for i := range args.Len() {
			list.Raw = append(list.Raw, args.Raw(i))
		}
		return list, true
	},
	Panicked: func(value any) error { return newPanicError("", value) },
}

// encode encodes an EVENT or an ACK. event is not used for an ACK.
func (s *Socket) encode(t sio.Type, id int64, event string, args []any) (*outgoing, error) {
	e := arguments.NewEncoder(encoding, arguments.Keep)
	defer e.Release()
	var err error
	if t == sio.Event {
		err = e.Event(event, args)
	} else {
		err = e.Ack(args)
	}
	if err != nil {
		return nil, err
	}
	packet := e.Packet(t, s.namespace, id, "")
	text := append(eioclient.AppendType(make([]byte, 0, 1+len(packet))), packet...)
	var bin [][]byte
	for _, b := range e.Attachments() {
		bin = append(bin, append(make([]byte, 0, len(b)), b...))
	}
	o := &outgoing{s: s, ack: noAck}
	if o.Message, err = s.client.newMessage(text, bin); err != nil {
		if t == sio.Event {
			return nil, fmt.Errorf("client: event %q: %w", event, err)
		}
		return nil, fmt.Errorf("client: ack: %w", err)
	}
	if hook := s.client.opts.Hooks.PacketOut; hook != nil {
		s.client.observeOut(hook, text[1:], bin)
	}
	return o, nil
}

// newMessage returns the message that a packet is sent as. text begins with the
// type of the Engine.IO packet.
func (c *Client) newMessage(text []byte, bin [][]byte) (m eioclient.Message, err error) {
	if c.opts.Codec == nil {
		return eioclient.NewMessage(text, bin), nil
	}
	var encoded []byte
	var binary bool
	err = attempt("Codec", func() (err error) {
		encoded, binary, err = c.opts.Codec.Encode(text[1:], bin)
		return err
	})
	switch {
	case err != nil:
		return m, err
	case binary:
		return eioclient.NewBinaryMessage(encoded), nil
	}
	return eioclient.NewMessage(append(eioclient.AppendType(nil), encoded...), nil), nil
}

// observeOut calls the hook for a packet that is about to be sent.
func (c *Client) observeOut(hook func(Packet), text []byte, bin [][]byte) {
	var p sio.Packet
	if p.Decode(text, sio.Limits{Attachments: len(bin)}) == nil {
		c.observe(hook, &p, bin)
	}
}

// report tells the application of an error.
func (c *Client) report(s *Socket, err error) {
	var p *socketio.PanicError
	logger := c.opts.logger()
	defer func() { _ = recover() }() // of a Logger or OnError
	attrs := []any{"err", err}
	if s != nil {
		attrs = append(attrs, "namespace", s.namespace)
	}
	if errors.As(err, &p) {
		logger.Error("socketio client: panic", append(attrs, "stack", string(p.Stack))...)
	} else {
		logger.Warn("socketio client", attrs...)
	}
	if fn := c.opts.OnError; fn != nil {
		fn(s, err)
	}
}
