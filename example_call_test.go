package socketio_test

import (
	"context"
	"fmt"

	"github.com/socketio-go/socketio"
)

type (
	exampleQuestion struct{ Dividend, Divisor int }
	exampleResult   struct {
		Quotient  int `json:"quotient"`
		Remainder int `json:"remainder"`
	}
)

// The name of an event that is answered, with the types of both.
const exampleDivide socketio.Call[exampleQuestion, exampleResult] = "divide"

// A Call is answered with what its handler returns.
func ExampleCall() {
	io := socketio.NewServer(nil)
	exampleDivide.On(io, func(ctx context.Context, s *socketio.Socket, q exampleQuestion) (exampleResult, error) {
		if q.Divisor == 0 {
			return exampleResult{}, socketio.Errorf("division by zero")
		}
		return exampleResult{q.Dividend / q.Divisor, q.Dividend % q.Divisor}, nil
	})

	host := exampleServe(io)
	defer host.close()
	client := host.connect("/")
	fmt.Println(client.ask("divide", map[string]any{"dividend": 17, "divisor": 5}))
	fmt.Println(client.ask("divide", map[string]any{"dividend": 17}))
	// Output:
	// {"quotient":3,"remainder":2}
	// {"error":{"message":"division by zero"}}
}
