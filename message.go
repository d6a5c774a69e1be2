package socketio

import (
	"context"
	"math"
	"slices"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Message is an event, for interceptors and for the functions of OnAny and
// OnAnyOutgoing.
type Message struct {
	Event string
	Args  Args
	Ack   bool // the event requests an ack
}

// Next calls the next interceptor, or the handlers if there is none. ctx is the context
// of the handlers. The results are those of the handlers. They are nil if there is no
// handler, or if an [AckFunc] sends the ack.
type Next func(ctx context.Context, m *Message) ([]any, error)

// An Interceptor wraps the handlers of every event of a namespace. It may change the
// message, with [EncodeArgs], return results without calling next, refuse the event with
// an error, or inspect the results of next. Its results are the ack. It may block: later
// events of s wait.
type Interceptor func(ctx context.Context, s *Socket, m *Message, next Next) ([]any, error)

// Intercept appends interceptors, and returns a function that removes them. The first
// interceptor is the outermost. They also run for events without a handler. Intercept
// panics if one of them is nil.
func (n *Namespace) Intercept(in ...Interceptor) (off func()) {
	for _, one := range in {
		checkNotNil("Intercept", one == nil)
	}
	return addObservers(n, func(o *observers) *[]*Interceptor { return &o.interceptors }, in...)
}

// OnAny adds a function that is called with every incoming event before its handlers,
// also without a handler, and returns a function that removes it. m is a copy: an
// [Interceptor] can change the event, fn can't. OnAny panics if fn is nil.
func (n *Namespace) OnAny(fn func(s *Socket, m Message)) (off func()) {
	checkNotNil("OnAny", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, Message) { return &o.incoming }, fn)
}

// OnAnyOutgoing adds a function that is called with every event that is sent to a
// socket, and returns a function that removes it. It is called once for each receiver,
// on the goroutine that emits, after the event was queued for all of them. m is a copy:
// fn can't change the event. OnAnyOutgoing panics if fn is nil.
func (n *Namespace) OnAnyOutgoing(fn func(s *Socket, m Message)) (off func()) {
	checkNotNil("OnAnyOutgoing", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, Message) { return &o.outgoing }, fn)
}

// OnJoin adds a function that is called when a socket has joined a room, and returns a
// function that removes it. It is not called for the own room of a socket. It runs on
// the goroutine that calls Join, or on the one that receives from the other servers of a
// cluster, so it must not block. If a socket joins and leaves on two goroutines, OnJoin
// and OnLeave may be called in either order. OnJoin panics if fn is nil.
func (n *Namespace) OnJoin(fn func(s *Socket, room string)) (off func()) {
	checkNotNil("OnJoin", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, string) { return &o.join }, fn)
}

// OnLeave adds a function that is called when a socket has left a room, by Leave or
// because it is disconnected, and returns a function that removes it. It runs like that
// of OnJoin. OnLeave panics if fn is nil.
func (n *Namespace) OnLeave(fn func(s *Socket, room string)) (off func()) {
	checkNotNil("OnLeave", fn == nil)
	return addObservers(n, func(o *observers) *[]*func(*Socket, string) { return &o.leave }, fn)
}

// observers are the interceptors and observers of a namespace. A namespace without any
// costs one atomic load per event.
type observers struct {
	interceptors []*Interceptor
	incoming     []*func(*Socket, Message)
	outgoing     []*func(*Socket, Message)
	join         []*func(*Socket, string)
	leave        []*func(*Socket, string)
}

// observe replaces the observers by a changed copy.
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

// eachObservers calls visit for the observers that exist, those of the template first.
func (n *Namespace) eachObservers(visit func(*observers)) {
	own, inherited := n.observed()
	if inherited != nil {
		visit(inherited)
	}
	if own != nil {
		visit(own)
	}
}

// intercept calls the observers of an incoming event, and then its interceptors and
// handlers.
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
		seen.Args = cloneArgs(m.Args.raw, cloneAll(m.Args.bin)) // observers can't change the arguments of handlers
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

// An outgoing calls the OnAnyOutgoing functions for one event. It is nil if there are
// none.
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

// notify calls the functions for each receiver. The event is queued for all of them.
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

// sentArgs returns a copy of the arguments of an encoded event.
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

// eventOf returns the name of an encoded event.
func (srv *Server) eventOf(m *engine.Message) string {
	p, _ := srv.decodeSent(m)
	return string(p.Name)
}

func (srv *Server) decodeSent(m *engine.Message) (p sio.Packet, bin [][]byte) {
	packet, bin := srv.packetOf(m)
	_ = p.Decode(packet, sio.Limits{Attachments: math.MaxInt32, Depth: math.MaxInt32, Args: math.MaxInt32, Literal: true}) // this server encoded it
	return p, bin
}

// notifyRooms calls the OnJoin or OnLeave observers for each of the rooms.
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
