package tests_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A journal is what happened, in order.
type journal struct {
	mu   sync.Mutex
	list []string
}

func (j *journal) note(format string, a ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, fmt.Sprintf(format, a...))
}

// want compares the journal and empties it.
func (j *journal) want(t *testing.T, what string, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	siotest.WantEqual(t, what, strings.Join(j.list, ", "), strings.Join(want, ", "))
	j.list = nil
}

// around makes an interceptor for one event; others pass.
func around(event string, fn func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error)) socketio.Interceptor {
	return func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		if m.Event != event {
			return next(ctx, m)
		}
		return fn(ctx, s, m, next)
	}
}

func TestInterceptorsRunInOrder(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	var log journal
	layer := func(name string) socketio.Interceptor {
		return around("e", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
			log.note("%s in %v", name, m.Args)
			results, err := next(ctx, m)
			log.note("%s out %v %v", name, results, err)
			return results, err
		})
	}
	srv.On("e", func(n int) int { log.note("handler"); return n + 1 })
	srv.Intercept(layer("a"), layer("b"))
	srv.Intercept(layer("c"))
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "answer", c.Ask(`["e",1]`), `[2]`)
	log.want(t, "order", "a in [1]", "b in [1]", "c in [1]", "handler", "c out [2] <nil>", "b out [2] <nil>", "a out [2] <nil>")
}

func TestInterceptorsChangeTheMessage(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.Intercept(
			around("old name", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				m.Event = "echo"
				return next(ctx, m)
			}),
			around("more", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				b := []byte{1, 2}
				args, err := socketio.EncodeArgs(b, m.Args, "end", b)
				b[0] = 99
				if err != nil {
					return nil, err
				}
				return next(ctx, &socketio.Message{Event: "echo", Args: args})
			}),
			around("none", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				return next(ctx, &socketio.Message{Event: "echo"})
			}),
			around("echo", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				return next(ctx, m) // the socket stays who it is
			}),
		)
		srv.On("who", func(s *socketio.Socket) string { return s.ID() })
		c := srv.Open(t, transport)
		id := c.Join("/", "")
		siotest.WantEqual(t, "who", c.Ask(`["who"]`), `["`+id+`"]`)
		siotest.WantEqual(t, "another name", c.Ask(`["old name",1,"x"]`), `[1,"x"]`)
		siotest.WantEqual(t, "no arguments", c.Ask(`["none",1,"x"]`), `[]`)
		c.Write(`451-5["old name",{"_placeholder":true,"num":0}]`, []byte{7})
		c.Want(`461-5[{"_placeholder":true,"num":0}]`, []byte{7})
		c.Write(`451-6["more",{"a":{"_placeholder":true,"num":0}}]`, []byte{7})
		c.Want(`462-6[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}},"end",{"_placeholder":true,"num":0}]`,
			[]byte{1, 2}, []byte{7})
	})
}

func TestArgsOf(t *testing.T) {
	t.Parallel()
	a, err := socketio.EncodeArgs(1, "two", []byte{3}, nil, map[string]int{"five": 5})
	if err != nil {
		t.Fatal(err)
	}
	siotest.WantEqual(t, "arguments", a.String(), `[1,"two",{"_placeholder":true,"num":0},null,{"five":5}]`)
	both, err := socketio.EncodeArgs([]byte{9}, a, socketio.Args{}, true)
	if err != nil {
		t.Fatal(err)
	}
	var first, third []byte
	var skip any
	if err := both.Decode(&first, &skip, &skip, &third); err != nil || len(first) != 1 || first[0] != 9 || len(third) != 1 || third[0] != 3 {
		t.Errorf("got %v %v, %v", first, third, err)
	}
	siotest.WantEqual(t, "arguments", both.Len(), 7)
	_, err = socketio.EncodeArgs(1, make(chan int))
	if err == nil || !strings.HasPrefix(err.Error(), "socketio: argument 1: ") {
		t.Errorf("a channel: %v", err)
	}
	none, err := socketio.EncodeArgs()
	siotest.WantEqual(t, "none", none.Len(), 0)
	siotest.WantEqual(t, "error", err, nil)
}

