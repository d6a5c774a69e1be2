package socketio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/socketio-go/socketio"
)

// A server may be mounted under any path, which clients are told as the option
// path. The script for pages lies beside it.
func ExampleServer() {
	io := socketio.NewServer(nil)
	io.On("double", func(n int) int { return 2 * n })

	mux := http.NewServeMux()
	mux.Handle("/live/", io)

	host := exampleServe(io, mux)
	defer host.close()
	client := host.connectAt("/live/", "/")
	fmt.Println(client.ask("double", 21))

	script, err := host.web.Client().Get(host.web.URL + "/live/socket.io.js")
	if err != nil {
		fmt.Println(err)
		return
	}
	script.Body.Close()
	fmt.Println(script.Status, script.Header.Get("Content-Type"))
	// Output:
	// 42
	// 200 OK application/javascript; charset=utf-8
}

// Namespaces have handlers of their own. Clients can join only those that
// exist.
func ExampleServer_Of() {
	io := socketio.NewServer(nil)
	io.On("where", func(s *socketio.Socket) string { return s.Namespace().Name() })
	io.Of("/admin").On("where", func(s *socketio.Socket) string { return "among admins" })

	host := exampleServe(io)
	defer host.close()
	fmt.Println(host.connect("/").ask("where"))
	fmt.Println(host.connect("/admin").ask("where"))
	fmt.Println(host.connect("/nowhere").refused)
	// Output:
	// "/"
	// "among admins"
	// {"message":"Invalid namespace"}
}

// Shutdown sends what is queued, closes the connections and waits for handlers.
// The http.Server comes after it.
func ExampleServer_Shutdown() {
	io := socketio.NewServer(nil)
	io.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		fmt.Println("server:", reason)
	})

	host := exampleServe(io)
	defer host.close()
	received := host.connect("/").receiveAll()

	io.Emit("bye")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("error:", io.Shutdown(ctx))
	fmt.Println("client:", <-received)
	// Output:
	// server: server shutting down
	// error: <nil>
	// client: [bye disconnected]
}

// Where somebody else calls the http.Server's Shutdown, it can begin that of the
// Socket.IO server, but does not wait for it.
func ExampleServer_Shutdown_registerOnShutdown() {
	io := socketio.NewServer(nil)
	host := exampleServe(io)
	defer host.close()
	received := host.connect("/").receiveAll()

	ended := make(chan error, 1)
	server := host.web.Config // the http.Server
	server.RegisterOnShutdown(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- io.Shutdown(ctx)
	})

	fmt.Println(server.Shutdown(context.Background()))
	fmt.Println(<-ended)
	fmt.Println(<-received)
	// Output:
	// <nil>
	// <nil>
	// [disconnected]
}

// Stats tells what a server holds.
func ExampleServer_Stats() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) { s.Join("lobby") })

	host := exampleServe(io)
	defer host.close()
	host.connect("/")
	host.connect("/")

	st := io.Stats()
	fmt.Println(st.Connections, "connections,", st.Sockets, "sockets,", st.Rooms, "room")
	m := st.Messages
	fmt.Println(m.Emitted == m.Written+m.Pending+m.DroppedVolatile+m.DroppedSlow+m.DroppedClosed)
	// Output:
	// 2 connections, 2 sockets, 1 room
	// true
}

// Pages of other hosts are refused unless they are listed.
func ExampleOptions_origins() {
	io := socketio.NewServer(&socketio.Options{
		Origins: []string{"https://app.example.com", "https://*.example.org"},
	})

	host := exampleServe(io)
	defer host.close()
	fmt.Println(host.dialFrom("https://app.example.com"))
	fmt.Println(host.dialFrom("https://a.example.org"))
	fmt.Println(host.dialFrom("https://example.net"))
	// Output:
	// 101
	// 101
	// 403
}

// AllowRequest sees the handshake before there is a connection.
func ExampleOptions_allowRequest() {
	io := socketio.NewServer(&socketio.Options{
		AllowRequest: func(r *http.Request) error {
			if r.URL.Query().Get("version") != "2" {
				return socketio.Errorf("please reload the page") // shown to the client
			}
			return nil
		},
	})

	host := exampleServe(io)
	defer host.close()
	response, err := host.web.Client().Get(host.web.URL + "/socket.io/?EIO=4&transport=polling&version=1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := bufio.NewReader(response.Body).ReadString('}')
	fmt.Println(response.StatusCode, body)
	// Output:
	// 403 {"code":4,"message":"please reload the page"}
}

// OnError hears what clients are not told: panics, errors that are no *Error,
// arguments of the wrong type, malformed packets.
func ExampleOptions_onError() {
	io := socketio.NewServer(&socketio.Options{
		OnError: func(s *socketio.Socket, err error) {
			var p *socketio.PanicError
			var d *socketio.DecodeError
			switch {
			case errors.As(err, &p):
				fmt.Println("server: panic in", p.Event, "-", p.Value)
			case errors.As(err, &d):
				fmt.Println("server: bad argument", d.Arg, "of", d.Event)
			}
		},
	})
	io.On("divide", func(a, b int) int { return a / b })

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println("client:", client.ask("divide", 1, 0))
	fmt.Println("client:", client.ask("divide", "one", 2))
	fmt.Println("client:", client.ask("divide", 6, 2))
	// Output:
	// server: panic in divide - runtime error: integer divide by zero
	// client: {"error":{"message":"internal error"}}
	// server: bad argument 0 of divide
	// client: {"error":{"message":"bad arguments"}}
	// client: 3
}
