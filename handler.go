package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/socketio-go/socketio/internal/sio"
)

// A handler is a compiled function of the application. run decodes the arguments
// into the function's parameters and calls it.
type handler struct {
	event  string // set when it is registered
	run    func(*call) (results []any, err error)
	result bool    // the function has a result, which is the ack
	acks   bool    // the function has an AckFunc, which sends the ack
	pc     uintptr // of the function, for its name
}

// A call is one event that is being handled.
type call struct {
	s        *Socket
	event    string
	raw      [][]byte        // the arguments as JSON
	bin      [][]byte        // the attachments
	id       int64           // of the ack; noAck if the client asked for none
	ownsArgs bool            // raw aliases no buffer and may be kept
	escaped  bool            // an interceptor may still refer to the call: it is not reused
	ctx      context.Context // set by an interceptor; nil for the socket's context
	ack      *response       // nil until it is needed
}

// calls holds calls for reuse.
var calls = sync.Pool{New: func() any { return new(call) }}

// context returns the context of the handlers.
func (c *call) context() context.Context {
	if c.ctx != nil {
		return c.ctx
	}
	return c.s.Context()
}

// release returns a handled call to the pool.
func (c *call) release() {
	if !c.escaped {
		*c = call{}
		calls.Put(c)
	}
}

// args returns arguments that outlive the call.
func (c *call) args(from int) Args {
	if from >= len(c.raw) {
		return Args{}
	}
	if c.ownsArgs {
		return Args{c.raw[from:], c.bin}
	}
	return cloneArgs(c.raw[from:], c.bin)
}

// decode decodes argument i; a missing one leaves dst alone.
func (c *call) decode(i int, dst any) error {
	if i >= len(c.raw) {
		return nil
	}
	if err := decodeArg(c.raw[i], c.bin, dst); err != nil {
		return &DecodeError{Event: c.event, Arg: i, Err: err}
	}
	return nil
}

// first decodes the first argument. A plain value allocates no T.
func first[T any](c *call) (v T, err error) {
	if len(c.raw) == 0 || decodePlain(c.raw[0], c.bin, &v) {
		return v, nil
	}
	slow := new(T)
	err = c.decode(0, slow)
	return *slow, err
}

// response returns the call's response, which its handlers share.
func (c *call) response() *response {
	if c.ack == nil {
		c.ack = &response{socket: c.s, id: c.id}
	}
	return c.ack
}

// ackFuncResponse is response for an [AckFunc]. It counts the response, as an AckFunc
// may never be called.
func (c *call) ackFuncResponse() *response {
	a := c.response()
	if c.s != nil && c.id != noAck && !a.counted {
		a.counted = true
		c.s.unsentAcks.Add(1)
	}
	return a
}

// handlers are the functions registered for events, in order of registration.
// Each change makes a new map, so readers need no lock.
type handlers struct {
	mu     sync.Mutex // held while a new map is made
	events atomic.Pointer[map[string][]*handler]
}

// add registers h and returns a function that removes it.
func (hs *handlers) add(event string, h *handler) (off func()) {
	h.event = event
	hs.change(event, func(list []*handler) []*handler { return append(slices.Clip(list), h) })
	return func() {
		hs.change(event, func(list []*handler) []*handler {
			return slices.DeleteFunc(slices.Clone(list), func(other *handler) bool { return other == h })
		})
	}
}

func (hs *handlers) change(event string, fn func([]*handler) []*handler) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	next := make(map[string][]*handler)
	if old := hs.events.Load(); old != nil {
		maps.Copy(next, *old)
	}
	if list := fn(next[event]); len(list) > 0 {
		next[event] = list
	} else {
		delete(next, event)
	}
	hs.events.Store(&next)
}

// of returns the handlers of an event. hs may be nil.
func (hs *handlers) of(event []byte) []*handler {
	if hs == nil {
		return nil
	}
	events := hs.events.Load()
	if events == nil {
		return nil
	}
	return (*events)[string(event)]
}

var (
	contextType = reflect.TypeFor[context.Context]()
	socketType  = reflect.TypeFor[*Socket]()
	argsType    = reflect.TypeFor[Args]()
	ackType     = reflect.TypeFor[AckFunc]()
	errorType   = reflect.TypeFor[error]()
)

const shapes = `func([context.Context,] [*socketio.Socket,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]`

// compile checks a handler's shape once and returns how to call it. It panics
// if the shape is not one of those that the package documentation lists.
func compile(event string, fn any) *handler {
	checkHandlerName(event)
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		panic(fmt.Sprintf("socketio: On(%q): %T is not a function of the shape %s", event, fn, shapes))
	}
	if h := compileFast(fn); h != nil {
		h.pc = v.Pointer()
		return h
	}
	p, problem := newPlan(v)
	if problem != "" {
		panic(fmt.Sprintf("socketio: On(%q): %T: %s; the shape is %s", event, fn, problem, shapes))
	}
	return &handler{run: p.run, result: p.result, acks: p.ack, pc: v.Pointer()}
}

