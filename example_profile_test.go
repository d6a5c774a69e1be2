package socketio_test

import (
	"context"
	"fmt"
	"runtime/pprof"

	"github.com/socketio-go/socketio"
)

// The labels that a profile has for a handler.
func ExampleProfileLabels() {
	io := socketio.NewServer(nil)
	io.Intercept(socketio.ProfileLabels)
	io.On("work", func(ctx context.Context) string {
		event, _ := pprof.Label(ctx, "socketio.event")
		namespace, _ := pprof.Label(ctx, "socketio.namespace")
		return namespace + " " + event
	})

	host := exampleServe(io)
	defer host.close()
	fmt.Println(host.connect("/").ask("work"))
	// Output: "/ work"
}
