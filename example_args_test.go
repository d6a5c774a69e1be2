package socketio_test

import (
	"fmt"

	"github.com/socketio-go/socketio"
)

// Args take what no other parameter takes, without decoding it. They may be
// decoded later, or passed on as they are.
func ExampleArgs() {
	io := socketio.NewServer(nil)
	io.On("relay", func(s *socketio.Socket, event string, rest socketio.Args) {
		s.Emit(event, s.Namespace().Name(), rest)
	})
	io.On("add", func(rest socketio.Args) (int, error) {
		var a, b int
		if err := rest.Decode(&a, &b); err != nil {
			return 0, err
		}
		return a + b, nil
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	client.emit("relay", "news", 1, []byte("abc"), map[string]any{"more": []byte("defgh")})
	fmt.Println(client.receive())
	fmt.Println(client.ask("add", 1, 2, "ignored"))
	// Output:
	// news "/" 1 <3 bytes> {"more":<5 bytes>}
	// 3
}

// An AckFunc answers when its caller likes, on any goroutine.
func ExampleAckFunc() {
	io := socketio.NewServer(nil)
	jobs := make(chan socketio.AckFunc, 1)
	io.On("print", func(s *socketio.Socket, text string, ack socketio.AckFunc) {
		fmt.Println("queued:", text)
		jobs <- ack // and the handler returns
	})
	go func() { // ends with its one job
		ack := <-jobs
		fmt.Println(ack("printed", 2))
		fmt.Println(ack("printed again"))
		close(jobs)
	}()

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	answer := client.ask("print", "page 1")
	<-jobs
	fmt.Println("answer:", answer)
	// Output:
	// queued: page 1
	// <nil>
	// socketio: ack already sent
	// answer: "printed" 2
}