func TestWhatInterceptorsAnswer(t *testing.T) {
	t.Parallel()
	type chain = func(context.Context, *socketio.Socket, *socketio.Message, socketio.Next) ([]any, error)
	instead := func(results []any, err error) chain {
		return func(context.Context, *socketio.Socket, *socketio.Message, socketio.Next) ([]any, error) {
			return results, err
		}
	}
	after := func(fn func(results []any, err error) ([]any, error)) chain {
		return func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
			return fn(next(ctx, m))
		}
	}
	const internal = `[{"error":{"message":"internal error"}}]`
	secret := errors.New("secret")
	tests := []struct {
		name     string
		in       chain
		handler  any // nil if there is none
		answer   string
		called   bool
		reported string
	}{
		{"instead of the handler", instead([]any{"me", 1}, nil), func() int { return 1 }, `["me",1]`, false, ""},
		{"nothing instead", instead([]any{}, nil), func() int { return 1 }, `[]`, false, ""},
		{"instead of none", instead([]any{"me"}, nil), nil, `["me"]`, false, ""},
		{"refuses", instead(nil, &socketio.Error{Message: "no", Data: []byte(`{"n":1}`)}), func() int { return 1 }, `[{"error":{"message":"no","data":{"n":1}}}]`, false, ""},
		{"refuses what has no handler", instead(nil, socketio.Errorf("no")), nil, `[{"error":{"message":"no"}}]`, false, ""},
		{"fails", instead(nil, secret), func() int { return 1 }, internal, false, "secret"},
		{"changes the result", after(func(r []any, err error) ([]any, error) { return append(r, "and more"), err }), func() int { return 1 }, `[1,"and more"]`, true, ""},
		{"takes the result back", after(func([]any, error) ([]any, error) { return nil, nil }), func() int { return 1 }, `[]`, true, ""},
		{"adds a result", after(func(r []any, err error) ([]any, error) {
			if r != nil {
				return nil, errors.New("there is one")
			}
			return []any{"ok"}, err
		}), func() {}, `["ok"]`, true, ""},
		{"no result", after(func(r []any, err error) ([]any, error) { return r, err }), func() {}, `[]`, true, ""},
		{"changes the error", after(func(_ []any, err error) ([]any, error) {
			if !errors.Is(err, secret) {
				return nil, nil
			}
			return nil, socketio.Errorf("told")
		}), func() error { return secret }, `[{"error":{"message":"told"}}]`, true, ""},
		{"takes the error", after(func([]any, error) ([]any, error) { return []any{"fine"}, nil }), func() error { return secret }, `["fine"]`, true, ""},
		{"passes the error", after(func(r []any, err error) ([]any, error) { return r, err }), func() error { return secret }, internal, true, "secret"},
		{"sees a panic", after(func(_ []any, err error) ([]any, error) {
			var p *socketio.PanicError
			if !errors.As(err, &p) {
				return nil, nil
			}
			return []any{fmt.Sprint("caught ", p.Value)}, nil
		}), func() { panic("oops") }, `["caught oops"]`, true, ""},
		{"panics", func(context.Context, *socketio.Socket, *socketio.Message, socketio.Next) ([]any, error) {
			panic("oops")
		}, func() int { return 1 }, internal, false, `socketio: event "e": panic: oops`},
		{"passes nil", func(ctx context.Context, s *socketio.Socket, _ *socketio.Message, next socketio.Next) ([]any, error) {
			return next(ctx, nil)
		}, func() int { return 1 }, internal, false, `socketio: event "e": panic: runtime error: invalid memory address or nil pointer dereference`},
		{"an answer that comes later", after(func(r []any, err error) ([]any, error) { return r, err }),
			func(ack socketio.AckFunc) { go ack("later") }, `["later"]`, true, ""},
		{"an answer before the AckFunc", after(func([]any, error) ([]any, error) { return []any{"sooner"}, nil }),
			func(socketio.AckFunc) {}, `["sooner"]`, true, ""},
		{"what cannot be encoded", instead([]any{make(chan int)}, nil), nil, internal, false, "socketio: ack, argument 0: "},
		{"calls twice", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
			if _, err := next(ctx, m); err != nil {
				return nil, err
			}
			return next(ctx, m)
		}, func() int { return 1 }, `[1]`, true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := siotest.Serve(t, nil)
			called := false
			srv.Intercept(around("e", func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				siotest.WantEqual(t, "asked for an answer", m.Ack, true)
				return test.in(ctx, s, m, func(ctx context.Context, m *socketio.Message) ([]any, error) {
					results, err := next(ctx, m)
					called = true
					return results, err
				})
			}))
			if test.handler != nil {
				srv.On("e", test.handler)
			}
			c := srv.Join(t, siotest.WebSocket)
			siotest.WantEqual(t, "answer", c.Ask(`["e"]`), test.answer)
			c.WantNothing()
			siotest.WantEqual(t, "called", called, test.called)
			if test.reported != "" {
				if err := siotest.Receive(t, srv.Errors); !strings.HasPrefix(err.Error(), test.reported) {
					t.Errorf("reported: %v", err)
				}
			}
			select {
			case err := <-srv.Errors:
				t.Errorf("reported too: %v", err)
			default:
			}
		})
	}
}

