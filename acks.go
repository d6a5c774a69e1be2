package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/sio"
)

const withAckInstead = "the ack is returned"

// A response is what a handler sends back for an event with an ack id. It is sent
// at most once.
type response struct {
	socket  *Socket
	id      int64
	respond func(Args) // sends it to another server; nil for a client
	srv     *Server    // set for another server
	counted bool       // an AckFunc must send it: it counts in Socket.owed
	sent    atomic.Bool
}

// ack is the AckFunc.
func (a *response) ack(args ...any) error {
	if len(args) == 1 {
		if err, ok := args[0].(error); ok {
			srv := a.srv
			if srv == nil {
				srv = a.socket.ns.srv
			}
			failed := srv.examine("", err)
			srv.reportFailure(a.socket, failed)
			return a.sendError(failed.shown())
		}
	}
	return a.send(args...)
}

// send sends args as the ack.
func (a *response) send(args ...any) error {
	if a.id == noAck {
		return nil
	}
	if err := noCallback("ack", args, "an ack has no ack"); err != nil {
		return err
	}
	for i, arg := range args {
		if err, ok := arg.(error); ok && !arguments.EncodesItself(reflect.TypeOf(err)) {
			return fmt.Errorf("socketio: ack, argument %d: a %T is an error, which must be the only argument", i, err)
		}
	}
	if a.respond != nil {
		return a.sendToServer(a.respond, args)
	}
	m, err := encodeAck(a.socket.ns, a.id, args)
	if err != nil {
		return err
	}
	if a.sent.Swap(true) {
		return ErrAnswered
	}
	if a.counted {
		a.socket.unsentAcks.Add(-1)
	}
	return a.socket.send(m, sio.Ack, "", false)
}

// sendToServer sends args to the server that emitted the event.
func (a *response) sendToServer(respond func(Args), args []any) error {
	encoded, err := a.srv.argsOf(args)
	if err != nil {
		return err
	}
	if a.sent.Swap(true) {
		return ErrAnswered
	}
	respond(encoded)
	return nil
}

// sendError sends e as the ack.
func (a *response) sendError(e *Error) error {
	return a.send(struct {
		Error *Error `json:"error"`
	}{e})
}

// errorIn returns the *Error that an ack holds, or nil.
func errorIn(args Args) *Error {
	var body struct {
		Error *Error `json:"error"`
	}
	raw := args.Raw(0)
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &body) != nil || body.Error == nil {
		return nil
	}
	return body.Error
}

// maxPendingAcks bounds the pending acks of one socket.
const maxPendingAcks = 1024

// A pendingAck is an ack that a socket waits for. It is settled once: by the ack,
// a timeout or a disconnect.
type pendingAck struct {
	settle func(Args, error)
	fn     func(Args, error) // the callback, which settle runs in the inbox; nil for EmitWithAck
	timer  *time.Timer       // nil for EmitWithAck, which waits with a context
	done   func(error)       // calls Hooks.Ack, before settle; nil without that hook
}

// notify calls Hooks.Ack with the outcome.
func (p *pendingAck) notify(err error) {
	if p.done != nil {
		p.done(err)
	}
}

// registerAck registers a pending ack under the socket's next id, or under the given
// id of a broadcast. p.settle is called once, unless takeAck removes the ack first;
// it must not block. A timeout of 0 means none.
func (s *Socket) registerAck(id int64, timeout time.Duration, p *pendingAck) (int64, error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.state.Load() != stateConnected:
		return 0, ErrClosed
	case len(s.acks) >= maxPendingAcks:
		return 0, ErrTooManyAcks
	}
	if id == noAck {
		id = s.nextAck
		s.nextAck++
	}
	if timeout > 0 {
		p.timer = time.AfterFunc(timeout, func() { s.settleAck(id, Args{}, context.DeadlineExceeded) })
	}
	if s.acks == nil {
		s.acks = make(map[int64]*pendingAck)
	}
	s.acks[id] = p
	if p.fn == nil {
		c.blockingAcks++
		c.signalSpaceLocked()
	}
	return id, nil
}

// takeAck removes a pending ack. It reports whether the ack was still pending.
func (s *Socket) takeAck(id int64) (*pendingAck, bool) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	p, ok := s.acks[id]
	delete(s.acks, id)
	if ok && p.fn == nil {
		s.conn.blockingAcks--
	}
	if ok && p.timer != nil {
		p.timer.Stop()
	}
	return p, ok
}

// settleAck settles a pending ack. Unknown ids are ignored: the ack may be late.
func (s *Socket) settleAck(id int64, args Args, err error) {
	if p, ok := s.takeAck(id); ok {
		p.notify(err)
		p.settle(args, err)
	}
}

// withDeadline limits a wait for acks to AckTimeout, unless ctx has a deadline.
func (srv *Server) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = srv.guardContext(ctx)
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, srv.opts.AckTimeout)
}

// emitWithCallback emits an event and passes its ack to fn.
func (s *Socket) emitWithCallback(event string, args []any, fn func(Args, error)) error {
	settle := func(args Args, err error) { s.conn.enqueue(s, task{fn: func() { fn(args, err) }}) }
	id, err := s.registerAck(noAck, s.ns.srv.opts.AckTimeout, &pendingAck{settle: settle, fn: fn, done: s.ackTimer(event)})
	if err != nil {
		return err
	}
	if err := s.emitWithID(id, event, args); err != nil {
		if _, ok := s.takeAck(id); ok {
			return err
		} // else the callback gets the error
	}
	return nil
}

// emitWithID emits an event with an id from registerAck.
func (s *Socket) emitWithID(id int64, event string, args []any) error {
	m, err := encodeEvent(s.ns, id, event, args)
	if err != nil {
		return err
	}
	out := s.ns.outgoing(event, m, true)
	err = s.send(m, sio.Event, event, false)
	out.notify(s)
	return err
}

// EmitWithAck sends an event and waits for the client's ack until ctx ends,
// or for [Options.AckTimeout] if ctx has no deadline. It may be called from a
// handler of the same socket. The limit [Options.MaxInbox] is 16 times as high
// while it waits; acks behind that many events are not read before the handler
// returns.
//
// The error is ctx's, [ErrClosed] when the socket disconnects first,
// [ErrTooManyAcks] when 1024 acks are pending already, or one of [Socket.Emit]. An
// ack that holds an [Error] is returned like any other; [Call.Do] returns that Error.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	if err := checkEvent(event); err != nil {
		return Args{}, err
	}
	if err := noCallbackOf(event, args, withAckInstead); err != nil {
		return Args{}, err
	}
	ctx, cancel := s.ns.srv.withDeadline(ctx)
	defer cancel()
	type reply struct {
		args Args
		err  error
	}
	replies := make(chan reply, 1)
	settle := func(args Args, err error) { replies <- reply{args, err} }
	id, err := s.registerAck(noAck, 0, &pendingAck{settle: settle, done: s.ackTimer(event)})
	if err != nil {
		return Args{}, err
	}
	if err := s.emitWithID(id, event, args); err != nil {
		s.takeAck(id)
		return Args{}, err
	}
	s.conn.session.Yield() // this may be the reader's goroutine: another one must read
	select {
	case r := <-replies:
		return r.args, r.err
	case <-ctx.Done():
		if p, ok := s.takeAck(id); ok {
			p.notify(ctx.Err())
			return Args{}, ctx.Err()
		}
		r := <-replies // the ack arrived at the same time
		return r.args, r.err
	}
}
