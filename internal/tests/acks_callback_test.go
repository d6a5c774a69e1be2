package tests_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A function as the last argument is a callback of the shape that is called
// there, or an error that names that shape.
func TestWrongCallbacks(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.WebSocket)
	one, many := func(socketio.Args, error) {}, func([]socketio.Reply, error) {}
	const takesOne, takesMany, returns = "the callback here is a func(socketio.Args, error)", "the callback here is a func([]socketio.Reply, error)", "no callback is taken here, the ack is returned"
	ctx := t.Context()
	tests := []struct {
		name  string
		emit  func(event string, args ...any) error
		right any // nil if there is none
		error string
	}{
		{"Socket", s.Emit, one, takesOne},
		{"Socket.Broadcast", s.Broadcast().Emit, many, takesMany},
		{"Socket.Volatile", s.Volatile().Emit, many, takesMany},
		{"Socket.To", s.To("x").Emit, many, takesMany},
		{"Server", srv.Emit, many, takesMany},
		{"Namespace", srv.Of("/other").Emit, many, takesMany},
		{"Local", srv.Local().Emit, many, takesMany},
		{"template", srv.OfMatch(func(string) bool { return false }).Emit, many, takesMany},
		{"Room", srv.Room("x").Emit, many, takesMany},
		{"typed event", func(event string, args ...any) error { return socketio.Event[any](event).Emit(s, args[len(args)-1]) }, one, takesOne},
		{"Socket.EmitWithAck", func(event string, args ...any) error { _, err := s.EmitWithAck(ctx, event, args...); return err }, nil, returns},
		{"EmitWithAck", func(event string, args ...any) error { _, err := srv.EmitWithAck(ctx, event, args...); return err }, nil, returns},
		{"Room.EmitWithAck", func(event string, args ...any) error {
			_, err := srv.Room("x").EmitWithAck(ctx, event, args...)
			return err
		}, nil, returns},
		{"ServerSideEmit", srv.ServerSideEmit, nil, "no callback is taken here, ServerSideEmitWithAck returns the replies"},
		{"ServerSideEmitWithAck", func(event string, args ...any) error {
			_, err := srv.ServerSideEmitWithAck(ctx, event, args...)
			return err
		}, nil, "no callback is taken here"},
		{"EncodeArgs", func(_ string, args ...any) error { _, err := socketio.EncodeArgs(args...); return err }, nil, "no callback is taken here, Emit takes one after the arguments"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, wrong := range []any{func() {}, func(int) string { return "" }, one, many, (func())(nil), strings.ToUpper} {
				if sameType(wrong, tt.right) {
					continue
				}
				err := tt.emit("e", "text", wrong)
				if err == nil || !strings.Contains(err.Error(), tt.error) && !strings.Contains(err.Error(), "is a nil func()") {
					t.Errorf("with a %T: %v", wrong, err)
				}
			}
			if tt.right == nil {
				return
			}
			if err := tt.emit("e", "text", tt.right); err != nil {
				t.Errorf("with a %T: %v", tt.right, err)
			}
		})
	}
	for _, err := range []error{s.Emit("e", (func(socketio.Args, error))(nil)), srv.Emit("e", (func([]socketio.Reply, error))(nil))} {
		if err == nil || !strings.Contains(err.Error(), "the callback is a nil func") {
			t.Errorf("with a nil callback: %v", err)
		}
	}
}

func sameType(a, b any) bool {
	switch a.(type) {
	case func(socketio.Args, error):
		_, same := b.(func(socketio.Args, error))
		return same
	case func([]socketio.Reply, error):
		_, same := b.(func([]socketio.Reply, error))
		return same
	}
	return false
}

type ownCallback func(socketio.Args, error)

// A callback may have a type of its own.
func TestCallbackOfAnotherName(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	answers := make(chan string, 1)
	if err := s.Emit("e", ownCallback(func(args socketio.Args, err error) { answers <- args.String() })); err != nil {
		t.Fatal(err)
	}
	c.Want(`420["e"]`)
	c.Write(`430["yes"]`)
	siotest.WantEqual(t, "answer", siotest.Receive(t, answers), `["yes"]`)
}

// An error as the only argument of an answer refuses, however the answer is given.
func TestErrorsAsAnswers(t *testing.T) {
	t.Parallel()
	refusal := &socketio.Error{Message: "no", Data: []byte(`{"retry":5}`)}
	const refused, failed = `[{"error":{"message":"no","data":{"retry":5}}}]`, `[{"error":{"message":"internal error"}}]`
	secret := errors.New("secret")
	srv := siotest.Serve(t, nil)
	answers := map[string]any{"refusal": refusal, "wrapped": errors.Join(refusal, secret), "other": secret, "nil": nil}
	for name, value := range answers {
		srv.On("ack "+name, func(ack socketio.AckFunc) { ack(value) })
		srv.On("result "+name, func() any { return value })
		srv.Of("/in").On("interceptor "+name, func() {})
		socketio.Call[int, any]("call "+name).On(srv, func(context.Context, *socketio.Socket, int) (any, error) { return value, nil })
	}
	srv.Of("/in").Intercept(func(_ context.Context, _ *socketio.Socket, m *socketio.Message, _ socketio.Next) ([]any, error) {
		return []any{answers[strings.TrimPrefix(m.Event, "interceptor ")]}, nil
	})
	srv.On("beside", func(ack socketio.AckFunc) {
		if err := ack("data", secret); err == nil || !strings.Contains(err.Error(), "ack, argument 1: a *errors.errorString is an error") {
			t.Errorf("an error beside data: %v", err)
		}
		ack("second try")
	})
	srv.On("callback", func(ack socketio.AckFunc) {
		if err := ack("data", func() {}); err == nil || !strings.Contains(err.Error(), "an ack has no ack") {
			t.Errorf("a function as an answer: %v", err)
		}
		ack("second try")
	})
	c := srv.Join(t, siotest.WebSocket)
	c.Join("/in", "")
	for _, how := range []string{"ack ", "result ", "call "} {
		siotest.WantEqual(t, how+"refusal", c.Ask(`["`+how+`refusal"]`), refused)
		siotest.WantEqual(t, how+"wrapped", c.Ask(`["`+how+`wrapped"]`), refused)
		siotest.WantEqual(t, how+"nil", c.Ask(`["`+how+`nil"]`), `[null]`)
		select {
		case err := <-srv.Errors:
			t.Errorf("OnError was called with %v, which is an answer", err)
		default:
		}
		siotest.WantEqual(t, how+"other", c.Ask(`["`+how+`other"]`), failed)
		siotest.WantEqual(t, how+"other", siotest.Receive(t, srv.Errors), secret)
	}
	c.Write(`42/in,1["interceptor refusal"]`)
	c.Want(`43/in,1` + refused)
	c.Write(`42/in,2["interceptor other"]`)
	c.Want(`43/in,2` + failed)
	siotest.WantEqual(t, "interceptor", siotest.Receive(t, srv.Errors), secret)
	siotest.WantEqual(t, "beside data", c.Ask(`["beside"]`), `["second try"]`)
	siotest.WantEqual(t, "a function", c.Ask(`["callback"]`), `["second try"]`)
}
