package socketio

import (
	"context"
	"fmt"
	"maps"

	"github.com/socketio-go/socketio/internal/arguments"
)

// A Registrar registers handlers of events: a *[Server], *[Namespace] or *[Socket].
type Registrar interface {
	On(event string, handler any) (off func())
	register(event string, h *handler) (off func())
}

// A Target emits events: a *[Server], *[Namespace], [Room], *[Socket] or [Emitter].
type Target interface {
	Emit(event string, args ...any) error
}

// A Caller is a [Target] with one receiver, which can acknowledge events: a *[Socket].
type Caller interface {
	Target
	EmitWithAck(ctx context.Context, event string, args ...any) (Args, error)
}

// An Event is the name of an event with the type of its one argument, or of several: see
// [Positional]. Declare it once and use it to emit and to handle, so that the compiler
// checks both.
//
//	const Said socketio.Event[Message] = "said"
type Event[T any] string

// Emit sends v to a target. It returns the error of the target's Emit.
func (e Event[T]) Emit(to Target, v T) error { return to.Emit(string(e), arguments.Spread(v)...) }

// On registers fn for the event and returns a function that removes it. fn is called
// without reflection. ctx ends when s is disconnected, and an error of fn is treated as
// that of any handler. On panics if the name is reserved, if fn is nil, or if no
// argument can be decoded into a T.
func (e Event[T]) On(r Registrar, fn func(ctx context.Context, s *Socket, v T) error) (off func()) {
	checkHandlerName(string(e))
	checkNotNil(fmt.Sprintf("On(%q)", string(e)), fn == nil)
	checkArguments[T](fmt.Sprintf("On(%q)", string(e)))
	decode := decoderOf[T]()
	return r.register(string(e), &handler{PC: pcOf(fn), Run: func(c *call) ([]any, error) {
		v, err := decode(c)
		if err != nil {
			return nil, err
		}
		return nil, fn(c.Context(), c.s, v)
	}})
}

// A Call is the name of an event with an ack, with the types of its argument and of the
// ack. Both may be [Positional].
//
//	const Login socketio.Call[Credentials, Profile] = "login"
type Call[Req, Res any] string

// Do sends req and waits for the ack until ctx ends; see [Socket.EmitWithAck]. The
// error is an *[Error] if the other side refused, a *[DecodeError] if the ack does not
// fit Res, or one of EmitWithAck.
func (c Call[Req, Res]) Do(ctx context.Context, to Caller, req Req) (res Res, err error) {
	args, err := to.EmitWithAck(ctx, string(c), arguments.Spread(req)...)
	if err != nil {
		return res, err
	}
	return answerOf[Res](args)
}

// On registers fn for the call. The result of fn is the ack. On returns a function that
// removes fn, and panics as that of [Event] does.
func (c Call[Req, Res]) On(r Registrar, fn func(ctx context.Context, s *Socket, req Req) (Res, error)) (off func()) {
	checkHandlerName(string(c))
	checkNotNil(fmt.Sprintf("On(%q)", string(c)), fn == nil)
	checkArguments[Req](fmt.Sprintf("On(%q)", string(c)))
	checkResult[Res](fmt.Sprintf("On(%q)", string(c)))
	decode := decoderOf[Req]()
	return r.register(string(c), &handler{PC: pcOf(fn), Result: true, Run: func(c *call) ([]any, error) {
		req, err := decode(c)
		if err != nil {
			return nil, err
		}
		res, err := fn(c.Context(), c.s, req)
		if err != nil {
			return nil, err
		}
		return arguments.Spread(res), nil
	}})
}

// A Key is the name of a value that is attached to sockets, with its type. Other servers
// of a cluster find the values in a [RemoteSocket]. With [Options.Recovery] a socket that
// resumes a session has the values of that session.
//
//	const User socketio.Key[Profile] = "user"
type Key[T any] string

// Set attaches v to s. It replaces an earlier value of that name.
func (k Key[T]) Set(s *Socket, v T) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]any)
	}
	s.values[string(k)] = v
}

// Delete removes the value from s.
func (k Key[T]) Delete(s *Socket) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	delete(s.values, string(k))
}

// A ValueHolder has attached values: a *[Socket], or a [RemoteSocket] of
// [Emitter.Sockets].
type ValueHolder interface {
	attached(name string) any
	decoded(name string, v any) any
}

// Get returns the value that is attached to a socket, also after the socket is
// disconnected. ok is false if there is none, or if it has another type.
func (k Key[T]) Get(of ValueHolder) (v T, ok bool) {
	value := of.attached(string(k))
	remote, is := value.(remoteValue)
	if !is {
		v, ok = value.(T)
		return v, ok
	}
	// The value is from another server. No lock is held while methods of T decode it.
	if err := (Args{remote.Raw, remote.Bin}).Decode(&v); err != nil {
		return v, false
	}
	if _, is := of.(RemoteSocket); is {
		return v, true
	}
	v, ok = of.decoded(string(k), v).(T)
	return v, ok
}

func (s *Socket) attached(name string) any {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.values[name]
}

// decoded replaces a value from another server by v, unless it was set meanwhile, and
// returns the value that is attached now.
func (s *Socket) decoded(name string, v any) any {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if _, is := s.values[name].(remoteValue); is {
		s.values[name] = v
	}
	return s.values[name]
}

func (s RemoteSocket) attached(name string) any { return s.values[name] }

func (s RemoteSocket) decoded(_ string, v any) any { return v }

// copyValues returns a copy of the values of s.
func (s *Socket) copyValues() map[string]any {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return maps.Clone(s.values)
}
