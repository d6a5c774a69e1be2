package client

import (
	"context"
	"reflect"

	"github.com/socketio-go/socketio"
)

// A Registrar is where handlers are registered: a *[Client] or a *[Socket].
type Registrar interface{ socket() *Socket }

func (c *Client) socket() *Socket { return c.main }
func (s *Socket) socket() *Socket { return s }

// On registers fn for a typed event, and returns what removes it.
func On[T any](r Registrar, e socketio.Event[T], fn func(ctx context.Context, v T) error) (off func()) {
	if !isPositional[T]() {
		return r.socket().On(string(e), fn)
	}
	return r.socket().On(string(e), func(ctx context.Context, args socketio.Args) error {
		var v T
		if err := args.Decode(&v); err != nil {
			return err
		}
		return fn(ctx, v)
	})
}

// isPositional reports whether a T stands for several arguments.
func isPositional[T any]() bool {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return false
	}
	f, ok := t.FieldByName("Positional")
	return ok && f.Anonymous && f.Type == reflect.TypeFor[socketio.Positional]() && len(f.Index) == 1
}

// Handle registers fn for a typed call of the server; what it returns is the
// answer. It returns what removes fn.
func Handle[Req, Res any](r Registrar, call socketio.Call[Req, Res], fn func(ctx context.Context, req Req) (Res, error)) (off func()) {
	if !isPositional[Req]() {
		return r.socket().On(string(call), fn)
	}
	return r.socket().On(string(call), func(ctx context.Context, args socketio.Args) (Res, error) {
		var req Req
		if err := args.Decode(&req); err != nil {
			return *new(Res), err
		}
		return fn(ctx, req)
	})
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
