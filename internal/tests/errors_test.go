package tests_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// The message of an Error is all that its text has. What it wraps is found, and stays
// on this side.
func TestErrorsForTheOtherSide(t *testing.T) {
	t.Parallel()
	plain := socketio.Errorf("no %s", "entry")
	siotest.WantEqual(t, "plain", plain.Error(), "no entry")
	siotest.WantEqual(t, "plain wraps", plain.Unwrap(), nil)
	wrapped := socketio.Errorf("outer: %w", socketio.Errorf("inner: %w and %w", fs.ErrNotExist, fs.ErrClosed))
	siotest.WantEqual(t, "text", wrapped.Error(), "outer: inner: file does not exist and file already closed")
	for _, err := range []error{fs.ErrNotExist, fs.ErrClosed} {
		if !errors.Is(wrapped, err) || !errors.Is(wrapped.WithData(1), err) {
			t.Errorf("%v is not found", err)
		}
	}
	var first *socketio.Error
	siotest.WantEqual(t, "the outermost", errors.As(wrapped, &first) && first == wrapped, true)

	with := wrapped.WithData(map[string]any{"code": 7})
	siotest.WantEqual(t, "data", string(with.Data), `{"code":7}`)
	siotest.WantEqual(t, "the original has none", len(wrapped.Data), 0)
	siotest.WantPanic(t, func() { plain.WithData(make(chan int)) }, "socketio: WithData: ")
	siotest.WantPanic(t, func() { plain.WithData([]byte{1}) }, "socketio: WithData: a []uint8 holds binary data")

	srv := siotest.Serve(t, nil)
	srv.On("e", func() error { return with })
	srv.Of("/closed").Use(func(context.Context, *socketio.Socket) error { return with })
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "ack", c.Ask(`["e"]`), `[{"error":{"message":"outer: inner: file does not exist and file already closed","data":{"code":7}}}]`)
	c.Write(`40/closed,`)
	c.Want(`44/closed,{"message":"outer: inner: file does not exist and file already closed","data":{"code":7}}`)
}

// A value is removed for its name only, and may be set again.
func TestKeyDelete(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.WebSocket)
	a, b := socketio.Key[int]("a"), socketio.Key[string]("b")
	a.Delete(s)
	a.Set(s, 1)
	b.Set(s, "x")
	a.Delete(s)
	if v, ok := a.Get(s); ok {
		t.Errorf("deleted, but there is %v", v)
	}
	v, ok := b.Get(s)
	siotest.WantEqual(t, "the other", ok && v == "x", true)
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
