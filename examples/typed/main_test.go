package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Go programs use the same contract as the page.
func TestChat(t *testing.T) {
	handler, io := newServer()
	srv := httptest.NewServer(handler)
	defer srv.Close()
	defer io.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	open := func() *client.Client {
		c, err := client.New(srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		return c
	}
	ada, bob := open(), open()
	defer ada.Close()
	defer bob.Close()
	said, reacted := make(chan Message, 1), make(chan Reaction, 1)
	client.On(bob, Said, func(_ context.Context, m Message) error { said <- m; return nil })
	client.On(bob, React, func(_ context.Context, r Reaction) error { reacted <- r; return nil })

	var refused *socketio.Error
	if _, err := Say.Do(ctx, ada, "too early"); !errors.As(err, &refused) || refused.Message != "please enter first" {
		t.Errorf("said before entering: %v", err)
	}
	for _, c := range []*client.Client{ada, bob} {
		if _, err := Enter.Do(ctx, c, "Ada"); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Say.Do(ctx, ada, "hello")
	if err != nil || m.Text != "hello" || m.From != "Ada" || m.Number != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	if got := <-said; got.Text != "hello" || !got.At.Equal(m.At) {
		t.Errorf("Bob received %+v", got)
	}
	if err := React.Emit(ada, Reaction{Number: 1, Emotion: Wow}); err != nil {
		t.Fatal(err)
	}
	if got := <-reacted; got.Number != 1 || got.Emotion != Wow {
		t.Errorf("Bob received %+v", got)
	}
	h, err := Enter.Do(ctx, bob, "Bob")
	if err != nil || len(h.Messages) != 1 || len(h.Messages[0].Reactions) != 1 {
		t.Errorf("the history is %+v, %v", h, err)
	}
}
