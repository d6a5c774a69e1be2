package socketio

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/socketio-go/socketio/adapter"
)

// checkServerSide refuses the names that mean something on the server side. "error"
// is not among them, but not emitted either: it ends Node servers that do not handle it.
func checkServerSide(event string) error {
	switch event {
	case "connect", "connection", "new_namespace":
		return fmt.Errorf("%w %q", ErrReserved, event)
	}
	return nil
}

// ServerSideEmit sends an event to the other servers of the cluster, to those
// that have the namespace. It does not block, and they do not answer. The error is
// [ErrReserved] for a reserved name, says which argument can't be encoded, or wraps
// [ErrUnpublished]. As long as the server is not part of a cluster, nobody receives
// it.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	enc, err := beginServerSide(n, event, args)
	if err != nil {
		return err
	}
	defer enc.release()
	m := adapter.Message{Kind: adapter.Emit, Data: enc.payload(), Binary: enc.bin}
	return n.Broadcast().publishAll(m)
}

func beginServerSide(n *Namespace, event string, args []any) (*encoder, error) {
	if err := checkServerSide(event); err != nil {
		return nil, err
	}
	if event == "error" {
		return nil, fmt.Errorf("%w %q", ErrReserved, event)
	}
	if err := noCallbackOf(event, args, "ServerSideEmitWithAck returns the answers"); err != nil {
		return nil, err
	}
	return beginBusEvent(n, event, args)
}

// ServerSideEmitWithAck sends an event to the other servers and collects one
// reply from each until ctx ends, or for [Options.AckTimeout] if ctx has no
// deadline. A server that handles the event answers with its handler's result, or
// its refusal; one without a handler does not answer. Reply.From is the
// server's name, if the bus tells. The error, if some did not answer, is a
// *[NoResponseError]; the replies of the others are returned beside it. A server that is
// not part of a cluster is answered by nobody, at once.
func (n *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	enc, err := beginServerSide(n, event, args)
	if err != nil {
		return nil, err
	}
	defer enc.release()
	var replies []Reply
	m := adapter.Message{Kind: adapter.Emit, Data: enc.payload(), Binary: enc.bin}
	err = n.Broadcast().requestAll(ctx, m, func(m *adapter.Message) error {
		if m.Kind != adapter.Emitted {
			return errResponseKind
		}
		args, err := receivedArgs(m)
		replies = append(replies, Reply{From: m.From, Args: args, Err: err})
		return err
	})
	return replies, err
}

var errResponseKind = errors.New("the answer to another question")

// requestAll asks the other servers in every namespace that e stands for, all at
// once, and waits for the answers. take is called for one at a time, and not any
// more when inquire has returned.
func (e Emitter) requestAll(ctx context.Context, m adapter.Message, take func(*adapter.Message) error) error {
	ctx = e.ns.srv.guardContext(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	seats := e.clusterNamespaces()
	if len(seats) == 0 {
		return nil
	}
	ctx, cancel := e.ns.srv.withDeadline(ctx)
	defer cancel()
	deadline, _ := ctx.Deadline()
	var taking sync.Mutex
	takeOne := func(m *adapter.Message) error {
		taking.Lock()
		defer taking.Unlock()
		return take(m)
	}
	errs := make([]error, len(seats))
	var waiting sync.WaitGroup
	for i, s := range seats {
		one := e.busMessage(m)
		one.Timeout = untilDeadline(deadline)
		q, err := s.sendRequest(one, takeOne)
		if err != nil {
			errs[i] = err
			continue
		}
		waiting.Go(func() { errs[i] = q.wait(ctx) })
	}
	waiting.Wait()
	return errors.Join(errs...)
}

// OnServerSide registers handler for an event that another server of the cluster
// sends with [Namespace.ServerSideEmit], and returns a function that removes it.
// The shapes are those of On less the socket. The events of a namespace are
// handled one after another, so a handler that waits for another server must
// not be waited for by that one. The context ends with the server. It panics
// if handler has another shape, or if no server could emit the event.
func (n *Namespace) OnServerSide(event string, handler any) (off func()) {
	if err := checkServerSide(event); err != nil {
		panic(fmt.Sprintf("socketio: OnServerSide: %v", err))
	}
	return n.registerServerSide(event, compileServerSide(event, handler))
}

func (n *Namespace) registerServerSide(event string, h *handler) (off func()) {
	return n.serverSide.add(event, h)
}

func compileServerSide(event string, fn any) *handler {
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		panic(fmt.Sprintf("socketio: OnServerSide(%q): %T is not a function", event, fn))
	}
	p, problem := newPlan(v)
	if problem == "" && p.socket {
		problem = "there is no socket"
	}
	if problem != "" {
		panic(fmt.Sprintf("socketio: OnServerSide(%q): %T: %s", event, fn, problem))
	}
	return &handler{run: p.run, result: p.result, acks: p.ack}
}

