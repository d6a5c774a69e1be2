package main

import (
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio/socketiotest"
)

// Go programs use the same contract as the page.
func TestChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, _ := newServer()
		h := socketiotest.Serve(t, handler)
		ada, bob := h.Connect(nil), h.Connect(nil)

		if err := socketiotest.AskError(ada, Say, "too early"); err.Message != "please enter first" {
			t.Errorf("said before entering: %v", err)
		}
		socketiotest.Ask(ada, Enter, "Ada")
		socketiotest.Ask(bob, Enter, "Ada")
		m := socketiotest.Ask(ada, Say, "hello")
		if m.Text != "hello" || m.From != "Ada" || m.Number != 1 {
			t.Errorf("said %+v", m)
		}
		if got := socketiotest.Await(bob, Said); got.Text != "hello" || !got.At.Equal(m.At) {
			t.Errorf("Bob received %+v", got)
		}
		if err := React.Emit(ada, Reaction{Number: 1, Emotion: Wow}); err != nil {
			t.Fatal(err)
		}
		if got := socketiotest.Await(bob, React); got.Number != 1 || got.Emotion != Wow {
			t.Errorf("Bob received %+v", got)
		}
		if history := socketiotest.Ask(bob, Enter, "Bob"); len(history.Messages) != 1 || len(history.Messages[0].Reactions) != 1 {
			t.Errorf("the history is %+v", history)
		}
	})
}
