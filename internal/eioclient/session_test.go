package eioclient

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
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
	} {
		t.Run(name, func(t *testing.T) {
			srv := engine.New(engine.Config{
				Transports:   engine.Polling | engine.WebSocket,
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
				text := strings.Repeat("x", i*100) + "end"
				m := NewMessage([]byte("4"+text), nil)
				if err := s.Send(&m, false); err != nil {
					t.Fatal(err)
				}
				if got := <-r.got; got != text {
					t.Fatal(len(got), len(text))
				}
				if name == "upgrading" && i == 50 {
					for s.Transport() != WebSocket {
						<-time.After(time.Millisecond)
					}
				}
			}
			s.Close()
			if reason := <-r.closed; reason != ForcedClose {
				t.Error(reason)
			}
			cfg.Tasks.Wait()
			for srv.Len() > 0 {
				<-time.After(time.Millisecond)
			}
			if n := srv.Wait(t.Context()); n != 0 {
				t.Error(n)
			}
		})
	}
}
