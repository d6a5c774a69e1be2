package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/socketio-go/socketio"
)

// A handler names the types of the arguments that it wants.
func ExampleNamespace_On() {
	io := socketio.NewServer(nil)

	// The socket and arguments; a missing one is a zero value.
	io.On("move", func(s *socketio.Socket, x, y float64) string {
		return fmt.Sprintf("at %v,%v", x, y)
	})
	// Arguments alone.
	io.On("add", func(a, b int) int { return a + b })
	// Any number of them.
	io.On("join", func(words ...string) string { return strings.Join(words, "-") })
	// What encoding/json decodes.
	io.On("greet", func(who struct{ First, Last string }) string { return "hello " + who.Last })
	// A context, which ends with the socket, and an error.
	io.On("check", func(ctx context.Context, n *int) error {
		if n == nil {
			return socketio.Errorf("a number, please")
		}
		return ctx.Err()
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.ask("move", 1.5))
	fmt.Println(client.ask("add", 1, 2))
	fmt.Println(client.ask("join", "a", "b", "c"))
	fmt.Println(client.ask("greet", map[string]any{"first": "Ada", "last": "Lovelace"}))
	fmt.Println(client.ask("check", nil))
	// Output:
	// "at 1.5,0"
	// 3
	// "a-b-c"
	// "hello Lovelace"
	// {"error":{"message":"a number, please"}}
}

// What a handler returns is the answer, if the client asked for one. Of errors,
// only an *Error is shown to it.
func ExampleNamespace_On_answer() {
	io := socketio.NewServer(nil)

	io.On("order", func(s *socketio.Socket, fruit string, n int) (left int, err error) {
		switch {
		case fruit != "apple":
			return 0, errors.New("no such table: " + fruit) // the client reads "internal error"
		case n > 3:
			return 0, &socketio.Error{Message: "sold out", Data: []byte(`{"left":3}`)}
		}
		return 3 - n, nil
	})
	io.On("ping", func() {}) // no result: an answer without arguments

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.ask("order", "apple", 2))
	fmt.Println(client.ask("order", "apple", 4))
	fmt.Println(client.ask("order", "mango", 1))
	fmt.Printf("%q\n", client.ask("ping"))
	// Output:
	// 1
	// {"error":{"message":"sold out","data":{"left":3}}}
	// {"error":{"message":"internal error"}}
	// ""
}

// Several handlers of an event run in turn: the socket's own first, then the
// namespace's in order of registration. The first result answers.
func ExampleNamespace_On_several() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) {
		s.On("hello", func() { fmt.Println("the socket's own") })
	})
	io.On("hello", func() string { fmt.Println("first"); return "from the first" })
	off := io.On("hello", func() string { fmt.Println("second"); return "from the second" })

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.ask("hello"))
	off()
	fmt.Println(client.ask("hello"))
	// Output:
	// the socket's own
	// first
	// second
	// "from the first"
	// the socket's own
	// first
	// "from the first"
}

// A function that no handler can be panics at once and says why.
func ExampleNamespace_On_shape() {
	io := socketio.NewServer(nil)
	defer func() {
		problem, _, _ := strings.Cut(fmt.Sprint(recover()), ";") // the accepted shapes follow
		fmt.Println(problem)
	}()
	io.On("move", func(x, y float64, s *socketio.Socket) {})
	// Output:
	// socketio: On("move"): func(float64, float64, *socketio.Socket): *socketio.Socket out of place
}

// Middleware decides who may join. Only an *Error is shown to who may not.
func ExampleNamespace_Use() {
	io := socketio.NewServer(nil)
	admin := io.Of("/admin")
	admin.Use(func(ctx context.Context, s *socketio.Socket) error {
		var auth struct{ Token string }
		if err := s.Handshake().Auth.Decode(&auth); err != nil {
			return err // "Connection refused"
		}
		if auth.Token != "secret" {
			return socketio.Errorf("unknown token %q", auth.Token)
		}
		return s.Join("admins")
	})
	admin.OnConnect(func(s *socketio.Socket) { fmt.Println("welcome, in", s.Rooms()[1:]) })

	host := exampleServe(io)
	defer host.close()
	fmt.Println(host.connect("/admin", map[string]any{"token": 7}).refused)
	fmt.Println(host.connect("/admin", map[string]any{"token": "guess"}).refused)
	fmt.Println(host.connect("/admin", map[string]any{"token": "secret"}).refused == "")
	// Output:
	// {"message":"Connection refused"}
	// {"message":"unknown token \"guess\""}
	// welcome, in [admins]
	// true
}

// OnDisconnect is told why a socket has left. Its rooms are still known.
func ExampleNamespace_OnDisconnect() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.OnConnect(func(s *socketio.Socket) { s.Join("lobby") })
	io.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		fmt.Println(reason, s.Rooms()[1:], s.Connected())
		close(done)
	})

	host := exampleServe(io)
	defer host.close()
	host.connect("/").leave()
	<-done
	fmt.Println(io.Room("lobby").LocalLen())
	// Output:
	// client namespace disconnect [lobby] false
	// 0
}

// LocalSockets iterates over who is connected.
func ExampleNamespace_LocalSockets() {
	io := socketio.NewServer(nil)
	host := exampleServe(io)
	defer host.close()
	host.connect("/")
	host.connectPolling("/")

	var transports []string
	for s := range io.LocalSockets() {
		transports = append(transports, s.Transport().String())
	}
	slices.Sort(transports)
	fmt.Println(transports)
	// Output:
	// [polling websocket]
}
