package socketio_test

import (
	"context"
	"fmt"

	"github.com/socketio-go/socketio"
)

// How the sockets of a namespace have disconnected.
func ExampleNamespace_Stats() {
	io := socketio.NewServer(nil)
	host := exampleServe(io)
	defer host.close()
	host.connect("/")
	host.connect("/")
	_ = io.Close()

	st := io.Of("/").Stats()
	fmt.Println("connected:", st.Connects)
	for reason, n := range st.Disconnects.All() {
		if n > 0 {
			fmt.Println(reason+":", n)
		}
	}
	// Output:
	// connected: 2
	// server shutting down: 2
}

// An interceptor that counts by event. Clients choose names, so it counts only those
// that have a handler.
func ExampleSocket_Handles() {
	counted := make(map[string]int)
	io := socketio.NewServer(nil)
	io.On("greet", func(name string) string { return "hello " + name })
	io.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		label := "other"
		if s.Handles(m.Event) {
			label = m.Event
		}
		counted[label]++
		return next(ctx, m)
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("made up")
	fmt.Println(client.ask("greet", "Ada"), counted["greet"], counted["made up"])
	// Output:
	// "hello Ada" 1 0
}
