package socketio_test

import (
	"context"
	"fmt"
	"regexp"

	"github.com/socketio-go/socketio"
)

// A namespace for every organisation, made when its first client connects.
func ExampleServer_OfMatch() {
	io := socketio.NewServer(nil)
	orgs := io.OfMatch(regexp.MustCompile(`^/org-\d+$`).MatchString)
	orgs.OnConnect(func(s *socketio.Socket) { s.Emit("welcome", s.Namespace().Name()) })

	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/org-1"), host.connect("/org-2")
	fmt.Println("ada:", ada.receive())
	fmt.Println("bob:", bob.receive())
	orgs.Emit("news", "for all of them")
	io.Of("/org-2").Emit("news", "for one")
	fmt.Println("ada:", ada.receive())
	fmt.Println("bob:", bob.receive(), "/", bob.receive())
	fmt.Println(host.connect("/org-x").refused)
	// Output:
	// ada: welcome "/org-1"
	// bob: welcome "/org-2"
	// ada: news "for all of them"
	// bob: news "for all of them" / news "for one"
	// {"message":"Invalid namespace"}
}

// An interceptor sees every event before its handlers, and their results after
// them.
func ExampleNamespace_Intercept() {
	io := socketio.NewServer(nil)
	io.On("add", func(a, b int) int { return a + b })
	io.On("delete", func() { fmt.Println("never called") })

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	io.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		if m.Event == "delete" {
			return nil, socketio.Errorf("you may not %s", m.Event)
		}
		results, err := next(ctx, m)
		fmt.Println(m.Event, m.Args, results, err)
		return results, err
	})
	fmt.Println(client.ask("add", 1, 2))
	fmt.Println(client.ask("delete"))
	// Output:
	// add [1,2] [3] <nil>
	// 3
	// {"error":{"message":"you may not delete"}}
}

// EncodeArgs makes the arguments of a changed message.
func ExampleEncodeArgs() {
	io := socketio.NewServer(nil)
	io.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		args, err := socketio.EncodeArgs("first", m.Args)
		if err != nil {
			return nil, err
		}
		m.Args = args
		return next(ctx, m)
	})
	io.On("list", func(words ...string) int { fmt.Println(words); return len(words) })

	host := exampleServe(io)
	defer host.close()
	fmt.Println(host.connect("/").ask("list", "a", "b"))
	// Output:
	// [first a b]
	// 3
}

// OnAny is told of what clients emit, OnAnyOutgoing of what they are sent.
func ExampleNamespace_OnAny() {
	io := socketio.NewServer(nil)
	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")

	off := io.OnAny(func(s *socketio.Socket, m socketio.Message) { fmt.Println("in:", m.Event, m.Args) })
	io.OnAnyOutgoing(func(s *socketio.Socket, m socketio.Message) { fmt.Println("out:", m.Event, m.Args) })
	io.On("say", func(text string) { io.Emit("said", text) })
	ada.ask("say", "hello")
	off()
	bob.ask("say", "goodbye")
	// Output:
	// in: say ["hello"]
	// out: said ["hello"]
	// out: said ["hello"]
	// out: said ["goodbye"]
	// out: said ["goodbye"]
}

// OnJoin and OnLeave are told who enters and leaves rooms.
func ExampleNamespace_OnJoin() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.OnJoin(func(s *socketio.Socket, room string) { fmt.Println("joins", room) })
	io.OnLeave(func(s *socketio.Socket, room string) { fmt.Println("leaves", room) })
	io.OnConnect(func(s *socketio.Socket) { s.Join("lobby") })
	io.OnDisconnect(func(*socketio.Socket, socketio.Reason) { close(done) })

	host := exampleServe(io)
	defer host.close()
	host.connect("/").leave()
	<-done
	// Output:
	// joins lobby
	// leaves lobby
}

// An Emitter does more to sockets than emitting to them.
func ExampleEmitter_Join() {
	io, _, p := exampleMeet() // ada is in room1, bob in room1 and room2, cem in room3
	defer p.close()
	ctx := context.Background()

	io.To("room1").Join(ctx, "room4")
	io.To("room2").Leave(ctx, "room1")
	for _, room := range []string{"room1", "room4"} {
		n, err := io.To(room).Count(ctx)
		fmt.Println(room, n, err)
	}
	io.To("room3").Disconnect(ctx)
	fmt.Println(p.cem.receive())
	// Output:
	// room1 1 <nil>
	// room4 2 <nil>
	// disconnected
}

// Sockets describes sockets, those of other servers too, with their values.
func ExampleEmitter_Sockets() {
	io, s, p := exampleMeet() // ada is in room1, bob in room1 and room2, cem in room3
	defer p.close()
	const Name socketio.Key[string] = "name"
	Name.Set(s, "ada")

	sockets, err := io.To("room1").Except("room2").Sockets(context.Background())
	for _, r := range sockets {
		name, ok := Name.Get(r)
		fmt.Println(r.ID == s.ID(), r.Rooms[1:], name, ok, r.Handshake.URL.Path, err)
	}
	// Output:
	// true [room1] ada true /socket.io/ <nil>
}
