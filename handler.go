package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/plan"
	"github.com/socketio-go/socketio/internal/sio"
)

// A handler is a compiled function of the application.
type handler = plan.Handler[*call]

// handlers are the functions registered for events.
type handlers = plan.Handlers[*call]

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

// Context returns the context of the handlers.
func (c *call) Context() context.Context {
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

// Decode decodes argument i. If it is missing, dst stays unchanged.
func (c *call) Decode(i int, dst any) error {
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
	err = c.Decode(0, slow)
	return *slow, err
}

// Socket implements [plan.Call].
func (c *call) Socket() any { return c.s }

// Len implements [plan.Call].
func (c *call) Len() int { return len(c.raw) }

// Rest implements [plan.Call].
func (c *call) Rest(from int) any { return c.args(from) }

// AckFunc implements [plan.Call].
func (c *call) AckFunc() any { return AckFunc(c.ackFuncResponse().ack) }

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

var argsType = reflect.TypeFor[Args]()

// shape says what handlers of events of clients are; serverSideShape, those of events of
// servers.
var (
	shape = &plan.Shape{
		Types:   receivedTypes,
		Socket:  reflect.TypeFor[*Socket](),
		AckFunc: reflect.TypeFor[AckFunc](),
		Syntax:  `func([context.Context,] [*socketio.Socket,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]`,
	}
	serverSideShape = &plan.Shape{
		Types:   receivedTypes,
		AckFunc: shape.AckFunc,
		Syntax:  `func([context.Context,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]`,
	}
)

// receivedTypes says which types of this library can't be decoded.
var receivedTypes = arguments.Types{
	Args: argsType,
	Own: map[reflect.Type]bool{
		reflect.TypeFor[Server]():          true,
		reflect.TypeFor[Namespace]():       true,
		reflect.TypeFor[Room]():            true,
		reflect.TypeFor[Socket]():          true,
		reflect.TypeFor[RemoteSocket]():    true,
		reflect.TypeFor[Handshake]():       true,
		reflect.TypeFor[Emitter]():         true,
		reflect.TypeFor[Message]():         true,
		reflect.TypeFor[Options]():         true,
		reflect.TypeFor[PanicError]():      true,
		reflect.TypeFor[DecodeError]():     true,
		reflect.TypeFor[DisconnectError](): true,
		reflect.TypeFor[NoResponseError](): true,
	},
}

// compile returns the handler of a function. It panics if the shape is not one of those
// that the package documentation lists.
func compile(event string, fn any) *handler {
	checkHandlerName(event)
	if h := compileFast(fn); h != nil && pcOf(fn) != 0 {
		h.PC = pcOf(fn)
		return h
	}
	h, err := plan.Compile[*call](shape, fn)
	if err != nil {
		panic(fmt.Sprintf("socketio: On(%q): %v", event, err))
	}
	return h
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
		return &handler{Run: func(c *call) ([]any, error) { fn(c.s); return nil, nil }}
	case func(*Socket, Args):
		return &handler{Run: func(c *call) ([]any, error) { fn(c.s, c.args(0)); return nil, nil }}
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
	return &handler{Run: func(c *call) ([]any, error) {
		v, err := first[T](c)
		if err != nil {
			return nil, err
		}
		fn(c.s, v)
		return nil, nil
	}}
}

func compileCall[T, R any](fn func(*Socket, T) R) *handler {
	return &handler{Result: true, Run: func(c *call) ([]any, error) {
		v, err := first[T](c)
		if err != nil {
			return nil, err
		}
		return []any{fn(c.s, v)}, nil
	}}
}
