package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/leak"
	"github.com/socketio-go/socketio/internal/memnet"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A harness is a server on a network in memory.
type harness struct {
	t   *testing.T
	io  *socketio.Server
	net *memnet.Server

	mu    sync.Mutex
	conns []*memnet.Conn
	down  bool
}

var quiet = slog.New(slog.DiscardHandler)

func serve(t *testing.T, opts *socketio.Options) *harness {
	if opts == nil {
		opts = &socketio.Options{}
	}
	opts.Logger = quiet
	h := &harness{t: t, io: socketio.NewServer(opts)}
	h.net = memnet.Serve(&http.Server{Handler: h.io})
	t.Cleanup(func() {
		h.io.Close()
		h.net.Close()
	})
	return h
}

func (h *harness) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	h.mu.Lock()
	down := h.down
	h.mu.Unlock()
	if down {
		return nil, errors.New("the network is down")
	}
	c, err := h.net.Dial(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.conns = append(h.conns, c)
	h.mu.Unlock()
	return c, nil
}

func (h *harness) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		c.Cut()
	}
	h.conns = nil
}

// freeze holds up what is sent over the connections, or lets it pass again.
func (h *harness) freeze(frozen bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		if frozen {
			c.Freeze()
		} else {
			c.Thaw()
		}
	}
}

func (h *harness) setDown(down bool) {
	h.mu.Lock()
	h.down = down
	h.mu.Unlock()
}

func (h *harness) client(opts client.Options) *client.Client {
	opts.Dial = h.dial
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	c, err := client.New("http://server", &opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		c.Close()
		if err := c.Shutdown(context.WithoutCancel(h.t.Context())); err != nil && !errors.As(err, new(*client.UnsentError)) {
			h.t.Error(err)
		}
		h.cut()
		s := c.Stats()
		if sum := s.Written + s.Pending + s.Buffered + s.Volatile + s.Dropped.Total(); sum != s.Emitted {
			h.t.Errorf("emitted %d, accounted for %d: %+v", s.Emitted, sum, s)
		}
	})
	return c
}

var ways = map[string]client.Options{
	"websocket": {Transports: []socketio.Transport{socketio.WebSocket}},
	"polling":   {Transports: []socketio.Transport{socketio.Polling}, DisableUpgrade: true},
	"upgrading": {Transports: []socketio.Transport{socketio.Polling, socketio.WebSocket}},
}

// everyWay runs a test over every transport, in a bubble.
func everyWay(t *testing.T, test func(t *testing.T, opts client.Options)) {
	for name, opts := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, opts) })
		})
	}
}

func TestRoundTrips(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		h.io.On("echo", func(s *socketio.Socket, args socketio.Args) socketio.Args { return args })
		h.io.On("again", func(s *socketio.Socket, text string, data []byte) { s.Emit("again", text, data) })
		h.io.On("ask", func(ctx context.Context, s *socketio.Socket) (string, error) {
			answer, err := s.EmitWithAck(ctx, "question", 6, 7)
			return answer.String(), err
		})
		h.io.On("fail", func() error { return socketio.Errorf("no") })
		c := h.client(opts)
		again := make(chan string, 100)
		c.On("again", func(text string, data []byte) { again <- text + string(data) })
		c.On("question", func(a, b int) int { return a * b })
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			got, err := c.EmitWithAck(t.Context(), "echo", i, []byte("binary"), map[string]any{"x": []byte{1}})
			if err != nil {
				t.Fatal(err)
			}
			var n int
			var bin []byte
			if err := got.Decode(&n, &bin); err != nil || n != i || string(bin) != "binary" {
				t.Fatal(got, err)
			}
			if err := c.Emit("again", "text", []byte("more")); err != nil {
				t.Fatal(err)
			}
			if got := <-again; got != "textmore" {
				t.Fatal(got)
			}
		}
		got, err := c.EmitWithAck(t.Context(), "ask")
		if err != nil || got.String() != `["[42]"]` {
			t.Error(got, err)
		}
		var refusal *socketio.Error
		if _, err := socketio.Call[int, int]("fail").Do(t.Context(), c, 1); !errors.As(err, &refusal) || refusal.Message != "no" {
			t.Error(err)
		}
		if got, err := c.Deliver(t.Context(), "echo", "x"); err != nil || got.String() != `["x"]` {
			t.Error(got, err)
		}
		if err := c.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestReconnects(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		got := make(chan int, 1000)
		h.io.On("n", func(n int) { got <- n })
		c := h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			h.setDown(true)
			h.cut()
			synctest.Wait()
			if c.Connected() {
				t.Fatal("still connected")
			}
			if err := c.Emit("n", i); err != nil {
				t.Fatal(err)
			}
			bubble.Sleep(time.Minute)
			h.setDown(false)
			if n := <-got; n != i {
				t.Fatal(n, i)
			}
		}
		h.setDown(true)
		h.cut()
		go func() {
			bubble.Sleep(time.Hour)
			h.setDown(false)
		}()
		if _, err := c.Deliver(t.Context(), "n", 11); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRefused(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		h.io.Use(func(_ context.Context, s *socketio.Socket) error {
			var auth struct{ Token string }
			_ = s.Handshake().Auth.Decode(&auth)
			if auth.Token != "secret" {
				return socketio.Errorf("who are you?")
			}
			return nil
		})
		c := h.client(opts)
		var refused *client.RefusedError
		if err := c.Connect(t.Context()); !errors.As(err, &refused) || refused.Err.Message != "who are you?" {
			t.Fatal(err)
		}
		if s := c.State(); s != client.Idle {
			t.Error(s)
		}
		opts.Auth = func(context.Context, string) (any, error) { return map[string]string{"token": "secret"}, nil }
		c = h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Of("/other").Connect(t.Context()); !errors.As(err, &refused) || refused.Err.Message != "Invalid namespace" {
			t.Fatal(err)
		}
	})
}

func TestRecovery(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		h.io.OnConnect(func(s *socketio.Socket) { s.Join("room") })
		c := h.client(opts)
		got := make(chan int, 1000)
		c.On("n", func(n int) { got <- n })
		joined := make(chan client.Joined, 100)
		c.OnConnect(func(j client.Joined) { joined <- j })
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j := <-joined; !j.First || j.Recovered {
			t.Error(j)
		}
		next := 0
		for range 5 {
			h.io.To("room").Emit("n", next)
			if n := <-got; n != next {
				t.Fatal(n)
			}
			next++
			synctest.Wait() // a poll is under way
			h.cut()
			for range 3 {
				h.io.To("room").Emit("n", next)
				if n := <-got; n != next {
					t.Fatal(n, next)
				}
				next++
			}
			if j := <-joined; j.First || !j.Recovered {
				t.Error(j)
			}
		}
	})
}
