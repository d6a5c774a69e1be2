package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/socketio-go/socketio"
)

// An exampleParty is three clients of one server: ada is in room1, bob in room1
// and room2, cem in room3. Every line of the emit cheat sheet is shown to them.
type exampleParty struct {
	*exampleHost
	ada, bob, cem *exampleClient
	bobID         string
}

// exampleMeet returns a server, ada's socket, and the party.
func exampleMeet() (io *socketio.Server, s *socketio.Socket, p *exampleParty) {
	io = socketio.NewServer(nil)
	sockets := make(chan *socketio.Socket, 3)
	defer io.OnAny(func(s *socketio.Socket, _ socketio.Message) { sockets <- s })()
	p = &exampleParty{exampleHost: exampleServe(io)}
	p.ada, p.bob, p.cem = p.connect("/"), p.connect("/"), p.connect("/")
	ada, bob, cem := <-sockets, <-sockets, <-sockets
	ada.Join("room1")
	bob.Join("room1", "room2")
	cem.Join("room3")
	p.bobID = bob.ID()
	return io, ada, p
}

// show prints what each has received.
func (p *exampleParty) show() {
	p.io.Emit("that's all")
	for i, client := range []*exampleClient{p.ada, p.bob, p.cem} {
		for event := client.receive(); event != "that's all"; event = client.receive() {
			fmt.Println([]string{"ada:", "bob:", "cem:"}[i], event)
		}
	}
}

// A client, basic emit.
func Example_emit() {
	_, s, p := exampleMeet()
	defer p.close()
	s.Emit("hello", 1, "2", map[string]any{"3": 4})
	p.show()
	// Output:
	// ada: hello 1 "2" {"3":4}
}

// Binary data, at any depth.
func Example_emitBinary() {
	_, s, p := exampleMeet()
	defer p.close()
	s.Emit("hello", []byte{1, 2}, map[string]any{"deep": []byte{3}})
	p.show()
	// Output:
	// ada: hello <2 bytes> {"deep":<1 bytes>}
}

// Everybody.
func Example_emitToAll() {
	io, _, p := exampleMeet()
	defer p.close()
	io.Emit("hello")
	p.show()
	// Output:
	// ada: hello
	// bob: hello
	// cem: hello
}

// Everybody but the sender.
func Example_emitExceptSender() {
	_, s, p := exampleMeet()
	defer p.close()
	s.Broadcast().Emit("hello")
	p.show()
	// Output:
	// bob: hello
	// cem: hello
}

// A room.
func Example_emitToRoom() {
	io, _, p := exampleMeet()
	defer p.close()
	io.To("room1").Emit("hello")
	p.show()
	// Output:
	// ada: hello
	// bob: hello
}

// A room, but the sender.
func Example_emitToRoomExceptSender() {
	_, s, p := exampleMeet()
	defer p.close()
	s.To("room1").Emit("hello")
	p.show()
	// Output:
	// bob: hello
}

// Several rooms: who is in more than one of them receives it once.
func Example_emitToRooms() {
	io, s, p := exampleMeet()
	defer p.close()
	io.To("room1", "room2").Emit("hello")
	io.To("room2").To("room3").Emit("the same as To(room2, room3)")
	s.To("room1", "room3").Emit("from ada")
	p.show()
	// Output:
	// ada: hello
	// bob: hello
	// bob: the same as To(room2, room3)
	// bob: from ada
	// cem: the same as To(room2, room3)
	// cem: from ada
}

// Everybody but a room.
func Example_emitExcept() {
	io, s, p := exampleMeet()
	defer p.close()
	io.Except("room2").Emit("hello")
	s.Except("room2").Emit("from ada")
	io.To("room1").Except("room2").Emit("several clauses")
	p.show()
	// Output:
	// ada: hello
	// ada: several clauses
	// cem: hello
	// cem: from ada
}

