package client_test

import (
	"context"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// A struct that embeds Positional stands for several arguments on both sides.
func TestPositional(t *testing.T) {
	type move struct {
		socketio.Positional
		X, Y int
	}
	const (
		moved   socketio.Event[move]     = "moved"
		allowed socketio.Call[move, int] = "allowed"
		start   socketio.Event[string]   = "start"
	)
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		sums := make(chan int, 1)
		start.On(h.io, func(ctx context.Context, s *socketio.Socket, _ string) error {
			if err := moved.Emit(s, move{X: 1, Y: 2}); err != nil {
				return err
			}
			sum, err := allowed.Do(ctx, s, move{X: 3, Y: 4})
			sums <- sum
			return err
		})
		c := h.client(opts)
		moves := make(chan move, 1)
		client.On(c, moved, func(_ context.Context, m move) error { moves <- m; return nil })
		client.Handle(c, allowed, func(_ context.Context, m move) (int, error) { return m.X + m.Y, nil })
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := start.Emit(c, ""); err != nil {
			t.Fatal(err)
		}
		if m := <-moves; m.X != 1 || m.Y != 2 {
			t.Errorf("moved to %v", m)
		}
		if sum := <-sums; sum != 7 {
			t.Errorf("allowed %d", sum)
		}
	})
}

// A client of Socket.IO 2 is in "/" without auth, and passes its auth to other
// namespaces as their query.
func TestEIO3(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, &socketio.Options{AllowEIO3: true})
		h.io.Of("/admin").Use(func(_ context.Context, s *socketio.Socket) error {
			var auth struct{ Token string }
			if err := s.Handshake().Auth.Decode(&auth); err != nil || auth.Token != "a&b" {
				return socketio.Errorf("not %s", auth.Token)
			}
			return nil
		})
		for _, n := range []*socketio.Namespace{h.io.Of("/"), h.io.Of("/admin")} {
			n.On("echo", func(args socketio.Args) socketio.Args { return args })
			n.On("id", func(s *socketio.Socket) string { return s.ID() })
		}
		opts.EIO3 = true
		token := "a&b"
		opts.Auth = func(context.Context, string) (any, error) { return map[string]string{"token": token}, nil }
		c := h.client(opts)
		admin := c.Of("/admin")
		for _, s := range []*client.Socket{c.Of("/"), admin} {
			if err := s.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			args, err := s.EmitWithAck(t.Context(), "echo", []byte{1, 2}, "é𝄞")
			var data []byte
			var text string
			if err != nil || args.Decode(&data, &text) != nil || string(data) != "\x01\x02" || text != "é𝄞" {
				t.Errorf("%s: %v, %v", s.Namespace(), args, err)
			}
			args, err = s.EmitWithAck(t.Context(), "id")
			var id string
			if err != nil || args.Decode(&id) != nil || id != s.ID() {
				t.Errorf("%s: the ids are %q and %q, %v", s.Namespace(), s.ID(), id, err)
			}
		}
		if err := admin.Disconnect(); err != nil {
			t.Fatal(err)
		}
		token = "guess"
		if err := admin.Connect(t.Context()); err == nil || err.Error() != `client: namespace "/admin" refused: not guess` {
			t.Error(err)
		}
		h.cut()
		if _, err := c.EmitWithAck(t.Context(), "echo"); err != nil { // lost, or sent when it has reconnected
			_, err = c.EmitWithAck(t.Context(), "echo")
			if err != nil {
				t.Error(err)
			}
		}
	})
}
