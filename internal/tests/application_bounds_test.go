package tests_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A logged value has methods that nothing may call.
type logged struct{ t *testing.T }

func (v logged) LogValue() slog.Value {
	v.t.Error("LogValue was called")
	return slog.StringValue("value")
}
func (v logged) Error() string { return "logged" }

// The attributes of the log are texts: the handler calls no method of what the
// application has returned or has panicked with.
func TestNoMethodOfTheLogIsCalled(t *testing.T) {
	log := make(lines, 100)
	srv := siotest.Serve(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	srv.On("fail", func() error { return logged{t} })
	srv.On("panic", func() { panic(logged{t}) })
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`421["fail"]`, `422["panic"]`)
	c.Want(`431[{"error":{"message":"internal error"}}]`, `432[{"error":{"message":"internal error"}}]`)
	for range 2 {
		if line := siotest.Receive(t, log); !strings.Contains(line, "logged") {
			t.Errorf("logged %s", line)
		}
	}
}

// An observer or a hook that causes its own call is called a bounded number of
// times.
func TestObserversThatCallThemselves(t *testing.T) {
	for name, install := range map[string]func(o *socketio.Options) (later func(*siotest.Server)){
		"OnAnyOutgoing": func(*socketio.Options) func(*siotest.Server) {
			return func(srv *siotest.Server) {
				srv.OnAnyOutgoing(func(s *socketio.Socket, _ socketio.Message) { s.Emit("x") })
			}
		},
		"OnJoin": func(*socketio.Options) func(*siotest.Server) {
			return func(srv *siotest.Server) {
				srv.OnJoin(func(s *socketio.Socket, room string) { s.Join(room + "x"); s.Leave(room) })
			}
		},
		"PacketOut": func(o *socketio.Options) func(*siotest.Server) {
			o.Hooks = &socketio.Hooks{PacketOut: func(s *socketio.Socket, p socketio.Packet, _ int64) {
				if p.Type == "event" {
					s.Emit("x")
				}
			}}
			return func(*siotest.Server) {}
		},
		"OnError": func(o *socketio.Options) func(*siotest.Server) {
			var srv *siotest.Server
			o.OnError = func(*socketio.Socket, error) { srv.Emit("x") }
			return func(s *siotest.Server) {
				srv = s
				srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { panic("x") })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opts socketio.Options
			later := install(&opts)
			srv := siotest.Serve(t, &opts)
			later(srv)
			srv.On("begin", func(s *socketio.Socket) {
				s.Emit("x")
				s.Join("room")
			})
			c := srv.Join(t, siotest.WebSocket)
			c.Write(`421["begin"]`)
			for packet := c.Read(); packet != `431[]`; {
				packet = c.Read()
			}
			if srv.Stats().Panics == 0 {
				t.Error("it was called without end")
			}
		})
	}
}

// A panic of a value that is being encoded is counted.
func TestPanicsOfEncodingAreCounted(t *testing.T) {
	srv := siotest.Serve(t, nil)
	m := &fault{kind: "panic", done: make(chan struct{})}
	m.armed.Store(true)
	srv.Join(t, siotest.WebSocket)
	var p *socketio.PanicError
	if err := srv.Emit("x", badJSON{m}); !errors.As(err, &p) || p.Value != "fault" {
		t.Errorf("Emit returned %v", err)
	}
	siotest.WantEqual(t, "panics", srv.Stats().Panics, 1)
}
