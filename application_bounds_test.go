package socketio_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
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
	srv := serve(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	srv.On("fail", func() error { return logged{t} })
	srv.On("panic", func() { panic(logged{t}) })
	c := srv.join(t, webSocket)
	c.write(`421["fail"]`, `422["panic"]`)
	c.want(`431[{"error":{"message":"internal error"}}]`, `432[{"error":{"message":"internal error"}}]`)
	for range 2 {
		if line := receive(t, log); !strings.Contains(line, "logged") {
			t.Errorf("logged %s", line)
		}
	}
}

// An observer or a hook that causes its own call is called a bounded number of
// times.
func TestObserversThatCallThemselves(t *testing.T) {
	for name, install := range map[string]func(o *socketio.Options) (later func(*testServer)){
		"OnAnyOutgoing": func(*socketio.Options) func(*testServer) {
			return func(srv *testServer) {
				srv.OnAnyOutgoing(func(s *socketio.Socket, _ socketio.Message) { s.Emit("x") })
			}
		},
		"OnJoin": func(*socketio.Options) func(*testServer) {
			return func(srv *testServer) {
				srv.OnJoin(func(s *socketio.Socket, room string) { s.Join(room + "x"); s.Leave(room) })
			}
		},
		"PacketOut": func(o *socketio.Options) func(*testServer) {
			o.Hooks = &socketio.Hooks{PacketOut: func(s *socketio.Socket, p socketio.Packet, _ int64) {
				if p.Type == "event" {
					s.Emit("x")
				}
			}}
			return func(*testServer) {}
		},
		"OnError": func(o *socketio.Options) func(*testServer) {
			var srv *testServer
			o.OnError = func(*socketio.Socket, error) { srv.Emit("x") }
			return func(s *testServer) {
				srv = s
				srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { panic("x") })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opts socketio.Options
			later := install(&opts)
			srv := serve(t, &opts)
			later(srv)
			srv.On("begin", func(s *socketio.Socket) {
				s.Emit("x")
				s.Join("room")
			})
			c := srv.join(t, webSocket)
			c.write(`421["begin"]`)
			for packet := c.read(); packet != `431[]`; {
				packet = c.read()
			}
			if srv.Stats().Panics == 0 {
				t.Error("it was called without end")
			}
		})
	}
}

// A panic of a value that is being encoded is counted.
func TestPanicsOfEncodingAreCounted(t *testing.T) {
	srv := serve(t, nil)
	m := &fault{kind: "panic", done: make(chan struct{})}
	m.armed.Store(true)
	srv.join(t, webSocket)
	var p *socketio.PanicError
	if err := srv.Emit("x", badJSON{m}); !errors.As(err, &p) || p.Value != "fault" {
		t.Errorf("Emit returned %v", err)
	}
	wantEqual(t, "panics", srv.Stats().Panics, 1)
}
