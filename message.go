package socketio

import (
	"context"
	"math"
	"slices"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Message is an event as interceptors and catch-all functions see it.
type Message struct {
	Event string
	Args  Args
	Ack   bool // the other side is asked for an answer
}

// Next calls the interceptor behind, or the handlers if there is none. The handlers run
// with ctx. Its results are those of the handlers; they are nil if there is none, or if
// an [AckFunc] will answer.
type Next func(ctx context.Context, m *Message) ([]any, error)

// An Interceptor wraps the handling of every event of a namespace. It may
// change the message, with [EncodeArgs], answer in place of the handlers, refuse
// with an error, or look at what next returns. What it returns answers the client. It
// may block: later events of s wait.
type Interceptor func(ctx context.Context, s *Socket, m *Message, next Next) ([]any, error)

// Intercept appends interceptors, and returns a function that removes them; the first
// is the outermost. They run for events that have no handler, too. It panics if one of
// them is nil.
func (n *Namespace) Intercept(in ...Interceptor) (off func()) {
	for _, one := range in {
		checkNotNil("Intercept", one == nil)
	}
	return addObservers(n, func(o *observers) *[]*Interceptor { return &o.interceptors }, in...)
}

// OnAny adds a function that is called with every incoming event before its
// handlers, even if it has none, and returns a function that removes it. m is a
// copy: fn can't change what the handlers receive, as an [Interceptor] can.
func (n *Namespace) OnAny(fn func(s *Socket, m Message)) (off func()) {
	checkNotNil("OnAny", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, Message) { return &o.incoming }, fn)
}

// OnAnyOutgoing adds a function that is called with every event sent to a socket,
// by whatever emitter, and returns a function that removes it. It runs on the
// goroutine that emits, once for each receiver, when the event is queued for all
// of them. m is a copy: fn can't change what is sent.
func (n *Namespace) OnAnyOutgoing(fn func(s *Socket, m Message)) (off func()) {
	checkNotNil("OnAnyOutgoing", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, Message) { return &o.outgoing }, fn)
}

// OnJoin adds a function told when a socket has entered a room, and returns a
// function that removes it. It runs on the goroutine that calls Join, or on the
// one that hears the other servers of a cluster, which should not wait; when the
// socket leaves at the same time on another one, the two may be told of in
// either order. The room that every socket has by its id is not told of.
func (n *Namespace) OnJoin(fn func(s *Socket, room string)) (off func()) {
	checkNotNil("OnJoin", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, string) { return &o.join }, fn)
}

// OnLeave adds a function told when a socket has left a room, by Leave or
// because it disconnected, and returns a function that removes it.
func (n *Namespace) OnLeave(fn func(s *Socket, room string)) (off func()) {
	checkNotNil("OnLeave", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, string) { return &o.leave }, fn)
}

// observers are the functions that see everything in a namespace. A namespace
// without any pays with one look at a pointer.
type observers struct {
	interceptors []*Interceptor
	incoming     []*func(*Socket, Message)
	outgoing     []*func(*Socket, Message)
	join         []*func(*Socket, string)
	leave        []*func(*Socket, string)
}

// observe changes a copy of the observers.
func (n *Namespace) observe(change func(*observers)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := new(observers)
	if old := n.observers.Load(); old != nil {
		*next = *old
	}
	change(next)
	n.observers.Store(next)
}

func addObservers[F any](n *Namespace, list func(*observers) *[]*F, fns ...F) (off func()) {
	added := pointersTo(fns)
	n.observe(func(o *observers) { l := list(o); *l = append(slices.Clip(*l), added...) })
	return func() {
		n.observe(func(o *observers) { l := list(o); *l = without(*l, added) })
	}
}

// observed returns the observers of a namespace and of its template, either of
// which may be nil.
func (n *Namespace) observed() (own, inherited *observers) {
	own = n.observers.Load()
	if n.parent != nil {
		inherited = n.parent.observers.Load()
	}
	return own, inherited
}

// each calls visit for the observers that exist, the template's first.
func (n *Namespace) eachObservers(visit func(*observers)) {
	own, inherited := n.observed()
	if inherited != nil {
		visit(inherited)
	}
	if own != nil {
		visit(own)
	}
}

