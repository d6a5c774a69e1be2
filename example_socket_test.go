package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/socketio-go/socketio"
)

// Arguments are what encoding/json takes, and []byte for binary data.
func ExampleSocket_Emit() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) {
		s.Emit("hello", 1, "2", map[string]any{"3": "4", "5": []byte{6}})
	})

	host := exampleServe(io)
	defer host.close()
	fmt.Println(host.connect("/").receive())
	// Output:
	// hello 1 "2" {"3":"4","5":<1 bytes>}
}

// A func(Args, error) as the last argument takes the client's answer, in turn
// with the socket's handlers.
func ExampleSocket_Emit_callback() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.OnConnect(func(s *socketio.Socket) {
		s.Emit("question", "what is six times seven?", func(answer socketio.Args, err error) {
			defer close(done)
			var n int
			if err == nil {
				err = answer.Decode(&n)
			}
			fmt.Println(n, err)
		})
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.receive())
	client.answer(42)
	<-done
	// Output:
	// question "what is six times seven?"
	// 42 <nil>
}

// EmitWithAck waits for the client's answer, also in a handler of that client.
func ExampleSocket_EmitWithAck() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.On("start", func(ctx context.Context, s *socketio.Socket) {
		defer close(done)
		answer, err := s.EmitWithAck(ctx, "question", "tea or coffee?")
		if err != nil {
			fmt.Println(err)
			return
		}
		var drink string
		fmt.Println(answer.Decode(&drink), drink)
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("start")
	fmt.Println(client.receive())
	client.answer("tea")
	<-done
	// Output:
	// question "tea or coffee?"
	// <nil> tea
}

// The context bounds the waiting.
func ExampleSocket_EmitWithAck_timeout() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.On("start", func(ctx context.Context, s *socketio.Socket) {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err := s.EmitWithAck(ctx, "question", "is anybody there?")
		fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
	})

	host := exampleServe(io)
	defer host.close()
	host.connect("/").emit("start") // and never answers
	<-done
	// Output:
	// context deadline exceeded true
}

// Broadcast, To and Except of a socket leave that socket out.
func ExampleSocket_Broadcast() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) { s.Join("lobby") })
	io.On("say", func(s *socketio.Socket, text string) {
		s.Broadcast().Emit("said", text)
		s.To("lobby").Emit("said in the lobby", text)
		s.Emit("sent")
	})

	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")
	ada.emit("say", "hello")
	fmt.Println("ada:", ada.receive())
	fmt.Println("bob:", bob.receive(), bob.receive())
	// Output:
	// ada: sent
	// bob: said "hello" said in the lobby "hello"
}

// Every socket is in a room called by its id.
func ExampleSocket_ID() {
	io := socketio.NewServer(nil)
	ids := make(chan string, 2)
	io.OnConnect(func(s *socketio.Socket) { ids <- s.ID() })
	io.On("whisper", func(s *socketio.Socket, id, text string) { s.To(id).Emit("whispered", text) })

	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")
	<-ids // ada's
	ada.emit("whisper", <-ids, "hello bob")
	fmt.Println(bob.receive())
	// Output:
	// whispered "hello bob"
}

// Handshake describes the request that opened the connection, and what the
// client passed as auth.
func ExampleSocket_Handshake() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) {
		h := s.Handshake()
		var auth struct{ Name string }
		err := h.Auth.Decode(&auth)
		fmt.Println(auth.Name, err, h.URL.Path, h.URL.Query().Get("transport"), h.Secure)
	})

	host := exampleServe(io)
	defer host.close()
	host.connect("/", map[string]any{"name": "ada"})
	// Output:
	// ada <nil> /socket.io/ websocket false
}

// The context ends with the socket. Its cause says why.
func ExampleSocket_Context() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.On("work", func(ctx context.Context) {
		defer close(done)
		<-ctx.Done()
		var cause *socketio.DisconnectError
		fmt.Println(errors.As(context.Cause(ctx), &cause), cause.Reason)
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("work")
	client.leave()
	<-done
	// Output:
	// true client namespace disconnect
}

// The context has the values of the HTTP request that opened the connection. So
// net/http middleware can look up the session of a cookie, as for other requests,
// and sockets find the user.
func ExampleSocket_Context_session() {
	type userKey struct{}
	sessions := map[string]string{"1f4a": "alice"} // cookies and users
	withUser := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cookie, err := r.Cookie("session"); err == nil {
				if user, ok := sessions[cookie.Value]; ok {
					r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
				}
			}
			next.ServeHTTP(w, r)
		})
	}

	io := socketio.NewServer(nil)
	io.Use(func(ctx context.Context, s *socketio.Socket) error {
		if ctx.Value(userKey{}) == nil {
			return socketio.Errorf("log in first")
		}
		return nil
	})
	io.On("whoami", func(ctx context.Context) any { return ctx.Value(userKey{}) })

	host := exampleServe(io, withUser(io))
	defer host.close()
	fmt.Println(host.connect("/").refused)
	host.header = http.Header{"Cookie": {"session=1f4a"}}
	fmt.Println(host.connect("/").ask("whoami"))
	// Output:
	// {"message":"log in first"}
	// "alice"
}

// Disconnect leaves one namespace, Close the connection with all of them.
func ExampleSocket_Disconnect() {
	io := socketio.NewServer(nil)
	done := make(chan socketio.Reason, 1)
	io.On("kick me", func(s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { done <- reason })
		s.Emit("as you like")
		s.Disconnect()
		fmt.Println(s.Emit("too late"))
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("kick me")
	fmt.Println(<-done)
	fmt.Println(client.receive())
	fmt.Println(client.receive())
	// Output:
	// socketio: closed
	// server namespace disconnect
	// as you like
	// disconnected
}

// Waiting for an answer ends with ErrClosed when the socket leaves.
func ExampleSocket_EmitWithAck_closed() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.On("start", func(s *socketio.Socket) {
		defer close(done)
		_, err := s.EmitWithAck(context.Background(), "question")
		fmt.Println(errors.Is(err, socketio.ErrClosed))
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("start")
	client.receive()
	client.leave()
	<-done
	// Output:
	// true
}

// A handler may be registered for one socket, and removed again.
func ExampleSocket_On() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) {
		var off func()
		off = s.On("vote", func(choice string) string {
			off()
			return "counted: " + choice
		})
	})
	io.On("vote", func() string { return "you have voted" })

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.ask("vote", "tea"))
	fmt.Println(client.ask("vote", "coffee"))
	// Output:
	// "counted: tea"
	// "you have voted"
}

// Join and Leave hold when they return.
func ExampleSocket_Join() {
	io := socketio.NewServer(nil)
	io.On("visit", func(s *socketio.Socket) {
		s.Join("hall", "garden")
		io.To("garden").Emit("seen", len(s.Rooms())) // its own room is the third
		s.Leave("garden")
		io.To("garden").Emit("not seen")
		io.To("hall").Emit("seen", len(s.Rooms()))
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("visit")
	fmt.Println(client.receive(), client.receive())
	// Output:
	// seen 3 seen 2
}