// checkHandlerName panics if no client can emit an event of that name.
func checkHandlerName(event string) {
	switch event {
	case "connection", "connect":
		panic(fmt.Sprintf("socketio: On(%q): use OnConnect", event))
	case "disconnect", "disconnecting":
		panic(fmt.Sprintf("socketio: On(%q): use OnDisconnect", event))
	}
	if sio.Reserved(event) {
		panic(fmt.Sprintf("socketio: On(%q): the name is reserved, so no client can emit it", event))
	}
}

// compileFast returns a handler that needs no reflection, for common shapes.
func compileFast(fn any) *handler {
	switch fn := fn.(type) {
	case func(*Socket):
		return &handler{run: func(c *call) ([]any, error) { fn(c.s); return nil, nil }}
	case func(*Socket, Args):
		return &handler{run: func(c *call) ([]any, error) { fn(c.s, c.args(0)); return nil, nil }}
	case func(*Socket, string):
		return compileOne(fn)
	case func(*Socket, []byte):
		return compileOne(fn)
	case func(*Socket, int):
		return compileOne(fn)
	case func(*Socket, float64):
		return compileOne(fn)
	case func(*Socket, json.RawMessage):
		return compileOne(fn)
	case func(*Socket, string) string:
		return compileCall(fn)
	case func(*Socket, json.RawMessage) json.RawMessage:
		return compileCall(fn)
	}
	return nil
}

func compileOne[T any](fn func(*Socket, T)) *handler {
	return &handler{run: func(c *call) ([]any, error) {
		v, err := first[T](c)
		if err != nil {
			return nil, err
		}
		fn(c.s, v)
		return nil, nil
	}}
}

func compileCall[T, R any](fn func(*Socket, T) R) *handler {
	return &handler{result: true, run: func(c *call) ([]any, error) {
		v, err := first[T](c)
		if err != nil {
			return nil, err
		}
		return []any{fn(c.s, v)}, nil
	}}
}

// A plan says how to call a function by reflection.
type plan struct {
	fn       reflect.Value
	ctx      bool
	socket   bool
	params   []reflect.Type // decoded from the arguments, by position
	variadic reflect.Type   // decoded from all further arguments; nil if not variadic
	rest     bool           // Args, for all further arguments
	ack      bool
	result   bool
	err      bool
}

// newPlan compiles the signature of fn. If it is not supported, the string says why.
func newPlan(fn reflect.Value) (*plan, string) {
	t := fn.Type()
	p := &plan{fn: fn}
	in := make([]reflect.Type, t.NumIn())
	for i := range in {
		in[i] = t.In(i)
	}
	if t.IsVariadic() {
		p.variadic = in[len(in)-1].Elem()
		in = in[:len(in)-1]
	}
	if len(in) > 0 && in[0] == contextType {
		p.ctx, in = true, in[1:]
	}
	if len(in) > 0 && in[0] == socketType {
		p.socket, in = true, in[1:]
	}
	if len(in) > 0 && in[len(in)-1] == ackType {
		p.ack, in = true, in[:len(in)-1]
	}
	if len(in) > 0 && in[len(in)-1] == argsType {
		p.rest, in = true, in[:len(in)-1]
	}
	p.params = in

	out := t.NumOut()
	if out > 0 && t.Out(out-1) == errorType {
		p.err = true
		out--
	}
	p.result = out == 1

	switch {
	case out > 1:
		return nil, "more than one result beside an error"
	case p.result && t.Out(0).Implements(errorType):
		return nil, fmt.Sprintf("%s is an error: declare the result as error", t.Out(0))
	case p.ack && p.result:
		return nil, "a result as well as an AckFunc"
	case p.variadic != nil && (p.ack || p.rest):
		return nil, "a variadic parameter as well as Args or an AckFunc"
	}
	decoded := p.params
	if p.variadic != nil {
		decoded = append(slices.Clip(decoded), p.variadic)
	}
	for _, param := range decoded {
		if param == contextType || param == socketType || param == argsType || param == ackType {
			return nil, fmt.Sprintf("%s out of place", param)
		}
		if problem := undecodable(param); problem != "" {
			return nil, problem
		}
	}
	return p, ""
}

func (p *plan) run(c *call) ([]any, error) {
	in := make([]reflect.Value, 0, 8)
	if p.ctx {
		in = append(in, reflect.ValueOf(c.context()))
	}
	if p.socket {
		in = append(in, reflect.ValueOf(c.s))
	}
	decode := func(i int, t reflect.Type) error {
		v := reflect.New(t)
		if err := c.decode(i, v.Interface()); err != nil {
			return err
		}
		in = append(in, v.Elem())
		return nil
	}
	for i, t := range p.params {
		if err := decode(i, t); err != nil {
			return nil, err
		}
	}
	if p.variadic != nil {
		for i := len(p.params); i < len(c.raw); i++ {
			if err := decode(i, p.variadic); err != nil {
				return nil, err
			}
		}
	}
	if p.rest {
		in = append(in, reflect.ValueOf(c.args(len(p.params))))
	}
	if p.ack {
		in = append(in, reflect.ValueOf(AckFunc(c.ackFuncResponse().ack)))
	}
	out := p.fn.Call(in)
	if p.err {
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			return nil, err
		}
	}
	if p.result {
		return []any{out[0].Interface()}, nil
	}
	return nil, nil
}
