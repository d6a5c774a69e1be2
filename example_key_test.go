package socketio_test

import (
	"fmt"

	"github.com/socketio-go/socketio"
)

type exampleProfile struct{ Name string }

// What is attached to a socket under a name, with its type.
const exampleUser socketio.Key[exampleProfile] = "user"

// A Key attaches a value to a socket, for its other handlers to find.
func ExampleKey() {
	io := socketio.NewServer(nil)
	io.On("login", func(s *socketio.Socket, name string) { exampleUser.Set(s, exampleProfile{name}) })
	io.On("whoami", func(s *socketio.Socket) (string, error) {
		user, ok := exampleUser.Get(s)
		if !ok {
			return "", socketio.Errorf("log in first")
		}
		return user.Name, nil
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.ask("whoami"))
	client.emit("login", "ada")
	fmt.Println(client.ask("whoami"))
	// Output:
	// {"error":{"message":"log in first"}}
	// "ada"
}
