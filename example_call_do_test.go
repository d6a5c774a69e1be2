package socketio_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/socketio-go/socketio"
)

// The server asks a client in the same way.
const exampleConfirm socketio.Call[string, bool] = "confirm"

// Do asks the client and decodes its answer. What the client refuses with is an
// *Error.
func ExampleCall_Do() {
	io := socketio.NewServer(nil)
	done := make(chan struct{})
	io.On("delete", func(ctx context.Context, s *socketio.Socket, file string) {
		defer close(done)
		for range 2 {
			sure, err := exampleConfirm.Do(ctx, s, "delete "+file+"?")
			var refused *socketio.Error
			if errors.As(err, &refused) {
				fmt.Println("refused:", refused.Message)
				continue
			}
			fmt.Println(sure, err)
		}
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("delete", "a.txt")
	client.receive()
	client.answer(true)
	client.receive()
	client.answer(map[string]any{"error": map[string]any{"message": "ask me tomorrow"}})
	<-done
	// Output:
	// true <nil>
	// refused: ask me tomorrow
}
