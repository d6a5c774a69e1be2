package socketio_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/socketio-go/socketio"
)

// The message of an Error is all that its text has. What it wraps is found, and stays
// on this side.
func TestErrorsForTheOtherSide(t *testing.T) {
	t.Parallel()
	plain := socketio.Errorf("no %s", "entry")
	wantEqual(t, "plain", plain.Error(), "no entry")
	wantEqual(t, "plain wraps", plain.Unwrap(), nil)
	wrapped := socketio.Errorf("outer: %w", socketio.Errorf("inner: %w and %w", fs.ErrNotExist, fs.ErrClosed))
	wantEqual(t, "text", wrapped.Error(), "outer: inner: file does not exist and file already closed")
	for _, err := range []error{fs.ErrNotExist, fs.ErrClosed} {
		if !errors.Is(wrapped, err) || !errors.Is(wrapped.WithData(1), err) {
			t.Errorf("%v is not found", err)
		}
	}
	var first *socketio.Error
	wantEqual(t, "the outermost", errors.As(wrapped, &first) && first == wrapped, true)

	with := wrapped.WithData(map[string]any{"code": 7})
	wantEqual(t, "data", string(with.Data), `{"code":7}`)
	wantEqual(t, "the original has none", len(wrapped.Data), 0)
	wantPanic(t, func() { plain.WithData(make(chan int)) }, "socketio: WithData: ")
	wantPanic(t, func() { plain.WithData([]byte{1}) }, "socketio: WithData: a []uint8 holds binary data")

	srv := serve(t, nil)
	srv.On("e", func() error { return with })
	srv.Of("/closed").Use(func(context.Context, *socketio.Socket) error { return with })
	c := srv.join(t, webSocket)
	wantEqual(t, "ack", c.ask(`["e"]`), `[{"error":{"message":"outer: inner: file does not exist and file already closed","data":{"code":7}}}]`)
	c.write(`40/closed,`)
	c.want(`44/closed,{"message":"outer: inner: file does not exist and file already closed","data":{"code":7}}`)
}

// A value is removed for its name only, and may be set again.
func TestKeyDelete(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	_, s := srv.joinSocket(t, webSocket)
	a, b := socketio.Key[int]("a"), socketio.Key[string]("b")
	a.Delete(s)
	a.Set(s, 1)
	b.Set(s, "x")
	a.Delete(s)
	if v, ok := a.Get(s); ok {
		t.Errorf("deleted, but there is %v", v)
	}
	v, ok := b.Get(s)
	wantEqual(t, "the other", ok && v == "x", true)
	list, err := srv.Broadcast().Sockets(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if v, ok := a.Get(list[0]); ok {
		t.Errorf("deleted, but described with %v", v)
	}
	if v, ok := b.Get(list[0]); !ok || v != "x" {
		t.Errorf("described with %v, %v", v, ok)
	}
	a.Set(s, 2)
	if v, ok := a.Get(s); !ok || v != 2 {
		t.Errorf("set again, but there is %v, %v", v, ok)
	}
}
