package socketio_test

import (
	"fmt"

	"github.com/socketio-go/socketio"
)

// A Room is a handle on the sockets of one room.
func ExampleRoom() {
	io := socketio.NewServer(nil)
	lobby := io.Room("lobby") // need not exist yet
	io.OnConnect(func(s *socketio.Socket) { lobby.Join(s) })

	host := exampleServe(io)
	defer host.close()
	ada, bob := host.connect("/"), host.connect("/")
	fmt.Println(lobby.Name(), lobby.LocalLen(), lobby == io.Room("lobby"))

	lobby.Emit("hello")
	fmt.Println(ada.receive(), bob.receive())

	for s := range lobby.LocalSockets() {
		lobby.Leave(s)
	}
	fmt.Println(lobby.LocalLen())
	// Output:
	// lobby 2 true
	// hello hello
	// 0
}
