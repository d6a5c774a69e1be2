package tests_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

type said struct {
	Text  string `json:"text"`
	Image []byte `json:"image,omitempty"`
}

type credentials struct{ User, Password string }

type profile struct {
	Name string `json:"name"`
}

const (
	saidEvent socketio.Event[said]                = "said"
	loginCall socketio.Call[credentials, profile] = "login"
	userKey   socketio.Key[profile]               = "user"
	countKey  socketio.Key[int]                   = "count"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	saidEvent.On(srv, func(ctx context.Context, s *socketio.Socket, v said) error {
		if ctx != s.Context() {
			t.Error("the context is not the socket's")
		}
		if v.Text == "fail" {
			return socketio.Errorf("failed")
		}
		return saidEvent.Emit(s, said{v.Text + "!", v.Image})
	})
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Join(t, transport)
		c.Write(`42["said",{"text":"a"}]`)
		c.Want(`42["said",{"text":"a!"}]`)
		c.Write(`451-7["said",{"text":"b","image":{"_placeholder":true,"num":0}}]`, []byte{1, 2})
		c.Want(`451-["said",{"text":"b!","image":{"_placeholder":true,"num":0}}]`, []byte{1, 2}, `437[]`)
		siotest.WantEqual(t, "an error", c.Ask(`["said",{"text":"fail"}]`), `[{"error":{"message":"failed"}}]`)
		siotest.WantEqual(t, "a wrong argument", c.Ask(`["said",1]`), `[{"error":{"message":"bad arguments"}}]`)
		c.Write(`42["said"]`)
		c.Want(`42["said",{"text":"!"}]`)
		c.Write(`42["said",{"text":"x"},"more"]`)
		c.Want(`42["said",{"text":"x!"}]`)
	})
}

// Args as the type of an event are its one argument, not decoded.
func TestEventOfArgs(t *testing.T) {
	t.Parallel()
	const raw socketio.Event[socketio.Args] = "raw"
	srv := siotest.Serve(t, nil)
	raw.On(srv, func(_ context.Context, s *socketio.Socket, v socketio.Args) error { return raw.Emit(s, v) })
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`451-["raw",{"a":[{"_placeholder":true,"num":0}]},2]`, []byte{1})
	c.Want(`451-["raw",{"a":[{"_placeholder":true,"num":0}]}]`, []byte{1})
	c.Write(`42["raw"]`)
	c.Want(`42["raw"]`)
}

func TestEventTargets(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	s.Join("room")
	for _, target := range []socketio.Target{srv, srv.Of("/"), srv.Room("room"), s, srv.To("room")} {
		if err := saidEvent.Emit(target, said{Text: "hi"}); err != nil {
			t.Errorf("%T: %v", target, err)
		}
		c.Want(`42["said",{"text":"hi"}]`)
	}
}

func TestCallIsAnswered(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	secret := errors.New("database password is 1234")
	off := loginCall.On(srv, func(_ context.Context, _ *socketio.Socket, c credentials) (profile, error) {
		switch c.Password {
		case "":
			return profile{}, &socketio.Error{Message: "wrong password", Data: json.RawMessage(`{"left":2}`)}
		case "panic":
			panic("no")
		case "fail":
			return profile{}, secret
		}
		return profile{c.User}, nil
	})
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "a result", c.Ask(`["login",{"User":"ann","Password":"x"}]`), `[{"name":"ann"}]`)
	siotest.WantEqual(t, "a refusal", c.Ask(`["login",{}]`), `[{"error":{"message":"wrong password","data":{"left":2}}}]`)
	siotest.WantEqual(t, "a wrong argument", c.Ask(`["login",[]]`), `[{"error":{"message":"bad arguments"}}]`)
	siotest.WantEqual(t, "its report", siotest.WantError[*socketio.DecodeError](t, srv).Event, "login")
	siotest.WantEqual(t, "a panic", c.Ask(`["login",{"Password":"panic"}]`), `[{"error":{"message":"internal error"}}]`)
	siotest.WantEqual(t, "its report", siotest.WantError[*socketio.PanicError](t, srv).Event, "login")
	siotest.WantEqual(t, "a failure", c.Ask(`["login",{"Password":"fail"}]`), `[{"error":{"message":"internal error"}}]`)
	siotest.WantEqual(t, "its report", siotest.Receive(t, srv.Errors), secret)
	off()
	c.Write(`427["login",{}]`)
	c.WantNothing()
}

func TestCallAsksTheClient(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	var caller socketio.Caller = s
	tests := []struct {
		name   string
		answer string
		want   profile
		err    func(error) bool
	}{
		{"a result", `[{"name":"ann"}]`, profile{"ann"}, nil},
		{"more than one", `[{"name":"ann"},2]`, profile{"ann"}, nil},
		{"nothing", `[]`, profile{}, nil},
		{"null", `[null]`, profile{}, nil},
		{"a refusal", `[{"error":{"message":"no","data":[1]}}]`, profile{}, func(err error) bool {
			var e *socketio.Error
			return errors.As(err, &e) && e.Message == "no" && string(e.Data) == "[1]"
		}},
		{"another kind of error", `[{"error":"no","name":"ann"}]`, profile{"ann"}, nil},
		{"no error", `[{"error":null,"name":"ann"}]`, profile{"ann"}, nil},
		{"a result of the wrong type", `["ann"]`, profile{}, func(err error) bool {
			var e *socketio.DecodeError
			return errors.As(err, &e) && e.Arg == 0
		}},
	}
	for i, tt := range tests {
		var wg sync.WaitGroup
		wg.Go(func() {
			got, err := loginCall.Do(t.Context(), caller, credentials{User: "ann"})
			siotest.WantEqual(t, tt.name, got, tt.want)
			if tt.err == nil && err != nil || tt.err != nil && !tt.err(err) {
				t.Errorf("%s: error %v", tt.name, err)
			}
		})
		c.Want(`42` + string(rune('0'+i)) + `["login",{"User":"ann","Password":""}]`)
		c.Write(`43` + string(rune('0'+i)) + tt.answer)
		wg.Wait()
	}
	s.Disconnect()
	if _, err := loginCall.Do(t.Context(), s, credentials{}); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	_, s := srv.JoinSocket(t, siotest.WebSocket)
	_, other := srv.JoinSocket(t, siotest.WebSocket)
	if _, ok := userKey.Get(s); ok {
		t.Error("something is attached")
	}
	userKey.Set(s, profile{"ann"})
	countKey.Set(s, 7)
	if v, ok := userKey.Get(s); !ok || v.Name != "ann" {
		t.Errorf("got %v, %v", v, ok)
	}
	userKey.Set(s, profile{"bob"})
	if v, _ := userKey.Get(s); v.Name != "bob" {
		t.Errorf("got %v", v)
	}
	if v, ok := countKey.Get(s); !ok || v != 7 {
		t.Errorf("got %v, %v", v, ok)
	}
	if v, ok := socketio.Key[int]("user").Get(s); ok || v != 0 {
		t.Errorf("a profile as a number: %v", v)
	}
	if _, ok := userKey.Get(other); ok {
		t.Error("attached to another socket")
	}
	s.Disconnect()
	if v, ok := userKey.Get(s); !ok || v.Name != "bob" {
		t.Errorf("after the end: %v, %v", v, ok)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 1000 {
				countKey.Set(other, i)
				countKey.Get(other)
			}
		})
	}
	wg.Wait()
}
