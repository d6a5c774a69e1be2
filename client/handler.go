package client

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/plan"
	"github.com/socketio-go/socketio/internal/sio"
)

// A handler is a compiled function of the application.
type handler = plan.Handler[*call]

// handlers are the functions of a socket.
type handlers struct {
	events plan.Handlers[*call]

	mu         sync.Mutex // guards the following; lists are replaced, never changed
	any        []*func(string, socketio.Args)
	connect    []*func(Joined)
	disconnect []*func(socketio.Reason)
}

// of returns the handlers of an event and the catch-all functions.
func (hs *handlers) of(event string) ([]*handler, []*func(string, socketio.Args)) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.events.Of([]byte(event)), hs.any
}

// nameOf returns the name of an event as a string, without a copy if the event has a
// handler.
func (hs *handlers) nameOf(event []byte) string {
	if list := hs.events.Of(event); len(list) > 0 {
		return list[0].Event
	}
	return string(event)
}

// shape says what the handlers of events are.
var shape = &plan.Shape{
	Types: arguments.Types{
		Args: reflect.TypeFor[socketio.Args](),
		Own: map[reflect.Type]bool{
			reflect.TypeFor[Client]():                   true,
			reflect.TypeFor[Socket]():                   true,
			reflect.TypeFor[Options]():                  true,
			reflect.TypeFor[socketio.Server]():          true,
			reflect.TypeFor[socketio.Namespace]():       true,
			reflect.TypeFor[socketio.Room]():            true,
			reflect.TypeFor[socketio.Socket]():          true,
			reflect.TypeFor[socketio.RemoteSocket]():    true,
			reflect.TypeFor[socketio.Emitter]():         true,
			reflect.TypeFor[socketio.PanicError]():      true,
			reflect.TypeFor[socketio.DecodeError]():     true,
			reflect.TypeFor[socketio.DisconnectError](): true,
		},
	},
	AckFunc: reflect.TypeFor[socketio.AckFunc](),
	Syntax:  `func([context.Context,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]`,
}

// On registers a function for an event, and returns a function that removes it. It
// accepts the shapes of the server's handlers, without the socket:
//
//	func([context.Context,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]
//
// Arguments are decoded by position. The result or error is the ack, if the server asks
// for one. The handlers of a socket run one at a time, in the order of the events. They
// may block, and may wait for acks. ctx ends with the connection. On panics if fn has
// another shape, or if the event is reserved.
func (s *Socket) On(event string, fn any) (off func()) {
	checkHandlerName(event)
	h, err := plan.Compile[*call](shape, fn)
	if err != nil {
		panic(fmt.Sprintf("client: On(%q): %v", event, err))
	}
	return s.handlers.events.Add(event, h)
}

// checkHandlerName panics if no server can emit an event of that name.
func checkHandlerName(event string) {
	if sio.Reserved(event) {
		panic(fmt.Sprintf("client: On(%q): the name is reserved; see OnConnect and OnDisconnect", event))
	}
}

// Context implements [plan.Call]. The context ends with the connection.
func (c *call) Context() context.Context {
	c.s.client.mu.Lock()
	defer c.s.client.mu.Unlock()
	return c.life.contextLocked()
}

// Socket implements [plan.Call]. The handlers get none.
func (c *call) Socket() any { return nil }

// Len implements [plan.Call].
func (c *call) Len() int { return len(c.raw) }

// Decode decodes argument i. If it is missing, dst stays unchanged.
func (c *call) Decode(i int, dst any) error {
	if i >= len(c.raw) {
		return nil
	}
	if rest, ok := dst.(*socketio.Args); ok {
		*rest = socketio.ArgsFromWire(arguments.Clone(c.raw[i:i+1]), c.bin)
		return nil
	}
	if err := arguments.Decode(c.raw[i], c.bin, dst); err != nil {
		return &socketio.DecodeError{Event: c.event, Arg: i, Err: err}
	}
	return nil
}

// Rest implements [plan.Call].
func (c *call) Rest(from int) any { return c.args(from) }

// AckFunc implements [plan.Call].
func (c *call) AckFunc() any { return socketio.AckFunc(c.answer().send) }
