package socketio_test

import (
	"bytes"
	"fmt"

	"github.com/socketio-go/socketio"
)

// examplePhoto has binary data at some depth.
type examplePhoto struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// A []byte travels as binary data at any depth, in both directions.
func ExampleNamespace_On_binary() {
	io := socketio.NewServer(nil)
	io.On("mirror", func(s *socketio.Socket, p examplePhoto) examplePhoto {
		fmt.Printf("%s: %x\n", p.Name, p.Data)
		p.Data = append(bytes.Clone(p.Data), 0xff)
		return p
	})

	host := exampleServe(io)
	defer host.close()
	for _, client := range []*exampleClient{host.connect("/"), host.connectPolling("/")} {
		fmt.Println(client.ask("mirror", map[string]any{"name": "cat", "data": []byte{1, 2, 3}}))
	}
	// Output:
	// cat: 010203
	// {"name":"cat","data":<4 bytes>}
	// cat: 010203
	// {"name":"cat","data":<4 bytes>}
}