// A serverEvent is one event of another server on its way to its handlers.
type serverEvent struct {
	from *adapter.Message // what is answered; its data is not kept
	name string
	args Args
}

// maxServerEvents bounds those that wait for handlers.
const maxServerEvents = 1024

// enqueueServerEvent queues an event of another server for its handlers.
func (s *clusterNamespace) enqueueServerEvent(m *adapter.Message) error {
	args, err := receivedArgs(m)
	if err != nil {
		return err
	}
	var name string
	if args.Len() == 0 || decodeArg(args.raw[0], nil, &name) != nil {
		return errors.New("an event without a name")
	}
	args.raw = args.raw[1:]
	ev := serverEvent{from: &adapter.Message{From: m.From, ID: m.ID}, name: name, args: args}
	s.mu.Lock()
	full := len(s.inbox) >= maxServerEvents
	start := !full && !s.stopped && !s.busy
	if !full && !s.stopped {
		s.inbox = append(s.inbox, ev)
		s.busy = true
	}
	s.mu.Unlock()
	if full {
		s.Lost(1, errors.New("handlers of server-side events are too slow"))
	}
	if start {
		s.ns.srv.engine.Go(s.drain)
	}
	return nil
}

// stop gives up the events of other servers, but not what is being
// handled, and the questions to them.
func (s *clusterNamespace) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.inbox = nil
	s.cancel()
	s.status.leave()
}

// drain handles the events that wait, until there is none.
func (s *clusterNamespace) drain() {
	var name string
	var ack *response
	protect(func() {
		for {
			s.mu.Lock()
			if len(s.inbox) == 0 {
				s.busy, s.inbox = false, nil
				s.mu.Unlock()
				return
			}
			ev := s.inbox[0]
			s.inbox = s.inbox[1:]
			s.mu.Unlock()
			name, ack = ev.name, s.answerTo(ev)
			s.handle(ev, ack)
		}
	}, func(value any) {
		defer s.ns.srv.engine.Go(s.drain)
		failed := failure{err: s.ns.srv.panicked(name, value)}
		s.ns.srv.reportFailure(nil, failed)
		_ = ack.sendError(failed.shown())
	})
}

// answerTo returns the answer to an event, if one was asked for.
func (s *clusterNamespace) answerTo(ev serverEvent) *response {
	ack := &response{id: noAck, srv: s.ns.srv}
	if ev.from.ID != "" {
		ack.id = 0
		ack.respond = func(args Args) {
			s.respond(ev.from, adapter.Message{Kind: adapter.Emitted, Data: args.array(), Binary: args.bin})
		}
	}
	return ack
}

// handle runs the handlers of an event, the namespace's and those of its
// template. The first result or error is the answer.
func (s *clusterNamespace) handle(ev serverEvent, ack *response) {
	lists := [][]*handler{s.ns.serverSide.of([]byte(ev.name))}
	if s.ns.parent != nil {
		lists = append(lists, s.ns.parent.serverSide.of([]byte(ev.name)))
	}
	var o outcome
	for _, list := range lists {
		for _, h := range list {
			results, failed := s.ns.srv.invoke(h, &call{event: ev.name, raw: ev.args.raw, bin: ev.args.bin, id: ack.id, ownsArgs: true, ctx: s.ctx, ack: ack})
			s.ns.srv.reportFailure(nil, o.add(h, results, failed))
		}
	}
	switch {
	case !o.handled || o.deferred && !o.answered:
	case o.failed.err != nil:
		s.ns.srv.reportFailure(nil, o.failed)
		_ = ack.sendError(o.failed.shown()) // unless an AckFunc was faster
	default:
		if err := ack.send(o.results...); err != nil && err != ErrAnswered {
			failed := s.ns.srv.examine(ev.name, err)
			s.ns.srv.reportError(nil, failed.err)
			_ = ack.sendError(failed.shown())
		}
	}
}