func TestInterceptorsOfEventsWithoutHandler(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	var log journal
	srv.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		results, err := next(ctx, m)
		if m.Event != "sync" {
			log.note("%s %v %v %v %v", m.Event, m.Args, m.Ack, results == nil, err)
		}
		return results, err
	})
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`421["what?",1]`, `42["what?"]`, `421[""]`)
	c.WantNothing() // no answers either
	log.want(t, "events", "what? [1] true true <nil>", "what? [] false true <nil>", " [] true true <nil>")
}

// What an interceptor adds to the context is there for handlers of every kind.
func TestContextOfInterceptors(t *testing.T) {
	t.Parallel()
	type key struct{}
	srv := siotest.Serve(t, nil)
	srv.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		siotest.WantEqual(t, "context", ctx, s.Context())
		return next(context.WithValue(ctx, key{}, "value"), m)
	})
	srv.On("plain", func(ctx context.Context) any { return ctx.Value(key{}) })
	socketio.Call[int, any]("call").On(srv, func(ctx context.Context, _ *socketio.Socket, _ int) (any, error) {
		return ctx.Value(key{}), nil
	})
	socketio.Event[int]("event").On(srv, func(ctx context.Context, _ *socketio.Socket, _ int) error {
		return socketio.Errorf("%v", ctx.Value(key{}))
	})
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "plain", c.Ask(`["plain"]`), `["value"]`)
	siotest.WantEqual(t, "call", c.Ask(`["call",1]`), `["value"]`)
	siotest.WantEqual(t, "event", c.Ask(`["event",1]`), `[{"error":{"message":"value"}}]`)
}

// What OnAny and OnAnyOutgoing receive is a copy: they change nothing.
func TestCatchAllFunctionsChangeNothing(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	spoil := func(_ *socketio.Socket, m socketio.Message) {
		for i := range m.Args.Len() {
			clear(m.Args.Raw(i))
		}
		for _, b := range m.Args.Binary() {
			clear(b)
		}
		m.Event, m.Args = "changed", socketio.Args{}
	}
	srv.OnAny(spoil)
	srv.OnAnyOutgoing(spoil)
	srv.On("e", func(s *socketio.Socket, args socketio.Args) { s.Emit("echo", args) })
	srv.Intercept(func(ctx context.Context, _ *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		return next(ctx, m)
	})
	c := srv.Join(t, siotest.WebSocket)
	for range 2 {
		c.Write(`451-["e","text",{"_placeholder":true,"num":0}]`, []byte{7, 8})
		c.Want(`451-["echo","text",{"_placeholder":true,"num":0}]`, []byte{7, 8})
	}
}

// Messages may be kept: what comes later does not change them.
func TestMessagesMayBeKept(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	kept := make(chan socketio.Message, 100)
	srv.OnAny(func(_ *socketio.Socket, m socketio.Message) { kept <- m })
	c := srv.Join(t, siotest.WebSocket)
	for i := range 50 {
		c.Write(fmt.Sprintf(`42["e",%d,"%s"]`, i, strings.Repeat("x", i)))
	}
	c.WantNothing()
	for i := range 50 {
		m := siotest.Receive(t, kept)
		siotest.WantEqual(t, "kept", m.Args.String(), fmt.Sprintf(`[%d,"%s"]`, i, strings.Repeat("x", i)))
	}
}

func TestOnAny(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		var log journal
		srv.On("e", func() { log.note("handler") })
		tell := func(name string) func(*socketio.Socket, socketio.Message) {
			return func(s *socketio.Socket, m socketio.Message) {
				if m.Event != "sync" {
					log.note("%s %s %v %v %v", name, m.Event, m.Args, m.Ack, s.Connected())
				}
			}
		}
		offA := srv.OnAny(tell("a"))
		srv.OnAny(func(*socketio.Socket, socketio.Message) { panic("oops") })
		offB := srv.OnAny(tell("b"))
		c := srv.Join(t, transport)
		c.Write(`42["e",1]`, `425["nobody's","x"]`, `451-["binary",{"_placeholder":true,"num":0}]`, []byte{7})
		c.WantNothing()
		log.want(t, "two of them",
			"a e [1] false true", "b e [1] false true", "handler",
			`a nobody's ["x"] true true`, `b nobody's ["x"] true true`,
			`a binary [{"_placeholder":true,"num":0}] false true`, `b binary [{"_placeholder":true,"num":0}] false true`)
		siotest.WantEqual(t, "panic", siotest.WantError[*socketio.PanicError](t, srv).Event, "e")
		offA()
		offA()
		c.Write(`42["e"]`)
		c.WantNothing()
		log.want(t, "one of them", "b e [] false true", "handler")
		offB()
		c.Write(`42["e"]`)
		c.WantNothing()
		log.want(t, "none", "handler")
	})
}

