package socketio_test

import (
	"context"
	"fmt"

	"github.com/socketio-go/socketio"
)

type exampleMessage struct {
	From string `json:"from,omitempty"`
	Text string `json:"text"`
}

// The name and the type of an event, declared once.
const exampleSaid socketio.Event[exampleMessage] = "said"

// An Event is emitted and handled with its own type, which the compiler checks.
func ExampleEvent() {
	io := socketio.NewServer(nil)
	exampleSaid.On(io, func(ctx context.Context, s *socketio.Socket, m exampleMessage) error {
		m.From = "ada"
		return exampleSaid.Emit(s.Broadcast(), m)
	})

	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")
	ada.emit("said", map[string]any{"text": "hello"})
	fmt.Println(bob.receive())
	// Output:
	// said {"from":"ada","text":"hello"}
}
