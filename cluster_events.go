package socketio

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/plan"
)

// checkServerSide returns an error for names that have a meaning on the server side.
// "error" has none, but beginServerSide refuses it: a Node server exits if it does
// not handle it.
func checkServerSide(event string) error {
	switch event {
	case "connect", "connection", "new_namespace":
		return fmt.Errorf("%w %q", ErrReserved, event)
	}
	return nil
}

// ServerSideEmit sends an event to the other servers of the cluster that have the
// namespace. It does not block, and there is no response. The error is
// [ErrReserved] for a reserved name, says which argument can't be encoded, or wraps
// [ErrUnpublished]. Without a cluster no server receives the event.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	enc, err := beginServerSide(n, event, args)
	if err != nil {
		return err
	}
	defer enc.Release()
	m := adapter.Message{Kind: adapter.Emit, Data: enc.Payload(), Binary: enc.Attachments()}
	return n.Broadcast().publishAll(m)
}

func beginServerSide(n *Namespace, event string, args []any) (*encoder, error) {
	if err := checkServerSide(event); err != nil {
		return nil, err
	}
	if event == "error" {
		return nil, fmt.Errorf("%w %q", ErrReserved, event)
	}
	if err := noCallbackOf(event, args, "ServerSideEmitWithAck returns the replies"); err != nil {
		return nil, err
	}
	return beginBusEvent(n, event, args)
}

