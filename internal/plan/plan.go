// Package plan compiles functions of the application into handlers: it checks the
// signature once, at registration, and plans how to call the function.
package plan

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/socketio-go/socketio/internal/arguments"
)

// A Shape says which signatures the functions may have.
type Shape struct {
	arguments.Types
	Socket  reflect.Type // of the parameter for the socket; nil if there is none
	AckFunc reflect.Type // of the parameter that sends the ack
	Syntax  string       // for errors
}

// A Call is one event. Its arguments are decoded for a function.
type Call interface {
	Context() context.Context
	Socket() any                 // of type Shape.Socket
	Len() int                    // the number of arguments
	Decode(i int, dst any) error // a missing argument leaves dst unchanged
	Rest(from int) any           // the arguments from a number on, as a Shape.Args
	AckFunc() any                // of type Shape.AckFunc
}

// Compile returns the handler of a function, or an error if the shape excludes it.
func Compile[C Call](shape *Shape, fn any) (*Handler[C], error) {
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		return nil, fmt.Errorf("%T is not a function of the shape %s", fn, shape.Syntax)
	}
	p, problem := newPlan(shape, v)
	if problem != "" {
		return nil, fmt.Errorf("%T: %s; the shape is %s", fn, problem, shape.Syntax)
	}
	run := func(c C) ([]any, error) { return p.run(c) }
	return &Handler[C]{Run: run, Result: p.result, Acks: p.ack, PC: v.Pointer()}, nil
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

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
func newPlan(shape *Shape, fn reflect.Value) (*plan, string) {
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
	if len(in) > 0 && in[0] == shape.Socket {
		p.socket, in = true, in[1:]
	}
	if len(in) > 0 && in[len(in)-1] == shape.AckFunc {
		p.ack, in = true, in[:len(in)-1]
	}
	if len(in) > 0 && in[len(in)-1] == shape.Args {
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
		switch param {
		case contextType, shape.Socket, shape.Args, shape.AckFunc:
			return nil, fmt.Sprintf("%s out of place", param)
		}
		if problem := shape.Undecodable(param); problem != "" {
			return nil, problem
		}
	}
	return p, ""
}

func (p *plan) run(c Call) ([]any, error) {
	in := make([]reflect.Value, 0, 8)
	if p.ctx {
		in = append(in, reflect.ValueOf(c.Context()))
	}
	if p.socket {
		in = append(in, reflect.ValueOf(c.Socket()))
	}
	decode := func(i int, t reflect.Type) error {
		v := reflect.New(t)
		if err := c.Decode(i, v.Interface()); err != nil {
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
		for i := len(p.params); i < c.Len(); i++ {
			if err := decode(i, p.variadic); err != nil {
				return nil, err
			}
		}
	}
	if p.rest {
		in = append(in, reflect.ValueOf(c.Rest(len(p.params))))
	}
	if p.ack {
		in = append(in, reflect.ValueOf(c.AckFunc()))
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