// A namespace, and a room of it.
func Example_emitToNamespace() {
	io, _, p := exampleMeet()
	defer p.close()
	news := io.Of("/news")
	news.OnConnect(func(s *socketio.Socket) { s.Join("room1") })
	reader := p.connect("/news")

	io.Of("/news").Emit("hello")
	io.Of("/news").To("room1").Emit("hello room1")
	fmt.Println("reader:", reader.receive())
	fmt.Println("reader:", reader.receive())
	p.show()
	// Output:
	// reader: hello
	// reader: hello room1
}

// A private message: an id is the room of one client.
func Example_emitToID() {
	io, _, p := exampleMeet()
	defer p.close()
	io.To(p.bobID).Emit("hello bob")
	p.show()
	// Output:
	// bob: hello bob
}

// To of a socket leaves that socket out, also if it is for its own id: nobody
// is left. Emit of the server does not.
func Example_emitToSelfByID() {
	io, s, p := exampleMeet()
	defer p.close()
	s.To(s.ID()).Emit("nobody hears this")
	io.To(s.ID()).Emit("hello ada")
	s.Emit("hello again")
	p.show()
	// Output:
	// ada: hello ada
	// ada: hello again
}

// Events that are dropped for who cannot take them at once, such as a client
// between two polls.
func Example_emitVolatile() {
	io := socketio.NewServer(nil)
	sockets := make(chan *socketio.Socket, 1)
	io.OnConnect(func(s *socketio.Socket) { sockets <- s })
	host := exampleServe(io)
	defer host.close()
	client := host.connectPolling("/") // polls when it receives, and does not now

	s := <-sockets
	s.Volatile().Emit("dropped")
	io.Volatile().Emit("dropped")
	io.To(s.ID()).Volatile().Emit("dropped")
	s.Emit("hello")
	fmt.Println(client.receive())
	// Output:
	// hello
}

// Compression for one event, whatever its size, where it was negotiated.
func Example_emitCompress() {
	io, s, p := exampleMeet()
	defer p.close()
	s.Compress(false).Emit("hello")
	io.To("room3").Compress(true).Emit("hello")
	p.show()
	// Output:
	// ada: hello
	// cem: hello
}

// The clients of this server, not of the whole cluster.
func Example_emitLocal() {
	io, _, p := exampleMeet()
	defer p.close()
	io.Local().Emit("hello")
	io.To("room3").Local().Emit("hello room3")
	p.show()
	// Output:
	// ada: hello
	// bob: hello
	// cem: hello
	// cem: hello room3
}

// Chained.
func Example_emitChained() {
	_, s, p := exampleMeet()
	defer p.close()
	s.To("room1", "room3").Except("room2").Local().Compress(false).Emit("hello")
	p.show()
	// Output:
	// cem: hello
}

// A question to one client, with a callback.
func Example_emitWithCallback() {
	_, s, p := exampleMeet()
	defer p.close()
	done := make(chan struct{})
	s.Emit("hello", "world", func(answer socketio.Args, err error) {
		fmt.Println(answer, err)
		close(done)
	})
	fmt.Println("ada:", p.ada.receive())
	p.ada.answer("hi")
	<-done
	// Output:
	// ada: hello "world"
	// ["hi"] <nil>
}

// A question to one client, waiting for the answer.
func Example_emitWithAck() {
	_, s, p := exampleMeet()
	defer p.close()
	go func() {
		fmt.Println("ada:", p.ada.receive())
		p.ada.answer("hi", 2)
	}()
	answer, err := s.EmitWithAck(context.Background(), "hello", "world")
	var text string
	var n int
	fmt.Println(err, answer.Decode(&text, &n), text, n)
	// Output:
	// ada: hello "world"
	// <nil> <nil> hi 2
}

// With a timeout.
func Example_emitWithAckTimeout() {
	_, s, p := exampleMeet()
	defer p.close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := s.EmitWithAck(ctx, "hello", "world")
	fmt.Println(err)
	// Output:
	// context deadline exceeded
}

// With a timeout for the callback: that of the options.
func Example_emitWithCallbackTimeout() {
	io := socketio.NewServer(&socketio.Options{AckTimeout: 10 * time.Millisecond})
	done := make(chan struct{})
	io.OnConnect(func(s *socketio.Socket) {
		s.Emit("hello", func(_ socketio.Args, err error) {
			fmt.Println(err)
			close(done)
		})
	})
	host := exampleServe(io)
	defer host.close()
	host.connect("/")
	<-done
	// Output:
	// context deadline exceeded
}