// ServerSideEmitWithAck sends an event to the other servers and collects one
// reply from each until ctx ends, or for [Options.AckTimeout] if ctx has no
// deadline. A server replies with its handler's result or error; a server without
// a handler does not reply. Reply.From is the server's name, if the bus knows it.
//
// If some servers did not reply, the error is a *[NoResponseError], and the replies
// of the others are returned beside it. Without a cluster it returns at once,
// without replies.
func (n *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	enc, err := beginServerSide(n, event, args)
	if err != nil {
		return nil, err
	}
	defer enc.Release()
	var replies []Reply
	m := adapter.Message{Kind: adapter.Emit, Data: enc.Payload(), Binary: enc.Attachments()}
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

var errResponseKind = errors.New("the response is of another kind than the request")

// requestAll sends a request in every namespace of e, concurrently, and waits for
// the responses. onResponse is called for one response at a time, and not after
// requestAll has returned.
func (e Emitter) requestAll(ctx context.Context, m adapter.Message, onResponse func(*adapter.Message) error) error {
	ctx = e.ns.srv.guardContext(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	namespaces := e.clusterNamespaces()
	if len(namespaces) == 0 {
		return nil
	}
	ctx, cancel := e.ns.srv.withDeadline(ctx)
	defer cancel()
	deadline, _ := ctx.Deadline()
	var mu sync.Mutex
	onOne := func(m *adapter.Message) error {
		mu.Lock()
		defer mu.Unlock()
		return onResponse(m)
	}
	errs := make([]error, len(namespaces))
	var waiting sync.WaitGroup
	for i, cn := range namespaces {
		one := e.busMessage(m)
		one.Timeout = untilDeadline(deadline)
		req, err := cn.sendRequest(one, onOne)
		if err != nil {
			errs[i] = err
			continue
		}
		waiting.Go(func() { errs[i] = req.wait(ctx) })
	}
	waiting.Wait()
	return errors.Join(errs...)
}

// OnServerSide registers handler for an event that another server of the cluster
// sends with [Namespace.ServerSideEmit], and returns a function that removes it.
// The signatures are those of On, without the socket. The events of a namespace are
// handled one after another: two servers whose handlers wait for each other
// block until their contexts end. The context ends with the server. OnServerSide
// panics if handler has another signature, or if no server can emit the event.
func (n *Namespace) OnServerSide(event string, handler any) (off func()) {
	if err := checkServerSide(event); err != nil {
		panic(fmt.Sprintf("socketio: OnServerSide: %v", err))
	}
	return n.registerServerSide(event, compileServerSide(event, handler))
}

func (n *Namespace) registerServerSide(event string, h *handler) (off func()) {
	return n.serverSide.Add(event, h)
}

func compileServerSide(event string, fn any) *handler {
	h, err := plan.Compile[*call](serverSideShape, fn)
	if err != nil {
		panic(fmt.Sprintf("socketio: OnServerSide(%q): %v", event, err))
	}
	return h
}

// A serverEvent is a server-side event that waits for its handlers.
type serverEvent struct {
	from *adapter.Message // its sender and request id; its data is not kept
	name string
	args Args
}

// maxServerEvents bounds the server-side events that wait for handlers.
const maxServerEvents = 1024

// enqueueServerEvent queues an event of another server for its handlers.
func (cn *clusterNamespace) enqueueServerEvent(m *adapter.Message) error {
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
	cn.mu.Lock()
	full := len(cn.inbox) >= maxServerEvents
	start := !full && !cn.stopped && !cn.busy
	if !full && !cn.stopped {
		cn.inbox = append(cn.inbox, ev)
		cn.busy = true
	}
	cn.mu.Unlock()
	if full {
		cn.Lost(1, errors.New("handlers of server-side events are too slow"))
	}
	if start {
		cn.ns.srv.engine.Go(cn.drain)
	}
	return nil
}

// stop discards the server-side events that wait, and cancels the requests. A
// handler that runs is not interrupted, but its context ends.
func (cn *clusterNamespace) stop() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.stopped = true
	cn.inbox = nil
	cn.cancel()
	cn.status.leave()
}

// drain handles server-side events until none waits.
func (cn *clusterNamespace) drain() {
	var name string
	var ack *response
	protect(func() {
		for {
			cn.mu.Lock()
			if len(cn.inbox) == 0 {
				cn.busy, cn.inbox = false, nil
				cn.mu.Unlock()
				return
			}
			ev := cn.inbox[0]
			cn.inbox = cn.inbox[1:]
			cn.mu.Unlock()
			name, ack = ev.name, cn.responseTo(ev)
			cn.handle(ev, ack)
		}
	}, func(value any) {
		defer cn.ns.srv.engine.Go(cn.drain)
		failed := failure{err: cn.ns.srv.panicked(name, value)}
		cn.ns.srv.reportFailure(nil, failed)
		_ = ack.sendError(failed.shown())
	})
}

// responseTo returns the response to an event. It sends nothing if none was
// requested.
func (cn *clusterNamespace) responseTo(ev serverEvent) *response {
	ack := &response{id: noAck, srv: cn.ns.srv}
	if ev.from.ID != "" {
		ack.id = 0
		ack.respond = func(args Args) {
			cn.respond(ev.from, adapter.Message{Kind: adapter.Emitted, Data: args.array(), Binary: args.bin})
		}
	}
	return ack
}

// handle runs the handlers of an event, the namespace's and those of its
// template. The first result or error is the response.
func (cn *clusterNamespace) handle(ev serverEvent, ack *response) {
	lists := [][]*handler{cn.ns.serverSide.Of([]byte(ev.name))}
	if cn.ns.parent != nil {
		lists = append(lists, cn.ns.parent.serverSide.Of([]byte(ev.name)))
	}
	var o outcome
	for _, list := range lists {
		for _, h := range list {
			results, failed := cn.ns.srv.invoke(h, &call{event: ev.name, raw: ev.args.raw, bin: ev.args.bin, id: ack.id, ownsArgs: true, ctx: cn.ctx, ack: ack})
			cn.ns.srv.reportFailure(nil, o.add(h, results, failed))
		}
	}
	switch {
	case !o.handled || o.deferred && !o.answered:
	case o.failed.err != nil:
		cn.ns.srv.reportFailure(nil, o.failed)
		_ = ack.sendError(o.failed.shown()) // fails if an AckFunc has responded
	default:
		if err := ack.send(o.results...); err != nil && err != ErrAnswered {
			failed := cn.ns.srv.examine(ev.name, err)
			cn.ns.srv.reportError(nil, failed.err)
			_ = ack.sendError(failed.shown())
		}
	}
}
