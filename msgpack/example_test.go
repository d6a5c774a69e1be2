package msgpack_test

import (
	"fmt"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/msgpack"
)

// With the npm client: io(url, { parser: require("socket.io-msgpack-parser") }).
func ExampleCodec() {
	io := socketio.NewServer(&socketio.Options{Codec: msgpack.Codec{}})
	defer io.Close()
	io.On("photo", func(s *socketio.Socket, name string, data []byte) error {
		return s.Broadcast().Emit("photo", name, data)
	})

	// A packet of the server, as its clients get it.
	packet := []byte(`51-["photo","dot.gif",{"_placeholder":true,"num":0}]`)
	message, binary, err := msgpack.Codec{}.Encode(packet, [][]byte{{'G', 'I', 'F'}})
	fmt.Printf("%q %t %v\n", message, binary, err)
	// Output: "\x83\xa4type\x02\xa4data\x93\xa5photo\xa7dot.gif\xc4\x03GIF\xa3nsp\xa1/" true <nil>
}