func TestOnAnyOutgoing(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		g := gather(t, srv, transport, "ann: lobby", "bob: lobby")
		ann, bob := g.sockets["ann"], g.sockets["bob"]
		names := map[*socketio.Socket]string{ann: "ann", bob: "bob"}
		var log journal
		srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { panic("oops") })
		off := srv.OnAnyOutgoing(func(s *socketio.Socket, m socketio.Message) {
			log.note("%s %s %v %v", names[s], m.Event, m.Args, m.Ack)
		})
		ignore := func([]socketio.Reply, error) {}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		tests := []struct {
			name string
			emit func() error
			want []string
		}{
			{"a socket", func() error { return ann.Emit("e", 1) }, []string{"ann e [1] false"}},
			{"binary", func() error { return ann.Emit("e", []byte{7}) }, []string{`ann e [{"_placeholder":true,"num":0}] false`}},
			{"volatile", func() error { return ann.Volatile().Emit("e") }, []string{"ann e [] false"}},
			{"a question", func() error { _, err := ann.EmitWithAck(ended, "e", 1); return ignoreCanceled(err) }, []string{"ann e [1] true"}},
			{"a callback", func() error { return ann.Emit("e", 1, func(socketio.Args, error) {}) }, []string{"ann e [1] true"}},
			{"others", func() error { return ann.Broadcast().Emit("e") }, []string{"bob e [] false"}},
			{"a room's others", func() error { return bob.To("lobby").Emit("e", "x") }, []string{`ann e ["x"] false`}},
			{"everybody", func() error { return srv.Emit("e") }, []string{"ann e [] false", "bob e [] false"}},
			{"a broadcast question", func() error { _, err := srv.EmitWithAck(ended, "e", 2); return ignoreCanceled(err) }, []string{"ann e [2] true", "bob e [2] true"}},
			{"a broadcast callback", func() error { return srv.To(ann.ID()).Emit("e", ignore) }, []string{"ann e [] true"}},
			{"nobody", func() error { return srv.To("nowhere").Emit("e") }, nil},
			{"a typed event", func() error { return socketio.Event[int]("t").Emit(ann, 3) }, []string{"ann t [3] false"}},
		}
		for _, test := range tests {
			if err := test.emit(); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			log.mu.Lock()
			log.list = siotest.Sorted(log.list)
			log.mu.Unlock()
			log.want(t, test.name, test.want...)
			siotest.WantEqual(t, "value", wantErrorIf(t, srv, len(test.want) > 0), len(test.want) > 0)
			for len(srv.Errors) > 0 {
				<-srv.Errors
			}
		}
		ann.Disconnect()
		if err := ann.Emit("e"); !errors.Is(err, socketio.ErrClosed) {
			t.Error(err)
		}
		log.want(t, "somebody who has left")
		off()
		srv.Emit("e")
		log.want(t, "off")
	})
}

// wantErrorIf returns whether OnError was told something, which must be so if
// it is wanted.
func wantErrorIf(t *testing.T, srv *siotest.Server, wanted bool) bool {
	t.Helper()
	if wanted {
		siotest.WantError[*socketio.PanicError](t, srv)
		return true
	}
	return len(srv.Errors) > 0
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Answers are no events.
func TestAnswersAreNoOutgoingEvents(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.OnAnyOutgoing(func(_ *socketio.Socket, m socketio.Message) { t.Errorf("told of %s", m.Event) })
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "answer", c.Ask(`["echo",1]`), `[1]`)
}

