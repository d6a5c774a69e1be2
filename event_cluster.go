package socketio

import (
	"context"
	"fmt"
	"reflect"
)

// A BroadcastCaller is a [Target] with any number of receivers that can answer: a
// *[Server], *[Namespace], [Room] or [Emitter].
type BroadcastCaller interface {
	Target
	EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error)
}

// A ServerSide is where events between the servers of a cluster are sent and handled: a
// *[Server] or *[Namespace].
type ServerSide interface {
	ServerSideEmit(event string, args ...any) error
	ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error)
	OnServerSide(event string, handler any) (off func())
	registerServerSide(event string, h *handler) (off func())
}

// A CallReply is one receiver's answer to a [Call].
type CallReply[Res any] struct {
	From string // a socket id, or a server id
	Res  Res    // the zero value if Err is set
	// Err is an *[Error] when the receiver refused, a *[DecodeError] when the answer has
	// another type, or that of the [Reply].
	Err error
}

// DoAll sends req to all receivers and collects one answer from each; see
// [Emitter.EmitWithAck], whose error it returns beside the replies.
func (c Call[Req, Res]) DoAll(ctx context.Context, to BroadcastCaller, req Req) ([]CallReply[Res], error) {
	replies, err := to.EmitWithAck(ctx, string(c), spread(req)...)
	return callReplies[Res](replies), err
}

// DoServerSide sends req to the other servers of the cluster and collects one answer
// from each; see [Namespace.ServerSideEmitWithAck], whose error it returns beside the
// replies.
func (c Call[Req, Res]) DoServerSide(ctx context.Context, n ServerSide, req Req) ([]CallReply[Res], error) {
	replies, err := n.ServerSideEmitWithAck(ctx, string(c), spread(req)...)
	return callReplies[Res](replies), err
}

// callReplies decodes the answers.
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

// answerOf decodes one answer.
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
	return n.ServerSideEmit(string(e), spread(v)...)
}

// OnServerSide registers fn for the event of another server, and returns a function that
// removes it; see [Namespace.OnServerSide]. ctx ends with the server. It panics if the
// name is reserved, if fn is nil, or if no argument can be decoded into a T.
func (e Event[T]) OnServerSide(n ServerSide, fn func(ctx context.Context, v T) error) (off func()) {
	checkServerSideEvent[T](string(e), fn == nil)
	decode := decoderOf[T]()
	return n.registerServerSide(string(e), &handler{run: func(c *call) ([]any, error) {
		v, err := decode(c)
		if err != nil {
			return nil, err
		}
		return nil, fn(c.context(), v)
	}})
}

// OnServerSide registers fn for the call of another server; what it returns is the
// answer. It returns a function that removes fn, and panics as that of [Event] does.
func (c Call[Req, Res]) OnServerSide(n ServerSide, fn func(ctx context.Context, req Req) (Res, error)) (off func()) {
	checkServerSideEvent[Req](string(c), fn == nil)
	checkResult[Res](fmt.Sprintf("OnServerSide(%q)", string(c)))
	decode := decoderOf[Req]()
	return n.registerServerSide(string(c), &handler{result: true, run: func(c *call) ([]any, error) {
		req, err := decode(c)
		if err != nil {
			return nil, err
		}
		res, err := fn(c.context(), req)
		if err != nil {
			return nil, err
		}
		return spread(res), nil
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

// checkResult panics if the result of a typed call is an error.
func checkResult[Res any](what string) {
	if t := reflect.TypeFor[Res](); t.Implements(errorType) {
		panic(fmt.Sprintf("socketio: %s: %s is an error: return it beside the answer", what, t))
	}
}
