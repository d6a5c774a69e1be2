package tests_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/siotest"
)

type move struct {
	socketio.Positional
	X, Y  int
	Label string `json:"-"`
	Blob  []byte
	inner int
}

// A struct that embeds Positional is several arguments, in both directions, of events,
// calls and results.
func TestPositional(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testPositional)
}

func testPositional(t *testing.T) {
	const moved socketio.Event[move] = "moved"
	const swap socketio.Call[move, move] = "swap"
	const none socketio.Call[struct{ socketio.Positional }, struct{ socketio.Positional }] = "none"
	srv := siotest.ServeInMemory(t, nil)
	got := make(chan move, 1)
	moved.On(srv, func(_ context.Context, _ *socketio.Socket, m move) error { got <- m; return nil })
	swap.On(srv, func(_ context.Context, _ *socketio.Socket, m move) (move, error) {
		return move{X: m.Y, Y: m.X, Label: m.Label, inner: 1}, nil
	})
	none.On(srv, func(_ context.Context, _ *socketio.Socket, v struct{ socketio.Positional }) (struct{ socketio.Positional }, error) {
		return v, nil
	})
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	for sent, want := range map[string]string{
		`1,2,"a",null,"more"`: `1 2 a []`, `1,2`: `1 2  []`, ``: `0 0  []`,
	} {
		c.Write(`42` + `["moved"` + map[bool]string{true: "," + sent}[sent != ""] + `]`)
		m := siotest.Receive(t, got)
		siotest.WantEqual(t, sent, fmt.Sprintf("%d %d %s %v", m.X, m.Y, m.Label, m.Blob), want)
	}
	c.Write(`451-["moved",1,2,"a",{"_placeholder":true,"num":0}]`, []byte{7})
	siotest.WantEqual(t, "binary", string(siotest.Receive(t, got).Blob), "\a")
	siotest.WantEqual(t, "call", c.Ask(`["swap",1,2,"x"]`), `[2,1,"x",null]`)
	siotest.WantEqual(t, "nothing", c.Ask(`["none",1]`), `[]`)
	siotest.WantEqual(t, "wrong type", c.Ask(`["swap",1,"two"]`), `[{"error":{"message":"bad arguments"}}]`)
	if err := siotest.WantError[*socketio.DecodeError](t, srv); err.Arg != 1 || err.Event != "swap" {
		t.Errorf("error %v", err)
	}

	for _, to := range []socketio.Target{s, srv, srv.Room(s.ID()), s.Volatile()} {
		synctest.Wait() // a volatile event is dropped while the queue is being written
		if err := moved.Emit(to, move{X: 3, Y: 4, Blob: []byte{8}}); err != nil {
			t.Fatal(err)
		}
		c.Want(`451-["moved",3,4,"",{"_placeholder":true,"num":0}]`, []byte{8})
	}
	done := make(chan error, 1)
	go func() {
		m, err := swap.Do(t.Context(), s, move{X: 5})
		if err == nil && (m.X != 6 || m.Label != "y") {
			err = fmt.Errorf("answer %v", m)
		}
		done <- err
	}()
	c.Want(`420["swap",5,0,"",null]`)
	c.Write(`430[6,7,"y"]`)
	if err := siotest.Receive(t, done); err != nil {
		t.Error(err)
	}
	siotest.WantPanic(t, func() {
		socketio.Event[*move]("e").On(srv, func(context.Context, *socketio.Socket, *move) error { return nil })
	}, `socketio: On("e"): a *tests_test.move is a pointer`)
	siotest.WantPanic(t, func() {
		type bad struct {
			socketio.Positional
			C chan int
		}
		socketio.Event[bad]("e").On(srv, func(context.Context, *socketio.Socket, bad) error { return nil })
	}, `socketio: On("e"): `)
}

