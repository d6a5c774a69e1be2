package socketio_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/socketio-go/socketio"
)

// Clients of Socket.IO 2 are refused unless the server was told to admit them.
func ExampleOptions_allowEIO3() {
	for _, allow := range []bool{false, true} {
		io := socketio.NewServer(&socketio.Options{AllowEIO3: allow})
		web := httptest.NewServer(io)

		resp, err := web.Client().Get(web.URL + "/socket.io/?EIO=3&transport=polling")
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(allow, resp.Status)

		io.Close()
		web.Close()
	}
	// Output:
	// false 400 Bad Request
	// true 200 OK
}
