package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/sio"
)

const withAckInstead = "the answer is returned"

// A response is what the client gets for an event with an ack id. It is given
// once.
type response struct {
	socket  *Socket
	id      int64
	respond func(Args) // to another server, in place of the client; nil for a client
	srv     *Server    // that of give
	owed    bool       // an AckFunc is to give it; see Socket.owed
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

// send answers with data.
func (a *response) send(args ...any) error {
	if a.id == noAck {
		return nil
	}
	if err := noCallback("answer", args, "an answer is not answered"); err != nil {
		return err
	}
	for i, arg := range args {
		if err, ok := arg.(error); ok && !encodesItself(reflect.TypeOf(err)) {
			return fmt.Errorf("socketio: answer, argument %d: a %T is an error: it refuses as the only argument, and is no data", i, err)
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
	if a.owed {
		a.socket.owed.Add(-1)
	}
	return a.socket.send(m, sio.Ack, "", false)
}

// sendToServer answers another server.
func (a *response) sendToServer(give func(Args), args []any) error {
	encoded, err := argsOf(a.srv, args)
	if err != nil {
		return err
	}
	if a.sent.Swap(true) {
		return ErrAnswered
	}
	give(encoded)
	return nil
}

// sendError answers with an error.
func (a *response) sendError(e *Error) error {
	return a.send(struct {
		Error *Error `json:"error"`
	}{e})
}

// errorIn returns the *Error that an answer consists of, if it does.
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

// maxPendingAcks bounds the answers that one socket awaits.
const maxPendingAcks = 1024

// A pendingAck is an answer that a socket awaits. It is settled once.
type pendingAck struct {
	settle func(Args, error)
	fn     func(Args, error) // what settle has the handlers' goroutine call; nil if somebody waits
	timer  *time.Timer       // nil if somebody waits with a context
	done   func(error)       // Hooks.Ack, told before anybody else; nil if it isn't set
}

// notify tells the hooks how the waiting has ended.
func (p *pendingAck) notify(err error) {
	if p.done != nil {
		p.done(err)
	}
}

// registerAck reserves an id for an answer: the socket's next one, or the given id
// of a broadcast. p.settle is called once, unless forgetAck is called before; it
// must not block. The answer is awaited as long as it takes if timeout is 0.
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

// takeAck takes back an id. It reports whether it was still awaited.
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

// settleAck gives an answer to who awaits it. Unknown ids are ignored: the
// answer may have come too late.
func (s *Socket) settleAck(id int64, args Args, err error) {
	if p, ok := s.takeAck(id); ok {
		p.notify(err)
		p.settle(args, err)
	}
}

// withDeadline bounds a wait for answers by AckTimeout, unless ctx does.
func (srv *Server) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = srv.guardContext(ctx)
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, srv.opts.AckTimeout)
}

// emitWithCallback emits an event whose answer goes to fn.
func (s *Socket) emitWithCallback(event string, args []any, fn func(Args, error)) error {
	settle := func(args Args, err error) { s.conn.enqueue(s, task{fn: func() { fn(args, err) }}) }
	id, err := s.registerAck(noAck, s.ns.srv.opts.AckTimeout, &pendingAck{settle: settle, fn: fn, done: s.ackTimer(event)})
	if err != nil {
		return err
	}
	if err := s.emitWithID(id, event, args); err != nil {
		if _, ok := s.takeAck(id); ok {
			return err
		} // else the callback hears of it
	}
	return nil
}

// emitWithID emits an event with an id from awaitAck.
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

// EmitWithAck sends an event and waits for the client's answer until ctx ends,
// or for [Options.AckTimeout] if ctx has no deadline. It may be called from a
// handler of the same socket; but when [Options.MaxInbox] events wait for that
// handler, answers behind them are not read before it returns. The error is
// ctx's, [ErrClosed] when the socket leaves first, [ErrTooManyAcks] when 1024 acks
// are pending already, or one of [Socket.Emit].
//
// An answer that refuses is returned like any other; [Call.Do] tells it apart.
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
	s.conn.session.Yield() // we may be in a handler that the reader runs
	select {
	case r := <-replies:
		return r.args, r.err
	case <-ctx.Done():
		if p, ok := s.takeAck(id); ok {
			p.notify(ctx.Err())
			return Args{}, ctx.Err()
		}
		r := <-replies // it came at the same time
		return r.args, r.err
	}
}