// A question to everybody, with a callback.
func Example_emitToAllWithCallback() {
	io, _, p := exampleMeet()
	defer p.close()
	done := make(chan struct{})
	io.Emit("hello", func(replies []socketio.Reply, err error) {
		fmt.Println(len(replies), "replies", err)
		close(done)
	})
	for _, client := range []*exampleClient{p.ada, p.bob, p.cem} {
		client.receive()
		client.answer("hi")
	}
	<-done
	// Output:
	// 3 replies <nil>
}

// A question to a room, waiting for all answers.
func Example_emitToRoomWithAck() {
	io, _, p := exampleMeet()
	defer p.close()
	go func() {
		p.ada.receive()
		p.ada.answer("hi")
		p.bob.receive()
		p.bob.answer("hi")
	}()
	replies, err := io.To("room1").EmitWithAck(context.Background(), "hello")
	fmt.Println(len(replies), err)
	for _, r := range replies {
		fmt.Println(r.Args, r.Err)
	}
	// Output:
	// 2 <nil>
	// ["hi"] <nil>
	// ["hi"] <nil>
}

// Who has not answered in time is named, and the other answers are there.
func Example_emitToRoomWithAckTimeout() {
	io, s, p := exampleMeet()
	defer p.close()
	go func() {
		p.ada.receive()
		p.ada.answer("hi")
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	replies, err := io.To("room1").EmitWithAck(ctx, "hello")
	fmt.Println(err)
	for _, r := range replies {
		if r.From == s.ID() {
			fmt.Println("ada:", r.Args, r.Err)
		} else {
			fmt.Println("bob:", errors.Is(r.Err, context.DeadlineExceeded))
		}
	}
	// Unordered output:
	// context deadline exceeded
	// ada: ["hi"] <nil>
	// bob: true
}

// A question to the others in a room.
func Example_emitToOthersWithAck() {
	_, s, p := exampleMeet()
	defer p.close()
	go func() {
		p.bob.receive()
		p.bob.answer("hi")
	}()
	replies, err := s.To("room1").EmitWithAck(context.Background(), "hello")
	fmt.Println(len(replies), replies[0].Args, err)
	// Output:
	// 1 ["hi"] <nil>
}

// To the other servers of a cluster. One that is alone has nobody to ask.
func Example_emitBetweenServers() {
	io, _, p := exampleMeet()
	defer p.close()
	fmt.Println(io.ServerSideEmit("hello", "world"))
	replies, err := io.ServerSideEmitWithAck(context.Background(), "hello", "world")
	fmt.Println(len(replies), err)
	p.show() // clients hear nothing of it
	// Output:
	// <nil>
	// 0 <nil>
}

// What a client emits, and what answers it.
func Example_clientEmits() {
	io, _, p := exampleMeet()
	defer p.close()

	// socket.emit("hello", "world", new Uint8Array([1, 2]))
	io.On("hello", func(s *socketio.Socket, text string, data []byte) {
		s.Emit("received", text, len(data))
	})
	p.ada.emit("hello", "world", []byte{1, 2})

	// socket.emit("ask", "world", (answer) => { … })
	// await socket.emitWithAck("ask", "world")
	io.On("ask", func(text string) string { return "hello " + text })
	fmt.Println(p.ada.ask("ask", "world"))

	// socket.timeout(5000).emit("later", (err, answer) => { … })
	io.On("later", func(ack socketio.AckFunc) {
		go ack("at last")
	})
	fmt.Println(p.ada.ask("later"))
	p.show()
	// Output:
	// "hello world"
	// "at last"
	// ada: received "world" 2
}

// Names that clients raise themselves.
func Example_emitReserved() {
	io, s, p := exampleMeet()
	defer p.close()
	fmt.Println(s.Emit("disconnecting"))
	fmt.Println(errors.Is(io.Emit("connect"), socketio.ErrReserved))
	p.show()
	// Output:
	// socketio: reserved event name "disconnecting"
	// true
}