// DoAll decodes each answer on its own: a refusal or a wrong one is the error of that
// reply.
func TestDoAll(t *testing.T) {
	t.Parallel()
	const age socketio.Call[string, int] = "age"
	srv := siotest.Serve(t, nil)
	answers := map[string]string{}
	for _, answer := range []string{`[7]`, `[{"error":{"message":"no"}}]`, `["seven"]`} {
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		s.Join("room")
		answers[s.ID()] = answer
		go func() {
			c.Want(`421099511627777["age","?"]`)
			c.Write(`431099511627777` + answer)
		}()
	}
	replies, err := age.DoAll(t.Context(), srv.To("room"), "?")
	siotest.WantEqual(t, "replies", fmt.Sprint(len(replies), err), "3 <nil>")
	for _, r := range replies {
		var refused *socketio.Error
		var decode *socketio.DecodeError
		switch answers[r.From] {
		case `[7]`:
			siotest.WantEqual(t, "answer", fmt.Sprint(r.Res, r.Err), "7 <nil>")
		case `["seven"]`:
			siotest.WantEqual(t, "wrong type", errors.As(r.Err, &decode) && r.Res == 0, true)
		default:
			siotest.WantEqual(t, "refusal", errors.As(r.Err, &refused) && refused.Message == "no", true)
		}
	}
	if _, err := socketio.Call[string, int]("disconnect").DoAll(t.Context(), srv, ""); !errors.Is(err, socketio.ErrReserved) {
		t.Errorf("a reserved name: %v", err)
	}
}

// Typed events and calls between servers have several arguments, too, and are removed.
func TestTypedServerSideEvents(t *testing.T) {
	t.Parallel()
	const moved socketio.Event[move] = "moved"
	const swap socketio.Call[move, move] = "swap"
	bus := adaptertest.NewBus(1, adaptertest.Faults{})
	a := siotest.Serve(t, &socketio.Options{Adapter: bus.Server()})
	b := siotest.Serve(t, &socketio.Options{Adapter: bus.Server()})
	got := make(chan move, 1)
	moved.OnServerSide(b, func(_ context.Context, m move) error { got <- m; return nil })
	off := swap.OnServerSide(b.Of("/"), func(ctx context.Context, m move) (move, error) {
		if m.X < 0 {
			return m, socketio.Errorf("negative")
		}
		return move{X: m.Y, Y: m.X}, nil
	})
	if err := moved.EmitServerSide(a, move{X: 1, Y: 2}); err != nil {
		t.Fatal(err)
	}
	m := siotest.Receive(t, got)
	siotest.WantEqual(t, "event", fmt.Sprint(m.X, m.Y), "1 2")
	replies, err := swap.DoServerSide(t.Context(), a.Of("/"), move{X: 3, Y: 4})
	if err != nil || len(replies) != 1 || replies[0].Err != nil {
		t.Fatal(replies, err)
	}
	siotest.WantEqual(t, "call", fmt.Sprint(replies[0].Res.X, replies[0].Res.Y), "4 3")
	replies, err = swap.DoServerSide(t.Context(), a, move{X: -1})
	var refused *socketio.Error
	if err != nil || len(replies) != 1 || !errors.As(replies[0].Err, &refused) || refused.Message != "negative" {
		t.Error("refusal:", replies, err)
	}
	off()
	ctx, cancel := context.WithCancel(t.Context())
	swap.OnServerSide(b, func(context.Context, move) (move, error) { cancel(); <-t.Context().Done(); return move{}, nil })()
	cancel()
	if _, err := swap.DoServerSide(ctx, a, move{}); err == nil {
		t.Error("a call without a handler is answered")
	}
	siotest.WantPanic(t, func() {
		socketio.Event[int]("connection").OnServerSide(a, func(context.Context, int) error { return nil })
	}, "socketio: OnServerSide: ")
	siotest.WantPanic(t, func() { moved.OnServerSide(a, nil) }, `socketio: OnServerSide("moved"): the function is nil`)
}
