package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

func Example() {
	io := socketio.NewServer(nil)
	defer io.Close()
	io.On("say", func(text string) string { return "you said " + text })
	srv := httptest.NewServer(io)
	defer srv.Close()

	ctx := context.Background()
	c, err := client.New(srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Connect(ctx); err != nil {
		fmt.Println(err)
		return
	}
	answer, err := c.EmitWithAck(ctx, "say", "hello")
	fmt.Println(answer, err)
	// Output: ["you said hello"] <nil>
}

func ExampleSocket_Deliver() {
	io := socketio.NewServer(nil)
	defer io.Close()
	io.On("order", func(item string) string { return item + " is on its way" })
	srv := httptest.NewServer(io)
	defer srv.Close()

	ctx := context.Background()
	c, err := client.New(srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	go c.Connect(ctx) // Deliver waits for it
	answer, err := c.Deliver(ctx, "order", "tea")
	fmt.Println(answer, err)
	// Output: ["tea is on its way"] <nil>
}

func ExampleHandle() {
	const add socketio.Call[[2]int, int] = "add"
	io := socketio.NewServer(nil)
	defer io.Close()
	sums := make(chan int)
	io.On("start", func(ctx context.Context, s *socketio.Socket) error {
		sum, err := add.Do(ctx, s, [2]int{40, 2})
		sums <- sum
		return err
	})
	srv := httptest.NewServer(io)
	defer srv.Close()

	ctx := context.Background()
	c, err := client.New(srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	client.Handle(c, add, func(_ context.Context, in [2]int) (int, error) { return in[0] + in[1], nil })
	if err := c.Connect(ctx); err != nil {
		fmt.Println(err)
		return
	}
	c.Emit("start")
	fmt.Println(<-sums)
	// Output: 42
}
