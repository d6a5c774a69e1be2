package tests_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A function of the application that blocks holds up its own socket: not
// another client, not another namespace of the same connection, and nothing
// that the application does elsewhere.
func TestFunctionsThatBlock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		block func(srv *siotest.Server, wait func()) // in "/slow"; nil for OnError
		cause []any
	}{
		{"middleware", func(srv *siotest.Server, wait func()) {
			srv.Of("/slow").Use(func(context.Context, *socketio.Socket) error { wait(); return nil })
		}, []any{`40/slow,`}},
		{"OnConnect", func(srv *siotest.Server, wait func()) {
			srv.Of("/slow").OnConnect(func(*socketio.Socket) { wait() })
		}, []any{`40/slow,`}},
		{"a handler", func(srv *siotest.Server, wait func()) { srv.Of("/slow").On("event", wait) },
			[]any{`40/slow,`, `42/slow,["event"]`}},
		{"an interceptor", func(srv *siotest.Server, wait func()) {
			srv.Of("/slow").Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				wait()
				return next(ctx, m)
			})
		}, []any{`40/slow,`, `42/slow,["event"]`}},
		{"an ack callback", func(srv *siotest.Server, wait func()) {
			srv.Of("/slow").OnConnect(func(s *socketio.Socket) { s.Emit("q", func(socketio.Args, error) { wait() }) })
		}, []any{`40/slow,`, `43/slow,0[]`}},
		{"the socket's OnDisconnect", func(srv *siotest.Server, wait func()) {
			srv.Of("/slow").OnConnect(func(s *socketio.Socket) { s.OnDisconnect(func(socketio.Reason) { wait() }) })
		}, []any{`40/slow,`, `41/slow,`}},
		{"OnDisconnect", func(srv *siotest.Server, wait func()) {
			srv.Of("/slow").OnDisconnect(func(*socketio.Socket, socketio.Reason) { wait() })
		}, []any{`40/slow,`, `41/slow,`}},
		{"OnError", nil, []any{`40/slow,`, `42/slow,["event"]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			siotest.OnEachTransport(t, func(t *testing.T, transport string) {
				synctest.Test(t, func(t *testing.T) {
					blocked, release := make(chan struct{}, 10), make(chan struct{})
					wait := func() { blocked <- struct{}{}; <-release }
					var opts socketio.Options
					if tt.block == nil {
						opts.OnError = func(*socketio.Socket, error) { wait() }
					}
					srv := siotest.ServeInMemory(t, &opts)
					if tt.block == nil {
						srv.Of("/slow").On("event", func() error { return errors.New("it failed") })
					} else {
						tt.block(srv, wait)
					}
					srv.Of("/x").On("echo", func(args socketio.Args) socketio.Args { return args })
					other := srv.Join(t, transport)
					c, s := srv.JoinSocket(t, transport)
					for _, packet := range tt.cause {
						c.Write(packet)
						synctest.Wait()
					}
					<-blocked

					siotest.WantEqual(t, "another client's echo", other.Ask(`["echo",1]`), `[1]`)
					late := srv.Join(t, transport)
					siotest.WantEqual(t, "the echo of a client that connects now", late.Ask(`["echo",1]`), `[1]`)
					if err := s.Join("room"); err != nil {
						t.Error(err)
					}
					srv.To("room").Emit("hello")
					for n := range srv.Namespaces() { // "/slow" is among them
						n.Emit("to all")
						n.To("room").Count(t.Context())
					}
					srv.Stats()
					other.Want(`42["to all"]`)
					late.Want(`42["to all"]`)
					c.Write(`40/x,`, `42/x,5["echo",2]`)
					for seen := 0; seen < 3; { // whatever "/slow" has sent before
						switch c.Read() {
						case `42["hello"]`, `42["to all"]`, `43/x,5[2]`:
							seen++
						}
					}
					siotest.WantEqual(t, "its own echo in /", c.Ask(`["echo",3]`), `[3]`)
					srv.Advance(c, 30*time.Second) // the heartbeats go on
					close(release)
				})
			})
		})
	}
}

// A function of the application that is told of an error may do whatever it may
// do elsewhere.
func TestCallsFromOnError(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		synctest.Test(t, func(t *testing.T) {
			var srv *siotest.Server
			called := make(chan struct{}, 10)
			srv = siotest.ServeInMemory(t, &socketio.Options{OnError: func(s *socketio.Socket, _ error) {
				if s == nil { // a bad packet
					for s := range srv.LocalSockets() {
						s.Emit("somebody sends nonsense")
					}
				} else {
					s.Join("room")
					s.Emit("you have failed")
					s.Context()
					s.Leave("room")
				}
				srv.Stats()
				srv.Of("/late")
				called <- struct{}{}
			}})
			srv.On("fail", func() error { return errors.New("no") })
			other := srv.Join(t, transport)
			other.WantNothing()
			c := srv.Join(t, transport)
			c.Write(`42["fail"]`)
			c.Want(`42["you have failed"]`)
			<-called
			c.Write(`4abc`)
			<-called
			other.Want(`42["somebody sends nonsense"]`)
		})
	})
}
