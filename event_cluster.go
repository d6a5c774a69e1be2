package socketio

import (
	"context"
	"fmt"

	"github.com/socketio-go/socketio/internal/arguments"
)

// A BroadcastCaller is a [Target] with any number of receivers, which can acknowledge
// events: a *[Server], *[Namespace], [Room] or [Emitter].
type BroadcastCaller interface {
	Target
	EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error)
}

// A ServerSide sends and handles events between the servers of a cluster: a *[Server] or
// *[Namespace].
type ServerSide interface {
	ServerSideEmit(event string, args ...any) error
	ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error)
	OnServerSide(event string, handler any) (off func())
	registerServerSide(event string, h *handler) (off func())
}

// A CallReply is one receiver's ack of a [Call].
type CallReply[Res any] struct {
	From string // a socket id, or a server id
	Res  Res    // the zero value if Err is set
	// Err is an *[Error] if the receiver refused, a *[DecodeError] if its ack does not
	// fit Res, or the error of the [Reply].
	Err error
}

// DoAll sends req to all receivers and collects one reply from each. It waits, and fails,
// as [Emitter.EmitWithAck] does.
func (c Call[Req, Res]) DoAll(ctx context.Context, to BroadcastCaller, req Req) ([]CallReply[Res], error) {
	replies, err := to.EmitWithAck(ctx, string(c), arguments.Spread(req)...)
	return callReplies[Res](replies), err
}

// DoServerSide sends req to the other servers of the cluster and collects one reply from
// each. It waits, and fails, as [Namespace.ServerSideEmitWithAck] does.
func (c Call[Req, Res]) DoServerSide(ctx context.Context, n ServerSide, req Req) ([]CallReply[Res], error) {
	replies, err := n.ServerSideEmitWithAck(ctx, string(c), arguments.Spread(req)...)
	return callReplies[Res](replies), err
}

// callReplies decodes the acks in replies.
func callReplies[Res any](replies []Reply) []CallReply[Res] {
	if replies == nil {
		return nil
	}
	list := make([]CallReply[Res], len(replies))
	for i, r := range replies {
		list[i] = CallReply[Res]{From: r.From, Err: r.Err}
		if r.Err == nil {
			list[i].Res, list[i].Err = answerOf[Res](r.Args)
		}
	}
	return list
}

// answerOf decodes one ack.
func answerOf[Res any](args Args) (res Res, err error) {
	if e := errorIn(args); e != nil {
		return res, e
	}
	if res, err = decodeInto[Res](args); err != nil {
		return *new(Res), err
	}
	return res, nil
}

// EmitServerSide sends v to the other servers of the cluster; see
// [Namespace.ServerSideEmit].
func (e Event[T]) EmitServerSide(n ServerSide, v T) error {
	return n.ServerSideEmit(string(e), arguments.Spread(v)...)
}

// OnServerSide registers fn for an event of another server, and returns a function that
// removes it; see [Namespace.OnServerSide]. ctx ends when this server shuts down. It
// panics if the name is reserved, if fn is nil, or if no argument can be decoded into a T.
func (e Event[T]) OnServerSide(n ServerSide, fn func(ctx context.Context, v T) error) (off func()) {
	checkServerSideEvent[T](string(e), fn == nil)
	decode := decoderOf[T]()
	return n.registerServerSide(string(e), &handler{Run: func(c *call) ([]any, error) {
		v, err := decode(c)
		if err != nil {
			return nil, err
		}
		return nil, fn(c.Context(), v)
	}})
}

// OnServerSide registers fn for a call of another server. The result of fn is the reply.
// OnServerSide returns a function that removes fn, and panics as that of [Event] does.
func (c Call[Req, Res]) OnServerSide(n ServerSide, fn func(ctx context.Context, req Req) (Res, error)) (off func()) {
	checkServerSideEvent[Req](string(c), fn == nil)
	checkResult[Res](fmt.Sprintf("OnServerSide(%q)", string(c)))
	decode := decoderOf[Req]()
	return n.registerServerSide(string(c), &handler{Result: true, Run: func(c *call) ([]any, error) {
		req, err := decode(c)
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

func checkServerSideEvent[T any](event string, isNil bool) {
	what := fmt.Sprintf("OnServerSide(%q)", event)
	if err := checkServerSide(event); err != nil {
		panic(fmt.Sprintf("socketio: OnServerSide: %v", err))
	}
	checkNotNil(what, isNil)
	checkArguments[T](what)
}
