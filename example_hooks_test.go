package socketio_test

import (
	"context"
	"expvar"
	"fmt"
	"time"

	"github.com/socketio-go/socketio"
)

// Counters that every Go program can serve, at /debug/vars.
func ExampleHooks() {
	vars := new(expvar.Map) // or expvar.NewMap("socketio"), to be served
	io := socketio.NewServer(&socketio.Options{Hooks: &socketio.Hooks{
		Connect: func(_ *socketio.Socket, _ time.Duration, err error) {
			if err != nil {
				vars.Add("refused", 1)
			} else {
				vars.Add("connected", 1)
			}
		},
		Disconnect: func(_ *socketio.Socket, reason socketio.Reason) { vars.Add("left: "+string(reason), 1) },
		PacketIn:   func(_ *socketio.Socket, p socketio.Packet) { vars.Add("in: "+p.Type, 1) },
		PacketOut:  func(_ *socketio.Socket, p socketio.Packet, _ int64) { vars.Add("out: "+p.Type, 1) },
	}})
	io.Of("/members").Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("members only") })

	host := exampleServe(io)
	defer host.close()
	host.connect("/")
	host.connect("/")
	fmt.Println(host.connect("/members").refused)

	_ = io.Close()
	for _, name := range []string{"connected", "refused", "out: connect_error", "left: server shutting down"} {
		fmt.Println(name, vars.Get(name))
	}
	// Output:
	// {"message":"members only"}
	// connected 2
	// refused 1
	// out: connect_error 1
	// left: server shutting down 2
}
