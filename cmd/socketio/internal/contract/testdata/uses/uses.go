// Package uses shows which side sends an event, and in which namespace.
package uses

import (
	"context"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/cmd/socketio/internal/contract/testdata/uses/shared"
)

const (
	FromClient socketio.Event[string]   = "from client"
	FromServer socketio.Event[string]   = "from server"
	FromBoth   socketio.Event[string]   = "from both"
	Asked      socketio.Call[int, bool] = "asked" // of the client
	Listened   socketio.Event[string]   = "listened"
	Received   socketio.Event[string]   = "received"
	Handled    socketio.Call[int, int]  = "handled"
	Between    socketio.Event[string]   = "between" // servers
	Ignored    socketio.Event[chan int] = "ignored" //socketio:ignore
	Everywhere socketio.Event[string]   = "everywhere"
	InField    socketio.Event[string]   = "in field"
	InParam    socketio.Event[string]   = "in param"
	InHandler  socketio.Event[string]   = "in handler"
	Embeds     socketio.Event[string]   = "embeds"
)

// The admin's events.
//
//socketio:namespace /admin/users
//socketio:from server
const (
	Kicked socketio.Event[string] = "kicked"
	// Banned is in two namespaces.
	//
	//socketio:namespace /admin
	//socketio:namespace /admin/users
	Banned socketio.Event[string] = "banned"
	Warned socketio.Event[string] = "warned" //socketio:from client
)

type user struct {
	*socketio.Socket
	name string
}

type house struct {
	ns   *socketio.Namespace
	room socketio.Room
}

func serve(ctx context.Context, io *socketio.Server, c *client.Client) error {
	FromClient.On(io, func(context.Context, *socketio.Socket, string) error { return nil })
	FromServer.Emit(io, "")
	FromBoth.On(io, func(context.Context, *socketio.Socket, string) error { return nil })
	FromBoth.Emit(io.To("a").Volatile(), "")
	io.OnConnect(func(s *socketio.Socket) {
		Asked.Do(ctx, s, 1)
		Embeds.Emit(user{s, ""}, "")
	})
	Between.EmitServerSide(io, "")
	socketio.Event[bool]("converted").Emit(io, true)

	client.On(c, Listened, func(context.Context, string) error { return nil })
	client.Recv(ctx, c.Of("/received"), Received)
	client.Handle(c, Handled, func(_ context.Context, n int) (int, error) { return n, nil })

	one, other := io.Of("/one"), io.Of("/other")
	for _, n := range []*socketio.Namespace{one, other} {
		Everywhere.Emit(n, "")
		shared.Knock.On(n, knock)
	}
	h := &house{ns: one, room: one.Room("r")}
	h.emit()
	param(other)
	names(io.Of("/names"))
	return nil
}

func knock(_ context.Context, s *socketio.Socket, _ string) (shared.Door, error) {
	return shared.Door{}, shared.Opened.Emit(s, shared.Door{})
}

func (h *house) emit() { InField.Emit(h.room.Except("x"), "") }

func param(n *socketio.Namespace) {
	InParam.Emit(n, "")
	n.OnConnect(func(s *socketio.Socket) {
		InHandler.Emit(s.Broadcast(), "")
	})
}

func names(n *socketio.Namespace) {
	// Plain has a comment.
	n.On("plain", func(text string, count int) {})
	n.On("no arguments", func() {})
	n.On("socket", func(ctx context.Context, s *socketio.Socket, d shared.Door) error { return nil })
	n.On("unnamed", func(string, _ bool, function int) {})
	n.On("variadic", func(first string, rest ...int) {})
	n.On("args", func(first string, args socketio.Args) {})
	n.On("result", func(text string) int { return 0 })
	n.On("answered", func(text string) (int, error) { return 0, nil }) //socketio:answers
	//socketio:answers
	n.On("confirmed", func(text string) error { return nil })
	n.On("told", func(text string) socketio.Args { return socketio.Args{} }) //socketio:answers
	n.On("ack", func(answer string, ack socketio.AckFunc) {})
	n.On("args and ack", func(text string, args socketio.Args, ack socketio.AckFunc) {})
	n.On("method", handlers{}.method)
	n.On("ignored", any(nil)) //socketio:ignore
	name := "not literal"
	n.On(name, func() {})
}

type handlers struct{}

func (handlers) method(s *socketio.Socket, door shared.Door) {}
