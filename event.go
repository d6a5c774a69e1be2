package socketio

import (
	"context"
	"fmt"
	"maps"
)

// A Registrar is where handlers are registered: a *[Server], *[Namespace] or
// *[Socket].
type Registrar interface {
	On(event string, handler any) (off func())
	register(event string, h *handler) (off func())
}

// A Target is anything an event can be emitted to: a server, namespace, room,
// socket or emitter.
type Target interface {
	Emit(event string, args ...any) error
}

// A Caller is a Target with one receiver that can answer.
type Caller interface {
	Target
	EmitWithAck(ctx context.Context, event string, args ...any) (Args, error)
}

// An Event is the name of an event together with the type of its one
// argument, or of several: see [Positional]. Declare it once, beside the type, and use it on both sides of the
// wire; the compiler then checks both.
//
//	const Said socketio.Event[Message] = "said"
type Event[T any] string

// Emit sends v to a target. The error is that of the target's Emit.
func (e Event[T]) Emit(to Target, v T) error { return to.Emit(string(e), spread(v)...) }

// On registers fn for the event and returns a function that removes it. It
// needs no reflection to be called. ctx ends with s, and an error of fn is
// treated like that of any handler. On panics if the name is reserved, if fn is
// nil, or if no argument can be decoded into a T.
func (e Event[T]) On(r Registrar, fn func(ctx context.Context, s *Socket, v T) error) (off func()) {
	checkHandlerName(string(e))
	checkNotNil(fmt.Sprintf("On(%q)", string(e)), fn == nil)
	checkArguments[T](fmt.Sprintf("On(%q)", string(e)))
	decode := decoderOf[T]()
	return r.register(string(e), &handler{pc: pcOf(fn), run: func(c *call) ([]any, error) {
		v, err := decode(c)
		if err != nil {
			return nil, err
		}
		return nil, fn(c.context(), c.s, v)
	}})
}

// A Call is the name of an event that is answered, together with the types of
// the question and the answer.
//
//	const Login socketio.Call[Credentials, Profile] = "login"
type Call[Req, Res any] string

// Do sends req and waits for the answer until ctx ends; see
// [Socket.EmitWithAck]. The error is an *[Error] when the other side refused,
// and a *[DecodeError] when the answer has another type.
func (c Call[Req, Res]) Do(ctx context.Context, to Caller, req Req) (res Res, err error) {
	args, err := to.EmitWithAck(ctx, string(c), spread(req)...)
	if err != nil {
		return res, err
	}
	return answerOf[Res](args)
}

// On registers fn for the call; what it returns is the answer. It returns a
// function that removes fn, and panics as that of [Event] does.
func (c Call[Req, Res]) On(r Registrar, fn func(ctx context.Context, s *Socket, req Req) (Res, error)) (off func()) {
	checkHandlerName(string(c))
	checkNotNil(fmt.Sprintf("On(%q)", string(c)), fn == nil)
	checkArguments[Req](fmt.Sprintf("On(%q)", string(c)))
	checkResult[Res](fmt.Sprintf("On(%q)", string(c)))
	decode := decoderOf[Req]()
	return r.register(string(c), &handler{pc: pcOf(fn), result: true, run: func(c *call) ([]any, error) {
		req, err := decode(c)
		if err != nil {
			return nil, err
		}
		res, err := fn(c.context(), c.s, req)
		if err != nil {
			return nil, err
		}
		return spread(res), nil
	}})
}

// A Key is the name of a value attached to sockets, together with its type.
// What is attached travels with [RemoteSocket].
//
//	const User socketio.Key[Profile] = "user"
type Key[T any] string

// Set attaches v to s, in place of what was attached before.
func (k Key[T]) Set(s *Socket, v T) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]any)
	}
	s.values[string(k)] = v
}

// Delete removes what is attached to s.
func (k Key[T]) Delete(s *Socket) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	delete(s.values, string(k))
}

// A ValueHolder is what values are attached to: a *[Socket], or a [RemoteSocket] that
// [Emitter.Sockets] has described.
type ValueHolder interface {
	attached(name string) any
	decoded(name string, v any) any
}

// Get returns what is attached to a socket, also after it has disconnected. ok is false
// if nothing is, or something of another type.
func (k Key[T]) Get(of ValueHolder) (v T, ok bool) {
	value := of.attached(string(k))
	remote, is := value.(remoteValue)
	if !is {
		v, ok = value.(T)
		return v, ok
	}
	// It comes from another server. No lock is held while T decodes itself.
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

// decoded puts v in the place of a value that came from another server, unless that was
// set meanwhile, and returns what is attached now.
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

// copyValues returns what is attached to s.
func (s *Socket) copyValues() map[string]any {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return maps.Clone(s.values)
}
