package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/adaptertest"
)

// The coordinates are two arguments on the wire: socket.emit("moved", x, y).
type exampleMove struct {
	socketio.Positional
	X, Y int
}

const exampleMoved socketio.Event[exampleMove] = "moved"

// A struct that embeds Positional is one argument for each of its fields.
func ExamplePositional() {
	io := socketio.NewServer(nil)
	exampleMoved.On(io, func(ctx context.Context, s *socketio.Socket, m exampleMove) error {
		return exampleMoved.Emit(s, exampleMove{X: m.Y, Y: m.X})
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("moved", 1, 2)
	fmt.Println(client.receive())
	// Output:
	// moved 2 1
}

// DoAll asks all sockets of a room. Each answer has an error of its own.
func ExampleCall_DoAll() {
	io, _, p := exampleMeet() // ada is in room1, bob in room1 and room2, cem in room3
	defer p.close()
	const ready socketio.Call[string, bool] = "ready"
	go func() {
		p.ada.receive()
		p.ada.answer(true)
	}()
	go func() {
		p.bob.receive()
		p.bob.answer(map[string]any{"error": map[string]any{"message": "wait"}})
	}()

	replies, err := ready.DoAll(context.Background(), io.To("room1"), "now?")
	var lines []string
	for _, r := range replies {
		lines = append(lines, fmt.Sprint(r.Res, " ", r.Err))
	}
	slices.Sort(lines)
	fmt.Println(lines, err)
	// Output:
	// [false wait true <nil>] <nil>
}

// A typed event between the servers of a cluster.
func ExampleEvent_EmitServerSide() {
	a, b, closeBoth := exampleCluster()
	defer closeBoth()
	const reload socketio.Event[string] = "reload"
	done := make(chan struct{})
	reload.OnServerSide(b, func(ctx context.Context, what string) error {
		fmt.Println("reload", what)
		close(done)
		return nil
	})
	fmt.Println(reload.EmitServerSide(a, "rooms"))
	<-done
	// Unordered output:
	// <nil>
	// reload rooms
}

// A handler of a typed event from another server can be removed.
func ExampleEvent_OnServerSide() {
	a, b, closeBoth := exampleCluster()
	defer closeBoth()
	const hello socketio.Event[string] = "hello"
	heard := make(chan string)
	off := hello.OnServerSide(b, func(ctx context.Context, from string) error {
		heard <- from
		return nil
	})
	defer off()
	hello.EmitServerSide(a, "a")
	fmt.Println(<-heard)
	// Output:
	// a
}

// A typed call to the other servers of a cluster: each answers.
func ExampleCall_DoServerSide() {
	a, b, closeBoth := exampleCluster()
	defer closeBoth()
	const load socketio.Call[string, int] = "load"
	load.OnServerSide(b, func(ctx context.Context, what string) (int, error) { return len(what), nil })
	replies, err := load.DoServerSide(context.Background(), a, "sockets")
	fmt.Println(len(replies), replies[0].Res, replies[0].Err, err)
	// Output:
	// 1 7 <nil> <nil>
}

// A server refuses a call of another one with an error.
func ExampleCall_OnServerSide() {
	a, b, closeBoth := exampleCluster()
	defer closeBoth()
	const load socketio.Call[string, int] = "load"
	load.OnServerSide(b, func(ctx context.Context, what string) (int, error) {
		return 0, socketio.Errorf("no %s here", what)
	})
	replies, _ := load.DoServerSide(context.Background(), a, "disks")
	var refused *socketio.Error
	fmt.Println(errors.As(replies[0].Err, &refused), replies[0].Err)
	// Output:
	// true no disks here
}

// An Error has data for the other side.
func ExampleError_WithData() {
	err := socketio.Errorf("too many files").WithData(map[string]int{"limit": 10})
	fmt.Println(err, string(err.Data))
	// Output:
	// too many files {"limit":10}
}

// A value is removed from a socket.
func ExampleKey_Delete() {
	_, s, p := exampleMeet()
	defer p.close()
	const Draft socketio.Key[string] = "draft"
	Draft.Set(s, "hello")
	Draft.Delete(s)
	_, ok := Draft.Get(s)
	fmt.Println(ok)
	// Output:
	// false
}

// exampleCluster returns two servers of one cluster, whose bus is in memory.
func exampleCluster() (a, b *socketio.Server, closeBoth func()) {
	bus := adaptertest.NewBus(1, adaptertest.Faults{})
	a = socketio.NewServer(&socketio.Options{Adapter: bus.Server()})
	b = socketio.NewServer(&socketio.Options{Adapter: bus.Server()})
	return a, b, func() { a.Close(); b.Close() }
}
