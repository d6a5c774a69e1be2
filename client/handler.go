package client

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/sio"
)

// A handler is a registered function, compiled.
type handler struct {
	run    func(*call) (results []any, err error)
	result bool // the function has a result, which answers
	acks   bool // the function has an AckFunc
}

// handlers are the functions of a socket.
type handlers struct {
	mu         sync.Mutex // guards the following; lists are replaced, never changed
	events     map[string][]*handler
	any        []*func(string, socketio.Args)
	connect    []*func(Joined)
	disconnect []*func(socketio.Reason)
}

// of returns the handlers of an event and the catch-all functions.
func (hs *handlers) of(event string) ([]*handler, []*func(string, socketio.Args)) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.events[event], hs.any
}

func (hs *handlers) add(event string, h *handler) (off func()) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.events == nil {
		hs.events = make(map[string][]*handler)
	}
	list := hs.events[event]
	hs.events[event] = append(list[:len(list):len(list)], h)
	return func() {
		hs.mu.Lock()
		defer hs.mu.Unlock()
		if hs.events[event] = without(hs.events[event], h); len(hs.events[event]) == 0 {
			delete(hs.events, event)
		}
	}
}

const shapes = `func([context.Context,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]`

// On registers a function for an event, and returns what removes it. It takes
// the shapes of the server's handlers without the socket:
//
//	func([context.Context,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]
//
// Arguments are decoded by position; the result or error answers, if the server
// asks for an answer. The handlers of a socket run one at a time, in the order
// of the events. They may block and may wait for answers. ctx ends with the
// connection. On panics if fn has another shape.
func (s *Socket) On(event string, fn any) (off func()) {
	if sio.Reserved(event) {
		panic(fmt.Sprintf("client: On(%q): the name is reserved; see OnConnect and OnDisconnect", event))
	}
	h, problem := compile(fn)
	if problem != "" {
		panic(fmt.Sprintf("client: On(%q): %T: %s; the shape is %s", event, fn, problem, shapes))
	}
	return s.handlers.add(event, h)
}

var (
	contextType = reflect.TypeFor[context.Context]()
	argsType    = reflect.TypeFor[socketio.Args]()
	ackType     = reflect.TypeFor[socketio.AckFunc]()
	errorType   = reflect.TypeFor[error]()
)

func (c *call) context() context.Context {
	c.s.client.mu.Lock()
	defer c.s.client.mu.Unlock()
	return c.life.contextLocked()
}

// decode decodes argument i; a missing one leaves dst alone.
func (c *call) decode(i int, dst any) error {
	if i >= len(c.raw) {
		return nil
	}
	if err := socketio.ArgsFromWire(c.raw[i:i+1], c.bin).Decode(dst); err != nil {
		var decode *socketio.DecodeError
		if errors.As(err, &decode) {
			err = decode.Err
		}
		return &socketio.DecodeError{Event: c.event, Arg: i, Err: err}
	}
	return nil
}

// compile returns how to call fn, or what is wrong with its shape.
func compile(fn any) (*handler, string) {
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		return nil, "not a function"
	}
	t := v.Type()
	in := make([]reflect.Type, t.NumIn())
	for i := range in {
		in[i] = t.In(i)
	}
	var variadic reflect.Type
	if t.IsVariadic() {
		variadic = in[len(in)-1].Elem()
		in = in[:len(in)-1]
	}
	withContext, withAck, withRest := false, false, false
	if len(in) > 0 && in[0] == contextType {
		withContext, in = true, in[1:]
	}
	if len(in) > 0 && in[len(in)-1] == ackType {
		withAck, in = true, in[:len(in)-1]
	}
	if len(in) > 0 && in[len(in)-1] == argsType {
		withRest, in = true, in[:len(in)-1]
	}
	out := t.NumOut()
	withError := out > 0 && t.Out(out-1) == errorType
	if withError {
		out--
	}
	switch {
	case out > 1:
		return nil, "more than one result beside an error"
	case out == 1 && t.Out(0).Implements(errorType):
		return nil, fmt.Sprintf("%s is an error: declare the result as error", t.Out(0))
	case out == 1 && withAck:
		return nil, "a result as well as an AckFunc"
	case variadic != nil && (withAck || withRest):
		return nil, "a variadic parameter as well as Args or an AckFunc"
	}
	for _, param := range append(in[:len(in):len(in)], variadic) {
		if problem := undecodable(param); problem != "" {
			return nil, problem
		}
	}
	run := func(c *call) ([]any, error) {
		values := make([]reflect.Value, 0, 8)
		if withContext {
			values = append(values, reflect.ValueOf(c.context()))
		}
		decode := func(i int, t reflect.Type) error {
			dst := reflect.New(t)
			if err := c.decode(i, dst.Interface()); err != nil {
				return err
			}
			values = append(values, dst.Elem())
			return nil
		}
		for i, t := range in {
			if err := decode(i, t); err != nil {
				return nil, err
			}
		}
		if variadic != nil {
			for i := len(in); i < len(c.raw); i++ {
				if err := decode(i, variadic); err != nil {
					return nil, err
				}
			}
		}
		if withRest {
			values = append(values, reflect.ValueOf(c.args(len(in))))
		}
		if withAck {
			values = append(values, reflect.ValueOf(socketio.AckFunc(c.answer().send)))
		}
		results := v.Call(values)
		if withError {
			if err, _ := results[len(results)-1].Interface().(error); err != nil {
				return nil, err
			}
		}
		if out == 1 {
			return []any{results[0].Interface()}, nil
		}
		return nil, nil
	}
	return &handler{run: run, result: out == 1, acks: withAck}, ""
}

// undecodable says what is wrong with the type of a parameter.
func undecodable(t reflect.Type) string {
	if t == nil {
		return ""
	}
	if t == contextType || t == argsType || t == ackType {
		return fmt.Sprintf("%s out of place", t)
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Sprintf("a %s can't be decoded", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Sprintf("a %s can't be decoded", t)
		}
	}
	return ""
}
