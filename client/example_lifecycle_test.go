package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// open returns a client of io, and a function that closes both.
func open(io *socketio.Server, opts *client.Options) (*client.Client, func()) {
	srv := httptest.NewServer(io)
	c, err := client.New(srv.URL, opts)
	if err != nil {
		panic(err)
	}
	return c, func() {
		c.Close()
		io.Close()
		srv.Close()
	}
}

func ExampleClient_Of() {
	io := socketio.NewServer(nil)
	io.Of("/chat").On("say", func(text string) string { return "said " + text })
	c, end := open(io, nil)
	defer end()

	chat := c.Of("/chat")
	ctx := context.Background()
	if err := chat.Connect(ctx); err != nil {
		fmt.Println(err)
	}
	answer, err := chat.EmitWithAck(ctx, "say", "hello")
	fmt.Println(answer, err, c.Connected())
	// Output: ["said hello"] <nil> false
}

func ExampleClient_OnState() {
	c, end := open(socketio.NewServer(nil), nil)
	defer end()

	changes := make(chan string, 10)
	c.OnState(func(change client.Change) { changes <- fmt.Sprintf("%v to %v", change.From, change.To) })
	c.Connect(context.Background())
	c.Disconnect()
	for range 3 {
		fmt.Println(<-changes)
	}
	// Output:
	// idle to connecting
	// connecting to connected
	// connected to idle
}

func ExampleClient_Shutdown() {
	io := socketio.NewServer(nil)
	said := make(chan string, 1)
	io.On("say", func(text string) { said <- text })
	c, end := open(io, nil)
	defer end()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.Connect(ctx)
	c.Emit("say", "bye")
	fmt.Println(c.Shutdown(ctx), c.Emit("say", "more"))
	fmt.Println(<-said)
	// Output:
	// <nil> client: closed
	// bye
}

func ExampleClient_Stats() {
	c, end := open(socketio.NewServer(nil), nil)
	defer end()

	c.Emit("say", "hello") // there is no connection yet
	s := c.Stats()
	fmt.Println(s.Emitted, s.Buffered, s.Written, s.Dropped.Total())
	// Output: 1 1 0 0
}

func ExampleSocket_Connect_refused() {
	io := socketio.NewServer(nil)
	io.Use(func(_ context.Context, s *socketio.Socket) error {
		var auth struct{ Token string }
		if s.Handshake().Auth.Decode(&auth); auth.Token != "s3cret" {
			return socketio.Errorf("not authorized")
		}
		return nil
	})
	token := ""
	c, end := open(io, &client.Options{Auth: func(context.Context, string) (any, error) {
		return map[string]string{"token": token}, nil // called each time that a namespace is joined
	}})
	defer end()

	var refused *client.RefusedError
	if errors.As(c.Connect(context.Background()), &refused) {
		fmt.Println(refused.Err.Message)
	}
	token = "s3cret"
	fmt.Println(c.Connect(context.Background()))
	// Output:
	// not authorized
	// <nil>
}

func ExampleSocket_Connect_timeout() {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	c, err := client.New(closed.URL, nil)
	if err != nil {
		panic(err)
	}
	defer c.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = c.Connect(ctx) // tries again until then
	fmt.Println(errors.Is(err, context.DeadlineExceeded), c.State())
	// Output: true idle
}

func ExampleSocket_OnConnect() {
	io := socketio.NewServer(nil)
	io.On("leave", func(s *socketio.Socket) { s.Disconnect() })
	c, end := open(io, nil)
	defer end()

	done := make(chan bool)
	c.OnConnect(func(j client.Joined) { fmt.Println("joined, the first time:", j.First) })
	c.OnDisconnect(func(reason socketio.Reason) {
		fmt.Println(reason)
		close(done)
	})
	c.Connect(context.Background())
	c.Emit("leave")
	<-done
	// Output:
	// joined, the first time: true
	// io server disconnect
}

func ExampleSocket_On() {
	io := socketio.NewServer(nil)
	io.On("ask", func(ctx context.Context, s *socketio.Socket) (string, error) {
		answer, err := s.EmitWithAck(ctx, "add", 40, 2)
		return answer.String(), err
	})
	c, end := open(io, nil)
	defer end()

	c.On("add", func(a, b int) int { return a + b })
	ctx := context.Background()
	c.Connect(ctx)
	answer, err := c.EmitWithAck(ctx, "ask")
	fmt.Println(answer, err)
	// Output: ["[42]"] <nil>
}

func ExampleSocket_OnAny() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) { s.Emit("hello", 1, "two") })
	c, end := open(io, nil)
	defer end()

	seen := make(chan string)
	c.OnAny(func(event string, args socketio.Args) { seen <- event + " " + args.String() })
	c.Connect(context.Background())
	fmt.Println(<-seen)
	// Output: hello [1,"two"]
}

func ExampleSocket_Emit_callback() {
	io := socketio.NewServer(nil)
	io.On("double", func(n int) int { return 2 * n })
	c, end := open(io, nil)
	defer end()

	done := make(chan bool)
	c.Connect(context.Background())
	c.Emit("double", 21, func(answer socketio.Args, err error) {
		fmt.Println(answer, err)
		close(done)
	})
	<-done
	// Output: [42] <nil>
}

func ExampleSocket_Emit_offline() {
	c, end := open(socketio.NewServer(nil), &client.Options{Offline: client.Refuse})
	defer end()

	fmt.Println(c.Emit("say", "hello"))
	// Output: client: offline
}

func ExampleSocket_Volatile() {
	c, end := open(socketio.NewServer(nil), nil)
	defer end()

	fmt.Println(c.Volatile().Emit("position", 1, 2), c.Stats().Volatile) // dropped: there is no connection
	// Output: <nil> 1
}

func ExampleSocket_Context() {
	io := socketio.NewServer(nil)
	io.On("leave", func(s *socketio.Socket) { s.Disconnect() })
	c, end := open(io, nil)
	defer end()

	c.Connect(context.Background())
	ctx := c.Context()
	c.Emit("leave")
	<-ctx.Done()
	var gone *socketio.DisconnectError
	fmt.Println(errors.As(context.Cause(ctx), &gone), gone.Reason)
	// Output: true io server disconnect
}

func ExampleOn() {
	const said socketio.Event[string] = "said"
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) { said.Emit(s, "hello") })
	c, end := open(io, nil)
	defer end()

	done := make(chan bool)
	client.On(c, said, func(_ context.Context, text string) error {
		fmt.Println(text)
		close(done)
		return nil
	})
	c.Connect(context.Background())
	<-done
	// Output: hello
}

func ExampleRecv() {
	const said socketio.Event[string] = "said"
	io := socketio.NewServer(nil)
	io.On("say", func(s *socketio.Socket, text string) error { return said.Emit(s, text) })
	c, end := open(io, nil)
	defer end()

	ctx := context.Background()
	c.Connect(ctx)
	time.AfterFunc(10*time.Millisecond, func() { c.Emit("say", "hello") })
	fmt.Println(client.Recv(ctx, c, said))
	// Output: hello <nil>
}