// intercept tells the observers of an event and has it handled inside the
// interceptors.
func (s *Socket) intercept(c *call) outcome {
	var chain []*Interceptor
	var incoming []*func(*Socket, Message)
	s.ns.eachObservers(func(o *observers) {
		chain = append(chain, o.interceptors...)
		incoming = append(incoming, o.incoming...)
	})
	if len(chain)+len(incoming) == 0 {
		return s.handle(c, []byte(c.event))
	}
	m := &Message{Event: c.event, Args: c.args(0), Ack: c.id != noAck}
	if len(incoming) > 0 {
		seen := *m
		seen.Args = cloneArgs(m.Args.raw, cloneAll(m.Args.bin)) // so that nobody can change the handlers'
		for _, fn := range incoming {
			s.ns.srv.callObserver(&s.ns.srv.calls.observers, s, c.event, func() { (*fn)(s, seen) })
		}
	}
	var inner outcome
	c.escaped = true
	next := func(ctx context.Context, m *Message) ([]any, error) {
		c.ctx, c.event, c.raw, c.bin, c.ownsArgs = ctx, m.Event, m.Args.raw, m.Args.bin, true
		inner = s.handle(c, []byte(m.Event))
		return inner.results, inner.failed.err
	}
	var results []any
	err := s.ns.srv.attempt(c.event, func() (err error) {
		for _, in := range slices.Backward(chain) {
			behind := next
			next = func(ctx context.Context, m *Message) ([]any, error) { return (*in)(ctx, s, m, behind) }
		}
		results, err = next(s.Context(), m)
		return err
	})
	var failed failure
	results, failed = s.ns.srv.returned(c.event, results, err)
	return outcome{
		handled:  inner.handled || results != nil || failed.err != nil,
		answered: failed.err != nil || results != nil || inner.answered,
		deferred: inner.deferred,
		results:  results,
		failed:   failed,
	}
}

// An outgoing tells observers of one event that is sent to any number of
// sockets. It is nil if there are none.
type outgoing struct {
	message Message
	fns     []*func(*Socket, Message)
}

func (n *Namespace) outgoing(event string, m *engine.Message, ack bool) *outgoing {
	var out *outgoing
	n.eachObservers(func(o *observers) {
		if len(o.outgoing) == 0 {
			return
		}
		if out == nil {
			out = &outgoing{message: Message{Event: event, Args: n.srv.sentArgs(m), Ack: ack}}
		}
		out.fns = append(out.fns, o.outgoing...)
	})
	return out
}

// notify calls the observers, when the event is queued for all receivers.
func (o *outgoing) notify(to ...*Socket) {
	if o == nil {
		return
	}
	for _, s := range to {
		for _, fn := range o.fns {
			s.ns.srv.callObserver(&s.ns.srv.calls.observers, s, o.message.Event, func() { (*fn)(s, o.message) })
		}
	}
}

// sentArgs takes the arguments out of an encoded event. They alias nothing of it.
func (srv *Server) sentArgs(m *engine.Message) Args {
	p, bin := srv.decodeSent(m)
	return cloneArgs(p.Args, cloneAll(bin))
}

func cloneAll(list [][]byte) [][]byte {
	clones := make([][]byte, len(list))
	for i, b := range list {
		clones[i] = append(make([]byte, 0, len(b)), b...)
	}
	return clones
}

// eventOf takes the name out of an encoded event.
func (srv *Server) eventOf(m *engine.Message) string {
	p, _ := srv.decodeSent(m)
	return string(p.Name)
}

func (srv *Server) decodeSent(m *engine.Message) (p sio.Packet, bin [][]byte) {
	packet, bin := srv.packetOf(m)
	_ = p.Decode(packet, sio.Limits{Attachments: math.MaxInt32, Depth: math.MaxInt32, Args: math.MaxInt32, Literal: true}) // it is our own
	return p, bin
}

// notifyRooms tells of rooms that s has entered or left.
func (s *Socket) notifyRooms(rooms []string, list func(*observers) []*func(*Socket, string)) {
	if len(rooms) == 0 {
		return
	}
	s.ns.eachObservers(func(o *observers) {
		for _, fn := range list(o) {
			for _, name := range rooms {
				s.ns.srv.callObserver(&s.ns.srv.calls.observers, s, "", func() { (*fn)(s, name) })
			}
		}
	})
}

func joinObservers(o *observers) []*func(*Socket, string)  { return o.join }
func leaveObservers(o *observers) []*func(*Socket, string) { return o.leave }
