package client

import (
	"context"
	"fmt"
	"reflect"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/plan"
)

// A Registrar is where handlers are registered: a *[Client] or a *[Socket].
type Registrar interface{ socket() *Socket }

func (c *Client) socket() *Socket { return c.main }
func (s *Socket) socket() *Socket { return s }

// On registers fn for a typed event, and returns a function that removes it. A T that
// embeds [socketio.Positional] receives several arguments. On panics if the name is
// reserved, if fn is nil, or if no argument can be decoded into a T.
func On[T any](r Registrar, e socketio.Event[T], fn func(ctx context.Context, v T) error) (off func()) {
	checkTyped[T](string(e), fn == nil)
	return r.socket().handlers.events.Add(string(e), &handler{Run: func(c *call) ([]any, error) {
		v, err := plan.DecodeTyped[T](c)
		if err != nil {
			return nil, err
		}
		return nil, fn(c.Context(), v)
	}})
}

// Handle registers fn for a typed call of the server. The result of fn is the ack. Handle
// returns a function that removes fn, and panics as [On] does.
func Handle[Req, Res any](r Registrar, e socketio.Call[Req, Res], fn func(ctx context.Context, req Req) (Res, error)) (off func()) {
	checkTyped[Req](string(e), fn == nil)
	if problem := plan.CheckResult(reflect.TypeFor[Res]()); problem != "" {
		panic(fmt.Sprintf("client: Handle(%q): %s", string(e), problem))
	}
	return r.socket().handlers.events.Add(string(e), &handler{Result: true, Run: func(c *call) ([]any, error) {
		req, err := plan.DecodeTyped[Req](c)
		if err != nil {
			return nil, err
		}
		res, err := fn(c.Context(), req)
		if err != nil {
			return nil, err
		}
		return arguments.Spread(res), nil
	}})
}

// checkTyped panics if no event of a server has the name, or can be decoded into a T.
func checkTyped[T any](event string, isNil bool) {
	checkHandlerName(event)
	problem := shape.CheckTyped(reflect.TypeFor[T]())
	if isNil {
		problem = "the function is nil"
	}
	if problem != "" {
		panic(fmt.Sprintf("client: On(%q): %s", event, problem))
	}
}

// Recv waits for the next event e. The error is that of ctx, [ErrClosed], or a
// *[socketio.DecodeError].
func Recv[T any](ctx context.Context, r Registrar, e socketio.Event[T]) (v T, err error) {
	type received struct {
		v   T
		err error
	}
	got := make(chan received, 1)
	off := r.socket().On(string(e), func(args socketio.Args) {
		var in received
		in.err = args.Decode(&in.v)
		select {
		case got <- in:
		default:
		}
	})
	defer off()
	r.socket().client.yield()
	select {
	case in := <-got:
		return in.v, in.err
	case <-ctx.Done():
		return v, ctx.Err()
	case <-r.socket().client.ctx.Done():
		return v, ErrClosed
	}
}

// Connect is [Socket.Connect] of "/".
func (c *Client) Connect(ctx context.Context) error { return c.main.Connect(ctx) }

// Disconnect is [Socket.Disconnect] of "/". Other namespaces stay.
func (c *Client) Disconnect() error { return c.main.Disconnect() }

// ID is [Socket.ID] of "/".
func (c *Client) ID() string { return c.main.ID() }

// Recovered is [Socket.Recovered] of "/".
func (c *Client) Recovered() bool { return c.main.Recovered() }

// Connected is [Socket.Connected] of "/".
func (c *Client) Connected() bool { return c.main.Connected() }

// Context is [Socket.Context] of "/".
func (c *Client) Context() context.Context { return c.main.Context() }

// On is [Socket.On] of "/".
func (c *Client) On(event string, fn any) (off func()) { return c.main.On(event, fn) }

// OnAny is [Socket.OnAny] of "/".
func (c *Client) OnAny(fn func(event string, args socketio.Args)) (off func()) {
	return c.main.OnAny(fn)
}

// OnConnect is [Socket.OnConnect] of "/".
func (c *Client) OnConnect(fn func(Joined)) (off func()) { return c.main.OnConnect(fn) }

// OnDisconnect is [Socket.OnDisconnect] of "/".
func (c *Client) OnDisconnect(fn func(socketio.Reason)) (off func()) { return c.main.OnDisconnect(fn) }

// Emit is [Socket.Emit] of "/".
func (c *Client) Emit(event string, args ...any) error { return c.main.Emit(event, args...) }

// EmitWithAck is [Socket.EmitWithAck] of "/".
func (c *Client) EmitWithAck(ctx context.Context, event string, args ...any) (socketio.Args, error) {
	return c.main.EmitWithAck(ctx, event, args...)
}

// Deliver is [Socket.Deliver] of "/".
func (c *Client) Deliver(ctx context.Context, event string, args ...any) (socketio.Args, error) {
	return c.main.Deliver(ctx, event, args...)
}

// Volatile is [Socket.Volatile] of "/".
func (c *Client) Volatile() socketio.Target { return c.main.Volatile() }
