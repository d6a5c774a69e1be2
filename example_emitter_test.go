package socketio_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/socketio-go/socketio"
)

// exampleRooms returns a server whose clients join the rooms they ask for.
func exampleRooms() *socketio.Server {
	io := socketio.NewServer(nil)
	io.On("join", func(s *socketio.Socket, rooms ...string) { s.Join(rooms...) })
	return io
}

// An Emitter is an immutable value: each method returns another one.
func ExampleEmitter() {
	io := exampleRooms() // its clients join the rooms they ask for
	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")
	ada.ask("join", "red")
	bob.ask("join", "red", "quiet")

	red := io.To("red") // may be kept
	red.Except("quiet").Emit("news", 1)
	red.Emit("news", 2)

	fmt.Println("ada:", ada.receive(), ada.receive())
	fmt.Println("bob:", bob.receive())
	// Output:
	// ada: news 1 news 2
	// bob: news 2
}

// To names rooms. Who is in several of them receives the event once.
func ExampleEmitter_To() {
	io := exampleRooms() // its clients join the rooms they ask for
	host := exampleServe(io)
	defer host.close()
	ada, bob, cem := host.connect("/"), host.connect("/"), host.connect("/")
	ada.ask("join", "red", "blue")
	bob.ask("join", "blue")

	io.To("red", "blue").Emit("colours")
	io.To("red").To("blue").Emit("again")
	io.Emit("all")

	fmt.Println("ada:", ada.receive(), ada.receive(), ada.receive())
	fmt.Println("bob:", bob.receive(), bob.receive(), bob.receive())
	fmt.Println("cem:", cem.receive())
	// Output:
	// ada: colours again all
	// bob: colours again all
	// cem: all
}

// Except leaves out who is in one of its rooms.
func ExampleEmitter_Except() {
	io := exampleRooms() // its clients join the rooms they ask for
	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")
	ada.ask("join", "room1", "room2")
	bob.ask("join", "room1", "room3")

	io.Except("room3").Emit("not in 3")
	io.To("room1").To("room2").Except("room3").Emit("several clauses")
	io.Emit("all")

	fmt.Println("ada:", ada.receive(), "/", ada.receive(), "/", ada.receive())
	fmt.Println("bob:", bob.receive())
	// Output:
	// ada: not in 3 / several clauses / all
	// bob: all
}

// Volatile drops an event for who cannot take it at once, such as a client
// between two polls.
func ExampleEmitter_Volatile() {
	io := socketio.NewServer(nil)
	host := exampleServe(io)
	defer host.close()
	client := host.connectPolling("/") // polls when it receives, and does not now

	io.Volatile().Emit("position", 3, 4)
	io.Emit("saved")
	fmt.Println(client.receive())
	// Output:
	// saved
}

// EmitWithAck collects a reply from each receiver. Those that did not answer
// have an error in theirs.
func ExampleEmitter_EmitWithAck() {
	io := socketio.NewServer(nil)
	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")

	done := make(chan struct{})
	go func() { // ends with the replies
		defer close(done)
		replies, err := io.EmitWithAck(context.Background(), "ready?")
		fmt.Println(len(replies), err)
		for _, r := range replies {
			var ready bool
			fmt.Println(r.Args.Decode(&ready), ready, r.Err)
		}
	}()
	for _, client := range []*exampleClient{ada, bob} {
		client.receive()
		client.answer(true)
	}
	<-done
	// Output:
	// 2 <nil>
	// <nil> true <nil>
	// <nil> true <nil>
}

// Emitters of a namespace reach its sockets only.
func ExampleEmitter_Emit_namespace() {
	io := socketio.NewServer(nil)
	news := io.Of("/news")

	host := exampleServe(io)
	defer host.close()
	reader, other := host.connect("/news"), host.connect("/")
	news.Emit("headline", "rain")
	io.Emit("hello")

	fmt.Println("reader:", reader.receive())
	fmt.Println("other:", other.receive())
	// Output:
	// reader: headline "rain"
	// other: hello
}

// Emit reports what can't be sent. Then nobody receives anything.
func ExampleEmitter_Emit_errors() {
	io := socketio.NewServer(nil)
	err := io.Emit("disconnecting")
	fmt.Println(err, errors.Is(err, socketio.ErrReserved))
	fmt.Println(io.Emit("callback", func() {}) != nil)
	// Output:
	// socketio: reserved event name "disconnecting" true
	// true
}
