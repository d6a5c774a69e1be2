package eioclient

import (
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/leak"
	"github.com/socketio-go/socketio/internal/memnet"
)

func TestMain(m *testing.M) { leak.Main(m) }

type echoServer struct{ s *engine.Session }

func (e *echoServer) Receive(_ *engine.Turn, data []byte, binary bool) {
	_ = e.s.Send(engine.NewRawMessage(data, binary), false)
}
func (*echoServer) Full() bool           { return false }
func (*echoServer) Heartbeat()           {}
func (*echoServer) Closed(engine.Reason) {}

type sink struct {
	got    chan string
	closed chan Reason
}

func (r *sink) Receive(_ *Turn, data []byte, binary bool)          { r.got <- string(data) }
func (r *sink) Closed(reason Reason, err error, unsent []*Message) { r.closed <- reason }

func TestEcho(t *testing.T) {
	for name, how := range map[string]func(*Config){
		"websocket": func(c *Config) { c.Transports = []Transport{WebSocket} },
		"polling":   func(c *Config) { c.Transports = []Transport{Polling} },
		"upgrading": func(c *Config) { c.Transports, c.Upgrade = []Transport{Polling}, true },

		"websocket of Engine.IO 3": func(c *Config) { c.Transports, c.V3 = []Transport{WebSocket}, true },
		"polling of Engine.IO 3":   func(c *Config) { c.Transports, c.V3 = []Transport{Polling}, true },
		"upgrading of Engine.IO 3": func(c *Config) { c.Transports, c.V3, c.Upgrade = []Transport{Polling}, true, true },
	} {
		t.Run(name, func(t *testing.T) {
			srv := engine.New(engine.Config{
				Transports: engine.Polling | engine.WebSocket, AllowEIO3: true,
				PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, UpgradeTimeout: 10 * time.Second,
				WriteTimeout: 10 * time.Second, MaxPayload: 1e6, MaxQueue: 1 << 20, MaxHandshakes: 10,
				Origin: func(*http.Request, http.Header) error { return nil },
				Open:   func(s *engine.Session) engine.Receiver { return &echoServer{s} },
			})
			net := memnet.Serve(&http.Server{Handler: srv})
			defer net.Close()
			u, _ := url.Parse("http://server/socket.io/")
			cfg := &Config{URL: u, Poller: func() *http.Client { return net.Client }, Dial: net.DialContext, WriteTimeout: 10 * time.Second,
				UpgradeTimeout: 10 * time.Second, MaxMessage: 1 << 20, MaxQueue: 1 << 20, Now: time.Now, Tasks: new(sync.WaitGroup)}
			how(cfg)
			r := &sink{make(chan string, 1000), make(chan Reason, 1)}
			s, err := Dial(t.Context(), cfg, r, func(*Session) {})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				text := strings.Repeat("é𝄞", i*20) + "end"
				m := NewMessage([]byte("4"+text), nil)
				if err := s.Send(&m, false); err != nil {
					t.Fatal(err)
				}
				if got := <-r.got; got != text {
					t.Fatal(len(got), len(text))
				}
				if cfg.Upgrade && i == 50 {
					for s.Transport() != WebSocket {
						runtime.Gosched()
					}
				}
			}
			s.Close()
			if reason := <-r.closed; reason != ForcedClose {
				t.Error(reason)
			}
			cfg.Tasks.Wait()
			for srv.Len() > 0 {
				runtime.Gosched()
			}
			if n := srv.Wait(t.Context()); n != 0 {
				t.Error(n)
			}
		})
	}
}

// net/http repeats a GET whose connection breaks. A poll must not be repeated: what its
// response carried would be lost without notice.
func TestPollIsNotRepeated(t *testing.T) {
	var polls atomic.Int32
	net := memnet.Serve(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("sid") {
			_, _ = io.WriteString(w, `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}`)
			return
		}
		switch polls.Add(1) {
		case 1: // over the connection of the handshake
			_, _ = io.WriteString(w, "4hello")
		case 2:
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.(*memnet.Conn).Cut()
				conn.Close()
			}
		}
	})})
	defer net.Close()
	u, _ := url.Parse("http://server/socket.io/")
	cfg := &Config{URL: u, Poller: func() *http.Client { return net.Client }, Dial: net.DialContext, WriteTimeout: 10 * time.Second, Transports: []Transport{Polling},
		UpgradeTimeout: 10 * time.Second, MaxMessage: 1 << 20, MaxQueue: 1 << 20, Now: time.Now, Tasks: new(sync.WaitGroup)}
	r := &sink{make(chan string, 1000), make(chan Reason, 1)}
	if _, err := Dial(t.Context(), cfg, r, func(*Session) {}); err != nil {
		t.Fatal(err)
	}
	if reason := <-r.closed; reason != TransportError {
		t.Error(reason)
	}
	cfg.Tasks.Wait()
	if n := polls.Load(); n != 2 {
		t.Errorf("the client has polled %d times", n)
	}
}
