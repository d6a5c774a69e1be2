package client_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

type shift struct {
	socketio.Positional
	X, Y  int
	Photo []byte
}

// Typed events and calls of a client have the arguments that those of a server have, in
// both directions. To a handler without a type, a positional struct is an object.
func TestTypedEvents(t *testing.T) {
	const moved socketio.Event[shift] = "moved"
	const swap socketio.Call[shift, shift] = "swap"
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, nil)
		joined := make(chan *socketio.Socket, 1)
		h.io.OnConnect(func(s *socketio.Socket) { joined <- s })
		c := h.client(client.Options{})
		got := make(chan string, 1)
		show := func(m shift) string { return fmt.Sprintf("%d %d %q", m.X, m.Y, m.Photo) }
		client.On(c, moved, func(_ context.Context, m shift) error { got <- show(m); return nil })
		client.Handle(c, swap, func(_ context.Context, m shift) (shift, error) {
			return shift{X: m.Y, Y: m.X, Photo: m.Photo}, nil
		})
		c.On("object", func(m shift) { got <- show(m) })
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := <-joined
		want := func(text string) {
			t.Helper()
			if g := <-got; g != text {
				t.Errorf("received %s, want %s", g, text)
			}
		}
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check(moved.Emit(s, shift{X: 1, Y: 2, Photo: []byte("a")}))
		want(`1 2 "a"`)
		check(s.Emit("moved", 3)) // the others keep their zero values
		want(`3 0 ""`)
		check(s.Emit("object", shift{X: 4, Y: 5, Photo: []byte("b")}))
		want(`4 5 "b"`)
		answer, err := swap.Do(t.Context(), s, shift{X: 6, Y: 7, Photo: []byte("c")})
		check(err)
		if g := show(answer); g != `7 6 "c"` {
			t.Errorf("answer %s", g)
		}
		if args, err := s.EmitWithAck(t.Context(), "swap", 8, "nine"); err != nil || args.String() != `[{"error":{"message":"bad arguments"}}]` {
			t.Errorf("answer %v, %v", args, err)
		}
	})
}

type failure struct{}

func (failure) Error() string { return "" }

// On panics if the shape is wrong, as on the server, and says what is wrong with it.
func TestShapesRefused(t *testing.T) {
	t.Parallel()
	c, err := client.New("http://example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	on := func(event string, fn any) func() { return func() { c.On(event, fn) } }
	for _, test := range []struct {
		name string
		do   func()
		want string
	}{
		{"nil", on("e", nil), `client: On("e"): <nil> is not a function of the shape func(`},
		{"a nil function", on("e", (func())(nil)), "is not a function of the shape"},
		{"a reserved name", on("disconnect", func() {}), "see OnConnect and OnDisconnect"},
		{"a socket of the server", on("e", func(*socketio.Socket) {}), "a *socketio.Socket can't be decoded"},
		{"a socket", on("e", func(*client.Socket) {}), "a *client.Socket can't be decoded"},
		{"a channel in a struct", on("e", func(struct{ C chan int }) {}), "C is a chan int"},
		{"Args before another", on("e", func(socketio.Args, int) {}), "socketio.Args out of place"},
		{"two results", on("e", func() (int, int) { return 0, 0 }), "more than one result beside an error"},
		{"an error type as the result", on("e", func() failure { return failure{} }), "declare the result as error"},
		{"an AckFunc beside a result", on("e", func(socketio.AckFunc) int { return 0 }), "a result as well as an AckFunc"},
		{"a typed event that can't be decoded", func() {
			client.On(c, socketio.Event[func()]("e"), func(context.Context, func()) error { return nil })
		}, "can't be decoded"},
		{"a pointer to a positional struct", func() {
			client.On(c, socketio.Event[*shift]("e"), func(context.Context, *shift) error { return nil })
		}, "use the struct that embeds Positional"},
		{"a nil function for a typed event", func() { client.On[int](c, "e", nil) }, "the function is nil"},
		{"a reserved typed event", func() {
			client.On(c, socketio.Event[int]("connect"), func(context.Context, int) error { return nil })
		}, "the name is reserved"},
		{"an error as the result of a typed call", func() {
			client.Handle(c, socketio.Call[int, error]("e"), func(context.Context, int) (error, error) { return nil, nil })
		}, "return it beside the answer"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, test.want) {
					t.Errorf("%s: panic %q, want %q", test.name, got, test.want)
				}
			}()
			test.do()
		}()
	}
}
