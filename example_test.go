package socketio_test

import (
	"fmt"
	"net/http"

	"github.com/socketio-go/socketio"
)

// A server and its handlers, mounted where clients look for it.
func Example() {
	io := socketio.NewServer(nil)
	io.OnConnect(func(s *socketio.Socket) { s.Join("lobby") })
	io.On("say", func(s *socketio.Socket, text string) int {
		s.To("lobby").Emit("said", text)
		return len(text)
	})

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)

	// Two clients, as a browser would be one.
	host := exampleServe(io, mux)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")

	fmt.Println("answer:", ada.ask("say", "hello"))
	fmt.Println("bob:", bob.receive())
	// Output:
	// answer: 5
	// bob: said "hello"
}
