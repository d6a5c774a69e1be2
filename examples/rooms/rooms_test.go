package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/socketiotest"
)

// people serves the program and joins ann, who moderates, and bob to a room.
func people(t *testing.T) (h *socketiotest.Host, ann, bob *socketiotest.Client) {
	h = socketiotest.Serve(t, newServer())
	ann, bob = h.Connect("t-ann"), h.Connect("t-bob")
	socketiotest.Ask(ann, Join, "tea")
	if here := socketiotest.Ask(bob, Join, "tea"); !slices.Equal(here, []string{"ann", "bob"}) {
		t.Errorf("bob sees %v", here)
	}
	ann.Expect("here", []string{"ann", "bob"})
	return h, ann, bob
}

func TestLogin(t *testing.T) {
	h := socketiotest.Serve(t, newServer())
	for _, test := range []struct {
		auth any
		want string
	}{
		{"guess", "log in first"},
		{nil, "log in first"},
		{map[string]int{"token": 1}, "malformed auth"},
	} {
		if err := h.Refused(test.auth); err.Message != test.want {
			t.Errorf("%v: refused with %q, want %q", test.auth, err.Message, test.want)
		}
	}
}

func TestSay(t *testing.T) {
	h, ann, bob := people(t)
	cat := h.Connect("t-cat")
	_ = Say.Emit(bob, "hello")
	if m := socketiotest.Next(ann, Said); m != (Message{From: "bob", Text: "hello"}) {
		t.Errorf("ann reads %v", m)
	}
	if err := socketiotest.AskError(cat, Join, ""); err.Message != "which room?" {
		t.Error(err)
	}
	if err := cat.AskError("say", "hello"); err.Message != "join a room first" {
		t.Error(err)
	}
	socketiotest.Ask(cat, Join, "chess")
	_ = Say.Emit(cat, "nobody plays")
	bob.Nothing()
	ann.Nothing()
}

func TestTyping(t *testing.T) {
	h, ann, bob := people(t)
	for _, on := range []bool{true, false} {
		h.Settle() // a volatile event is dropped while another is being written
		_ = Typing.Emit(bob, on)
		ann.Expect("types", Typist{"bob", on})
	}
	bob.Nothing()
}

func TestWhisper(t *testing.T) {
	h, ann, bob := people(t)
	cat := h.Connect("t-cat") // in no room
	socketiotest.Ask(bob, Whisper, Private{"cat", "psst"})
	cat.Expect("said", Message{"bob", "psst", true})
	if err := socketiotest.AskError(bob, Whisper, Private{"dan", "psst"}); err.Message != "dan is not here" {
		t.Error(err)
	}
	ann.Nothing()
}

func TestKick(t *testing.T) {
	_, ann, bob := people(t)
	if err := socketiotest.AskError(bob, Kick, "ann"); err.Message != "moderators only" {
		t.Error(err)
	}
	if err := socketiotest.AskError(ann, Kick, "dan"); err.Message != "dan is not here" {
		t.Error(err)
	}
	socketiotest.Ask(ann, Kick, "bob")
	if reason := bob.Left(); reason != client.ReasonServer {
		t.Error(reason)
	}
	ann.Expect("here", []string{"ann"})
}

// Somebody whose network fails is gone from the list after the ping timeout.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ann, bob := people(t)
		began := time.Now()
		bob.Link().Freeze()
		ann.Expect("here", []string{"ann"})
		if took := time.Since(began); took > 46*time.Second {
			t.Errorf("bob is gone after %v", took)
		}
	})
}