func TestObserversChangeWhileServing(t *testing.T) {
	t.Parallel()
	const rounds = 200
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	var seen sync.Map
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				offs := []func(){
					srv.OnAny(func(*socketio.Socket, socketio.Message) { seen.Store(i, true) }),
					srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { seen.Store(i, true) }),
					srv.OnJoin(func(*socketio.Socket, string) {}),
					srv.OnLeave(func(*socketio.Socket, string) {}),
				}
				for _, off := range offs {
					off()
				}
			}
		})
	}
	var always journal
	srv.OnAny(func(_ *socketio.Socket, m socketio.Message) { always.note("%s", m.Event) })
	srv.Intercept(func(ctx context.Context, _ *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		return next(ctx, m)
	})
	for i := range rounds {
		siotest.WantEqual(t, "answer", c.Ask(fmt.Sprintf(`["echo",%d]`, i)), fmt.Sprintf("[%d]", i))
		s.Join("room")
		s.Emit("e")
		c.Want(`42["e"]`)
		s.Leave("room")
	}
	close(stop)
	wg.Wait()
	siotest.WantEqual(t, "events seen by the observer that was always registered", len(always.list), rounds)
}

func TestOnJoinAndOnLeave(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	var log journal
	names := make(map[string]string)
	offJoin := srv.OnJoin(func(s *socketio.Socket, room string) { log.note("%s joins %s", names[s.ID()], room) })
	srv.OnJoin(func(*socketio.Socket, string) { panic("oops") })
	srv.OnLeave(func(*socketio.Socket, string) { panic("oops") })
	offLeave := srv.OnLeave(func(s *socketio.Socket, room string) { log.note("%s leaves %s %v", names[s.ID()], room, s.Connected()) })
	told := make(chan struct{})
	srv.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) {
		log.note("%s disconnects", names[s.ID()])
		told <- struct{}{}
	})
	a, ann := srv.JoinSocket(t, siotest.WebSocket)
	_, bob := srv.JoinSocket(t, siotest.WebSocket)
	names[ann.ID()], names[bob.ID()] = "ann", "bob"
	log.want(t, "the room of the id is not told of")

	ann.Join("x", "y", "x")
	log.want(t, "two rooms", "ann joins x", "ann joins y")
	ann.Join("y", ann.ID())
	log.want(t, "a room again")
	ann.Leave("y", "z", ann.ID())
	log.want(t, "leaving", "ann leaves y true")
	srv.Room("z").Join(ann, bob)
	log.want(t, "by handle", "ann joins z", "bob joins z")
	srv.Room("z").Leave(ann, bob)
	log.want(t, "by handle", "ann leaves z true", "bob leaves z true")
	srv.To(bob.ID()).Join(t.Context(), "x", "w")
	log.want(t, "by emitter", "bob joins x", "bob joins w")
	srv.To(bob.ID()).Leave(t.Context(), "w", "y")
	log.want(t, "by emitter", "bob leaves w true")

	a.Wire.Close()
	siotest.Receive(t, told)
	log.want(t, "a connection that broke", "ann leaves x false", "ann disconnects")
	if err := ann.Join("x"); !errors.Is(err, socketio.ErrClosed) {
		t.Error(err)
	}
	ann.Leave("x")
	log.want(t, "afterwards")
	offJoin()
	bob.Join("v")
	log.want(t, "off")
	offLeave()
	bob.Disconnect()
	siotest.Receive(t, told)
	log.want(t, "off", "bob disconnects")
	siotest.WantEqual(t, "value", siotest.WantError[*socketio.PanicError](t, srv).Value, any("oops"))
}

// Rooms that middleware lets a socket join are told of, and that it has left
// them when it does not get in.
func TestRoomsOfSocketsThatAreRefused(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	events := make(chan string, 10)
	srv.OnJoin(func(_ *socketio.Socket, room string) { events <- "joins " + room })
	srv.OnLeave(func(_ *socketio.Socket, room string) { events <- "leaves " + room })
	let := make(chan error)
	srv.Use(func(_ context.Context, s *socketio.Socket) error {
		s.Join("room")
		return <-let
	})
	c := srv.Open(t, siotest.WebSocket)
	c.Write("40")
	siotest.WantEqual(t, "event", siotest.Receive(t, events), "joins room")
	let <- socketio.Errorf("no")
	siotest.WantEqual(t, "event", siotest.Receive(t, events), "leaves room")
	c.Want(`44{"message":"no"}`)

	for _, leave := range []func(){func() { c.Write("41") }, func() { c.Wire.Close() }} {
		c.Write("40")
		siotest.WantEqual(t, "event", siotest.Receive(t, events), "joins room")
		leave()
		let <- nil
		siotest.WantEqual(t, "event", siotest.Receive(t, events), "leaves room")
	}
	siotest.WantEqual(t, "rooms", srv.Stats().Rooms, 0)
}
